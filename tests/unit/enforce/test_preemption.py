"""What is urgent never waits for what is not: a stronger action takes the lane over, and nothing is done twice."""

import asyncio
from collections.abc import Sequence
from decimal import Decimal

import msgspec
import pytest
from lane_world import EVAL, MES, MNQ, FakeVenue, LaneWorld

from haltline.api import Action, Desk, HandledBy
from haltline.clock import NS_PER_S
from haltline.enforce.budget import Budget
from haltline.enforce.precedence import goes_before, supersedes
from haltline.enforce.resume import KINDS, unfinished
from haltline.errors import OutcomeUnknown, Transient
from haltline.journal.receipt import LegIntent, LegState
from haltline.journal.record import Entry, RecordKind
from haltline.model.event import OutcomeStatus
from haltline.model.id import AccountId, ActionId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline.model.plan import PlannedAction

SUPERSEDED, DONE = OutcomeStatus.SUPERSEDED, OutcomeStatus.DONE
WEAKER = [
    ("close_position", {}),
    ("reduce_to", {"quantity": 1}),
    ("place_stop", {"distance": 50}),
    ("cancel_orders", {}),
]


@pytest.mark.parametrize(("name", "params"), WEAKER)
@pytest.mark.parametrize("verb", ["snapshot", "submit", "cancel"])
async def test_a_flatten_takes_over_from_whatever_hangs(name: str, params: dict[str, float], verb: str) -> None:
    world = LaneWorld()
    world.venue.rest(MNQ, Side.BUY)
    world.venue.script[verb, "before"] = ["hang"]
    if verb == ("submit" if name == "cancel_orders" else "cancel"):
        return
    async with world.lane():
        world.executor.accept([world.plan(name, "weak", **params)])
        await world.until_called(verb)
        before = world.clock.now()
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    weak, strong = world.receipt("weak"), world.receipt("strong")
    assert (weak.status, weak.superseded_by, weak.reason) == (SUPERSEDED, "strong", "superseded by flatten")
    assert strong.status is DONE
    assert strong.started_at == before
    assert not any(world.venue.held.values())
    assert not world.venue.orders


@pytest.mark.parametrize("stage", ["before", "after"])
async def test_an_order_in_doubt_is_handed_over_and_the_position_is_closed_once(stage: str) -> None:
    world = LaneWorld()
    world.venue.script["submit", stage] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert sorted(world.venue.closes) == [Decimal(-3), Decimal(2)]
    assert world.receipt("strong").status is DONE
    assert [leg.state for leg in world.receipt("weak").legs] == [LegState.UNKNOWN]
    taken = [leg.leg for leg in world.receipt("strong").legs if leg.leg.startswith("taken over")]
    assert taken == (["taken over: reduce MNQ 0"] if stage == "after" else [])


async def test_an_order_that_may_still_be_on_its_way_gives_its_id_to_the_close_that_takes_over() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    (late,) = [request for request in orders_on_record(world, "weak")]
    assert late.client_id in {request.client_id for request in orders_on_record(world, "strong")}
    world.venue.held[MNQ] = Decimal(3)
    await world.venue.submit(late)  # it arrives at last, and is known already
    assert world.venue.held[MNQ] == 3


