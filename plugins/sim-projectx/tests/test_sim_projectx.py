"""The simulated gateway over real HTTP and websockets, without any client library: what it takes and what it says."""

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest

from haltline_sim_projectx import hub
from haltline_sim_projectx.failure import Refusal
from haltline_sim_projectx.record import default_contracts
from haltline_sim_projectx.server import KEY, USER, ProjectXSim
from haltline_sim_projectx.token import Tokens

MNQ = "CON.F.US.MNQ.Z25"


class Client:
    """A client that knows nothing but the wire."""

    def __init__(self, sim: ProjectXSim, http: aiohttp.ClientSession) -> None:
        self.sim = sim
        self.http = http
        self.token = ""

    async def post(self, name: str, **body: object) -> tuple[int, dict[str, Any]]:
        headers = {"Authorization": f"Bearer {self.token}"}
        async with self.http.post(f"{self.sim.url}/api/{name}", json=body, headers=headers) as answer:
            text = await answer.text()
            return answer.status, json.loads(text) if text.startswith("{") else {}

    async def ask(self, name: str, **body: object) -> dict[str, Any]:
        status, said = await self.post(name, **body)
        assert status == 200, (name, status)
        return said

    async def log_in(self) -> None:
        self.token = (await self.ask("Auth/loginKey", userName=USER, apiKey=KEY))["token"]

    async def control(self, path: str, **body: object) -> Any:
        async with self.http.post(f"{self.sim.url}/_sim/{path}", json=body) as answer:
            return await answer.json()


@pytest.fixture
async def client() -> AsyncIterator[Client]:
    async with ProjectXSim() as sim, aiohttp.ClientSession() as http:
        sim.trader("PRACTICE77")
        made = Client(sim, http)
        await made.log_in()
        yield made


# -- login -------------------------------------------------------------------------------------------------------------


async def test_a_wrong_key_gets_no_token_and_code_3(client: Client) -> None:
    said = await client.ask("Auth/loginKey", userName=USER, apiKey="wrong")
    assert (said["success"], said["errorCode"], said["token"]) == (False, 3, None)


async def test_without_a_token_every_call_is_401(client: Client) -> None:
    client.token = "made.up.token"
    assert (await client.post("Account/search"))[0] == 401
    assert (await client.post("Position/searchOpen", accountId=77))[0] == 401


async def test_a_token_ends_when_it_says_or_when_it_is_revoked() -> None:
    now = [1_000.0]
    tokens = Tokens(now=lambda: now[0], lifetime_s=60.0)
    first, second = tokens.issue("u"), tokens.issue("u")
    assert tokens.is_good(first)
    assert tokens.is_good(second)
    now[0] = 1_060.0
    assert not tokens.is_good(second)
    third = tokens.issue("u")
    tokens.revoke()
    assert not tokens.is_good(third)
    assert tokens.is_good(tokens.issue("u"))


@pytest.mark.parametrize("text", ["", "a", "a.b", "a.b.c", "é.é.é"])
async def test_a_token_of_somebody_else_is_no_token(text: str) -> None:
    assert not Tokens(now=lambda: 0.0).is_good(text)


# -- orders and positions ----------------------------------------------------------------------------------------------


async def place(client: Client, **more: object) -> dict[str, Any]:
    return await client.ask(
        "Order/place", **{"accountId": 77, "contractId": MNQ, "type": 2, "side": 0, "size": 1, **more}
    )


async def positions(client: Client) -> list[dict[str, Any]]:
    return (await client.ask("Position/searchOpen", accountId=77))["positions"]


async def test_a_short_position_has_a_positive_size_and_type_2(client: Client) -> None:
    await place(client, side=1, size=3)
    (held,) = await positions(client)
    assert (held["type"], held["size"], held["contractId"]) == (2, 3, MNQ)


async def test_positions_are_netted_and_a_reducing_fill_keeps_the_average(client: Client) -> None:
    client.sim.price("MNQZ5", 21_000.0, ask=21_000.0)
    await place(client, size=2)
    client.sim.price("MNQZ5", 21_010.0, ask=21_010.0)
    await place(client, size=2)
    assert (await positions(client))[0]["averagePrice"] == 21_005.0
    await place(client, side=1, size=3)
    (held,) = await positions(client)
    assert (held["size"], held["averagePrice"]) == (1, 21_005.0)
    await place(client, side=1, size=3)
    (held,) = await positions(client)
    assert (held["type"], held["size"], held["averagePrice"]) == (2, 2, 21_010.0)


