"""Contracts and the instruments they are to us."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

import msgspec

from haltline.errors import Refused
from haltline.model.id import Symbol
from haltline.model.instrument import AssetClass, InstrumentSpec
from haltline.model.order import Side
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.wire import WireContract, money, read, read_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """A contract: the platform's id, our symbol, its economics."""

    id: str
    symbol: Symbol
    spec: InstrumentSpec

    def on_tick(self, price: Decimal, side: Side) -> float:
        """A stop price on the tick nearest to the market's side of it."""
        rounding = ROUND_CEILING if side is Side.SELL else ROUND_FLOOR
        tick = self.spec.tick_size
        return float((price / tick).to_integral_value(rounding) * tick)


class Contracts:
    """The contracts seen so far. `symbols` names some by hand (symbol → contract); others keep the platform's name.

    What an instrument of the set-up says of calendar, weight and the like is taken over: the one of the symbol, else
    the one of its root (MNQ for MNQZ5). Tick size and tick value are the platform's.
    """

    def __init__(
        self, session: Session, *, symbols: Mapping[str, str], instruments: Sequence[InstrumentSpec], live: bool
    ) -> None:
        self._session = session
        self._named = {contract: Symbol(symbol) for symbol, contract in symbols.items()}
        self._specs = {spec.symbol: spec for spec in instruments}
        self._live = live
        self._listed: list[WireContract] = []
        self._by_id: dict[str, Contract] = {}
        self._by_symbol: dict[Symbol, Contract] = {}

    @property
    def known(self) -> Iterable[Contract]:
        """Every contract seen so far."""
        return self._by_id.values()

    def find(self, contract_id: str) -> Contract | None:
        """A contract that was seen before."""
        return self._by_id.get(contract_id)

    async def get(self, contract_id: str) -> Contract:
        """A contract by its id, asked for once; raises Refused where the platform does not know it."""
        found = self._by_id.get(contract_id)
        if found is None:
            reply = await self._session.call("Contract/searchById", {"contractId": contract_id})
            found = self._add(read(reply.get("contract"), WireContract, what=f"contract {contract_id}"))
        return found

    async def of_symbol(self, symbol: Symbol) -> Contract:
        """The contract of a symbol; raises Refused for one that the platform does not have."""
        if symbol not in self._by_symbol:
            await self.look_up((str(symbol),))
        found = self._by_symbol.get(symbol)
        if found is None:
            raise Refused(f"the platform has no contract {symbol}")
        return found

    async def look_up(self, wanted: Sequence[str]) -> list[Contract]:
        """Contracts by root, name, id or symbol of ours; raises Refused with those that do not exist."""
        by_hand = {str(symbol): contract for contract, symbol in self._named.items()}
        wanted = [by_hand.get(each, each) for each in wanted]
        if any(self._listing(each) is None for each in wanted):
            reply = await self._session.call("Contract/available", {"live": self._live})
            self._listed = list(read_all(reply, "contracts", WireContract))
        found, missing = [], []
        for name in wanted:
            listed = self._listing(name)
            if listed is not None:
                found.append(self._add(listed))
            elif name.startswith("CON."):
                found.append(await self.get(name))
            else:
                missing.append(name)
        if missing:
            raise Refused(f"the platform has no active contract {', '.join(missing)}")
        return found

    def _listing(self, name: str) -> WireContract | None:
        return next((each for each in self._listed if _is_called(each, name)), None)

    def _add(self, told: WireContract) -> Contract:
        if told.id in self._by_id:
            return self._by_id[told.id]
        symbol = self._named.get(told.id) or self._named.get(told.name) or Symbol(told.name)
        spec = self._spec_of(told, symbol)
        made = Contract(id=told.id, symbol=symbol, spec=spec)
        self._by_id[told.id] = self._by_symbol[symbol] = made
        return made

    def _spec_of(self, told: WireContract, symbol: Symbol) -> InstrumentSpec:
        root = Symbol(_root_of(told.id))
        like = self._specs.get(symbol) or self._specs.get(root)
        if like is None:
            like = InstrumentSpec(symbol=symbol, asset_class=AssetClass.FUTURE, underlying=str(root))
        aliases = dict.fromkeys([*(like.aliases if like.symbol == symbol else ()), told.id])
        return msgspec.structs.replace(
            like, symbol=symbol, tick_size=money(told.tick_size), tick_value=money(told.tick_value),
            lot_size=Decimal(1), aliases=tuple(aliases),
        )  # fmt: skip


def _root_of(contract_id: str) -> str:
    """``MNQ`` of ``CON.F.US.MNQ.Z25``."""
    parts = contract_id.split(".")
    return parts[-2] if len(parts) >= 3 else contract_id


def _is_called(contract: WireContract, name: str) -> bool:
    if name in (contract.id, contract.name):
        return True
    return contract.active_contract and name in (_root_of(contract.id), contract.symbol_id)
