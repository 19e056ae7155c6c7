"""What the engine, the broker and the telephone do, told in lines: results, fills, receipts and messages in words."""

import re
from collections.abc import Callable

from haltline.api.notifier import Message
from haltline.cli.demo.story import Line, Voice, local
from haltline.cli.gauge import amount, percent
from haltline.clock import format_duration, from_iso
from haltline.journal.receipt import Receipt
from haltline.model.event import Event, Fill, OrderUpdate
from haltline.model.order import OrderStatus, Side
from haltline.model.plan import Permission, PlannedAction, Result
from haltline.model.verdict import Phase, Transition

_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z")


class Teller:
    """Keeps the lines so far, and the newest message. `title_of` gives a rule's title, `lock_end` when the lock ends.

    `receipt_of` finds the receipt of an action; `told` is called after each line.
    """

    def __init__(
        self,
        *,
        title_of: Callable[[str], str],
        lock_end: Callable[[], int | None],
        receipt_of: Callable[[str], Receipt | None],
        told: Callable[[Line], None],
    ) -> None:
        self.lines: list[Line] = []
        self.message: Message | None = None
        self.messages: list[Message] = []
        self._title_of = title_of
        self._lock_end = lock_end
        self._warned: set[str] = set()
        self._receipt_of = receipt_of
        self._told = told

    def tell(self, at: int, voice: Voice, text: str) -> None:
        """Add a line."""
        line = Line(at=at, voice=voice, text=text)
        self.lines.append(line)
        self._told(line)

    def see_event(self, event: Event) -> None:
        """The broker pushes something: fills and cancelled orders are told."""
        if isinstance(event, Fill):
            verb = "bought" if event.side is Side.BUY else "sold"
            self.tell(event.at, Voice.BROKER, f"{verb} {event.quantity:f} {event.symbol} at {event.price:,}")
        elif isinstance(event, OrderUpdate) and event.order.status is OrderStatus.CANCELLED:
            order = event.order
            self.tell(event.at, Voice.BROKER, f"order cancelled: {order.side} {order.remaining:f} {order.symbol}")

    def see_result(self, result: Result) -> None:
        """The engine decides something."""
        for transition in result.transitions:
            self._transition(transition)
        for action in result.plan:
            text = self._action(action)
            if text:
                self.tell(action.at, Voice.ENGINE, text)

    def see_message(self, message: Message) -> None:
        """The telephone rings: receipts are told as such, other messages as they were sent."""
        self.messages.append(message)
        receipt = self._receipt_of(message.id.rpartition(":")[0])
        if receipt is not None:
            self.tell(message.at, Voice.RECEIPT, _proof(receipt))
            return
        self.message = message
        self.tell(message.at, Voice.PHONE, message.title)

    def see_answer(self, at: int, permission: Permission) -> None:
        """The engine answers the trader's question."""
        text = "yes, you may" if permission.allowed else f"NO: {'; '.join(permission.reasons)}"
        self.tell(at, Voice.ANSWER, _INSTANT.sub(lambda found: f"{local(from_iso(found[0])):%H:%M}", text))

    def _transition(self, moved: Transition) -> None:
        title = self._title_of(moved.rule)
        measure = f"{amount(moved.measured)} of {amount(moved.threshold)}, {percent(moved.utilization)}"
        if moved.phase is Phase.BREACHED:
            self.tell(moved.at, Voice.BREACH, f"LIMIT REACHED  {title} ({amount(moved.measured)})")
        elif moved.phase is Phase.WARNING and moved.rule not in self._warned:
            self._warned.add(moved.rule)
            self.tell(moved.at, Voice.WARNING, f"{title}: {measure}")

    def _action(self, action: PlannedAction) -> str:
        match action.name:
            case "block_entries":
                return "blocks new entries; exits stay free"
            case "flatten":
                return "flattens: cancels every order, closes every position"
            case "lock":
                end = self._lock_end()
                return f"locks the account until {local(end):%H:%M} New York" if end else "locks the account"
            case "reduce_to":
                return f"reduces {action.symbol} to {amount(_number(action.params.get('quantity')))}"
            case "close_position":
                return f"{action.symbol} was opened in spite of the lock: closes it on sight"
            case "cancel_orders" if not action.incidents:
                return "an order that could add risk is working: cancels it"
            case _:
                return ""


def _proof(receipt: Receipt) -> str:
    took = format_duration(receipt.took_ns)
    what = receipt.name.replace("_", " ") + (f" {receipt.symbol}" if receipt.symbol else "")
    if receipt.remaining is None:
        return f"{what}: {receipt.status}, and the broker could not be asked"
    if not receipt.remaining.positions and not receipt.remaining.working_orders:
        return f"{what} done in {took}: the broker confirms, flat"
    return f"{what} done in {took}: the broker shows {receipt.remaining}"


def _number(value: object) -> float | None:
    return float(value) if isinstance(value, int | float) else None
