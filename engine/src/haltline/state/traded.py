"""What positions, orders, fills and proposed orders have in common: an account, and an instrument."""

from typing import TYPE_CHECKING

from haltline.state.entity import Entity
from haltline.state.instrument import Instrument

if TYPE_CHECKING:
    from haltline.state.account import Account


class Traded(Entity):
    """An entity of one account and one instrument; `name` tells it from the others of its sort in the account."""

    __slots__ = ("account", "instrument")

    def __init__(self, name: str, *, account: "Account", instrument: Instrument) -> None:
        super().__init__(f"{account.key}/{name}")
        self.account = account
        self.instrument = instrument

    @property
    def account_id(self) -> str:
        """The account's id."""
        return self.account.key

    @property
    def symbol(self) -> str:
        """The instrument's symbol, aliases resolved."""
        return self.instrument.symbol
