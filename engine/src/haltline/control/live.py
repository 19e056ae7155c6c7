"""The names that arguments may have now, from the live state, and the accounts each of them concerns."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from haltline.api.control import Argument, ArgumentKind, Choice
from haltline.clock import to_iso
from haltline.config.finding import did_you_mean
from haltline.control.door import Door
from haltline.kernel.view import IncidentView
from haltline.model.order import Side
from haltline.rules.rule import is_in_play

type Named = tuple[str, str, tuple[str, ...]]
"""A name, what it means, and the accounts it concerns."""

_FREE = frozenset(
    {ArgumentKind.TEXT, ArgumentKind.CHOICE, ArgumentKind.COMMAND, ArgumentKind.SYMBOL, ArgumentKind.ENTITY}
)
"""What need not be there now: an order may be about a symbol that nobody holds."""
_SIDES = {side.value: f"a {side.value} order" for side in Side}


class LiveNames:
    """Reads the state between two steps; changes nothing."""

    def __init__(self, door: Door) -> None:
        self._door = door

    @property
    def accounts(self) -> tuple[str, ...]:
        """All accounts of the set-up."""
        return tuple(str(account) for account in self._door.kernel.state.accounts)

    def choices(self, argument: Argument, accounts: Sequence[str], given: Mapping[str, str]) -> Iterator[Choice]:
        """The names for an argument that concern no other than these accounts."""
        if argument.choices:
            yield from (Choice(value=each) for each in argument.choices)
            return
        for name, meaning, concerned in self.named(argument.kind, given.get("account")):
            if set(concerned) <= set(accounts):
                yield Choice(value=name, meaning=meaning)

    def is_known(self, argument: Argument, name: str) -> bool:
        """Whether there is a thing of that name; always for arguments that name nothing."""
        if argument.kind in _FREE:
            return True
        return any(each == name for each, _, _ in self.named(argument.kind, None))

    def unmet(self, symbol: str, account: str) -> str:
        """Why nothing that an account trades goes by a symbol, in words; empty where something does, or may.

        A root (``MNQ`` of ``MNQZ5``) and a market with two sides (``BTCUSDT`` of ``BTCUSDT:LONG``) are no positions.
        """
        known, holder = self._state.names.get(symbol), self._state.accounts.get(account)
        traded = {str(name) for name in holder.book} if holder is not None else set()
        traded |= {str(order.symbol) for order in holder.order_book.values()} if holder is not None else set()
        if symbol in traded:
            return ""
        traded |= {str(each.symbol) for each in self._state.instruments.values() if is_in_play(each)}
        near = sorted(each for each in traded if each.startswith(symbol) and each != symbol)
        sides = [each for each in near if each.startswith(f"{symbol}:")]
        if sides or (near and (known is None or not is_in_play(known))):
            return f"nothing trades as {symbol!r}; there {'is' if len(near) == 1 else 'are'} {', '.join(near)}"
        if known is None:
            return f"there is no symbol {symbol!r}; {did_you_mean(symbol, sorted(traded), sort='there are')}"
        return ""

    def concerned(self, kind: ArgumentKind, name: str) -> tuple[str, ...]:
        """The accounts that a name concerns; all of them for a name that says none."""
        return next((accounts for each, _, accounts in self.named(kind, None) if each == name), self.accounts)

    def named(self, kind: ArgumentKind, account: str | None) -> Iterator[Named]:
        """All names of a kind; symbols and orders only of `account` where one is given."""
        match kind:
            case ArgumentKind.ACCOUNT:
                for each in self._state.accounts.values():
                    yield str(each.id), f"account at {each.spec.broker}, {each.mode}", (str(each.id),)
            case ArgumentKind.SYMBOL:
                yield from self._symbols(account)
            case ArgumentKind.ORDER:
                yield from self._orders(account)
            case ArgumentKind.RULE:
                for rule in self._door.kernel.index.rules:
                    yield rule.id, rule.spec.title or "rule", ()
            case ArgumentKind.ENTITY:
                for gauge in self._door.kernel.gauges():
                    yield gauge.entity, gauge.rule, self.accounts_of(gauge.entity)
            case ArgumentKind.SIDE:
                yield from ((name, meaning, ()) for name, meaning in _SIDES.items())
            case _:
                yield from self._standing(kind)

    def accounts_of(self, entity: str) -> tuple[str, ...]:
        """The account in an entity's key; all accounts for an instrument or the portfolio."""
        account = entity.partition("/")[0]
        return (account,) if account in self._state.accounts else self.accounts

    def _standing(self, kind: ArgumentKind) -> Iterator[Named]:
        if kind is ArgumentKind.INCIDENT:
            yield from self._incidents()
        elif kind is ArgumentKind.LOCK:
            for lock in self._door.kernel.governor.locks:
                yield lock.id, lock.reason, (str(lock.account),)
        elif kind is ArgumentKind.OVERRIDE:
            for grant in self._door.kernel.overrides:
                yield grant.id, f"{grant.rule} until {to_iso(grant.until)}", self.accounts_of(grant.entity)
        elif kind is ArgumentKind.PENDING:
            for each in self._door.kernel.loosenings:
                yield each.id, each.text, (str(each.account),) if each.account is not None else self.accounts
        elif kind is ArgumentKind.SILENCE:
            yield from ((name, meaning, ()) for name, meaning in self._door.silences())
        elif kind is ArgumentKind.CHANNEL:
            yield from ((name, "channel", ()) for name in self._door.drills.channels)

    def _incidents(self) -> Iterator[Named]:
        for live in self._door.kernel.incidents():
            yield live.id, _incident_words(live), self.accounts_of(live.entity)
        for drill, account in self._door.drills.waiting():
            yield drill, "a drill", self.accounts_of(account)

    def _symbols(self, account: str | None) -> Iterator[Named]:
        held = [each for each in self._state.accounts.values() if account in (None, each.id)]
        seen = dict.fromkeys(str(position.symbol) for each in held for position in each.book.values())
        seen |= dict.fromkeys(str(symbol) for symbol in self._state.instruments)
        yield from ((symbol, "", ()) for symbol in seen)

    def _orders(self, account: str | None) -> Iterator[Named]:
        for each in self._state.accounts.values():
            for order in each.order_book.values() if account in (None, each.id) else ():
                report = order.report
                meaning = f"{report.side.value} {report.remaining:f} {report.symbol}"
                yield str(report.order_id), meaning, (str(each.id),)

    @property
    def _state(self) -> Any:
        return self._door.kernel.state


def _incident_words(live: IncidentView) -> str:
    seen = ", acknowledged" if live.acknowledged else ""
    return f"{live.title}: {live.phase.value}{seen}"
