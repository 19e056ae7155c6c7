"""After a flatten, brokers are asked what became of the orders that it cancelled."""

from decimal import Decimal

import pytest
from msgspec.structs import replace

from haltline.api import AccountSnapshot
from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.clock import NS_PER_S, ManualClock
from haltline.compose.vocabulary import build_vocabulary
from haltline.errors import InvariantBroken, Transient
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import (
    AccountReport,
    ActionOutcome,
    ActionRequest,
    Event,
    Fill,
    OrderUpdate,
    OutcomeStatus,
    PositionReport,
)
from haltline.model.id import AccountId, FillId, OrderId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport, OrderStatus, OrderType, Side
from haltline.rules.compile import compile_rules
from haltline.runtime.aftercare import Aftercare
from haltline.state.state import State, StateSettings

EVAL, MNQ, LONG = AccountId("eval"), Symbol("MNQ"), Symbol("CON.F.US.MNQ.Z25")
START = 1_746_540_000 * NS_PER_S


class FakeBroker:
    """It holds `held`; of each order by its client id it says what is in `orders`."""

    def __init__(self) -> None:
        self.held = 0
        self.orders: dict[str, OrderReport | Exception] = {}
        self.looked_up: dict[str, OrderReport] = {}
        self.asked: list[str] = []
        self.pulls = 0
        self.trouble: Exception | None = None
        self.on_pull = lambda: None

    async def find_order(self, account: AccountId, client_id: str) -> OrderReport | None:
        self.asked.append(client_id)
        found = self.orders.get(client_id)
        if isinstance(found, Exception):
            raise found
        return found

    async def look_up(self, order: OrderReport) -> OrderReport | None:
        return self.looked_up.get(order.order_id)

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        self.pulls += 1
        if self.trouble is not None:
            raise self.trouble
        self.on_pull()
        report = AccountReport(at=START, received_at=START, account=account, balance=Decimal(1))
        held = PositionReport(
            at=2 * START, received_at=START, account=account, symbol=LONG, quantity=Decimal(self.held),
            average_price=Decimal(100),
        )  # fmt: skip
        other = replace(held, symbol=Symbol("ES"), quantity=Decimal(9))
        return AccountSnapshot(account=report, positions=(other, held) if self.held else (), orders=())


class World:
    """An account that an operator's flatten has made flat; it cancelled `orders`, which were to buy 3 each."""

    def __init__(self, *orders: str, client: str = "c-{}") -> None:
        registry = Registry()
        plugin.haltline_register_actions(registry)
        specs = (InstrumentSpec(symbol=MNQ, aliases=(LONG,)),)
        account = AccountSpec(id=EVAL, balance=Decimal(50_000), live=True)
        state = State(StateSettings(accounts=(account,), instruments=specs, now=START))
        self.kernel = Kernel(state, compile_rules((), build_vocabulary(registry), registry.actions.get))
        self.clock = ManualClock(START)
        self.broker = FakeBroker()
        self.confirmed = {EVAL}
        self.told: list[str] = []
        self.planned: list[str] = []
        self.reports = {name: self.order(name, client.format(name)) for name in orders}
        self.care = Aftercare(
            kernel=self.kernel, accounts={EVAL: self.broker}, clock=self.clock, confirmed=self.confirmed,
            put=self.put, settle=self.settle, tell=self.tell,
        )  # fmt: skip
        asked = ActionRequest(
            at=START, received_at=START, account=EVAL, name="flatten", request_id="r1", operator="ann", reason="news"
        )
        (flatten,) = [action.id for action in self.put(asked) if action.name == "flatten"]
        for report in self.reports.values():
            self.put(OrderUpdate(at=START, received_at=START, order=report))
        self.pass_time(1)
        self.put(
            ActionOutcome(
                at=self.clock.now(), received_at=self.clock.now(), action_id=flatten, account=EVAL,
                status=OutcomeStatus.DONE, cancelled=tuple(map(OrderId, orders)),
            )
        )  # fmt: skip
        self.pass_time(1)

    def order(self, name: str, client_id: str) -> OrderReport:
        return OrderReport(
            account=EVAL, order_id=OrderId(name), symbol=LONG, side=Side.BUY, quantity=Decimal(3),
            type=OrderType.LIMIT, status=OrderStatus.CANCELLED, limit_price=Decimal(90), client_id=client_id,
        )  # fmt: skip

    def says(self, name: str, filled: int) -> None:
        self.broker.orders[f"c-{name}"] = replace(self.reports[name], filled=Decimal(filled))

    def put(self, event: Event) -> tuple:  # type: ignore[type-arg]
        plan = self.kernel.step(event, self.clock.now()).plan
        self.planned += [action.name for action in plan if action.id.startswith("late@")]
        return plan

    def holds(self, quantity: int) -> None:
        """The broker holds so much, and a comparison has shown it."""
        self.broker.held = quantity
        now = self.clock.now()
        self.put(
            PositionReport(
                at=now, received_at=now, account=EVAL, symbol=MNQ, quantity=Decimal(quantity),
                average_price=Decimal(100),
            )
        )  # fmt: skip

    def fill(self) -> None:
        self.put(
            Fill(
                at=self.clock.now(), received_at=self.clock.now(), account=EVAL, symbol=MNQ, fill_id=FillId("f"),
                side=Side.BUY, quantity=Decimal(1), price=Decimal(100), order_id=OrderId("by-hand"),
            )
        )  # fmt: skip

    def pass_time(self, seconds: int) -> None:
        self.clock.advance_to(self.clock.now() + seconds * NS_PER_S)

    async def settle(self) -> None:
        return None

    async def tell(self, title: str, text: str) -> None:
        self.told.append(f"{title}: {text}")

    async def look(self) -> None:
        self.pass_time(5)
        await self.care.look(EVAL)


