"""What a failed call to Telegram means for whoever made it."""

from aiogram.exceptions import (
    AiogramError,
    ClientDecodeError,
    TelegramAPIError,
    TelegramBadRequest,
    TelegramConflictError,
    TelegramForbiddenError,
    TelegramMigrateToChat,
    TelegramNetworkError,
    TelegramNotFound,
    TelegramRetryAfter,
    TelegramServerError,
    TelegramUnauthorizedError,
)

from haltline.errors import Refused, Transient

UNCHANGED = "message is not modified"
_REFUSALS = (
    TelegramBadRequest, TelegramForbiddenError, TelegramNotFound, TelegramUnauthorizedError, TelegramMigrateToChat,
)  # fmt: skip


def classified(error: AiogramError) -> Transient | Refused:
    """The engine's word for it: worth repeating, or not. The text names no token and no address."""
    if isinstance(error, TelegramRetryAfter):
        return Transient("Telegram wants a pause", retry_after_s=float(error.retry_after))
    if isinstance(error, _REFUSALS):
        return Refused(f"Telegram refused it: {_words(error)}")
    if isinstance(error, TelegramServerError | TelegramConflictError):
        return Transient(f"Telegram is in trouble: {_words(error)}")
    if isinstance(error, TelegramNetworkError):
        return Transient("Telegram cannot be reached")
    if isinstance(error, ClientDecodeError):
        return Transient("what stands between us and Telegram answered with no JSON")
    return Refused(f"Telegram's client raised {type(error).__name__}")


def _words(error: TelegramAPIError) -> str:
    return error.message.splitlines()[0][:200]
