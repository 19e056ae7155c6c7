"""What is done at the broker: flatten, close, cancel. Through the kernel's plan, with a receipt, by no side door."""

from haltline.api.control import Argument, ArgumentKind, Call, Command, Confirm, Role
from haltline.api.reply import Reply
from haltline.control.command.reading import ACCOUNT, MAYBE_REASON, number_of, reason_of, take, text_of, until_of
from haltline.control.door import Door
from haltline.model.event import ActionRequest, LockRequest
from haltline.model.id import AccountId, OrderId, Symbol

SECTION = "Act"


class Acts:
    """Commands that reach the broker."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        lock = Argument(
            name="lock", meaning="also lock the account for so long", kind=ArgumentKind.DURATION, required=False
        )
        symbol = Argument(name="symbol", meaning="the symbol", kind=ArgumentKind.SYMBOL)
        order = Argument(
            name="order", meaning="one order; all that could open or enlarge if left out", kind=ArgumentKind.ORDER,
            required=False,
        )  # fmt: skip
        return (
            Command(
                name="flatten", meaning="Cancel every order and close every position of an account.", run=self.flatten,
                arguments=(ACCOUNT, lock, MAYBE_REASON), account="account", mutates=True, role=Role.TRADER,
                confirm=Confirm.PRESS, text=self.flatten_text, section=SECTION, example="flatten eval lock=1h",
            ),
            Command(
                name="close", meaning="Close one position and cancel the orders of its symbol.", run=self.close,
                arguments=(ACCOUNT, symbol, MAYBE_REASON), account="account", mutates=True, role=Role.TRADER,
                confirm=Confirm.PRESS, text=self.close_text, section=SECTION, example="close eval MNQ",
            ),
            Command(
                name="cancel", meaning="Cancel working orders; protective ones stay.", run=self.cancel,
                arguments=(ACCOUNT, order, MAYBE_REASON), account="account", mutates=True, role=Role.TRADER,
                confirm=Confirm.PRESS, text=self.cancel_text, section=SECTION, example="cancel eval",
            ),
        )  # fmt: skip

    def flatten_text(self, call: Call) -> str:
        """What would be cancelled and closed."""
        name = text_of(call, "account")
        account = self._door.kernel.state.accounts[name]
        held = ", ".join(f"{position.quantity:+g} {position.symbol}" for position in account.book.values())
        orders = len(account.order_book)
        cancelled = f"cancel {orders} working order{'' if orders == 1 else 's'}" if orders else "no order works"
        closed = f"close {held} at market" if held else "no position is open"
        locked = " It is locked afterwards." if number_of(call, "lock") is not None else ""
        return (
            f"Flatten account {name}: {cancelled}, {closed}, because: {reason_of(call)}."
            f" Entries are blocked until the broker shows it flat.{locked}"
        )

    async def flatten(self, call: Call) -> Reply:
        """Block entries, lock where asked, then flatten."""
        account = AccountId(text_of(call, "account"))
        until = until_of(call, "lock")
        if until is not None:
            await call.submit(
                LockRequest(
                    at=call.now, received_at=call.now, account=account, operator=call.operator, reason=reason_of(call),
                    until=until,
                )
            )  # fmt: skip
        return await self._ask(call, "flatten", f"Flattening {account}")

    def close_text(self, call: Call) -> str:
        """What would be closed."""
        account, symbol = text_of(call, "account"), text_of(call, "symbol")
        known = self._door.kernel.state.accounts[account]
        position, orders = known.book.get(symbol), sum(each.symbol == symbol for each in known.order_book.values())
        held = f"{position.quantity:+g} {symbol}" if position is not None else f"{symbol} (nothing is held now)"
        cancelled = f", and cancel its {orders} working order{'' if orders == 1 else 's'}" if orders else ""
        return f"Close {held} on account {account} at market{cancelled}, because: {reason_of(call)}."

    async def close(self, call: Call) -> Reply:
        """Close one position and cancel the orders of its symbol."""
        about = f"{text_of(call, 'symbol')} on {text_of(call, 'account')}"
        return await self._ask(call, "close_position", f"Closing {about}")

    def cancel_text(self, call: Call) -> str:
        """What would be cancelled."""
        account, order = text_of(call, "account"), text_of(call, "order")
        count = len(self._door.kernel.state.accounts[account].order_book)
        what = f"order {order}" if order else f"the working orders ({count} now; protective ones stay)"
        return f"Cancel {what} on account {account}, because: {reason_of(call)}."

    async def cancel(self, call: Call) -> Reply:
        """Cancel orders."""
        return await self._ask(call, "cancel_orders", f"Cancelling orders on {text_of(call, 'account')}")

    async def _ask(self, call: Call, name: str, title: str) -> Reply:
        account, symbol, order = text_of(call, "account"), text_of(call, "symbol"), text_of(call, "order")
        event = ActionRequest(
            at=call.now, received_at=call.now, account=AccountId(account), name=name, operator=call.operator,
            request_id=call.request_id, reason=reason_of(call),
            symbol=Symbol(symbol) if symbol else None, order_id=OrderId(order) if order else None,
        )  # fmt: skip
        prefix = f"operator@{account}:{name}:{event.request_id}"
        return await take(
            self._door, call, event, title=title,
            is_done=lambda: any(action.startswith(prefix) for action in self._door.kernel.arbiter.flights),
        )  # fmt: skip
