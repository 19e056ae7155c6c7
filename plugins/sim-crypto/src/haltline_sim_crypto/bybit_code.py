"""The codes and words with which Bybit refuses: HTTP 200 and a `retCode`, except where said."""

from haltline_sim_crypto.record import Code
from haltline_sim_crypto.refusal import Reason

CODES = {
    Reason.BAD_KEY: Code(10003, "API key is invalid."),
    Reason.BAD_SIGNATURE: Code(10004, "error sign! origin_string[{}]"),
    Reason.KEY_EXPIRED: Code(33004, "Your api key has expired."),
    Reason.NO_PERMISSION: Code(10005, "Permission denied, please check your API key permissions."),
    Reason.BAD_ADDRESS: Code(10010, "Unmatched IP, please check your API key's bound IP addresses."),
    Reason.CLOCK: Code(10002, "invalid request, please check your server timestamp or recv_window param. {}"),
    Reason.BAD_PARAMETER: Code(10001, "params error: {}"),
    Reason.UNKNOWN_SYMBOL: Code(10001, "params error: symbol invalid {}"),
    Reason.RATE_LIMIT: Code(10006, "Too many visits. Exceeded the API Rate Limit."),
    Reason.BANNED: Code(10018, "Exceeded the IP Rate Limit.", 403),
    Reason.SERVER_ERROR: Code(10016, "Server error."),
    Reason.UNKNOWN_OUTCOME: Code(10000, "Server Timeout"),
    Reason.ORDER_NOT_FOUND: Code(110001, "order not exists or too late to cancel"),
    Reason.CANCEL_REJECTED: Code(110001, "order not exists or too late to cancel"),
    Reason.DUPLICATE_CLIENT_ID: Code(110072, "OrderLinkedID is duplicate"),
    Reason.BAD_CLIENT_ID: Code(10001, "params error: OrderLinkId invalid"),
    Reason.INSUFFICIENT_MARGIN: Code(110007, "ab not enough for new order"),
    Reason.NO_POSITION: Code(110017, "current position is zero, cannot fix reduce-only order qty"),
    Reason.REDUCE_ONLY: Code(110017, "Reduce-only rule not satisfied"),
    Reason.QUANTITY_TOO_SMALL: Code(10001, "The number of contracts is below the minimum limit allowed"),
    Reason.QUANTITY_TOO_LARGE: Code(10001, "The number of contracts exceeds the maximum limit allowed"),
    Reason.QUANTITY_STEP: Code(10001, "Qty invalid"),
    Reason.PRICE_TICK: Code(10001, "Price invalid"),
    Reason.NOTIONAL_TOO_SMALL: Code(110094, "Order does not meet minimum order value"),
    Reason.WOULD_TRIGGER: Code(110092, "expect Rising, but trigger_price is not above the current price"),
    Reason.POSITION_MODE: Code(10001, "position idx not match position mode"),
    Reason.NOT_MODIFIED: Code(110043, "Set leverage has not been modified."),
    Reason.OPEN_POSITIONS: Code(110024, "You have an existing position, so the position mode cannot be switched."),
    Reason.OPEN_ORDERS: Code(110028, "You have existing open orders, so the position mode cannot be switched."),
    Reason.LEVERAGE: Code(110013, "Cannot set leverage due to risk limit level"),
    Reason.NOT_OFFERED: Code(404, "Path Not Found", 404),
}
