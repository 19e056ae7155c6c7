"""What accounts are, hold and have made: status, accounts, positions, orders, pnl."""

import math
from typing import Any

from haltline.api.control import Argument, ArgumentKind, Call, Command
from haltline.api.field import Kind
from haltline.api.reply import Button, Card, Cell, Column, Fact, Paragraph, Part, Reply, Table, Tone
from haltline.control.command.reading import MAYBE_ACCOUNT, accounts_of, text_of
from haltline.control.door import Door
from haltline.control.readiness import readiness_sentence, shortfall
from haltline.control.status import AccountStatus, Status, status_of
from haltline.model.plan import TradingMode

SECTION = "See"
_MODES = {TradingMode.ACTIVE: Tone.GOOD, TradingMode.REDUCING: Tone.WARNING, TradingMode.HALTED: Tone.BAD}
_FULLEST = 3


class Looking:
    """Commands that show accounts."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        period = Argument(
            name="period", meaning="day, session or week; day if left out", kind=ArgumentKind.CHOICE, required=False,
            choices=("day", "session", "week"),
        )  # fmt: skip
        return (
            Command(
                name="status", meaning="Every account at a glance: mode, money, what is wrong.", run=self.status,
                arguments=(MAYBE_ACCOUNT,), account="account", section=SECTION, example="status",
            ),
            Command(
                name="accounts", meaning="The accounts, their modes and their money.", run=self.accounts,
                section=SECTION, example="accounts",
            ),
            Command(
                name="positions", meaning="What is held.", run=self.positions, arguments=(MAYBE_ACCOUNT,),
                account="account", section=SECTION, example="positions eval",
            ),
            Command(
                name="orders", meaning="The orders that work.", run=self.orders, arguments=(MAYBE_ACCOUNT,),
                account="account", section=SECTION, example="orders eval",
            ),
            Command(
                name="pnl", meaning="Profit and loss of a day, session or week.", run=self.pnl,
                arguments=(period, MAYBE_ACCOUNT), account="account", section=SECTION, example="pnl week",
            ),
        )  # fmt: skip

    async def status(self, call: Call) -> Reply:
        """One card an account, then what is wrong."""
        status, chosen = status_of(self._door.kernel), set(accounts_of(call))
        lost = sorted(chosen & set(self._door.wellbeing().unguarded))
        cards: list[Part] = [self._card(status, account) for account in status.accounts if account.id in chosen]
        hidden = {account.id for account in status.accounts} - chosen
        live = [each for each in status.incidents if each.entity.partition("/")[0] not in hidden]
        worst = Tone.BAD if lost or any(each.fired_at is not None for each in live) else Tone.GOOD
        unwell = [each for each in self._door.wellbeing().services if each.status in ("down", "degraded")]
        cards += [Paragraph(text=f"{each.name} is {each.status}: {each.reason}", tone=Tone.BAD) for each in unwell]
        cards += [Paragraph(text=problem, tone=Tone.BAD) for problem in self._door.wellbeing().problems]
        cards += self._readiness(call)
        said = [f"not guarded: {', '.join(lost)}"] if lost else []
        shut = [each.id for each in status.accounts if each.id in chosen and each.mode is TradingMode.HALTED]
        said += [f"locked: {', '.join(shut)}"] if shut else []
        said += [f"{len(live)} incident{'' if len(live) == 1 else 's'}"] if live else []
        title = "; ".join(said) or "All is within limits"
        title = title[0].upper() + title[1:]
        buttons = [Button(label="Incidents", command="incidents")] if live else []
        buttons.append(Button(label="Room", command="room"))
        return Reply(title=title, tone=worst, parts=tuple(cards), buttons=tuple(buttons))

    def _readiness(self, call: Call) -> list[Part]:
        """How ready the alarm path is, and where that is too little for arming."""
        standings = self._door.drills.standings()
        unready = shortfall(self._door.setup.arming, standings, call.now)
        said = readiness_sentence(standings, call.now)
        parts: list[Part] = [Paragraph(text=said, tone=Tone.MUTED)] if said else []
        return [*parts, Paragraph(text=f"No account can be armed: {unready}", tone=Tone.WARNING)] if unready else parts

    def _lost(self, account: str) -> list[Fact]:
        """Why nothing can be done there now; what we know of it may be old."""
        well = self._door.wellbeing()
        if account not in well.unguarded:
            return []
        waiting = ", and entries wait" if account in well.unconfirmed else ""
        said = f"{well.unguarded[account]}; this is what was last known{waiting}"
        return [Fact(label="not guarded", value=said, tone=Tone.BAD)]

    def _card(self, status: Status, account: AccountStatus) -> Card:
        money = account.currency
        facts = [
            *self._lost(account.id),
            Fact(label="mode", value=account.mode.value, tone=_MODES[account.mode]),
            Fact(label="rules", value="live" if account.live else "shadow: nothing is sent"),
            Fact(label="equity", value=account.equity, kind=Kind.MONEY, unit=money),
            Fact(label="today", value=account.day_pnl, kind=Kind.MONEY, unit=money),
            Fact(label="positions", value=len(account.positions), kind=Kind.COUNT),
            Fact(label="working orders", value=account.working_orders, kind=Kind.COUNT),
        ]
        if account.lock_reason:
            facts.append(Fact(label="locked", value=account.lock_reason, tone=Tone.BAD))
        gauges = [each for each in status.gauges if each.entity.partition("/")[0] == account.id]
        facts += [
            Fact(label=gauge.title, value=gauge.utilization, kind=Kind.FRACTION, unit="used")
            for gauge in gauges[:_FULLEST]
        ]
        return Card(title=account.id, facts=tuple(facts), tone=_MODES[account.mode])

    async def accounts(self, call: Call) -> Reply:
        """One row an account."""
        columns = (
            Column(name="account", label="account"), Column(name="broker", label="broker"),
            Column(name="mode", label="mode"), Column(name="rules", label="rules"),
            Column(name="equity", label="equity", kind=Kind.MONEY), Column(name="currency", label=""),
        )  # fmt: skip
        status = status_of(self._door.kernel)
        chosen = [account for account in status.accounts if account.id in call.accounts]
        rows = tuple(
            (each.id, each.broker, each.mode.value, "live" if each.live else "shadow", each.equity, each.currency)
            for each in chosen
        )
        tones = tuple(_MODES[each.mode] for each in chosen)
        return Reply(title="Accounts", parts=(Table(columns=columns, rows=rows, tones=tones),))

    async def positions(self, call: Call) -> Reply:
        """One row a position."""
        columns = (
            Column(name="account", label="account"), Column(name="symbol", label="symbol"),
            Column(name="quantity", label="quantity", kind=Kind.QUANTITY),
            Column(name="average_price", label="average", kind=Kind.PRICE),
            Column(name="mark", label="mark", kind=Kind.PRICE),
            Column(name="unrealized_pnl", label="open P&L", kind=Kind.MONEY),
        )  # fmt: skip
        rows = tuple(
            (account.id, each.symbol, each.quantity, each.average_price, each.mark, each.unrealized_pnl)
            for account in status_of(self._door.kernel).accounts
            if account.id in accounts_of(call)
            for each in account.positions
        )
        return Reply(title="Positions", parts=(Table(columns=columns, rows=rows, empty="all flat"),))

    async def orders(self, call: Call) -> Reply:
        """One row a working order."""
        columns = (
            Column(name="account", label="account"), Column(name="order", label="order"),
            Column(name="symbol", label="symbol"), Column(name="side", label="side"),
            Column(name="type", label="type"), Column(name="remaining", label="remaining", kind=Kind.QUANTITY),
            Column(name="limit", label="limit", kind=Kind.PRICE), Column(name="stop", label="stop", kind=Kind.PRICE),
        )  # fmt: skip
        rows = []
        for name in accounts_of(call):
            for order in self._door.kernel.state.accounts[name].order_book.values():
                report = order.report
                prices = (_price(report.limit_price), _price(report.stop_price))
                rows.append(
                    (name, report.order_id, report.symbol, report.side.value, report.type.value,
                     float(report.remaining), *prices)
                )  # fmt: skip
        return Reply(title="Working orders", parts=(Table(columns=columns, rows=tuple(rows)),))

    async def pnl(self, call: Call) -> Reply:
        """Total, realized, fees and drawdown of a period."""
        period = text_of(call, "period", "day")
        columns = (
            Column(name="account", label="account"), Column(name="total", label="P&L", kind=Kind.MONEY),
            Column(name="realized", label="realized", kind=Kind.MONEY),
            Column(name="fees", label="fees", kind=Kind.MONEY),
            Column(name="drawdown", label="drawdown", kind=Kind.MONEY),
            Column(name="fills", label="fills", kind=Kind.COUNT), Column(name="currency", label=""),
        )  # fmt: skip
        rows = []
        for name in accounts_of(call):
            values = [call.value(f"account.{period}.{field}", name) for field in _PNL]
            rows.append((name, *values, self._door.kernel.state.accounts[name].currency))
        title = {"day": "Today", "session": "This session", "week": "This week"}[period]
        tones = tuple(_tone(row[1]) for row in rows)
        return Reply(title=title, parts=(Table(columns=columns, rows=tuple(rows), tones=tones),))


_PNL = ("total_pnl", "realized_pnl", "fees", "drawdown", "fills")


def _tone(amount: Cell) -> Tone:
    if not isinstance(amount, int | float) or math.isnan(amount) or amount == 0:
        return Tone.PLAIN
    return Tone.GOOD if amount > 0 else Tone.BAD


def _price(price: Any) -> Cell:
    """A price of an order; empty, and not unknown, where orders of its type have none."""
    return "" if price is None else float(price)
