"""The front end: a new client for each connection, and the alerts, which need none."""

import asyncio
from collections.abc import Sequence

from haltline.api import Control, Finding, Message, Started, SurfaceSetup
from haltline.errors import Refused, Transient
from haltline_bot_discord.alert import Alerts
from haltline_bot_discord.client import Connection, use_server
from haltline_bot_discord.diagnosis import diagnose
from haltline_bot_discord.draw import CUSTOM_ID_LETTERS
from haltline_bot_discord.failure import classified
from haltline_bot_discord.talk import PLATFORM, Talk
from haltline_bot_kit.doorman import Doorman
from haltline_bot_kit.press import ButtonBook


class DiscordFront:
    """`api.Surface`, and `api.EditingNotifier` where the set-up names a channel for alerts."""

    def __init__(self, setup: SurfaceSetup) -> None:
        config = setup.config
        if server := config.get("server"):
            use_server(str(server).rstrip("/"))
        self._setup = setup
        self._token = str(config["token"])
        self._guild = _number(config.get("guild"))
        self._buttons = ButtonBook(setup.memory, limit=CUSTOM_ID_LETTERS)
        self._alerts = Alerts(
            self._token, _number(config.get("channel")), threads=config.get("threads") is True, buttons=self._buttons,
            memory=setup.memory,
        )  # fmt: skip

    async def run(self, control: Control, started: Started) -> None:
        """Connect and answer until cancelled; raises Transient or Refused where the connection ends for good.

        discord.py resumes by itself what can be resumed; a malformed frame or a gateway that is down when it starts
        ends it with an exception of any kind, and then only a new client helps: `run` is called again.
        """
        people = self._setup.people.get(PLATFORM, ())
        talk = Talk(control, self._buttons, Doorman(people, self._setup.clock))
        self._alerts.stays_open = True
        try:
            async with Connection(control=control, talk=talk, started=started, guild=self._guild) as client:
                await self._serve(client)
        except BaseExceptionGroup as failures:
            failure = failures.exceptions[0]
            if not isinstance(failure, Exception) or isinstance(failure, Transient | Refused):
                raise failure from None
            raise classified(failure) from failure
        finally:
            self._alerts.stays_open = False
            await self._alerts.close()

    async def _serve(self, client: Connection) -> None:
        async with asyncio.TaskGroup() as group:
            client.answer_in(group)
            patience = group.create_task(client.until_given_up(self._setup.clock))
            await client.start(self._token)
            patience.cancel()

    async def send(self, message: Message) -> str:
        """Send an alert to the channel of the set-up; returns its handle."""
        return await self._alerts.send(message)

    async def edit(self, handle: str, message: Message) -> str:
        """Bring an alert up to date."""
        return await self._alerts.edit(handle, message)

    async def diagnose(self) -> Sequence[Finding]:
        """Log in and look, for `haltline doctor`."""
        people = self._setup.people.get(PLATFORM, ())
        async with self._alerts.logged_in() as client:
            return await diagnose(
                client, channel=_number(self._setup.config.get("channel")), guild=self._guild, people=people
            )


def _number(value: object) -> int | None:
    return int(str(value)) if value is not None else None