async def test_profit_is_null_on_the_half_turn_that_opens(client: Client) -> None:
    client.sim.price("MNQZ5", 21_000.0, ask=21_000.0)
    await place(client, size=2)
    client.sim.price("MNQZ5", 21_010.0, ask=21_010.25)
    await client.ask("Position/closeContract", accountId=77, contractId=MNQ)
    trades = (await client.ask("Trade/search", accountId=77))["trades"]
    assert [(trade["profitAndLoss"], trade["side"]) for trade in trades] == [(None, 0), (40.0, 1)]
    (account,) = (await client.ask("Account/search", onlyActiveAccounts=False))["accounts"]
    assert account["balance"] == 50_000 + 40.0 - 4 * 0.37


@pytest.mark.parametrize(
    ("more", "price", "fills"),
    [
        ({"type": 1, "side": 0, "limitPrice": 20_990.0}, 20_989.75, True),
        ({"type": 1, "side": 0, "limitPrice": 20_990.0}, 20_990.25, False),
        ({"type": 4, "side": 1, "stopPrice": 20_990.0}, 20_990.0, True),
        ({"type": 4, "side": 1, "stopPrice": 20_990.0}, 20_990.25, False),
        ({"type": 4, "side": 0, "stopPrice": 21_010.0}, 21_010.0, True),
        ({"type": 3, "side": 1, "stopPrice": 20_990.0, "limitPrice": 20_995.0}, 20_990.0, False),
        ({"type": 5, "side": 1, "trailPrice": 5.0}, 20_995.0, True),
    ],
)
async def test_limits_and_stops_fill_where_the_market_meets_them(
    client: Client, more: dict[str, object], price: float, fills: bool
) -> None:
    placed = (await place(client, **more))["orderId"]
    client.sim.price("MNQZ5", price)
    order = (await client.ask("Order/searchById", accountId=77, orderId=placed))["order"]
    assert (order["status"] == 2) is fills


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"accountId": 99}, 1), ({"contractId": "CON.F.US.XXX.Z25"}, 8), ({"size": 0}, 2), ({"side": 7}, 2),
        ({"type": 1}, 2), ({"type": 4, "stopPrice": 20_990.1}, 2),
    ],
)  # fmt: skip
async def test_what_is_wrong_with_an_order_has_its_code(client: Client, more: dict[str, object], code: int) -> None:
    said = await place(client, **more)
    assert (said["success"], said["errorCode"]) == (False, code)


async def test_a_custom_tag_is_good_once_per_account(client: Client) -> None:
    client.sim.trader("SECOND")
    assert (await place(client, customTag="one"))["success"]
    again = await place(client, customTag="one")
    assert (again["success"], again["errorCode"]) == (False, 2)
    assert (await place(client, customTag="one", accountId=78))["success"]


async def test_closing_what_is_closed_says_position_not_found(client: Client) -> None:
    await place(client, size=2)
    assert (await client.ask("Position/partialCloseContract", accountId=77, contractId=MNQ, size=3))["errorCode"] == 5
    assert (await client.ask("Position/partialCloseContract", accountId=77, contractId=MNQ, size=1))["success"]
    assert (await client.ask("Position/closeContract", accountId=77, contractId=MNQ))["success"]
    assert (await client.ask("Position/closeContract", accountId=77, contractId=MNQ))["errorCode"] == 2
    assert await positions(client) == []


async def test_outside_trading_hours_nothing_is_placed_or_closed(client: Client) -> None:
    await place(client)
    client.sim.market.is_open = False
    assert (await place(client))["errorCode"] == 5
    assert (await client.ask("Position/closeContract", accountId=77, contractId=MNQ))["errorCode"] == 5


async def test_an_account_that_may_not_trade_can_still_close(client: Client) -> None:
    await place(client)
    client.sim.allow("PRACTICE77", can_trade=False)
    assert (await place(client))["errorCode"] == 4
    assert (await client.ask("Account/search", onlyActiveAccounts=True))["accounts"] == []
    assert (await client.ask("Position/closeContract", accountId=77, contractId=MNQ))["success"]


async def test_cancelling_twice_is_refused(client: Client) -> None:
    placed = (await place(client, type=1, limitPrice=20_000.0))["orderId"]
    assert (await client.ask("Order/cancel", accountId=77, orderId=placed))["success"]
    assert (await client.ask("Order/cancel", accountId=77, orderId=placed))["errorCode"] == 3
    assert (await client.ask("Order/cancel", accountId=77, orderId=1))["errorCode"] == 2


