"""An error as Discord's REST answers it."""

from typing import Any


class ApiError(Exception):
    """Answered as `{"message": …, "code": …}` with the HTTP status; `errors` names the fields of a bad body."""

    def __init__(self, status: int, code: int, message: str, *, errors: dict[str, Any] | None = None) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status = status
        self.code = code
        self.message = message
        self.errors = errors


class Throttled(Exception):
    """429: wait so many seconds, for one bucket or for everything."""

    def __init__(self, retry_after_s: float, *, is_global: bool) -> None:
        super().__init__(f"429: retry after {retry_after_s}")
        self.retry_after_s = retry_after_s
        self.is_global = is_global


def bad_form(field: str, code: str, message: str) -> ApiError:
    """400 Invalid Form Body; `field` is a path with dots, empty for the body itself."""
    errors: dict[str, Any] = {"_errors": [{"code": code, "message": message}]}
    for part in reversed(field.split(".") if field else []):
        errors = {part: errors}
    return ApiError(400, 50035, "Invalid Form Body", errors=errors)


def too_long(field: str, most: int) -> ApiError:
    """A text with too many characters."""
    return bad_form(field, "BASE_TYPE_MAX_LENGTH", f"Must be {most} or fewer in length.")


def wrong_count(field: str, least: int, most: int) -> ApiError:
    """A text or list of the wrong length."""
    return bad_form(field, "BASE_TYPE_BAD_LENGTH", f"Must be between {least} and {most} in length.")


def unknown(thing: str) -> ApiError:
    """404 for something that does not exist."""
    codes = {
        "Channel": 10003, "Guild": 10004, "Member": 10007, "Message": 10008, "User": 10013, "Webhook": 10015,
        "interaction": 10062, "application command": 10063,
    }  # fmt: skip
    return ApiError(404, codes[thing], f"Unknown {thing}")
