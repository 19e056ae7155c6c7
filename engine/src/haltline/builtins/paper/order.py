"""One order in the simulated book."""

from decimal import Decimal

import msgspec

from haltline.model.order import OrderReport, OrderRequest, OrderStatus, OrderType, Side

ZERO = Decimal(0)


class PaperOrder(msgspec.Struct, kw_only=True):
    """An order as the venue keeps it; `active_at` is when it reaches the market, `triggered` a stop once touched.

    `is_maker` is True once the order has rested in the book: its fill is then at its own limit and pays the maker fee.
    `is_at_trigger` is True while the quote that triggered it was reached through every price in between.
    """

    report: OrderReport
    sequence: int
    active_at: int
    limit_price: Decimal | None = None
    stop_price: Decimal | None = None
    triggered: bool = False
    is_at_trigger: bool = False
    is_maker: bool = False

    @classmethod
    def accept(cls, request: OrderRequest, *, order_id: str, sequence: int, now: int, active_at: int) -> "PaperOrder":
        """A new order, pending until it reaches the market."""
        report = msgspec.convert(
            {
                **{name: getattr(request, name) for name in request.__struct_fields__},
                "order_id": order_id,
                "status": OrderStatus.PENDING,
                "placed_at": now,
            },
            OrderReport,
        )
        return cls(
            report=report,
            sequence=sequence,
            active_at=active_at,
            limit_price=request.limit_price,
            stop_price=request.stop_price,
        )

    @property
    def side(self) -> Side:
        """Direction."""
        return self.report.side

    @property
    def remaining(self) -> Decimal:
        """What can still fill."""
        return self.report.remaining

    @property
    def is_active(self) -> bool:
        """Whether it has reached the market and can still fill."""
        return self.report.status in (OrderStatus.WORKING, OrderStatus.PARTIALLY_FILLED)

    @property
    def waits_for_stop(self) -> bool:
        """Whether its stop has not been touched yet."""
        return self.report.type.is_stop and not self.triggered

    @property
    def has_limit(self) -> bool:
        """Whether a limit bounds its price."""
        return self.report.type in (OrderType.LIMIT, OrderType.STOP_LIMIT)

    def change(self, **changes: object) -> OrderReport:
        """Replace fields of the report, and return it."""
        self.report = msgspec.structs.replace(self.report, **changes)
        return self.report
