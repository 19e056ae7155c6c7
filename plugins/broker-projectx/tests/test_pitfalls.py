"""Each pitfall of the platform's client libraries, shown on the raw library where that is quick, and its cure."""

import asyncio
import logging
import subprocess
import sys
from collections.abc import AsyncIterator, Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

import haltline_broker_projectx
from haltline.api import BrokerRole
from haltline.clock import NS_PER_S, ManualClock, SystemClock
from haltline.errors import OutcomeUnknown, Refused, SessionClosed, Transient
from haltline.model.event import ConnectionStatus, ConnectionUpdate, PositionReport, Quote
from haltline.model.id import AccountId, OrderId, Symbol
from haltline.model.order import OrderRequest, OrderStatus, OrderType, Side
from haltline_broker_projectx import hub as projectx_hub
from haltline_broker_projectx.library import OrderSubmissionUncertainError, ProjectX, ProjectXConfig, project_x_py
from haltline_broker_projectx.session import Session
from haltline_broker_projectx.setting import Setting, read_setting
from haltline_sim_projectx import hub
from haltline_sim_projectx.server import KEY, USER, ProjectXSim

pytestmark = pytest.mark.long
EVAL, MNQ = AccountId("eval"), Symbol("MNQZ5")
ENDINGS: dict[str, Callable[[hub.Hub], None]] = {
    "close": hub.Hub.close,
    "abort": hub.Hub.abort,
    "close with error": lambda each: each.send_raw(hub.CLOSE_WITH_ERROR),
    "malformed frame": lambda each: each.send_raw(hub.MALFORMED),
    "unknown key": lambda each: each.send_raw(hub.UNKNOWN_KEY),
}
DEADLY = ("close with error", "malformed frame", "unknown key")


def closing(quantity: int, client: str = "hl-1", side: Side = Side.SELL) -> OrderRequest:
    return OrderRequest(
        account=EVAL, symbol=MNQ, side=side, quantity=Decimal(quantity), reduce_only=True, client_id=client
    )


def stop(price: str, client: str = "hl-1") -> OrderRequest:
    return OrderRequest(
        account=EVAL, symbol=MNQ, side=Side.SELL, quantity=Decimal(1), type=OrderType.STOP, stop_price=Decimal(price),
        reduce_only=True, client_id=client,
    )  # fmt: skip


def raw_client(sim: ProjectXSim, **more: Any) -> Any:
    config = ProjectXConfig(
        api_url=f"{sim.url}/api", user_hub_url=f"{sim.url}/hubs/user", market_hub_url=f"{sim.url}/hubs/market", **more
    )
    return ProjectX(username=USER, api_key=KEY, config=config)


@pytest.fixture
async def raw(desk: Any) -> AsyncIterator[Any]:
    """The library's own client, logged in."""
    async with raw_client(desk.sim) as client:
        await client.authenticate()
        yield client


def held(desk: Any) -> Decimal | None:
    told = [event for event in desk.heard if isinstance(event, PositionReport)]
    return told[-1].quantity if told else None


# -- the hub dies silently --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ending", DEADLY)
async def test_the_library_says_connected_while_its_hub_is_dead(desk: Any, raw: Any, ending: str) -> None:
    real_time = project_x_py.realtime.ProjectXRealtimeClient(
        jwt_token=raw.session_token, account_id="77", config=raw.config
    )
    assert await real_time.connect()
    await desk.until(lambda: desk.sim.user_hub.connections == 1)
    ENDINGS[ending](desk.sim.user_hub)
    await desk.until(real_time.user_connection._run_task.done)
    assert real_time.is_connected(), "the pitfall is gone: the library now tells of the death of its hub"
    assert real_time.user_connection._run_task.exception() is not None
    await real_time.disconnect()


