"""What a failed call to Discord means for whoever made it."""

import aiohttp
import discord

from haltline.errors import Refused, Transient

_OURS_TO_MEND = (discord.LoginFailure, discord.PrivilegedIntentsRequired)
_GIVEN_UP = 500


def classified(error: BaseException) -> Transient | Refused:
    """The engine's word for it: worth repeating, or not. The text names no token and no address."""
    if isinstance(error, _OURS_TO_MEND):
        return Refused(f"Discord refused it: {_words(error)}")
    if isinstance(error, discord.RateLimited):
        return Transient("Discord wants a pause", retry_after_s=error.retry_after)
    if isinstance(error, discord.HTTPException):
        if error.status >= _GIVEN_UP or error.status == 429:
            return Transient(f"Discord is in trouble: {error.status}")
        return Refused(f"Discord refused it: {_words(error)}")
    if isinstance(error, discord.ConnectionClosed):
        return Transient(f"Discord closed the connection: {error.code}")
    if isinstance(error, aiohttp.ClientError | OSError | TimeoutError):
        return Transient("Discord cannot be reached")
    if isinstance(error, ValueError):
        return Transient("what stands between us and Discord answered with no JSON")
    return Transient(f"the connection to Discord ended in a {type(error).__name__}")


def _words(error: BaseException) -> str:
    text = error.text if isinstance(error, discord.HTTPException) and error.text else str(error)
    return text.splitlines()[0][:200] if text else type(error).__name__
