"""The same book and the same rules written by hand, as a good engineer would for exactly this case and no other.

It keeps the same numbers (mark, unrealized profit, notional, equity, peak) with the same freedom from drift, and
asks the same fifty questions with plain comparisons. It has no windows, units, three-valued logic, incidents or
explanations.
"""

from book import ACCOUNT_LIMITS, ACCOUNT_WHENS, ACCOUNTS, EXTRA, POSITION_LIMITS, POSITION_WHENS

from haltline.model.rule import Scope


class Account:
    __slots__ = ("balance", "drawdown", "equity", "gross", "net", "peak", "positions", "start", "unrealized")

    def __init__(self) -> None:
        self.balance = self.equity = self.peak = self.start = 1_000_000.0
        self.drawdown = 0.0
        self.unrealized = self.gross = self.net = 0
        self.positions: list[Position] = []


class Position:
    __slots__ = ("account", "average", "fraction", "mark", "nano", "net_nano", "notional", "pnl", "quantity", "side")

    def __init__(self, account: Account, quantity: float) -> None:
        self.account = account
        self.quantity = quantity
        self.side = "long" if quantity > 0 else "short"
        self.average = self.mark = 100.0
        self.pnl = self.fraction = 0.0
        self.nano = 0
        self.notional = abs(quantity) * 100.0
        self.net_nano = round(quantity * 100.0 * 1e9)
        account.gross += abs(self.net_nano)
        account.net += self.net_nano


class HandBook:
    """Positions by symbol."""

    def __init__(self, positions: int) -> None:
        self.accounts = [Account() for _ in range(ACCOUNTS)]
        self.by_symbol: dict[str, list[Position]] = {}
        for i in range(positions):
            account = self.accounts[i % ACCOUNTS]
            position = Position(account, 10.0 if i % 3 else -10.0)
            account.positions.append(position)
            self.by_symbol[f"S{i:05d}"] = [position]

    def update(self, symbol: str, bid: float, ask: float, last: float) -> None:
        """Take one price in."""
        if not (0.0 < bid <= ask < 1e18 and 0.0 < last < 1e18):
            raise ValueError("bad quote")
        for position in self.by_symbol[symbol]:
            position.mark = last
            quantity = position.quantity
            position.pnl = pnl = (last - position.average) * quantity
            position.notional = abs(quantity) * last
            position.fraction = pnl / (abs(quantity) * position.average)
            account = position.account
            nano = round(pnl * 1e9)
            account.unrealized += nano - position.nano
            position.nano = nano
            net = round(quantity * last * 1e9)
            account.gross += abs(net) - abs(position.net_nano)
            account.net += net - position.net_nano
            position.net_nano = net
            account.equity = equity = account.balance + account.unrealized / 1e9
            account.peak = max(account.peak, equity)
            account.drawdown = account.peak - equity


def _generate(per_position: int, per_account: int) -> str:
    """Two functions of plain comparisons, one line a rule."""
    names = {
        "account.day.loss": "loss", "account.day.drawdown": "a.drawdown",
        "account.drawdown_fraction": "a.drawdown / a.peak", "account.drawdown": "a.drawdown",
        "account.gross_notional": "a.gross / 1e9", "account.net_notional": "a.net / 1e9",
        "account.unrealized_pnl": "a.unrealized / 1e9", "account.open_positions": "len(a.positions)",
        "account.equity": "a.equity", "position.unrealized_fraction": "p.fraction", "position.unrealized_pnl": "p.pnl",
        "position.average_price": "p.average", "position.quantity": "p.quantity", "position.notional": "p.notional",
        "position.mark": "p.mark", "position.side": "p.side",
    }  # fmt: skip
    lines = ["def check_position(p, hit):", "    a = p.account"]
    lines += _lines(per_position, POSITION_LIMITS, POSITION_WHENS, names, "position")
    lines += ["def check_account(a, hit):", "    loss = max(0.0, a.start - a.equity)"]
    lines += _lines(per_account, ACCOUNT_LIMITS, ACCOUNT_WHENS, names, "account")
    return "\n".join(lines)


def _lines(
    count: int, limits: tuple[tuple[str, float], ...], whens: tuple[str, ...], names: dict[str, str], scope: str
) -> list[str]:
    lines = []
    for i in range(count):
        kind, turn = i % (len(limits) + len(whens)), i // (len(limits) + len(whens))
        if kind < len(limits):
            text, threshold = limits[kind]
            condition = f"{text} >= {threshold * (1 + turn / 10) * 0.8}"
        else:
            condition = f"({whens[kind - len(limits)]}) and {scope}.{EXTRA[Scope(scope)]} > {turn}"
        for name, code in names.items():
            condition = condition.replace(name, code)
        lines += [f"    if {condition}:", f"        hit('{scope}-{i}')"]
    return lines


_space: dict[str, object] = {}
exec(_generate(30, 20), _space)  # our own source, written above
check_position = _space["check_position"]
check_account = _space["check_account"]