async def test_a_late_fill_whose_push_was_lost_is_undone_by_what_the_broker_says_when_it_is_asked() -> None:
    world = World("o1")
    world.says("o1", 1)
    world.holds(1)
    assert world.planned == []
    await world.look()
    assert (world.planned, world.broker.pulls, world.told) == (["close_position"], 1, [])


async def test_each_order_is_asked_for_once_where_nothing_is_in_doubt() -> None:
    world = World("o1", "o2")
    world.says("o1", 0)
    for _ in range(3):
        await world.look()
    assert (world.broker.asked, world.broker.pulls, world.told) == (["c-o1", "c-o2"], 0, [])


async def test_what_was_filled_before_the_proof_is_told_of_and_explains_nothing_later() -> None:
    world = World("o1")
    world.says("o1", 1)
    await world.look()
    for _ in range(4):
        await world.look()
    assert world.broker.pulls == 3
    world.holds(1)
    await world.look()
    assert (world.planned, world.told) == ([], [])


async def test_a_position_that_no_order_has_filled_is_somebodys_and_nothing_is_said() -> None:
    world = World("o1")
    world.says("o1", 0)
    world.holds(1)
    for _ in range(3):
        await world.look()
    assert (world.planned, world.told, world.broker.asked) == ([], [], ["c-o1"] * 3)


@pytest.mark.parametrize("answer", [None, Transient("away"), RuntimeError("odd"), TimeoutError()])
async def test_where_the_broker_does_not_say_people_are_told_once_and_nothing_is_traded(
    answer: Exception | None,
) -> None:
    world = World("o1")
    if answer is not None:
        world.broker.orders["c-o1"] = answer
    world.holds(2)
    for _ in range(3):
        await world.look()
    (said,) = world.told
    assert said.startswith("eval holds +2 MNQ since it was flat, and nobody knows why: It may be of order o1, ")
    assert said.endswith("[E865]")
    assert world.planned == []
    world.holds(0)
    await world.look()
    world.holds(2)
    await world.look()
    assert len(world.told) == 2


async def test_an_order_without_an_id_of_its_senders_is_asked_for_by_the_id_of_the_venue() -> None:
    world = World("o1", client="")
    world.broker.looked_up["o1"] = replace(world.reports["o1"], filled=Decimal(1))
    world.holds(1)
    await world.look()
    assert (world.broker.asked, world.planned, world.told) == ([], ["close_position"], [])


async def test_where_that_cannot_be_asked_either_people_are_told_which_orders_it_may_be_of() -> None:
    world = World("o1", "o2", client="")
    world.holds(1)
    await world.look()
    assert world.broker.asked == []
    assert "orders o1, o2" in world.told[0]


async def test_another_order_under_the_same_id_says_nothing() -> None:
    world = World("o1")
    world.broker.orders["c-o1"] = replace(world.reports["o1"], order_id=OrderId("o7"), filled=Decimal(1))
    world.holds(1)
    await world.look()
    assert (world.planned, len(world.told)) == ([], 1)


async def test_an_account_that_is_not_confirmed_or_was_not_flattened_lately_is_not_looked_at() -> None:
    world = World("o1")
    world.holds(1)
    await world.look()
    assert len(world.told) == 1
    world.confirmed.clear()
    await world.look()
    world.confirmed.add(EVAL)
    await world.look()
    assert (len(world.broker.asked), len(world.told)) == (2, 2)
    world.pass_time(600)
    await world.look()
    assert len(world.broker.asked) == 2


@pytest.mark.parametrize("trouble", [Transient("away"), RuntimeError("odd")])
async def test_a_pull_without_an_answer_is_made_again_in_the_next_round(trouble: Exception) -> None:
    world = World("o1")
    world.says("o1", 1)
    world.holds(1)
    world.broker.trouble = trouble
    await world.look()
    assert world.planned == []
    world.broker.trouble = None
    await world.look()
    assert world.planned == ["close_position"]


async def test_a_pull_during_which_something_is_filled_says_nothing() -> None:
    world = World("o1")
    world.says("o1", 1)
    world.broker.held = 1
    world.broker.on_pull = world.fill
    await world.look()
    assert world.kernel.late[EVAL].told_at == {}
    assert world.planned == []


@pytest.mark.parametrize("verb", ["find_order", "snapshot"])
async def test_a_broken_invariant_is_not_kept_quiet(verb: str) -> None:
    world = World("o1")
    world.says("o1", 1)
    broken = InvariantBroken("no more")
    if verb == "snapshot":
        world.broker.trouble = broken
    else:
        world.broker.orders["c-o1"] = broken
    with pytest.raises(InvariantBroken):
        await world.look()


async def test_five_orders_are_asked_for_in_a_round_and_the_others_in_the_next() -> None:
    names = [f"o{number}" for number in range(7)]
    world = World(*names)
    await world.look()
    assert len(world.broker.asked) == 5
    await world.look()
    assert sorted(world.broker.asked) == [f"c-{name}" for name in names]