@pytest.mark.parametrize("ending", ENDINGS)
async def test_a_hub_that_ends_in_any_way_is_told_and_back(desk: Any, ending: str) -> None:
    async with desk.listening() as broker:
        state, clock = broker.reader.user_hub.state, SystemClock()
        opened, began = state.opened, clock.now()
        ENDINGS[ending](desk.sim.user_hub)
        await desk.until(lambda: state.opened > opened)
        print(f"recovered from {ending} in {(clock.now() - began) / NS_PER_S:.2f} s")
        assert ConnectionStatus.DEGRADED in [update.status for update in desk.of(ConnectionUpdate)]
        desk.trader.buys("MNQZ5", 2)
        await desk.until(lambda: held(desk) == 2)
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.CONNECTED)


async def test_an_outage_is_survived_however_often_reconnecting_failed(desk: Any) -> None:
    async with desk.listening() as broker:
        await desk.sim.down()
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.DISCONNECTED)
        desk.trader.buys("MNQZ5", 2)
        await desk.sim.up()
        clock = SystemClock()
        began = clock.now()
        await desk.until(lambda: broker.reader.user_hub.state.is_up)
        print(f"recovered from an outage in {(clock.now() - began) / NS_PER_S:.2f} s")
        await desk.until(lambda: held(desk) == 2)
        await desk.until(lambda: desk.of(ConnectionUpdate)[-1].status is ConnectionStatus.CONNECTED)


async def test_a_token_that_the_hub_no_longer_takes_is_made_anew(desk: Any) -> None:
    async with desk.listening({"poll_s": 600.0}) as broker:  # no reading meets the 401 first
        opened = broker.reader.user_hub.state.opened
        desk.sim.expire_tokens()
        desk.sim.user_hub.abort()
        await desk.until(lambda: broker.reader.user_hub.state.opened > opened)


class Revoked:
    """A session whose token no hub takes; it notes what it is told to forget."""

    def __init__(self) -> None:
        self.forgotten: list[str] = []

    async def token(self) -> str:
        return "revoked"

    async def forget(self, token: str) -> None:
        self.forgotten.append(token)


async def test_a_hub_that_refuses_the_token_has_the_session_forget_that_token(desk: Any) -> None:
    session: Any = Revoked()
    listening = projectx_hub.Hub(
        "user", url=f"{desk.sim.url}/hubs", session=session, clock=SystemClock(), wanted=list, targets=(),
        on_push=lambda target, arguments: None, changed=lambda: None, silence_s=30.0,
    )  # fmt: skip
    async with asyncio.TaskGroup() as group:
        running = group.create_task(listening.run())
        await desk.until(lambda: session.forgotten)
        running.cancel()
    assert set(session.forgotten) == {"revoked"}
    assert "does not accept the token" in listening.state.reason


async def test_every_price_of_a_burst_is_told_where_the_librarys_handlers_keep_the_last(desk: Any) -> None:
    async with desk.listening():
        for price in range(21_001, 21_031):
            desk.sim.price("MNQZ5", float(price))
        await desk.until(lambda: desk.of(Quote) and desk.of(Quote)[-1].last == 21_030.0)
        assert [quote.last for quote in desk.of(Quote)][-30:] == [float(price) for price in range(21_001, 21_031)]


async def test_a_muted_hub_is_noticed_by_the_clock_of_its_last_message(desk: Any) -> None:
    async with desk.listening() as broker:
        desk.sim.user_hub.is_muted = True
        await desk.until(lambda: not broker.reader.user_hub.state.is_up)
        assert "silent" in broker.reader.user_hub.state.reason
        desk.sim.user_hub.is_muted = False
        await desk.until(lambda: broker.reader.user_hub.state.is_up)


async def test_a_quiet_night_reconnects_nothing(desk: Any) -> None:
    """The library's watchdog takes a market without quotes for a dead hub, and reconnects both, all night."""
    async with desk.listening() as broker:
        before = broker.reader.user_hub.state.opened, broker.reader.market_hub.state.opened
        quiet_until = SystemClock().now() + 2 * NS_PER_S
        await SystemClock().sleep_until(quiet_until)  # sleeps: quiet is what is tested
        assert (broker.reader.user_hub.state.opened, broker.reader.market_hub.state.opened) == before


