"""What an action is: parameters people write, capabilities it needs, and what it does with the desk."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from haltline.api.broker import AccountSnapshot, Capability
from haltline.api.function import Parameter
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import OrderReport
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope


class HandledBy(StrEnum):
    """Who carries an action out: the kernel (state only), the enforcer (at the broker), the notifier (messages)."""

    KERNEL = "kernel"
    ENFORCE = "enforce"
    NOTIFY = "notify"


class Desk(Protocol):
    """The enforcer's verbs, as an action sees them: each is journalled before it is sent and confirmed by query.

    All raise Transient, Refused or OutcomeUnknown after the enforcer's own retries are used up.
    """

    async def snapshot(self, account: AccountId) -> AccountSnapshot:
        """The broker's truth, pulled now."""

    def instrument(self, symbol: Symbol) -> InstrumentSpec | None:
        """The economics of an instrument (lot size, weight); None for one the set-up does not know. No I/O."""

    async def cancel(self, account: AccountId, order: OrderReport) -> None:
        """Cancel one working order and confirm that it no longer works."""

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal) -> None:
        """Bring a position down to size `to` (>= 0) with reduce-only orders and confirm; never enlarges or flips it."""

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        """Place a protective stop for the whole position, `distance` in price on its losing side, and confirm it."""

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        """Have a stop for the whole position at `price` or closer to the market; looser ones are cancelled after it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One kind of enforcement.

    `run` is given the planned action and the desk (None for actions of kernel and notifier). `needs` lists what
    the broker must be able to do. `scopes` are the rule scopes in which the action makes sense. `rank` orders actions
    within one plan: block (0), lock (10), cancel (20), reduce (30), close (40), flatten (50), place (60), notify (90).
    One that `follows` is asked for again, while its incident lives, whenever its parameters come out differently
    (a stop that trails a price); it must be harmless to repeat. `evidence` is what it needs before it runs, unless a
    rule says otherwise; None is ``fresh`` for what goes to a broker and ``witness`` for everything else.
    """

    name: str
    meaning: str
    handled_by: HandledBy
    parameters: tuple[Parameter, ...] = ()
    needs: frozenset[Capability] = frozenset()
    scopes: frozenset[Scope] = field(default_factory=lambda: frozenset(Scope))
    run: Callable[[PlannedAction, Desk], Awaitable[None]] | None = None
    rank: int = 50
    example: str = ""
    reduces_only: bool = True
    follows: bool = False
    schema: Mapping[str, object] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def is_immediate(self) -> bool:
        """Whether it never waits for evidence: messages, and blocking entries for as long as an incident lives."""
        return self.handled_by is HandledBy.NOTIFY or self.name == "block_entries"

    @property
    def grade(self) -> Evidence:
        """The evidence it needs where no rule says otherwise."""
        if self.evidence is not None:
            return self.evidence
        return Evidence.FRESH if self.handled_by is HandledBy.ENFORCE else Evidence.WITNESS
