"""What `haltline doctor` is told: whether the token is accepted, and whether alerts reach their channel."""

from collections.abc import Awaitable, Sequence

import discord

from haltline.api import Finding, Level
from haltline_bot_discord.failure import classified


async def diagnose(
    client: discord.Client, *, channel: int | None, guild: int | None, people: Sequence[str]
) -> Sequence[Finding]:
    """Look with a client that is logged in, without a word to anybody. Raises what discord.py does."""
    name = client.user.name if client.user is not None else "a bot"
    found = [Finding(level=Level.OK, about="login", text=f"the token is that of {name}")]
    if guild is not None:
        found.append(await _seen(f"server {guild}", client.http.get_guild(guild), "invite the bot to that server"))
    if channel is not None:
        cure = "check its number, and let the bot see that channel and write there"
        found.append(await _seen(f"channel {channel}", client.http.get_channel(channel), cure))
    if not people:
        cure = "write their numbers under identities of the operators"
        said = "no operator has an id on Discord: nobody may ask for anything"
        found.append(Finding(level=Level.WARN, about="operators", text=said, cure=cure))
    return found


async def _seen(about: str, asked: Awaitable[object], cure: str) -> Finding:
    """Whether Discord shows it to the bot."""
    try:
        told = await asked
    except (discord.Forbidden, discord.NotFound) as error:
        return Finding(level=Level.FAIL, about=about, text=str(classified(error)), cure=cure)
    name = told.get("name", "") if isinstance(told, dict) else ""
    return Finding(level=Level.OK, about=about, text=f"the bot sees it: {name}")