async def test_a_hub_that_pings_and_pushes_nothing_is_found_out_by_reading(desk: Any) -> None:
    async with desk.listening() as broker:
        opened = broker.reader.user_hub.state.opened
        desk.sim.user_hub.loses_pushes = True
        desk.trader.buys("MNQZ5", 3)
        await desk.until(lambda: held(desk) == 3)
        desk.sim.user_hub.loses_pushes = False
        await desk.until(lambda: broker.reader.user_hub.state.opened > opened)


async def test_another_login_is_told_and_answered_with_one_of_our_own(desk: Any) -> None:
    async with desk.listening() as broker:
        opened, logins = broker.reader.user_hub.state.opened, len(desk.sim.calls("Auth/loginKey"))
        desk.sim.log_out()
        await desk.until(lambda: broker.reader.user_hub.state.opened > opened)
        assert len(desk.sim.calls("Auth/loginKey")) == logins + 1
        assert any("another login" in update.reason for update in desk.of(ConnectionUpdate))


async def test_another_login_ends_both_hubs_of_ours(desk: Any) -> None:
    """The platform ends one of the connections by itself, and not always that."""
    async with desk.listening() as broker:
        hubs, ended = (broker.reader.user_hub, broker.reader.market_hub), []
        for each in hubs:
            each.rebuild = lambda reason, name=each.name: ended.append((name, reason))
        broker.reader._on_user_push("GatewayLogout", [])
        assert ended == [(each.name, "another login displaced this one") for each in hubs]


# -- limits -----------------------------------------------------------------------------------------------------------


async def test_the_librarys_limiter_makes_a_close_wait_behind_reads(desk: Any) -> None:
    async with raw_client(desk.sim, requests_per_minute=3) as client:
        await client.authenticate()
        await client.search_open_positions()
        with pytest.raises((TimeoutError, OrderSubmissionUncertainError)):
            async with asyncio.timeout(0.3):
                await client._make_request("POST", "/Position/closeContract", data={})
        assert desk.sim.calls("Position/closeContract") == [], "it never left"


async def test_a_close_waits_behind_no_reads(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 2)
    for _ in range(100):
        await desk.actor.snapshot(EVAL)
    async with asyncio.timeout(30.0):  # behind the reads it would wait for a minute
        await desk.actor.submit(closing(2))
    assert desk.trader.is_flat


async def test_the_library_sleeps_on_a_429_whatever_it_says(desk: Any, raw: Any) -> None:
    desk.sim.arm("status", "Position/searchOpen", status=429, retry_after_s=1)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(2.0):
            await raw.search_open_positions()


@pytest.mark.parametrize(("said", "expected"), [(3, 3.0), (0.5, 0.5), (None, 5.0)])
async def test_a_429_is_transient_at_once_with_the_time_to_come_back(desk: Any, said: float, expected: float) -> None:
    await desk.actor.snapshot(EVAL)
    desk.sim.arm("status", "Position/searchOpen", status=429, retry_after_s=said)
    with pytest.raises(Transient) as failure:
        async with asyncio.timeout(30.0):  # the library would sleep for a minute
            await desk.actor.snapshot(EVAL)
    assert failure.value.retry_after_s == expected


async def test_a_429_on_a_close_is_transient_and_not_in_doubt(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 2)
    desk.sim.arm("status", "Position/closeContract", status=429, retry_after_s=0.1)
    with pytest.raises(Transient) as failure:
        await desk.actor.submit(closing(2))
    assert failure.value.retry_after_s == 0.1
    await SystemClock().sleep_until(SystemClock().now() + NS_PER_S // 5)  # sleeps: the platform asked for it
    await desk.actor.submit(closing(2))
    assert desk.trader.is_flat


# -- doubts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fault",
    [{"kind": "status", "status": 500}, {"kind": "hang"}, {"kind": "drop"}, {"kind": "garbage"}, {"kind": "truncate"}],
)
@pytest.mark.parametrize("call", ["Order/place", "Position/closeContract"])
async def test_a_request_that_changes_something_and_is_cut_off_is_in_doubt(
    desk: Any, fault: dict[str, Any], call: str
) -> None:
    desk.trader.buys("MNQZ5", 2)
    desk.sim.arm(call=call, **fault)
    with pytest.raises(OutcomeUnknown):
        await desk.actor.submit(stop("20900") if call == "Order/place" else closing(2))


