"""An error as the Bot API answers it."""

from typing import Any


class ApiError(Exception):
    """Answered as `{"ok": false, "error_code": …, "description": …}` with the code as HTTP status."""

    def __init__(self, code: int, description: str, **parameters: Any) -> None:
        super().__init__(f"{code}: {description}")
        self.code = code
        self.description = description
        self.parameters = parameters


def bad_request(what: str) -> ApiError:
    """400, in the platform's words."""
    return ApiError(400, f"Bad Request: {what}")


def forbidden(what: str) -> ApiError:
    """403, in the platform's words."""
    return ApiError(403, f"Forbidden: {what}")


def too_many(retry_after_s: int) -> ApiError:
    """429 with the seconds to wait."""
    return ApiError(429, f"Too Many Requests: retry after {retry_after_s}", retry_after=retry_after_s)