def test_contracts_are_worth_what_the_exchange_says() -> None:
    worth = {each.name: each.tick_value / each.tick_size for each in default_contracts()}
    assert worth == {
        "MNQZ5": 2.0, "NQZ5": 20.0, "MESZ5": 5.0, "ESZ5": 50.0, "MYMZ5": 0.5, "YMZ5": 5.0, "M2KZ5": 5.0, "RTYZ5": 50.0,
    }  # fmt: skip


# -- limits and faults -------------------------------------------------------------------------------------------------


async def test_call_201_of_a_minute_is_429_with_a_time_to_come_back() -> None:
    async with ProjectXSim(calls=3) as sim, aiohttp.ClientSession() as http:
        client = Client(sim, http)
        await client.log_in()
        assert [(await client.post("Account/search"))[0] for _ in range(3)] == [200, 200, 429]
        async with http.post(
            f"{sim.url}/api/Account/search", headers={"Authorization": f"Bearer {client.token}"}
        ) as said:
            assert 1 <= int(said.headers["Retry-After"]) <= 61


async def test_a_body_that_is_no_object_is_400(client: Client) -> None:
    for body in (b"[]", b"{", b"null", b'"x"', b"\xff\xfe"):
        async with client.http.post(f"{client.sim.url}/api/Order/place", data=body) as said:
            assert said.status in (400, 401)
    assert (await client.post("Order/place", accountId=77, contractId=MNQ, type=99, side=0, size=1))[0] == 400


async def test_a_fault_after_the_effect_loses_the_answer_only(client: Client) -> None:
    client.sim.arm("drop", "Order/place", stage="after")
    with pytest.raises(aiohttp.ClientError):
        await place(client, size=2)
    assert (await positions(client))[0]["size"] == 2


async def test_the_platform_comes_back_on_its_port_with_everything_it_knew(client: Client) -> None:
    await place(client, size=2)
    port = client.sim.host.port
    await client.sim.down()
    with pytest.raises(aiohttp.ClientError):
        await client.post("Account/search")
    await client.sim.up()
    assert client.sim.host.port == port
    assert (await positions(client))[0]["size"] == 2


async def test_the_clock_can_be_wrong(client: Client) -> None:
    client.sim.skew_s = 3_600.0
    async with client.http.post(f"{client.sim.url}/api/Auth/loginKey", json={}) as said:
        told = said.headers["Date"]
    client.sim.skew_s = 0.0
    async with client.http.post(f"{client.sim.url}/api/Auth/loginKey", json={}) as said:
        assert said.headers["Date"] != told


# -- hubs --------------------------------------------------------------------------------------------------------------


async def connect(client: Client, name: str) -> aiohttp.ClientWebSocketResponse:
    where = f"{client.sim.url}/hubs/{name}"
    async with client.http.post(f"{where}/negotiate?access_token={client.token}") as said:
        number = (await said.json())["connectionId"]
    socket = await client.http.ws_connect(f"{where}?access_token={client.token}&id={number}")
    await socket.send_str('{"protocol":"json","version":1}' + hub.END)
    assert await socket.receive_str() == "{}" + hub.END
    return socket


async def invoke(socket: aiohttp.ClientWebSocketResponse, target: str, *arguments: object) -> None:
    await socket.send_str(json.dumps({"type": 1, "target": target, "arguments": arguments}) + hub.END)


async def heard(socket: aiohttp.ClientWebSocketResponse, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    async with asyncio.timeout(5):
        while len(found) < count:
            found += [json.loads(part) for part in (await socket.receive_str()).split(hub.END) if part]
    return found


async def test_a_fill_is_told_as_order_trade_position_account(client: Client) -> None:
    socket = await connect(client, "user")
    await invoke(socket, "SubscribeAccounts")
    for what in ("Orders", "Positions", "Trades"):
        await invoke(socket, f"Subscribe{what}", 77)
    await client.sim.until(lambda: client.sim.user_hub.has("SubscribeTrades", 77))
    client.sim.trader("PRACTICE77").buys("MNQZ5", 2)
    told = await heard(socket, 5)
    assert [each["target"].removeprefix("GatewayUser") for each in told] == [
        "Order", "Order", "Trade", "Position", "Account",
    ]  # fmt: skip
    assert [each["arguments"][0]["action"] for each in told] == [1, 1, 1, 1, 1]
    client.sim.trader("PRACTICE77").closes("MNQZ5")
    gone = (await heard(socket, 5))[3]["arguments"][0]
    assert (gone["action"], gone["data"]["size"]) == (2, 0)
    await socket.close()


async def test_only_what_was_subscribed_to_is_pushed(client: Client) -> None:
    socket = await connect(client, "market")
    await invoke(socket, "SubscribeContractQuotes", MNQ)
    await client.sim.until(lambda: client.sim.market_hub.has("SubscribeContractQuotes", MNQ))
    client.sim.price("ESZ5", 6_001.0)
    client.sim.price("MNQZ5", 21_001.0)
    (told,) = await heard(socket, 1)
    assert told["arguments"][0] == MNQ
    assert told["arguments"][1]["lastPrice"] == 21_001.0
    await socket.close()


async def test_a_hub_pings_when_it_is_quiet_and_says_nothing_when_muted() -> None:
    async with ProjectXSim(beat_s=0.05) as sim, aiohttp.ClientSession() as http:
        client = Client(sim, http)
        await client.log_in()
        socket = await connect(client, "user")
        assert (await heard(socket, 2))[-1] == {"type": 6}
        sim.user_hub.is_muted = True
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.3):
                while True:
                    await socket.receive_str()
        await socket.close()