READ_FAULTS = [
    {"kind": "status", "status": 503},
    {"kind": "status", "status": 404},
    {"kind": "drop"},
    {"kind": "garbage"},
]


@pytest.mark.parametrize("fault", READ_FAULTS)
async def test_a_read_that_fails_is_transient_and_never_an_empty_account(desk: Any, fault: dict[str, Any]) -> None:
    desk.trader.buys("MNQZ5", 2)
    desk.sim.arm(call="Position/searchOpen", **fault)
    with pytest.raises(Transient):
        await desk.actor.snapshot(EVAL)


async def test_the_library_repeats_a_read_by_itself(desk: Any, raw: Any) -> None:
    desk.sim.arm("status", "Position/searchOpen", status=503)
    await raw.search_open_positions()
    assert len(desk.sim.calls("Position/searchOpen")) == 2


async def test_a_read_that_fails_is_made_once_so_that_the_engine_keeps_the_time(desk: Any) -> None:
    await desk.actor.snapshot(EVAL)
    before = len(desk.sim.calls("Position/searchOpen"))
    desk.sim.arm("status", "Position/searchOpen", status=503)
    with pytest.raises(Transient):
        await desk.actor.snapshot(EVAL)
    assert len(desk.sim.calls("Position/searchOpen")) == before + 1


def test_no_manager_of_the_library_has_a_hand_in_what_we_tell() -> None:
    """They share and rewrite what a hub told, merge quotes, and answer a failure with a dictionary."""
    package = Path(haltline_broker_projectx.__file__).parent
    said = "".join(file.read_text("utf-8") for file in package.glob("*.py"))
    assert not [word for word in ("_manager", "TradingSuite", "RealtimeClient", "EventBus") if word in said]


async def test_the_librarys_position_manager_calls_a_failed_list_flat(desk: Any, raw: Any) -> None:
    """`close_all_positions` on a platform that answers 500 says: none there were, none failed."""
    desk.trader.buys("MNQZ5", 2)
    manager = project_x_py.position_manager.PositionManager(raw, project_x_py.event_bus.EventBus())
    desk.sim.arm("status", "Position/searchOpen", status=400, count=None)
    said = await manager.close_all_positions()
    assert (said["total_positions"], said["closed"], said.get("failed", 0)) == (0, 0, 0)
    assert desk.trader.holds("MNQZ5") == 2


async def test_a_list_that_is_not_there_is_not_an_empty_one(desk: Any) -> None:
    desk.sim.arm("status", "Position/searchOpen", status=200, code=0)
    with pytest.raises(Transient, match="positions"):
        await desk.actor.snapshot(EVAL)


async def test_nothing_was_sent_where_nobody_listens(desk: Any) -> None:
    await desk.actor.snapshot(EVAL)
    desk.trader.buys("MNQZ5", 2)
    await desk.actor.snapshot(EVAL)
    await desk.sim.down()
    with pytest.raises((Transient, OutcomeUnknown)):
        await desk.actor.submit(closing(2))
    with pytest.raises(Transient):
        await desk.actor.submit(closing(2))
    with pytest.raises(Transient, match="cannot be reached"):  # nothing is read before an order that opens
        await desk.actor.submit(msgspec.structs.replace(stop("20900", "entry"), reduce_only=False))
    await desk.sim.up()


# -- login ------------------------------------------------------------------------------------------------------------


async def test_the_library_goes_on_without_a_token_after_a_refused_login(desk: Any) -> None:
    desk.sim.key = "another"
    async with raw_client(desk.sim) as client:
        with pytest.raises(Exception):  # noqa: B017 - which one is the library's affair
            await client.authenticate()
    assert [request.call for request in desk.sim.requests][:2] == ["Auth/loginKey", "Account/search"]


async def test_a_refused_login_is_refused_in_words_and_nothing_else_is_asked(desk: Any) -> None:
    desk.sim.key = "another"
    with pytest.raises(Refused, match="InvalidCredentials") as failure:
        await desk.actor.snapshot(EVAL)
    assert KEY not in str(failure.value)
    assert {request.call for request in desk.sim.requests} == {"Auth/loginKey"}


