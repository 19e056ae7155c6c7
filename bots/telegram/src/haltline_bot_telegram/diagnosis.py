"""What `haltline doctor` is told: whether the token is accepted, and whether alerts reach their chat."""

from collections.abc import Sequence

from aiogram import Bot
from aiogram.exceptions import AiogramError
from aiogram.types import ChatMemberRestricted

from haltline.api import Finding, Level
from haltline.errors import Refused
from haltline_bot_telegram.failure import classified

_GONE = ("left", "kicked")


async def diagnose(bot: Bot, *, chat: int | None, people: Sequence[str]) -> Sequence[Finding]:
    """Log in and look, without a word to anybody; raises Transient or Refused where that is not possible."""
    try:
        me = await bot.get_me()
        found = [Finding(level=Level.OK, about="login", text=f"the token is that of @{me.username}")]
        if chat is not None:
            found.append(await _chat(bot, chat, me.id))
    except AiogramError as error:
        raise classified(error) from error
    if not people:
        cure = "write their numbers under identities of the operators: /whoami tells them"
        said = "no operator has an id on Telegram: nobody may ask for anything"
        found.append(Finding(level=Level.WARN, about="operators", text=said, cure=cure))
    return found


async def _chat(bot: Bot, chat: int, me: int) -> Finding:
    about = f"chat {chat}"
    try:
        there = await bot.get_chat(chat)
        member = None if there.type == "private" else await bot.get_chat_member(chat, me)
    except AiogramError as error:
        failure = classified(error)
        if not isinstance(failure, Refused):
            raise
        cure = "write /start to the bot, or add it to the group, and check the number (that of a group is negative)"
        return Finding(level=Level.FAIL, about=about, text=str(failure), cure=cure)
    is_mute = isinstance(member, ChatMemberRestricted) and not member.can_send_messages
    if member is not None and (member.status in _GONE or is_mute):
        cure = "add the bot to the group, and let it write there"
        return Finding(level=Level.FAIL, about=about, text="the bot may not write there", cure=cure)
    return Finding(level=Level.OK, about=about, text=f"alerts go to {there.title or there.full_name}")
