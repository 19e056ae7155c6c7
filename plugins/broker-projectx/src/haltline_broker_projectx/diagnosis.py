"""What `haltline doctor` is told: login, clock, accounts, contracts."""

from collections.abc import Sequence

from haltline.api import Finding, Level
from haltline.clock import NS_PER_S
from haltline.errors import Refused
from haltline_broker_projectx.pull import Puller
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.wire import WireAccount

_CLOCK_NS = 5 * NS_PER_S


async def diagnose(puller: Puller, *, session: Session, contracts: Sequence[str]) -> Sequence[Finding]:
    """Log in and look; raises Transient or Refused where that is not possible."""
    await session.log_in()
    found = [Finding(level=Level.OK, about="login", text="the user and the key are accepted")]
    told = await puller.all_accounts()
    found.append(_clock(session.skew_ns))
    for account, number in puller.accounts.all.items():
        found.append(_account(str(account), next(each for each in told if each.id == number)))
    for wanted in contracts:
        found.append(await _contract(puller, wanted))
    return found


def _clock(skew_ns: int) -> Finding:
    if abs(skew_ns) <= _CLOCK_NS:
        return Finding(level=Level.OK, about="clock", text="the platform's clock is ours")
    text = f"the platform's clock is {skew_ns / NS_PER_S:+.0f} s from ours"
    return Finding(level=Level.WARN, about="clock", text=text, cure="have this machine keep its time by NTP")


def _account(name: str, told: WireAccount) -> Finding:
    money = {True: "simulated money", False: "live money"}.get(told.simulated, "live or simulated: not said")  # type: ignore[arg-type]  # None is not said
    text = f"{told.name}, {money}"
    if told.can_trade is False:
        cure = "ask the firm why; rules can stand aside on account.can_trade"
        return Finding(
            level=Level.WARN, about=f"account {name}", text=f"{text}; the platform does not let it trade", cure=cure
        )
    return Finding(level=Level.OK, about=f"account {name}", text=text)


async def _contract(puller: Puller, wanted: str) -> Finding:
    try:
        (contract,) = await puller.contracts.look_up([wanted])
    except Refused as refusal:
        return Finding(
            level=Level.FAIL, about=f"contract {wanted}", text=str(refusal), cure="correct the name under `contracts`"
        )
    worth = contract.spec.multiplier.normalize()
    return Finding(
        level=Level.OK, about=f"contract {wanted}", text=f"{contract.symbol}: {worth:f} a point and contract"
    )