async def test_a_hub_takes_no_bad_token_and_a_connection_id_once(client: Client) -> None:
    where = f"{client.sim.url}/hubs/user"
    async with client.http.post(f"{where}/negotiate?access_token=bad") as said:
        assert said.status == 401
    async with client.http.post(f"{where}/negotiate?access_token={client.token}") as said:
        number = (await said.json())["connectionId"]
    async with client.http.ws_connect(f"{where}?access_token={client.token}&id={number}"):
        pass
    with pytest.raises(aiohttp.WSServerHandshakeError, match="404"):
        await client.http.ws_connect(f"{where}?access_token={client.token}&id={number}")


async def test_events_come_twice_or_in_the_wrong_order_on_request(client: Client) -> None:
    socket = await connect(client, "user")
    await invoke(socket, "SubscribePositions", 77)
    await client.sim.until(lambda: client.sim.user_hub.has("SubscribePositions", 77))
    trader = client.sim.trader("PRACTICE77")
    client.sim.arm("duplicate")
    trader.buys("MNQZ5", 1)
    assert [each["arguments"][0]["data"]["size"] for each in await heard(socket, 2)] == [1, 1]
    client.sim.arm("reorder")
    trader.buys("MNQZ5", 1)
    trader.buys("MNQZ5", 1)
    assert [each["arguments"][0]["data"]["size"] for each in await heard(socket, 2)] == [3, 2]
    await socket.close()


# -- from outside ------------------------------------------------------------------------------------------------------


async def test_everything_can_be_done_over_http(client: Client) -> None:
    await client.control("price", contract="MNQZ5", last=20_000.0)
    order = await client.control("trade", account="PRACTICE77", contract="MNQZ5", side="buy", size=2)
    assert order["filledPrice"] == 20_000.25
    assert (await client.control("account", name="SECOND", balance=1_000))["balance"] == 1_000
    assert (await client.control("account", name="SECOND", can_trade=False))["canTrade"] is False
    await client.control("faults", kind="status", call="Order/place", status=503)
    assert (await client.post("Order/place"))[0] == 503
    assert await client.control("session", open=False) == {"open": False}
    assert "error" in await client.control("trade", account="PRACTICE77", contract="MNQZ5", side="buy", size=1)
    assert "error" in await client.control("price", contract="nothing", last=1.0)
    async with client.http.get(f"{client.sim.url}/_sim/book") as said:
        assert (await said.json())["positions"][0]["size"] == 2
    async with client.http.get(f"{client.sim.url}/_sim/requests") as said:
        text = await said.text()
    assert KEY not in text
    assert "Auth/loginKey" in text


def test_a_trader_is_told_no_as_everybody() -> None:
    sim = ProjectXSim()
    with pytest.raises(Refusal, match="ContractNotFound"):
        sim.trader("A").buys("XXX", 1)
    with pytest.raises(Refusal, match="PositionNotFound"):
        sim.trader("A").closes("MNQZ5")


async def test_it_runs_as_a_process_of_its_own() -> None:
    command = [sys.executable, "-m", "haltline_sim_projectx", "--port", "0", "--account", "MINE:1000", "--still"]
    process = await asyncio.create_subprocess_exec(*command, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        async with asyncio.timeout(20):
            url = (await process.stdout.readline()).decode().split()[0]
        async with aiohttp.ClientSession() as http, http.get(f"{url}/_sim/book") as said:
            (account,) = (await said.json())["accounts"]
        assert (account["name"], account["balance"]) == ("MINE", 1000.0)
    finally:
        process.terminate()
        await process.wait()