async def test_the_library_does_not_log_in_again_after_a_401(desk: Any, raw: Any) -> None:
    desk.sim.expire_tokens()
    with pytest.raises(project_x_py.exceptions.ProjectXAuthenticationError):
        await raw.search_open_positions()


async def test_a_401_is_answered_with_a_login_and_the_close_is_made_once(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 2)
    await desk.actor.snapshot(EVAL)
    desk.sim.expire_tokens()
    await desk.actor.submit(closing(1))
    assert desk.trader.holds("MNQZ5") == 1
    assert len(desk.sim.calls("Position/partialCloseContract")) == 2


async def test_many_calls_that_meet_a_401_log_in_once(desk: Any) -> None:
    await desk.actor.snapshot(EVAL)
    desk.sim.expire_tokens()
    logins = len(desk.sim.calls("Auth/loginKey"))
    await asyncio.gather(*(desk.actor.snapshot(EVAL) for _ in range(5)))
    assert len(desk.sim.calls("Auth/loginKey")) == logins + 1


async def test_a_login_is_renewed_before_its_token_ends() -> None:
    clock = ManualClock(1_800_000_000 * NS_PER_S)
    async with ProjectXSim(calls=None, now=lambda: clock.now() / NS_PER_S) as sim:
        session = Session(Setting(user=USER, key=KEY, api_url=f"{sim.url}/api"), clock)
        await session.call("Account/search", {})
        clock.advance_to(clock.now() + 22 * 3600 * NS_PER_S)
        await session.call("Account/search", {})
        assert len(sim.calls("Auth/loginKey")) == 1
        clock.advance_to(clock.now() + 3601 * NS_PER_S)
        await session.call("Account/search", {})
        assert len(sim.calls("Auth/loginKey")) == 2
        await session.close()


# -- exact closes and idempotence -------------------------------------------------------------------------------------


async def test_a_reducing_order_is_an_exact_close(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 3)
    await desk.actor.submit(closing(1, "a"))
    await desk.actor.submit(closing(2, "b"))
    assert desk.trader.is_flat
    assert [request.body.get("size") for request in desk.sim.calls("Position/partialCloseContract")] == [1]
    assert len(desk.sim.calls("Position/closeContract")) == 1
    assert desk.sim.calls("Order/place") == []
    found = await desk.actor.find_order(EVAL, "b")
    assert (found.status, found.filled, found.client_id) == (OrderStatus.FILLED, 2, "b")


@pytest.mark.parametrize("size", [1, 3])
@pytest.mark.parametrize("stage", ["before", "after"])
async def test_a_close_in_doubt_is_found_out_and_never_made_twice(desk: Any, size: int, stage: str) -> None:
    desk.trader.buys("MNQZ5", 3)
    await desk.actor.snapshot(EVAL)
    desk.sim.arm("drop", "Position/*lose*", stage=stage)
    with pytest.raises(OutcomeUnknown):
        await desk.actor.submit(closing(size))
    found = await desk.actor.find_order(EVAL, "hl-1")
    assert (found is not None) is (stage == "after")
    await again(desk, closing(size))
    assert desk.trader.holds("MNQZ5") == 3 - size


async def again(desk: Any, request: OrderRequest) -> None:
    """Send it until it is not Transient, as the engine does."""
    clock = SystemClock()
    while True:
        try:
            await desk.actor.submit(request)
        except Transient as failure:
            await clock.sleep_until(clock.now() + round(failure.retry_after_s * NS_PER_S))
        else:
            return


async def test_a_part_close_in_doubt_is_not_sent_again_before_it_is_sure(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 3)
    clock = ManualClock(SystemClock().now())
    actor = desk.make(BrokerRole.ACTUATOR, clock=clock)
    await actor.snapshot(EVAL)
    desk.sim.arm("drop", "Position/partial*")
    with pytest.raises(OutcomeUnknown):
        await actor.submit(closing(1))
    with pytest.raises(Transient, match="not certain") as failure:
        await actor.submit(closing(1))
    assert failure.value.retry_after_s == 3.0
    clock.advance_to(clock.now() + 3 * NS_PER_S)
    await actor.submit(closing(1))
    assert desk.trader.holds("MNQZ5") == 2
    await actor._session.close()


