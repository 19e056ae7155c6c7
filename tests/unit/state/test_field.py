"""The table of fields: every row can be read, has the promised type, and says what it means."""

import math
import re

import pytest

from haltline.api.field import Kind, Provenance
from haltline.model.event import ConnectionStatus
from haltline.model.order import Intent, OrderStatus, OrderType, Side
from haltline.model.rule import Scope
from haltline.state.field import COLLECTIONS, FIELDS, ROOTS

HOMES = {"clock": Scope.ACCOUNT, "session": Scope.ACCOUNT}
IN_LANGUAGE = """
account.id account.broker account.currency account.labels account.mode account.connected account.balance account.equity
account.margin_used account.margin_available account.margin_utilization account.leverage
account.gross_notional account.net_notional account.realized_pnl account.unrealized_pnl account.total_pnl
account.fees account.open_positions account.working_orders account.peak_equity account.drawdown
account.drawdown_fraction account.loss_streak account.locked account.lock_reason account.can_trade
account.day.start_equity account.day.realized_pnl account.day.total_pnl account.day.loss account.day.fills
account.day.entries account.day.round_trips account.day.peak_equity account.day.drawdown account.session.loss
account.week.loss position.account position.symbol position.underlying position.asset_class position.side
position.quantity position.average_price position.mark position.notional position.unrealized_pnl
position.unrealized_fraction position.r_multiple position.opened_at position.age position.protected
position.stop_price position.stop_distance position.liquidation_price position.liquidation_buffer
position.margin position.leverage position.expiry position.strike position.right position.strategy
intent.symbol intent.side intent.quantity intent.price intent.stop_price intent.confidence intent.source
intent.strategy instrument.bid instrument.ask instrument.last instrument.mark instrument.mid instrument.spread
instrument.spread_bps instrument.age instrument.stale instrument.session_open instrument.tick_size
instrument.tick_value instrument.multiplier instrument.volume_24h clock.now clock.time clock.weekday
session.calendar session.open session.next_open session.next_close session.early_close
""".split()  # noqa: SIM905 - a list of a hundred names reads worse


def populated(make_world):
    world = make_world()
    world.order("o0", 2, OrderType.MARKET, status=OrderStatus.FILLED)
    world.fill(2, 21000, fee="1", order_id="o0")
    world.order("o1", -2, OrderType.STOP, stop_price=20900)
    world.quote(bid=20999.75, ask=21000.25, last=21000.0, volume_24h=10.0)
    world.connection(ConnectionStatus.CONNECTED)
    world.broker(can_trade=True, equity=50000.0)
    return world


def entity_of(world, scope):
    if scope is Scope.INTENT:
        return world.state.intent(Intent(account="eval", symbol="MNQ", side=Side.BUY, quantity=1.0))
    found = next(iter(world.state.entities(scope)))
    return world.state.instruments["MNQ"] if scope is Scope.INSTRUMENT else found


def read(world, code, scope, root):
    place = ROOTS[scope][root].format("entity")
    return eval(code.format(place), {"clock": world.state.clock, "entity": entity_of(world, scope)})


def test_names_are_unique():
    names = [field.name for field in FIELDS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("name", IN_LANGUAGE)
def test_every_name_of_the_language_page_is_there(name):
    assert name in {field.name for field in FIELDS}


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_reads_as_the_type_it_declares(make_world, field):
    world = populated(make_world)
    scope = HOMES.get(field.root) or Scope(field.root)
    value = read(world, field.reader, scope, field.root)
    if field.kind.is_numeric:
        assert type(value) in (int, float)
        assert not math.isinf(value)
    elif field.kind is Kind.BOOL:
        assert type(value) is bool
    else:
        assert isinstance(value, str)
    if field.choices:
        assert value in field.choices


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_says_what_it_means_and_whence_it_comes(field):
    assert re.fullmatch(r"[A-Z`a-z].{6,}\.", field.meaning)
    assert field.source
    assert bool(field.choices) == (field.kind is Kind.ENUM)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_field_of_a_fresh_state_reads_without_error(make_world, field):
    world = make_world(balance="0")
    world.order("o1", -2, OrderType.MARKET)
    world.fill(1, 21000)
    scope = HOMES.get(field.root) or Scope(field.root)
    read(world, field.reader, scope, field.root)
    found = entity_of(world, scope)
    if field.root == scope.value:
        assert isinstance(found.provenance(field.name.partition(".")[2]), Provenance)


@pytest.mark.parametrize("collection", COLLECTIONS, ids=lambda collection: collection.name)
def test_a_collection_yields_entities_of_its_item(make_world, collection):
    world = populated(make_world)
    items = list(read(world, collection.reader, Scope(collection.root), collection.root))
    assert items
    assert {item.scope.value for item in items} == {collection.item}


@pytest.mark.parametrize("scope", Scope)
def test_every_root_can_be_reached_from_its_scope(make_world, scope):
    world = populated(make_world)
    for root in ROOTS[scope]:
        any_field = next(field for field in FIELDS if field.root == root)
        read(world, any_field.reader, scope, root)
