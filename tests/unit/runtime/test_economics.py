"""Enforcement knows instruments that a broker told of after the start."""

from decimal import Decimal
from pathlib import Path

import pytest

from haltline import Haltline
from haltline.clock import NS_PER_S, ManualClock
from haltline.model.event import InstrumentUpdate
from haltline.model.id import Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.runtime.economics import LiveInstruments
from haltline.runtime.embed import load_parts

START = 1_746_500_000 * NS_PER_S
NEW = InstrumentSpec(symbol=Symbol("NEWZ5"), tick_size=Decimal("0.5"), tick_value=Decimal("5"), lot_size=Decimal(2))


async def test_what_a_broker_tells_of_later_is_known(tmp_path: Path) -> None:
    (tmp_path / "haltline.yaml").write_text("version: 1\naccounts: {eval: {broker: paper, balance: 1}}\nrules: []\n")
    parts = load_parts(tmp_path / "haltline.yaml", environ={})
    async with Haltline.from_parts(parts, clock=ManualClock(START)) as engine:
        known = LiveInstruments(engine.engine.kernel)
        with pytest.raises(KeyError):
            known[NEW.symbol]
        assert known.get(Symbol("MNQ")) is not None
        engine.put(InstrumentUpdate(at=START, received_at=START, spec=NEW))
        await engine.until_idle()
        assert known[NEW.symbol].lot_size == Decimal(2)
        assert NEW.symbol in set(known)
        assert len(known) == len(engine.engine.kernel.state.names)
