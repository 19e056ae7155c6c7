"""`whatif` says what rules for orders let through, and what the fill would break then."""

from pathlib import Path

import pytest
from operator_desk import PEOPLE, Open

from haltline.api import Role
from haltline.api.replytext import reply_text
from haltline.model.event import Quote
from haltline.model.id import Symbol

VIC = PEOPLE[Role.VIEWER]
SIZE = """version: 1
rules:
  - id: size
    each: position
    limit: {value: abs(position.quantity), max: 5}
    then: [{reduce_to: {quantity: 5}}, notify]
"""


@pytest.fixture
def sized(folder: Path) -> Path:
    (folder / "rules.yaml").write_text(SIZE)
    return folder


async def test_an_order_that_a_rule_of_positions_would_take_back_is_not_simply_allowed(
    sized: Path, opened: Open
) -> None:
    async with opened() as desk:
        now = desk.clock.now()
        desk.engine.put(Quote(at=now, received_at=now, symbol=Symbol("MNQ"), last=21_000.0))
        await desk.engine.until_idle()
        before = desk.engine.engine.kernel.snapshot()
        assert (await desk.say(VIC, "whatif eval buy 5 MNQ")).title == "Allowed: buy 5 MNQ on eval"
        reply = await desk.say(VIC, "whatif eval buy 6 MNQ")
        assert reply.title == "Let through, but read this: buy 6 MNQ on eval"
        assert "then size on eval/MNQ is broken (6 of 5): reduce_to, notify" in reply_text(reply)
        assert desk.engine.engine.kernel.snapshot() == before


async def test_without_a_price_what_a_fill_would_break_is_not_known(sized: Path, opened: Open) -> None:
    async with opened() as desk:
        reply = await desk.say(VIC, "whatif eval buy 6 MNQ")
        assert "no price of MNQ is known" in reply_text(reply)
        assert not reply.title.startswith("Allowed")
        with_price = await desk.say(VIC, "whatif eval buy 6 MNQ 21000")
        assert "then size on eval/MNQ is broken" in reply_text(with_price)
