"""The simulator that does nothing: what all of them have."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web

from haltline_sim_kit.chat import find_description
from haltline_sim_kit.control import Controls
from haltline_sim_kit.fault import Fault
from haltline_sim_kit.simulator import Simulator


class Echo(Simulator):
    """Answers `GET /hello`."""

    def _application(self) -> web.Application:
        made = web.Application()
        made.router.add_get("/hello", self._hello)
        Controls(self).add_to(made)
        return made

    async def _hello(self, request: web.Request) -> web.StreamResponse:
        async def serve() -> web.StreamResponse:
            return web.Response(text="hello")

        def error(fault: Fault) -> web.Response:
            return web.Response(status=fault.status)

        return await self.faults.around(request, "hello", serve, error)


@pytest.fixture
async def sim() -> AsyncIterator[Echo]:
    async with Echo(port=0) as made:
        yield made


@pytest.fixture
async def web_client() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession() as made:
        yield made


async def test_a_fault_is_armed_over_http_strikes_and_is_mended(sim: Echo, web_client: aiohttp.ClientSession) -> None:
    fault = {"kind": "status", "call": "hel*", "status": 503, "count": None}
    async with web_client.post(f"{sim.base_url}/_sim/faults", json=fault) as answer:
        assert answer.status == 200
    async with web_client.get(f"{sim.base_url}/hello") as answer:
        assert answer.status == 503
    async with web_client.delete(f"{sim.base_url}/_sim/faults") as answer:
        assert await answer.json() == {"armed": False}
    async with web_client.get(f"{sim.base_url}/hello") as answer:
        assert await answer.text() == "hello"


@pytest.mark.parametrize("body", ["", "[]", "no json", '{"kind": "storm"}', '{"kind": "status", "colour": "red"}'])
async def test_a_wrong_control_is_answered_with_the_reason(
    sim: Echo, web_client: aiohttp.ClientSession, body: str
) -> None:
    async with web_client.post(f"{sim.base_url}/_sim/faults", data=body) as answer:
        assert answer.status == 400
        assert (await answer.json())["error"]


async def test_after_an_outage_it_is_back_on_its_port(sim: Echo, web_client: aiohttp.ClientSession) -> None:
    port = sim.port
    async with asyncio.TaskGroup() as group:
        outages = group.create_task(sim.outages())
        async with web_client.post(f"{sim.base_url}/_sim/outage", json={"seconds": 0.01}) as answer:
            assert answer.status == 200
        await sim.watch.until(lambda: sim.outage_count or None, timeout_s=30)
        outages.cancel()
    async with web_client.get(f"http://127.0.0.1:{port}/hello") as answer:
        assert await answer.text() == "hello"


async def test_while_it_is_down_connections_are_refused(sim: Echo, web_client: aiohttp.ClientSession) -> None:
    await sim.down()
    with pytest.raises(aiohttp.ClientConnectionError):
        await web_client.get(f"{sim.base_url}/hello")
    await sim.up()
    async with web_client.get(f"{sim.base_url}/hello") as answer:
        assert answer.status == 200


def test_a_description_that_is_nowhere_is_none(monkeypatch: pytest.MonkeyPatch, tmp_path: object) -> None:
    monkeypatch.setenv("HALTLINE_CONFORMANCE", str(tmp_path))
    assert find_description("nothing.json") is None