async def test_what_was_sent_is_remembered_by_the_next_process(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 3)
    await desk.actor.snapshot(EVAL)
    desk.sim.arm("drop", "Position/partial*", stage="after")
    with pytest.raises(OutcomeUnknown):
        await desk.actor.submit(closing(1))
    (file,) = desk.folder.glob("*closes.jsonl")
    file.write_bytes(file.read_bytes() + b'{"client_id": "cut off by a cra')
    later = desk.make(BrokerRole.ACTUATOR)
    found = await later.find_order(EVAL, "hl-1")
    assert (found.status, found.filled) == (OrderStatus.FILLED, 1)
    await later.submit(closing(1))
    assert desk.trader.holds("MNQZ5") == 2
    await later._session.close()


async def test_a_close_is_not_mistaken_for_one_that_the_trader_made_before(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 4)
    desk.sim.skew_s = -10.0
    desk.trader.closes("MNQZ5", 1)
    desk.sim.skew_s = 0.0
    await desk.actor.snapshot(EVAL)
    desk.sim.arm("drop", "Position/partial*")
    with pytest.raises(OutcomeUnknown):
        await desk.actor.submit(closing(1))
    assert await desk.actor.find_order(EVAL, "hl-1") is None


async def test_a_platform_whose_clock_is_wrong_is_understood(desk: Any) -> None:
    desk.sim.skew_s = -120.0
    desk.trader.buys("MNQZ5", 2)
    await desk.actor.snapshot(EVAL)
    await desk.actor.submit(closing(1))
    found = await desk.actor.find_order(EVAL, "hl-1")
    assert found.status is OrderStatus.FILLED


async def test_closing_what_is_flat_is_refused_and_nothing_is_sent(desk: Any) -> None:
    with pytest.raises(Refused):
        await desk.actor.submit(closing(1))
    desk.trader.sells("MNQZ5", 2)
    with pytest.raises(Refused):
        await desk.actor.submit(closing(1))
    assert desk.trader.holds("MNQZ5") == -2


async def test_a_tag_makes_one_order_of_two_requests(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 1)
    first = await desk.actor.submit(stop("20900"))
    second = await desk.actor.submit(stop("20900"))
    assert first.order_id == second.order_id
    assert len(desk.sim.market.working(77)) == 1


async def test_a_stop_is_put_on_the_tick_on_the_markets_side(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 1)
    assert (await desk.actor.submit(stop("20900.1"))).stop_price == Decimal("20900.25")


async def test_cancelling_all_is_listing_and_cancelling_each(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 1)
    for price in (20_900.0, 20_800.0, 20_700.0):
        desk.trader.sells("MNQZ5", 1, stop=price)
    for order in (await desk.actor.snapshot(EVAL)).orders:
        await desk.actor.cancel(EVAL, order.order_id)
        await desk.actor.cancel(EVAL, order.order_id)
    assert (await desk.actor.snapshot(EVAL)).orders == ()


async def test_a_cancel_that_is_refused_while_the_order_works_is_refused(desk: Any) -> None:
    order = desk.trader.buys("MNQZ5", 1, limit=20_000.0)
    desk.sim.reject("Order/cancel", 6)
    with pytest.raises(Refused, match="AccountRejected"):
        await desk.actor.cancel(EVAL, OrderId(str(order.id)))


