"""The words with which Hyperliquid refuses: it has no numbers. `status` 200 with words of an order, or of the whole."""

from haltline_sim_crypto.record import Code
from haltline_sim_crypto.refusal import Reason

CODES = {
    Reason.BAD_KEY: Code(0, "User or API Wallet {} does not exist."),
    Reason.BAD_SIGNATURE: Code(0, "User or API Wallet {} does not exist."),
    Reason.CLOCK: Code(0, "Invalid nonce: {}"),
    Reason.BAD_PARAMETER: Code(0, "Failed to deserialize the JSON body into the target type", 422),
    Reason.UNKNOWN_SYMBOL: Code(0, "Order has invalid asset."),
    Reason.RATE_LIMIT: Code(0, "null", 429),
    Reason.BANNED: Code(
        0,
        "Too many cumulative requests sent (37986 > 10436) for cumulative volume traded $437.92."
        " Place taker orders to free up 1 request per USDC traded.",
    ),
    Reason.SERVER_ERROR: Code(0, "Internal Server Error", 500),
    Reason.UNKNOWN_OUTCOME: Code(0, "<html>504 Gateway Time-out</html>", 504),
    Reason.ORDER_NOT_FOUND: Code(0, "unknownOid"),
    Reason.CANCEL_REJECTED: Code(0, "Order was never placed, already canceled, or filled. asset={}"),
    Reason.DUPLICATE_CLIENT_ID: Code(0, "Order has duplicate cloid. asset={}"),
    Reason.BAD_CLIENT_ID: Code(0, "Failed to deserialize the JSON body into the target type", 422),
    Reason.INSUFFICIENT_MARGIN: Code(0, "Insufficient margin to place order. asset={}"),
    Reason.NO_POSITION: Code(0, "Reduce only order would increase position. asset={}"),
    Reason.REDUCE_ONLY: Code(0, "Reduce only order would increase position. asset={}"),
    Reason.QUANTITY_TOO_SMALL: Code(0, "Order has zero size."),
    Reason.QUANTITY_TOO_LARGE: Code(0, "Order has invalid size."),
    Reason.QUANTITY_STEP: Code(0, "Order has invalid size."),
    Reason.PRICE_TICK: Code(0, "Price must be divisible by tick size. asset={}"),
    Reason.NOTIONAL_TOO_SMALL: Code(0, "Order must have minimum value of $10. asset={}"),
    Reason.WOULD_TRIGGER: Code(0, "Invalid TP/SL price. asset={}"),
    Reason.POST_ONLY: Code(0, "Post only order would have immediately matched, bbo was {}."),
    Reason.LEVERAGE: Code(0, "Invalid leverage value"),
    Reason.NOT_OFFERED: Code(0, "Failed to deserialize the JSON body into the target type", 422),
}
OF_ORDERS = frozenset(
    {
        Reason.UNKNOWN_SYMBOL, Reason.CANCEL_REJECTED, Reason.DUPLICATE_CLIENT_ID, Reason.INSUFFICIENT_MARGIN,
        Reason.NO_POSITION, Reason.REDUCE_ONLY, Reason.QUANTITY_TOO_SMALL, Reason.QUANTITY_TOO_LARGE,
        Reason.QUANTITY_STEP, Reason.PRICE_TICK, Reason.NOTIONAL_TOO_SMALL, Reason.WOULD_TRIGGER, Reason.POST_ONLY,
    }
)  # fmt: skip
"""What is said of one order among several, not of the whole request."""