async def test_a_close_that_took_an_id_over_and_was_cut_off_stands_on_the_receipt_once() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = ["hang"]
    world.venue.script["submit", "after"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.until_called("submit", 2)
        await world.step()
    again = world.again()
    async with again.lane():
        await again.settle()
    legs = [(leg.leg, leg.filled) for leg in again.receipt("strong").legs]
    assert legs == [("reduce MNQ 0", Decimal(3)), ("reduce MES 0", Decimal(2))]
    assert sorted(world.venue.closes) == [-3, 2]


async def test_an_order_taken_over_that_rests_is_waited_for() -> None:
    world = LaneWorld(venue=FakeVenue(held={MNQ: Decimal(3)}, rests=True))
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        await world.step()
        world.venue.script["find_order", "before"] = ["hang"]
        await world.until_called("find_order")
        client = next(iter(world.venue.by_client))
        world.venue.orders.clear()  # the flatten's snapshot does not list it
        world.executor.accept([world.plan("close_position", "other"), world.plan("flatten", "strong")])
        world.venue.rests = False
        for _ in range(40):
            await world.step()
        assert world.venue.calls.count("submit") == 1
        world.venue.fill(client)
        await world.settle()
    assert world.venue.closes == [Decimal(-3)]


def orders_on_record(world: LaneWorld, action: str) -> list[OrderRequest]:
    bodies = [record.body for record in world.journal.iterate(kinds=[RecordKind.INTENT])]
    intents = [msgspec.json.decode(body, type=LegIntent) for body in bodies]
    return [intent.order for intent in intents if intent.action == action and intent.order is not None]


async def test_a_close_takes_over_on_its_symbol_only() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Transient("down")] * 3
    async with world.lane():
        world.executor.accept([world.plan("reduce_to", "mes", MES, quantity=1)])
        await world.until_called("submit")
        world.executor.accept([world.plan("reduce_to", "mnq", quantity=1)])
        world.executor.accept([world.plan("close_position", "close")])
        await world.settle()
    assert world.receipt("mnq").status is SUPERSEDED
    assert world.receipt("mes").status is DONE
    assert world.venue.held == {MNQ: 0, MES: -1}


async def test_what_waits_and_has_become_pointless_never_runs() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert world.receipt("weak").legs == ()
    assert world.receipt("weak").status is SUPERSEDED
    assert [receipt.action for receipt in world.receipts] == ["weak", "strong"]


async def test_what_a_flatten_does_not_do_waits_behind_it_and_is_done_then() -> None:
    done: list[Decimal | int] = []

    async def slowly(request: PlannedAction, desk: Desk) -> None:
        await desk.snapshot(EVAL)
        await desk.snapshot(EVAL)
        done.append(sum(world.venue.held.values()))

    hedge = Action(name="hedge", meaning="", handled_by=HandledBy.ENFORCE, run=slowly, rank=30)
    world = LaneWorld(extra=(hedge,))
    world.venue.script["snapshot", "before"] = [None, "hang"]
    async with world.lane():
        world.executor.accept([world.plan("hedge", "later"), world.plan("hedge", "latest")])
        await world.until_called("snapshot", 2)
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert {receipt.action for receipt in world.receipts} == {"later", "latest", "strong"}
    assert {receipt.status for receipt in world.receipts} == {DONE}
    assert done == [0, 0]


async def test_a_lesser_action_of_the_same_plan_goes_first_and_gives_way_at_the_first_trouble() -> None:
    world = LaneWorld()
    order = world.venue.rest(MNQ, Side.BUY)
    world.venue.script["cancel", "before"] = [Transient("down")] * 50
    single = msgspec.structs.replace(world.plan("cancel_orders", "weak"), order_id=order)
    called: list[int] = []
    world.venue.on_call = lambda verb: called.append(world.clock.now()) if verb == "cancel" else None
    before = world.clock.now()
    async with world.lane():
        world.executor.accept([single, world.plan("flatten", "strong")])
        await world.until_called("cancel", 2)
        world.venue.script.clear()
        await world.settle()
    assert called[:2] == [before, before]
    assert {receipt.action: receipt.status for receipt in world.receipts} == {"strong": DONE, "weak": DONE}


async def test_a_plugin_that_swallows_the_end_is_superseded_all_the_same() -> None:
    async def stubborn(request: PlannedAction, desk: Desk) -> None:
        try:
            await desk.reduce(EVAL, MNQ, to=Decimal(1))
        except Exception:  # noqa: BLE001 - what a careless plugin does
            return

    world = LaneWorld()
    world.venue.script["submit", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("reduce_to", "weak", quantity=1)])
        job = world.executor._lanes[EVAL].waiting[0][2]
        job.action = Action(name="reduce_to", meaning="", handled_by=HandledBy.ENFORCE, run=stubborn, rank=30)
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert world.receipt("weak").status is SUPERSEDED


