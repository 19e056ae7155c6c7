"""Tick, lot and value of every instrument as the kernel knows them now: brokers tell of new ones while we run."""

from collections.abc import Iterator, Mapping

from haltline.kernel.kernel import Kernel
from haltline.model.id import Symbol
from haltline.model.instrument import InstrumentSpec


class LiveInstruments(Mapping[Symbol, InstrumentSpec]):
    """The instruments of a kernel, by every name that they go by. Read between two steps; never changed from here."""

    __slots__ = ("_kernel",)

    def __init__(self, kernel: Kernel) -> None:
        self._kernel = kernel

    def __getitem__(self, symbol: Symbol) -> InstrumentSpec:
        """The economics of an instrument; raises KeyError for one that nobody has told of."""
        return self._kernel.state.names[symbol].spec

    def __iter__(self) -> Iterator[Symbol]:
        """All names."""
        return (Symbol(name) for name in self._kernel.state.names)

    def __len__(self) -> int:
        """How many names there are."""
        return len(self._kernel.state.names)
