"""The codes and words with which Binance USD-M refuses: HTTP 4xx and `{"code": …, "msg": …}`."""

from haltline_sim_crypto.record import Code
from haltline_sim_crypto.refusal import Reason

CODES = {
    Reason.BAD_KEY: Code(-2015, "Invalid API-key, IP, or permissions for action", 401),
    Reason.NO_PERMISSION: Code(-2015, "Invalid API-key, IP, or permissions for action", 401),
    Reason.BAD_ADDRESS: Code(-2015, "Invalid API-key, IP, or permissions for action, request ip: 127.0.0.1", 401),
    Reason.BAD_SIGNATURE: Code(-1022, "Signature for this request is not valid.", 400),
    Reason.CLOCK: Code(-1021, "Timestamp for this request is outside of the recvWindow.", 400),
    Reason.BAD_PARAMETER: Code(-1102, "Mandatory parameter '{}' was not sent, was empty/null, or malformed.", 400),
    Reason.UNKNOWN_SYMBOL: Code(-1121, "Invalid symbol.", 400),
    Reason.RATE_LIMIT: Code(-1003, "Too many requests; current limit of IP is 2400 requests per minute.", 429),
    Reason.BANNED: Code(-1003, "Way too many requests; IP banned until {}.", 418),
    Reason.SERVER_ERROR: Code(-1001, "Internal error; unable to process your request. Please try again.", 500),
    Reason.UNKNOWN_OUTCOME: Code(
        -1007, "Timeout waiting for response from backend server. Send status unknown; execution status unknown.", 503
    ),
    Reason.ORDER_NOT_FOUND: Code(-2013, "Order does not exist.", 400),
    Reason.CANCEL_REJECTED: Code(-2011, "Unknown order sent.", 400),
    Reason.DUPLICATE_CLIENT_ID: Code(-4116, "ClientOrderId is duplicated.", 400),
    Reason.BAD_CLIENT_ID: Code(-4015, "Client order id is not valid.", 400),
    Reason.INSUFFICIENT_MARGIN: Code(-2019, "Margin is insufficient.", 400),
    Reason.NO_POSITION: Code(-2022, "ReduceOnly Order is rejected.", 400),
    Reason.REDUCE_ONLY: Code(-2022, "ReduceOnly Order is rejected.", 400),
    Reason.QUANTITY_TOO_SMALL: Code(-4003, "Quantity less than or equal to zero.", 400),
    Reason.QUANTITY_TOO_LARGE: Code(-4005, "Quantity greater than max quantity.", 400),
    Reason.QUANTITY_STEP: Code(-1111, "Precision is over the maximum defined for this asset.", 400),
    Reason.PRICE_TICK: Code(-4014, "Price not increased by tick size.", 400),
    Reason.NOTIONAL_TOO_SMALL: Code(
        -4164, "Order's notional must be no smaller than 5 (unless you choose reduce only).", 400
    ),
    Reason.WOULD_TRIGGER: Code(-2021, "Order would immediately trigger.", 400),
    Reason.POST_ONLY: Code(
        -5022, "Due to the order could not be executed as maker, the Post Only order will be rejected.", 400
    ),
    Reason.POSITION_MODE: Code(-4061, "Order's position side does not match user's setting.", 400),
    Reason.NOT_MODIFIED: Code(-4059, "No need to change position side.", 400),
    Reason.OPEN_POSITIONS: Code(-4068, "Position side cannot be changed if there exists position.", 400),
    Reason.OPEN_ORDERS: Code(-4067, "Position side cannot be changed if there exists open orders.", 400),
    Reason.LEVERAGE: Code(-4028, "Leverage {} is not valid", 400),
    Reason.LISTEN_KEY: Code(-1125, "This listenKey does not exist.", 400),
    Reason.WRONG_ENDPOINT: Code(
        -4120, "Order type not supported for this endpoint. Please use the Algo Order API endpoints instead.", 400
    ),
    Reason.NOT_OFFERED: Code(-5000, "Path {} is invalid", 404),
}
