"""The scripted trader. He buys every dip, adds to what loses, and does not stop when he is told to.

Only his orders are scripted: what happens to them is decided by the paper venue and by the engine.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from haltline.clock import NS_PER_S
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Intent, OrderRequest, OrderType, Side

ACCOUNT = AccountId("eval")
MNQ, MES = Symbol("MNQ"), Symbol("MES")
_MINUTE_NS = 60 * NS_PER_S
_DIP_POINTS = 9.0
_LARGEST = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Deed:
    """Something he does: an order he sends to the broker himself, or a question he asks before sending it."""

    words: str
    order: OrderRequest | None = None
    question: Intent | None = None


class Trader:
    """Looks at each price and acts. `locked_since` of `act` is when the account was locked, or None."""

    def __init__(self, start_ns: int) -> None:
        self._start_ns = start_ns
        self._last_entry: float | None = None
        self._serial = 0
        self._did: set[str] = set()

    def act(
        self, now: int, price: Mapping[Symbol, float], held: Mapping[Symbol, float], locked_since: int | None
    ) -> list[Deed]:
        """What he does at this instant; usually nothing."""
        if locked_since is not None:
            return self._defy(now - locked_since, price)
        return self._chase(now - self._start_ns, price, held.get(MNQ, 0.0))

    @property
    def is_done(self) -> bool:
        """Whether he has run out of ideas."""
        return "hide" in self._did

    def _chase(self, elapsed_ns: int, price: Mapping[Symbol, float], size: float) -> list[Deed]:
        mnq = price[MNQ]
        if self._once("first", elapsed_ns >= 2 * _MINUTE_NS):
            self._last_entry = mnq
            return [self._market(MNQ, Side.BUY, 2, "buys 2 MNQ: “it always bounces”")]
        if self._once("second market", elapsed_ns >= 8 * _MINUTE_NS):
            return [self._market(MES, Side.BUY, 2, "buys 2 MES as well: “to diversify”")]
        if self._once("rest", elapsed_ns >= 11 * _MINUTE_NS):
            return [self._limit(MNQ, Side.BUY, 2, mnq - 60, "rests an order to buy 2 MNQ 60 points lower")]
        dipped = self._last_entry is not None and mnq <= self._last_entry - _DIP_POINTS
        if dipped and 0 < size < _LARGEST:
            self._last_entry = mnq
            return [self._market(MNQ, Side.BUY, 2, "adds 2 MNQ to the loss: “cheaper now”")]
        return []

    def _defy(self, since_ns: int, price: Mapping[Symbol, float]) -> list[Deed]:
        if self._once("ask", since_ns >= 2 * _MINUTE_NS):
            intent = Intent(account=ACCOUNT, symbol=MNQ, side=Side.BUY, quantity=4.0, price=price[MNQ], source="bot")
            return [Deed(words="asks before he sends it: may I buy 4 MNQ?", question=intent)]
        if self._once("force", since_ns >= 5 * _MINUTE_NS):
            return [self._market(MNQ, Side.BUY, 4, "buys 4 MNQ on the broker's phone app, past the engine")]
        if self._once("hide", since_ns >= 8 * _MINUTE_NS):
            return [self._limit(MNQ, Side.BUY, 2, price[MNQ] - 5, "hides an order to buy 2 MNQ 5 points lower")]
        return []

    def _once(self, name: str, due: bool) -> bool:
        if not due or name in self._did:
            return False
        self._did.add(name)
        return True

    def _market(self, symbol: Symbol, side: Side, quantity: int, words: str) -> Deed:
        return self._order(symbol, side, quantity, words, OrderType.MARKET, None)

    def _limit(self, symbol: Symbol, side: Side, quantity: int, price: float, words: str) -> Deed:
        return self._order(symbol, side, quantity, words, OrderType.LIMIT, Decimal(str(price)))

    def _order(
        self, symbol: Symbol, side: Side, quantity: int, words: str, kind: OrderType, limit: Decimal | None
    ) -> Deed:
        self._serial += 1
        request = OrderRequest(
            account=ACCOUNT,
            symbol=symbol,
            side=side,
            quantity=Decimal(quantity),
            type=kind,
            limit_price=limit,
            client_id=f"trader-{self._serial}",
        )
        return Deed(words=words, order=request)
