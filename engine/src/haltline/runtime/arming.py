"""Arming by the set-up file, and gaps that open later: each on record, and told.

`mode: live` in the set-up is an arming like one by an operator: the same event, with the same list of what is not
covered. An account about which the file says nothing new stays as operators left it.
"""

from dataclasses import dataclass, replace

import msgspec

from haltline.api import Message
from haltline.config.settings import RuleBook, Setup
from haltline.control.arming import Gap, arming_list, new_gaps
from haltline.control.basis import Basis
from haltline.control.readiness import Standings, shortfall
from haltline.kernel.kernel import Kernel
from haltline.model.event import ArmRequest
from haltline.model.id import AccountId
from haltline.model.rule import Severity
from haltline.runtime.compose import Parts
from haltline.runtime.loosening import mode_changes

FILE = "haltline.yaml"
"""Who arms and disarms where the set-up file says so."""


@dataclass(frozen=True, slots=True)
class ByFile:
    """What the file asks for at a start: whom to disarm (before anything is judged) and whom to arm (after it)."""

    disarm: tuple[ArmRequest, ...] = ()
    arm: tuple[ArmRequest, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Withheld:
    """Accounts that the file arms anew and that stay in shadow, because the alarm path is not `ready` for it."""

    accounts: tuple[AccountId, ...] = ()
    unready: str = ""

    def setup(self, setup: Setup) -> Setup:
        """The set-up with these accounts in shadow. At the next start they are new again, and looked at again."""
        accounts = [
            msgspec.structs.replace(each, live=False) if each.id in self.accounts else each for each in setup.accounts
        ]
        return replace(setup, accounts=tuple(accounts))

    def text(self, kernel: Kernel) -> str:
        """What people are told of it; empty where an operator has armed them all meanwhile."""
        left = [name for name in self.accounts if not kernel.state.accounts[name].live]
        if not left:
            return ""
        return (
            f"{', '.join(left)}: the set-up says live, but {self.unready}. Rules decide and tell, and nothing is done. "
            f"Run `drill {left[0]} wait=2m`, let somebody acknowledge it, then `arm {left[0]} accept=all REASON` [E863]"
        )


def withheld(setup: Setup, before: Basis | None, standings: Standings, *, now: int) -> Withheld:
    """What the terms under `arming:` keep in shadow at this start. An account that was armed before stays so."""
    unready = shortfall(setup.arming, standings.of([entry.name for entry in setup.drills]), now)
    was = {each.id for each in before.accounts if each.live} if before is not None else set()
    accounts = tuple(each.id for each in setup.accounts if unready and each.live and each.id not in was)
    return Withheld(accounts=accounts, unready=unready)


def arming_by_file(parts: Parts, kernel: Kernel, before: Basis | None, *, now: int) -> ByFile:
    """The requests that follow from `mode` in the set-up, each arming with the gaps it has."""
    requests = []
    for spec in mode_changes(kernel, before, parts.setup):
        gaps = arming_list(parts.setup, parts.book, parts.registry, spec.id).gaps if spec.live else ()
        requests.append(
            ArmRequest(
                at=now, received_at=now, account=spec.id, operator=FILE, live=spec.live,
                reason=f"mode: {'live' if spec.live else 'shadow'}", gaps=tuple(map(str, gaps)),
            )
        )  # fmt: skip
    return ByFile(
        disarm=tuple(each for each in requests if not each.live), arm=tuple(each for each in requests if each.live)
    )  # fmt: skip


def armed_message(request: ArmRequest, rules: int) -> Message:
    """An account was armed by the set-up: with how many rules, and what is not covered."""
    codes = ", ".join(gap.partition(": ")[0] for gap in request.gaps)
    count = f"{rules} rule{'' if rules == 1 else 's'}"
    missing = f"Not covered: {codes} (`haltline arming {request.account}` explains)." if codes else "No gap is known."
    return Message(
        id=f"armed:{request.account}:{request.at}", at=request.at, severity=Severity.INFO,
        title=f"Armed: {request.account}", account=str(request.account),
        text=f"Account {request.account} is armed by {request.operator} with {count}. {missing}",
    )  # fmt: skip


class GapWatch:
    """Gaps of armed accounts that nobody accepted: each is told once for as long as it is open."""

    def __init__(self, parts: Parts, kernel: Kernel) -> None:
        self._parts = parts
        self._kernel = kernel
        self._told: dict[AccountId, frozenset[str]] = {}

    def look(self, book: RuleBook, *, now: int) -> list[Message]:
        """What is to be told now that these rules are in force."""
        messages = []
        for name, arming in self._kernel.loosenings.armings.items():
            if self._parts.setup.account(name) is None:
                continue
            opened = new_gaps(arming_list(self._parts.setup, book, self._parts.registry, name), arming.gaps)
            fresh = [gap for gap in opened if gap.code not in self._told.get(name, frozenset())]
            self._told[name] = frozenset(gap.code for gap in opened)
            if fresh:
                messages.append(_gap_message(name, fresh, now))
        return messages


def _gap_message(account: AccountId, gaps: list[Gap], now: int) -> Message:
    said = "; ".join(map(str, gaps))
    return Message(
        id=f"gaps:{account}:{now}", at=now, severity=Severity.WARNING, title=f"New gaps: {account}",
        account=str(account), text=f"What arming account {account} covers has become less: {said}.",
    )  # fmt: skip
