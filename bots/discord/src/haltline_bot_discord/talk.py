"""What people ask and press: as the person who did it, never as the server or channel it happened in."""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, cast

import aiohttp
import discord
from discord import app_commands

from haltline.api import Caller, Control, Tone
from haltline_bot_discord.draw import NOBODY, Sheet, sheets
from haltline_bot_discord.failure import classified
from haltline_bot_discord.slash import focused, given
from haltline_bot_kit.assistant import FORGOTTEN, Answer, Assistant
from haltline_bot_kit.compose import heading
from haltline_bot_kit.doorman import Doorman
from haltline_bot_kit.press import ButtonBook
from haltline_bot_kit.view import Item, View

PLATFORM = "discord"
_LOG = logging.getLogger(__name__)
_AT_ONCE_S = 1.8  # Discord gives up after three seconds
_REMEMBERED = 1000
_NOT_LISTED = View(items=(heading("You are not an operator here", Tone.WARNING),), tone=Tone.WARNING, private=True)
_BROKEN = View(
    items=(
        heading("Something broke here", Tone.BAD),
        Item(text="It is not known what was done: ask /status before you try again."),
    ),
    tone=Tone.BAD, private=True,
)  # fmt: skip


class Talk:
    """Answers interactions, each once; within three seconds at least by saying that it is at work."""

    def __init__(self, control: Control, buttons: ButtonBook, doorman: Doorman) -> None:
        self._control = control
        self._assistant = Assistant(control, buttons)
        self._buttons = buttons
        self._doorman = doorman
        self._seen: OrderedDict[int, None] = OrderedDict()

    async def handle(self, interaction: discord.Interaction) -> None:
        """Answer one interaction, and wait for the end of what it began."""
        if self._is_repeated(interaction.id):
            return
        try:
            await self._answer(interaction)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            _LOG.warning("an answer did not reach Discord: %s", classified(error))
        except Exception:  # noqa: BLE001 - the wall around one conversation: the others go on
            _LOG.exception("an interaction of Discord could not be answered")
            await self._apologise(interaction)

    async def _answer(self, interaction: discord.Interaction) -> None:
        data = cast("Mapping[str, Any]", interaction.data or {})
        caller = _caller(interaction)
        options: Sequence[dict[str, Any]] = data.get("options") or ()
        command = str(data.get("name", ""))
        if interaction.type is discord.InteractionType.autocomplete:
            await self._complete(interaction, caller, command, options)
        elif not self._doorman.admits(caller.user):
            await self._show(interaction, _NOT_LISTED)
        elif interaction.type is discord.InteractionType.application_command:
            await self._carry_out(interaction, self._assistant.asked(caller, command, given(options)))
        elif interaction.type is discord.InteractionType.component:
            await self._carry_out(interaction, self._assistant.pressed(caller, str(data.get("custom_id", ""))))

    async def _complete(
        self, interaction: discord.Interaction, caller: Caller, command: str, options: Sequence[dict[str, Any]]
    ) -> None:
        typed = focused(options)
        found = self._control.complete(caller, command, *typed, given(options)) if typed is not None else ()
        choices = [
            app_commands.Choice(name=(f"{each.value}: {each.meaning}" if each.meaning else each.value)[:100],
                                value=each.value)
            for each in found if 0 < len(each.value) <= 100
        ]  # fmt: skip
        await interaction.response.autocomplete(choices[:25])

    async def _carry_out(self, interaction: discord.Interaction, asking: Awaitable[Answer | None]) -> None:
        async with asyncio.TaskGroup() as group:
            work = group.create_task(_awaited(asking))
            done, _ = await asyncio.wait({work}, timeout=_AT_ONCE_S)
            if not done:
                await interaction.response.defer(ephemeral=True, thinking=True)
        answer = work.result()
        if answer is None:
            await self._show(interaction, FORGOTTEN)
            return
        await self._show(interaction, answer.view, instead=answer.settles)
        if answer.is_open:
            outcome = await self._assistant.outcome(answer)
            await self._replace(interaction, outcome.view)

    async def _show(self, interaction: discord.Interaction, view: View, *, instead: bool = False) -> None:
        """Answer; `instead` of the message whose button was pressed, where it was one."""
        first, *others = await sheets(view, self._buttons)
        response = interaction.response
        is_press = interaction.type is discord.InteractionType.component
        if response.is_done():
            await self._replace(interaction, view)
            return
        if instead and is_press:
            await response.edit_message(
                content=first.text or None, embed=first.embed, view=first.board, attachments=first.files,
                allowed_mentions=NOBODY,
            )  # fmt: skip
        else:
            await response.send_message(
                first.text or None, ephemeral=view.private, allowed_mentions=NOBODY, files=first.files, **first.optional
            )
        await _follow_up(interaction, others, is_private=view.private)

    async def _replace(self, interaction: discord.Interaction, view: View) -> None:
        """The answer that was given becomes this one."""
        first, *others = await sheets(view, self._buttons)
        await interaction.edit_original_response(
            content=first.text or None, embed=first.embed, view=first.board, attachments=first.files,
            allowed_mentions=NOBODY,
        )  # fmt: skip
        await _follow_up(interaction, others, is_private=view.private)

    async def _apologise(self, interaction: discord.Interaction) -> None:
        try:
            await self._show(interaction, _BROKEN)
        except (discord.DiscordException, aiohttp.ClientError, OSError) as error:
            _LOG.warning("an apology did not reach Discord: %s", classified(error))

    def _is_repeated(self, interaction: int) -> bool:
        if interaction in self._seen:
            return True
        self._seen[interaction] = None
        while len(self._seen) > _REMEMBERED:
            self._seen.popitem(last=False)
        return False


async def _awaited[T](work: Awaitable[T]) -> T:
    return await work


async def _follow_up(interaction: discord.Interaction, others: Sequence[Sheet], *, is_private: bool) -> None:
    for sheet in others:
        await interaction.followup.send(
            sheet.text, ephemeral=is_private, allowed_mentions=NOBODY, files=sheet.files, **sheet.optional
        )


def _caller(interaction: discord.Interaction) -> Caller:
    person = interaction.user
    where = f"server {interaction.guild_id} channel {interaction.channel_id}" if interaction.guild_id else "private"
    return Caller(platform=PLATFORM, user=str(person.id), name=person.display_name, place=where)