async def test_a_request_under_way_may_end_within_its_grace() -> None:
    world = LaneWorld(budget=Budget(grace_s=30.0))
    gate = asyncio.Event()
    submit = world.venue.submit

    async def slow(request: OrderRequest) -> OrderReport:
        report = await submit(request)
        await gate.wait()
        return report

    world.venue.submit = slow  # type: ignore[method-assign]  # the answer takes its time
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.step()
        assert not world.receipts
        gate.set()
        await world.settle()
    assert [(leg.state, leg.filled) for leg in world.receipt("weak").legs] == [(LegState.FILLED, 3)]
    assert sorted(world.venue.closes) == [-3, 2]


async def test_a_close_that_is_being_confirmed_gives_way_to_a_flatten() -> None:
    world = LaneWorld()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("snapshot", 2)
        assert world.executor._lanes[EVAL].watched
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert world.receipt("weak").status is SUPERSEDED
    assert world.receipt("strong").status is DONE


async def test_a_second_takeover_passes_doubt_on() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = ["hang"]
    world.venue.script["find_order", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("reduce_to", "first", quantity=1)])
        await world.until_called("submit")
        world.executor.accept([world.plan("close_position", "second")])
        await world.until_called("find_order")
        world.executor.accept([world.plan("flatten", "third")])
        await world.settle()
    first, third = orders_on_record(world, "first"), orders_on_record(world, "third")
    assert first[0].client_id in {request.client_id for request in third}
    assert sorted(world.venue.closes) == [-3, 2]


@pytest.mark.parametrize("cut", range(60))
@pytest.mark.parametrize("stage", ["before", "after"])
async def test_a_handover_killed_at_any_instant_is_finished_by_the_next_life(cut: int, stage: str) -> None:
    """The process ends `cut` turns of the loop after the flatten came: flat, once per position, a receipt for each."""
    world = LaneWorld()
    world.venue.script["submit", stage] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        for _ in range(cut):
            await asyncio.sleep(0)
            wake = world.clock.next_wake_ns()
            if wake is not None and cut % 3 == 0:
                world.clock.advance_to(wake)
    again = world.again()
    async with again.lane():
        await again.settle()
    assert sorted(world.venue.closes) == [-3, 2]
    receipts = [*world.receipts, *again.receipts]
    assert sorted(receipt.action for receipt in receipts) == ["strong", "weak"]
    assert {receipt.action: receipt.status for receipt in receipts} == {"weak": SUPERSEDED, "strong": DONE}


async def test_a_receipt_of_one_that_gave_way_keeps_its_doubt_for_the_heir_on_record() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = ["hang"]
    world.venue.script["find_order", "before"] = ["hang"]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.until_called("find_order")
    left = unfinished(world.journal.iterate(kinds=KINDS))
    assert [action.id for action in left.actions] == ["strong"]
    (intent,) = left.histories[ActionId("strong")].inherited.values()
    assert (intent.action, intent.leg) == ("weak", "reduce MNQ 0")


def planned(name: str, account: str = "eval", symbol: str | None = None, key: str = "x") -> PlannedAction:
    return PlannedAction(
        id=ActionId(key + name), at=1, name=name, account=AccountId(account), symbol=Symbol(symbol) if symbol else None
    )


