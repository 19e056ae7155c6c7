"""What operators want done at the broker, and acknowledgements taken back: through the plan, like what rules ask for.

Contract. Entries are blocked before a flatten begins, and stay blocked until it is proven done or an operator resumes.
In shadow nothing is sent. A request whose id is under way is not planned twice. What fails is tried again like what
rules ask for, at the same pace and getting as loud: a flatten until it is done or an operator resumes entries, a close
until the position and the orders of its symbol are gone, a cancel until no such order works; disarming the account
withdraws them all.
"""

from typing import TYPE_CHECKING

from haltline.kernel.emission import Emission
from haltline.model.event import ActionOutcome, ActionRequest, LockRequest, OutcomeStatus, Unacknowledge
from haltline.model.id import ActionId
from haltline.model.plan import PlannedAction

if TYPE_CHECKING:  # the core calls these
    from haltline.kernel.core import Core

NAMES = ("flatten", "close_position", "cancel_orders")
_PREFIX = "operator@"


def take_action_request(core: "Core", event: ActionRequest, _: int, out: Emission) -> None:
    """Plan what was asked for, or say in a notice why it is not."""
    objection = _objection(core, event)
    target = "/".join(part for part in (event.account, event.symbol, event.order_id) if part)
    if objection:
        out.notices.append(f"{event.name} of {target} for {event.operator} was refused: {objection}")
        return
    action = PlannedAction(
        id=ActionId(f"{_PREFIX}{event.account}:{event.name}:{event.request_id}"),
        at=out.now,
        name=event.name,
        account=event.account,
        symbol=event.symbol,
        order_id=event.order_id,
        reason=f"{event.operator} asked for it: {event.reason}",
        drill=event.drill,
    )
    if action.id in core.arbiter.flights:
        out.notices.append(f"{event.name} of {target} is under way already")
        return
    out.notices.append(f"{event.operator} asked to {event.name.replace('_', ' ')} {target}: {event.reason}")
    if event.name == "flatten":
        _hold_entries(core, event)
    core.arbiter.launch(action)
    out.planned.append(action)
    out.moved = True


def is_of_operator(action: PlannedAction) -> bool:
    """Whether an operator asked for it, and no rule."""
    return action.id.startswith(_PREFIX)


def is_needed(core: "Core", action: PlannedAction) -> bool:
    """Whether what an operator asked for is worth another try."""
    account = core.state.accounts[action.account or ""]
    if action.name == "flatten":
        return core.governor.locks.get(f"flatten@{action.account}") is not None
    if action.name == "close_position":
        return action.symbol in account.book or any(
            action.symbol == order.symbol for order in account.order_book.values()
        )
    if action.order_id is not None:
        return action.order_id in account.order_book
    return any(action.symbol in (None, order.symbol) for order in account.order_book.values())


def after_outcome(core: "Core", action: PlannedAction, event: ActionOutcome) -> None:
    """Entries need not wait any longer for an operator's flatten that is proven done."""
    if is_of_operator(action) and action.name == "flatten" and event.status is OutcomeStatus.DONE:
        core.governor.release(f"flatten@{action.account}")


def take_unacknowledge(core: "Core", event: Unacknowledge, _: int, out: Emission) -> None:
    """Let a live incident ask for attention again."""
    incident = core.live.get(event.incident)
    if incident is None:
        out.notices.append(f"there is no live incident {event.incident!r}: its acknowledgement cannot be taken back")
        return
    incident.acknowledged = False
    out.attention.append(event)
    out.notices.append(f"{event.operator} took the acknowledgement of {event.incident} back")


def _hold_entries(core: "Core", event: ActionRequest) -> None:
    core.governor.pause(
        LockRequest(
            at=event.at, received_at=event.received_at, account=event.account, operator=event.operator,
            reason="a flatten is under way, as a drill" if event.drill else "a flatten is under way",
        ),
        name="flatten",
    )  # fmt: skip


def _objection(core: "Core", event: ActionRequest) -> str:
    account = core.state.accounts.get(event.account)
    if account is None:
        return f"there is no account {event.account!r}"
    if event.name not in NAMES:
        return f"{event.name!r} is nothing that can be asked for"
    if not account.live:
        return "the account is in shadow, where nothing is sent to the broker; arm it first"
    if event.name == "close_position" and event.symbol is None:
        return "closing a position needs its symbol"
    return ""
