"""What an action is: parameters people write, capabilities it needs, and what it does with the desk."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Protocol

from haltline.api.broker import AccountSnapshot, Capability
from haltline.api.field import Kind
from haltline.api.function import Parameter
from haltline.model.id import AccountId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Aim, OrderReport
from haltline.model.plan import PlannedAction
from haltline.model.rule import Evidence, Scope

ZERO = Decimal(0)


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

    async def fix(self, aims: Mapping[Symbol, Aim]) -> Mapping[Symbol, Aim]:
        """Fix what this action is to reach, before its first order: on record, the same for every try of it, whatever a
        later one asks for. Returns what counts; nothing is fixed by no aims."""

    async def reduce(self, account: AccountId, symbol: Symbol, *, to: Decimal, was: Decimal = ZERO) -> None:
        """Bring a position down to size `to` (>= 0) with reduce-only orders and confirm; never enlarges or flips it.

        One that is no longer on the side of `was` (signed; 0 for either) counts as closed.
        """

    async def place_stop(self, account: AccountId, symbol: Symbol, *, distance: Decimal) -> None:
        """Place a protective stop for the whole position, `distance` in price on its losing side, and confirm it."""

    async def move_stop(self, account: AccountId, symbol: Symbol, *, price: Decimal) -> None:
        """Have a stop for the whole position at `price` or closer to the market; looser ones are cancelled after it."""


CAP_PARAMETERS = (
    Parameter(
        name="max_positions",
        kind=Kind.COUNT,
        meaning="the most positions it may close or shrink without consent",
        required=False,
    ),
    Parameter(
        name="max_notional",
        kind=Kind.MONEY,
        meaning="the most money, at the mark, that it may close without consent",
        required=False,
    ),
    Parameter(
        name="max_orders",
        kind=Kind.COUNT,
        meaning="the most orders it may send, and exits and stops it may cancel, without consent",
        required=False,
    ),
    Parameter(
        name="over",
        kind=Kind.ENUM,
        meaning="what happens beyond a cap: it waits for an operator's consent, or proceeds",
        required=False,
        choices=("consent", "proceed"),
    ),
)
"""What every action that goes to a broker takes besides its own parameters."""


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
    follows: bool = False
    schema: Mapping[str, object] = field(default_factory=dict)
    evidence: Evidence | None = None

    @property
    def takes(self) -> tuple[Parameter, ...]:
        """Its own parameters and, where it goes to a broker, the caps that every enforcement takes."""
        own = {parameter.name for parameter in self.parameters}
        caps = CAP_PARAMETERS if self.handled_by is HandledBy.ENFORCE else ()
        return (*self.parameters, *(each for each in caps if each.name not in own))

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