@pytest.mark.parametrize(
    ("strong", "weak", "ends", "waits"),
    [
        (planned("flatten"), planned("close_position", symbol="MNQ"), True, True),
        (planned("flatten"), planned("reduce_gross_to"), False, True),
        (planned("flatten"), planned("flatten", key="y"), False, False),
        (planned("flatten"), planned("close_position", "main"), False, False),
        (planned("close_position", symbol="MNQ"), planned("place_stop", symbol="MNQ"), True, True),
        (planned("close_position", symbol="MNQ"), planned("place_stop", symbol="MES"), False, False),
        (planned("close_position", symbol="MNQ"), planned("flatten"), False, False),
        (planned("close_position", symbol="MNQ"), planned("cancel_orders"), False, False),
        (planned("close_position", symbol="MNQ"), planned("cancel_orders", symbol="MNQ"), False, True),
        (planned("close_position", symbol="MNQ"), planned("cancel_orders", symbol="MES"), False, False),
        (planned("close_position", symbol="MNQ"), planned("cancel_orders", "main", symbol="MNQ"), False, False),
        (planned("reduce_to", symbol="MNQ"), planned("cancel_orders", symbol="MNQ"), False, False),
    ],
)
def test_who_ends_and_who_waits(strong: PlannedAction, weak: PlannedAction, ends: bool, waits: bool) -> None:
    assert (supersedes(strong, weak), goes_before(strong, weak)) == (ends, waits)


async def test_an_action_never_gives_way_to_itself() -> None:
    assert not goes_before(planned("flatten"), planned("flatten"))
    assert not supersedes(planned("flatten"), planned("flatten"))


async def test_a_flatten_waits_no_time_behind_a_broker_that_says_come_back_later() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Transient("slow down", retry_after_s=20.0)]
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("submit")
        before = world.clock.now()
        world.executor.accept([world.plan("flatten", "strong")])
        for _ in range(30):
            await asyncio.sleep(0)
        assert world.venue.calls.count("submit") >= 2
        assert world.clock.now() == before
        await world.settle()
    assert world.receipt("strong").reached_at == before


async def test_retry_after_is_honoured_and_never_beyond_the_time_of_the_action() -> None:
    world = LaneWorld()
    world.venue.script["submit", "before"] = [Transient("slow down", retry_after_s=2.5)]
    before = world.clock.now()
    async with world.lane():
        world.executor.accept([world.plan("close_position", "a")])
        await world.settle()
    reached = world.receipt("a").reached_at
    assert reached is not None
    assert reached - before == round(2.5 * NS_PER_S)
    world.venue.held[MNQ] = Decimal(3)
    world.venue.script["submit", "before"] = [Transient("slow down", retry_after_s=500.0)] * 9
    async with world.lane():
        world.executor.accept([world.plan("close_position", "b")])
        await world.settle()
    assert world.receipt("b").status is OutcomeStatus.FAILED
    assert world.receipt("b").ended_at - world.receipt("b").started_at == 30 * NS_PER_S


async def test_a_request_that_was_not_sent_because_of_the_takeover_says_so() -> None:
    world = LaneWorld()

    class Slow:
        async def record(self, entries: Sequence[Entry], *, durable: bool) -> None:
            await inner.record(entries, durable=durable)
            if durable and not world.receipts and len(world.venue.by_client) == 0 and not flattened:
                flattened.append(1)
                world.executor.accept([world.plan("flatten", "strong")])

    inner, flattened = world.executor._ledger, list[int]()
    world.executor._ledger = Slow()  # type: ignore[assignment]  # the flatten comes while the request is written
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.settle()
    assert [(leg.state, leg.detail) for leg in world.receipt("weak").legs] == [(LegState.PLANNED, "it was not sent")]
    assert sorted(world.venue.closes) == [-3, 2]


async def test_unknown_outcomes_of_the_weaker_one_are_resolved_before_anything_is_sized() -> None:
    world = LaneWorld()
    world.venue.script["submit", "after"] = [OutcomeUnknown("reset")]
    world.venue.script["find_order", "before"] = [Transient("down")] * 2
    async with world.lane():
        world.executor.accept([world.plan("close_position", "weak")])
        await world.until_called("find_order")
        world.executor.accept([world.plan("flatten", "strong")])
        await world.settle()
    assert sorted(world.venue.closes) == [-3, 2]
    assert "taken over: reduce MNQ 0" in [leg.leg for leg in world.receipt("strong").legs]