async def test_outside_trading_hours_is_session_closed(desk: Any) -> None:
    desk.trader.buys("MNQZ5", 2)
    desk.sim.market.is_open = False
    for request in (closing(2), closing(1, "b"), stop("20900", "c")):
        with pytest.raises(SessionClosed):
            await desk.actor.submit(request)
    desk.sim.market.is_open = True
    await desk.actor.submit(closing(2))
    assert desk.trader.is_flat


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        (2, Refused), (3, Refused), (4, Refused), (5, SessionClosed), (6, OutcomeUnknown), (7, OutcomeUnknown),
        (10, Refused), (99, Refused),
    ],
)  # fmt: skip
async def test_every_code_of_placing_has_its_class(desk: Any, code: int, kind: type[Exception]) -> None:
    desk.trader.buys("MNQZ5", 2)
    desk.sim.reject("Order/place", code, "because")
    with pytest.raises(kind) as failure:
        await desk.actor.submit(stop("20900"))
    assert type(failure.value) is kind or issubclass(type(failure.value), kind)


# -- what the libraries do to the process, and what they say ----------------------------------------------------------


def test_importing_the_library_prints_nothing_and_changes_no_websocket() -> None:
    script = """
import logging
from websockets.asyncio import client
before = client.connect.__aiter__
import haltline_broker_projectx.library
assert client.connect.__aiter__ is before
for name, logger in logging.root.manager.loggerDict.items():
    if name.startswith("project_x_py"):
        assert not getattr(logger, "handlers", None), name
logging.getLogger("project_x_py.client.http").warning("nobody may print this")
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == ""
    assert "nobody may print this" not in done.stderr


def test_registering_the_plugin_imports_no_client() -> None:
    script = "import sys, haltline_broker_projectx.plugin; assert 'project_x_py' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], check=True)


async def test_the_token_is_in_no_log_although_it_is_in_the_hubs_address(
    desk: Any, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with desk.listening() as broker:
        desk.sim.user_hub.abort()
        await desk.until(lambda: broker.reader.user_hub.state.opened > 1)
        token = await broker._session.token()
    assert token not in caplog.text
    assert token not in repr(broker)
    assert all(token not in repr(event) for event in desk.heard)


async def test_the_environment_moves_nothing(desk: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROJECTX_API_URL", "https://elsewhere.example/api")
    monkeypatch.setenv("PROJECT_X_API_KEY", "another-key-altogether")
    await desk.actor.snapshot(EVAL)
    assert desk.sim.calls("Auth/loginKey")[0].body["apiKey"] == KEY


def test_a_key_is_not_sent_in_clear_over_a_network() -> None:
    with pytest.raises(ValueError, match="in clear"):
        read_setting({"user": "a", "key": "secret-key", "api_url": "http://api.example.com/api"})
    assert "secret-key" not in repr(read_setting({"user": "a", "key": "secret-key"}))


async def test_what_acts_waits_for_no_share_of_reading(desk: Any) -> None:
    async def never() -> None:
        await asyncio.Event().wait()

    actor = desk.make(BrokerRole.ACTUATOR, share=never)
    async with asyncio.timeout(30.0):
        assert (await actor.snapshot(EVAL)).positions == ()
    await actor._session.close()


async def test_one_failed_ping_costs_an_action_under_way_nothing(desk: Any) -> None:
    clock = ManualClock(1_800_000_000 * NS_PER_S)
    actor, started = desk.make(BrokerRole.ACTUATOR, clock=clock), asyncio.Event()
    task = asyncio.create_task(actor.run(desk.heard.append, started.set))
    await started.wait()
    client = actor._session._client
    await desk.sim.down()
    await asyncio.sleep(0)
    clock.advance_to(clock.now() + 20 * NS_PER_S)
    await desk.until(lambda: clock.next_wake_ns() == clock.now() + 2 * NS_PER_S or task.done())
    assert actor._session._client is client
    await desk.sim.up()
    for _ in range(2):
        clock.advance_to(clock.next_wake_ns())
        await desk.until(lambda: clock.next_wake_ns() is not None)
    assert not task.done()
    task.cancel()
    await asyncio.wait([task])


async def test_a_contract_that_was_listed_later_is_found(desk: Any) -> None:
    contract = desk.sim.market.contract("ESZ5")
    contract.is_active = False
    with pytest.raises(Refused):
        await desk.actor._contracts.look_up(["ES"])
    contract.is_active = True
    assert [each.symbol for each in await desk.actor._contracts.look_up(["ES"])] == ["ESZ5"]
