"""One person runs a desk from Telegram, then from Discord. Everything but the two platforms is what you would run.

    uv run python examples/chat/play.py

The engine, the bots (aiogram and discord.py) and the paper exchange are real; Telegram and Discord are simulators on
this machine, and Anna is scripted. What was said is printed as it is said.
"""

import asyncio
import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Iterator
from decimal import Decimal
from pathlib import Path

from haltline import Haltline
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Side
from haltline_sim_discord.redirect import redirected
from haltline_sim_discord.server import DiscordSim
from haltline_sim_paper.control import Control
from haltline_sim_telegram.server import TelegramSim

HERE = Path(__file__).parent
MNQ = Symbol("MNQ")
START = 21_000.0


@contextlib.contextmanager
def paper_exchange(folder: Path) -> Iterator[int]:
    """The exchange as a process of its own; its port."""
    command = [sys.executable, "-m", "haltline_sim_paper", "--port", "0", "--book", str(folder / "book.sqlite")]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait()
        process.stdout.close()


@contextlib.asynccontextmanager
async def platforms() -> AsyncIterator[tuple[TelegramSim, DiscordSim]]:
    """Both chat platforms, on loopback."""
    async with TelegramSim() as telegram, DiscordSim() as discord:
        with redirected(discord):
            yield telegram, discord


class Market:
    """Anna's broker: she trades there past the engine, and the price falls when the story wants it to."""

    def __init__(self, port: int) -> None:
        self._exchange = Control(port)
        self._price = 0.0

    async def stands_at(self, price: float) -> None:
        """A new price."""
        self._price = price
        await asyncio.to_thread(self._exchange.price, MNQ, price, price + 0.25)

    async def buys(self, account: str, contracts: int) -> None:
        """A purchase by hand, at the market."""
        await asyncio.to_thread(self._exchange.trade, AccountId(account), MNQ, Side.BUY, Decimal(contracts))

    async def falls(self, points: int) -> None:
        """A fall in steps of five points, as markets fall."""
        for _ in range(points // 5):
            await self.stands_at(self._price - 5)

    def close(self) -> None:
        """She logs out."""
        self._exchange.close()


def granted_name(reply: str) -> str:
    """The name of an override, from the reply that granted it."""
    return reply.partition("Take it back with: revoke ")[2].split()[0].replace("\\", "")


async def in_telegram(sim: TelegramSim, market: Market) -> None:
    """Status, a breach, why, acknowledge, an override and its end, flatten with confirmation."""
    anna = sim.user(7001, "Anna")
    anna.says("/status eval")
    await sim.wait_for_message("All is within limits")
    await market.buys("eval", 5)
    await market.falls(60)
    alert = await sim.wait_for_message("is broken", timeout_s=20)

    anna.presses(alert, "Why?")
    await sim.wait_for_message("account.day.loss >= 500")
    anna.presses(alert, "Acknowledge")
    await sim.wait_for_message("Acknowledged")

    anna.says("/override daily-loss eval 10m extra=400 waiting for the bounce")
    question = await sim.wait_for_message("waiting for the bounce")
    anna.presses(question, question.buttons[0][0])
    anna.presses(await sim.wait_for_message("Granted"), "Revoke")
    await sim.wait_for_message("became REDUCING")

    anna.says("/flatten eval enough for today")
    question = await sim.wait_for_message("enough for today")
    anna.presses(question, question.buttons[0][0])
    await sim.wait_for_message("the broker shows: no position", timeout_s=20)


async def in_discord(sim: DiscordSim, market: Market) -> None:
    """The same from Discord, for the other account."""
    anna = sim.user(7002, "Anna")
    await sim.wait_for_commands("status", "flatten")
    await sim.wait_for_reply(anna.slash("status", account="swing"), "20,000.00 USD")
    await market.buys("swing", 5)
    await market.falls(60)
    alert = await sim.wait_for_message("swing: “Stop for the day at 500” is broken", timeout_s=20)

    await sim.wait_for_reply(anna.presses(alert, "Why?"), "account.day.loss")
    await sim.wait_for_reply(anna.presses(alert, "Acknowledge"), "Acknowledged")

    grant = anna.slash(
        "override", rule="daily-loss", entity="swing", **{"for": "10m"}, extra="400", reason="the bounce"
    )
    question = await sim.wait_for_reply(grant, "the bounce")
    anna.presses(question, question.buttons[0][0])
    granted = await sim.wait_for_message("Granted")
    revoke = anna.slash("revoke", override=granted_name(granted.shown), reason="it does not bounce")
    await sim.wait_for_reply(revoke, "became REDUCING")

    question = await sim.wait_for_reply(anna.slash("flatten", account="swing", reason="enough"), "enough")
    anna.presses(question, question.buttons[0][0])
    await sim.wait_for_message("the broker shows: no position", timeout_s=20)


async def main() -> None:
    """The whole story."""
    with tempfile.TemporaryDirectory() as made, contextlib.ExitStack() as stack:
        folder = Path(made)
        for name in ("haltline.yaml", "rules.yaml"):
            shutil.copy(HERE / name, folder / name)
        port = stack.enter_context(paper_exchange(folder))
        market = Market(port)
        stack.callback(market.close)
        async with platforms() as (telegram, discord):
            alerts = discord.channel("alerts")
            environment = os.environ | {
                "EXCHANGE_PORT": str(port), "TELEGRAM_TOKEN": telegram.token, "TELEGRAM_SERVER": telegram.base_url,
                "DISCORD_TOKEN": discord.token, "DISCORD_SERVER": discord.base_url, "DISCORD_CHANNEL": str(alerts.id),
            }  # fmt: skip
            await market.stands_at(START)
            telegram.user(7001, "Anna").starts()  # a bot may write only to people who have written to it
            async with Haltline.open(folder / "haltline.yaml", environ=environment):
                try:
                    await telegram.wait_for_poll()
                    await in_telegram(telegram, market)
                    await in_discord(discord, market)
                finally:
                    print("Telegram", telegram.transcript, "", "Discord", discord.transcript, sep="\n")


if __name__ == "__main__":
    asyncio.run(main())
