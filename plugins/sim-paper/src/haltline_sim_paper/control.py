"""A blocking client for the controls of a simulation: move the market, trade by hand, arm faults, read the book."""

import itertools
import socket
import time
from decimal import Decimal
from typing import Self

import msgspec

from haltline.errors import Refused, Transient
from haltline.model.event import Fill, Quote
from haltline.model.id import AccountId, Symbol
from haltline.model.order import OrderReport, OrderRequest, Side
from haltline_sim_paper.fault import Fault
from haltline_sim_paper.wire import (
    ANSWERS,
    Ask,
    Book,
    Break,
    Call,
    Cut,
    Login,
    Mend,
    Price,
    Show,
    Submit,
    Token,
    Trade,
    line_of,
)

_TIMEOUT_S = 10.0


class Control:
    """One connection. Raises Refused with the venue's reason, Transient where it does not answer."""

    def __init__(self, port: int, login: Login | None = None) -> None:
        self._numbers = itertools.count(1)
        self._token = ""
        try:
            self._socket = socket.create_connection(("127.0.0.1", port), timeout=_TIMEOUT_S)
        except OSError as failure:
            raise Transient(f"the venue cannot be reached: {failure}") from failure
        self._lines = self._socket.makefile("rb")
        if login is not None:
            self._token = self.call(login, Token).token

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()

    def close(self) -> None:
        """End the connection."""
        self._lines.close()
        self._socket.close()

    def price(self, symbol: Symbol, bid: float, ask: float) -> None:
        """Move the market of a symbol; last and mark are the bid."""
        now = time.time_ns()
        quote = Quote(at=now, received_at=now, symbol=symbol, bid=bid, ask=ask, last=bid, mark=bid)
        self.call(Price(quote=quote), type(None))

    def trade(self, account: AccountId, symbol: Symbol, side: Side, quantity: Decimal) -> Fill:
        """Somebody trades by hand, at the market."""
        return self.call(Trade(account=account, symbol=symbol, side=side, quantity=quantity), Fill)

    def submit(self, order: OrderRequest) -> OrderReport:
        """Place an order, as somebody who is logged in."""
        return self.call(Submit(order=order), OrderReport)

    def arm(self, fault: Fault) -> None:
        """Arm a fault."""
        self.call(Break(fault=fault), type(None))

    def cut(self, away_s: float | None = None) -> None:
        """Cut all connections that are not by hand; with `away_s` the venue is gone for so long, for everybody."""
        self.call(Cut(away_s=away_s), type(None))

    def mend(self) -> None:
        """Disarm every fault."""
        self.call(Mend(), type(None))

    def book(self) -> Book:
        """Every order and execution, and how often each call was made."""
        return self.call(Show(), Book)

    def call[T](self, call: Call, kind: type[T]) -> T:
        """Make one call and wait for its answer."""
        number = next(self._numbers)
        try:
            self._socket.sendall(line_of(Ask(id=number, call=call, token=self._token)))
            answer = ANSWERS.decode(self._lines.readline())
            while answer.id != number:
                answer = ANSWERS.decode(self._lines.readline())
        except (OSError, msgspec.DecodeError) as failure:
            raise Transient(f"the venue does not answer: {failure}") from failure
        if answer.error is not None:
            raise Refused(answer.error.reason)
        return msgspec.json.decode(answer.ok, type=kind)
