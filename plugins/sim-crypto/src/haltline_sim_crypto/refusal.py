"""Why a venue refuses, by one name for the three; each venue has its own code and words for it."""

from enum import StrEnum


class Reason(StrEnum):
    """What is wrong, as `sim.refuse` takes it."""

    BAD_KEY = "bad_key"
    BAD_SIGNATURE = "bad_signature"
    KEY_EXPIRED = "key_expired"
    NO_PERMISSION = "no_permission"
    BAD_ADDRESS = "bad_address"
    CLOCK = "clock"
    BAD_PARAMETER = "bad_parameter"
    UNKNOWN_SYMBOL = "unknown_symbol"
    RATE_LIMIT = "rate_limit"
    BANNED = "banned"
    SERVER_ERROR = "server_error"
    UNKNOWN_OUTCOME = "unknown_outcome"
    ORDER_NOT_FOUND = "order_not_found"
    CANCEL_REJECTED = "cancel_rejected"
    DUPLICATE_CLIENT_ID = "duplicate_client_id"
    BAD_CLIENT_ID = "bad_client_id"
    INSUFFICIENT_MARGIN = "insufficient_margin"
    NO_POSITION = "no_position"
    REDUCE_ONLY = "reduce_only"
    QUANTITY_TOO_SMALL = "quantity_too_small"
    QUANTITY_TOO_LARGE = "quantity_too_large"
    QUANTITY_STEP = "quantity_step"
    PRICE_TICK = "price_tick"
    NOTIONAL_TOO_SMALL = "notional_too_small"
    WOULD_TRIGGER = "would_trigger"
    POST_ONLY = "post_only"
    POSITION_MODE = "position_mode"
    NOT_MODIFIED = "not_modified"
    OPEN_POSITIONS = "open_positions"
    OPEN_ORDERS = "open_orders"
    LEVERAGE = "leverage"
    LISTEN_KEY = "listen_key"
    WRONG_ENDPOINT = "wrong_endpoint"
    NOT_OFFERED = "not_offered"


class Refused(Exception):
    """The venue says no. `detail` names the parameter or symbol where the venue's words do."""

    def __init__(self, reason: Reason, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else str(reason))
        self.reason = reason
        self.detail = str(detail)
