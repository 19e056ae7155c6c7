"""When an enforcement of a test counts as done: as soon as the positions and orders of its steps agree with it."""

from haltline.model.plan import PlannedAction
from haltline.state.account import Account
from haltline.state.position import Position
from haltline.state.state import State


def is_done(action: PlannedAction, state: State) -> bool:
    """Whether the state shows what the action wanted; actions that leave no trace in it are done at once."""
    account = state.accounts.get(action.account) if action.account is not None else None
    if account is None:
        return True
    match action.name:
        case "flatten":
            return not account.book and not account.order_book
        case "close_position":
            return _size(account, action.symbol) == 0 and not _works(account, action.symbol)
        case "reduce_to":
            return _size(account, action.symbol) <= _number(action, "quantity")
        case "reduce_gross_to":
            held = account.book.values()
            weighted = action.params.get("weighted") is True
            return sum(map(_weighted if weighted else _plain, held)) <= _number(action, "quantity")
        case "cancel_orders" if action.order_id is not None:
            return action.order_id not in account.order_book
        case _:
            return True


def _size(account: Account, symbol: str | None) -> float:
    position = account.book.get(symbol) if symbol is not None else None
    return 0.0 if position is None else abs(position.quantity)


def _works(account: Account, symbol: str | None) -> bool:
    return any(order.symbol == symbol for order in account.order_book.values())


def _plain(position: Position) -> float:
    return abs(position.quantity)


def _weighted(position: Position) -> float:
    return abs(position.quantity) * position.instrument.weight


def _number(action: PlannedAction, name: str) -> float:
    value = action.params.get(name)
    return float(value) if isinstance(value, int | float) else float("inf")
