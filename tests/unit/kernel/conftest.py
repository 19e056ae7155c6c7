"""A small world around a real kernel: one account, MNQ and MES, rules given as records, time in seconds."""

from collections.abc import Callable
from decimal import Decimal

import pytest

from haltline.api.registry import Registry
from haltline.builtins import plugin
from haltline.clock import NS_PER_S
from haltline.compose.vocabulary import build_vocabulary
from haltline.kernel.kernel import Kernel
from haltline.model.account import AccountSpec
from haltline.model.event import AccountReport, Fill, OrderUpdate, Quote, Tick
from haltline.model.id import AccountId, FillId, OrderId, RuleId, Symbol
from haltline.model.instrument import InstrumentSpec
from haltline.model.order import Intent, OrderReport, OrderStatus, OrderType, Side
from haltline.model.plan import Result
from haltline.model.rule import ActionSpec, Comparison, LimitSpec, RuleSpec, Scope
from haltline.rules.compile import compile_rules
from haltline.state.backing import is_backed
from haltline.state.state import State, StateSettings

EVAL = AccountId("eval")
START_S = 1_746_540_000  # 2025-05-06 14:00 UTC


class World:
    """Drives a kernel. `results` holds every result that was not quiet."""

    def __init__(
        self, *specs: RuleSpec, live: bool = True, stale_after_s: int | None = None, start_s: int = START_S
    ) -> None:
        self.specs = specs
        self.live = live
        self.stale_after_s = stale_after_s
        self.registry = Registry()
        plugin.haltline_register_actions(self.registry)
        plugin.haltline_register_functions(self.registry)
        self.start_s = start_s
        self.seconds = 0.0
        self.serial = 0
        self.results: list[Result] = []
        self.kernel = self.new_kernel(specs)

    def new_kernel(self, specs: tuple[RuleSpec, ...]) -> Kernel:
        ids = (EVAL, AccountId("live"))
        accounts = tuple(AccountSpec(id=each, balance=Decimal(50_000), live=self.live) for each in ids)
        instruments = (
            InstrumentSpec(symbol=Symbol("MNQ"), tick_size=Decimal("0.25"), tick_value=Decimal("0.5")),
            InstrumentSpec(symbol=Symbol("MES"), tick_size=Decimal("0.25"), tick_value=Decimal("1.25")),
        )
        stale = None if self.stale_after_s is None else self.stale_after_s * NS_PER_S
        settings = StateSettings(
            accounts=accounts, instruments=instruments, stale_after_ns=stale, now=self.start_s * NS_PER_S
        )
        return Kernel(State(settings), self.compile(specs))

    def compile(self, specs: tuple[RuleSpec, ...]):  # type: ignore[no-untyped-def]
        return compile_rules(specs, build_vocabulary(self.registry), self.registry.actions.get)

    @property
    def now(self) -> int:
        return self.start_s * NS_PER_S + round(self.seconds * NS_PER_S)

    def at(self, seconds: float) -> "World":
        """Move to an instant and let the kernel do what is due."""
        self.seconds = seconds
        self.note(self.kernel.step(Tick(at=self.now, received_at=self.now), self.now))
        return self

    def note(self, result: Result) -> Result:
        if result.transitions or result.plan or result.notices:
            self.results.append(result)
        return result

    def send(self, event) -> Result:  # type: ignore[no-untyped-def]
        return self.note(self.kernel.step(event, self.now))

    def quote(self, price: float, symbol: str = "MNQ") -> Result:
        """A price; one that jumped is said once more after somebody traded, so that it is believed."""
        said = self.tick(price, symbol)
        if all(is_backed(self.kernel.state.resolve(symbol), index) for index in range(5)):
            return said
        self.serial += 1
        again = self.tick(price, symbol, volume_24h=float(self.serial))
        return Result(
            transitions=said.transitions + again.transitions,
            plan=said.plan + again.plan,
            notices=said.notices + again.notices,
            deadline=again.deadline,
        )

    def tick(self, price: float, symbol: str = "MNQ", **more: object) -> Result:
        """A price that is said once."""
        return self.send(Quote(at=self.now, received_at=self.now, symbol=Symbol(symbol), last=float(price), **more))

    def fill(
        self,
        quantity: int,
        price: float,
        symbol: str = "MNQ",
        fill_id: str = "",
        *,
        voided: bool = False,
        account: str = EVAL,
    ) -> Result:
        self.serial += 1
        return self.send(
            Fill(
                at=self.now,
                received_at=self.now,
                account=AccountId(account),
                symbol=Symbol(symbol),
                fill_id=FillId(fill_id or f"f{self.serial}"),
                side=Side.BUY if quantity > 0 else Side.SELL,
                quantity=Decimal(abs(quantity)),
                price=Decimal(str(price)),
                voided=voided,
            )
        )

    def order(
        self,
        order_id: str,
        quantity: int,
        symbol: str = "MNQ",
        status: OrderStatus = OrderStatus.WORKING,
        **more: object,
    ) -> Result:
        report = OrderReport(
            account=EVAL,
            order_id=OrderId(order_id),
            symbol=Symbol(symbol),
            side=Side.BUY if quantity > 0 else Side.SELL,
            quantity=Decimal(abs(quantity)),
            type=OrderType.LIMIT,
            status=status,
            limit_price=Decimal(20_000),
            **more,  # type: ignore[arg-type]
        )
        return self.send(OrderUpdate(at=self.now, received_at=self.now, order=report))

    def can_trade(self, allowed: bool) -> Result:
        return self.send(AccountReport(at=self.now, received_at=self.now, account=EVAL, can_trade=allowed))

    def intent(self, quantity: float, symbol: str = "MNQ") -> Intent:
        side = Side.BUY if quantity > 0 else Side.SELL
        return Intent(account=EVAL, symbol=Symbol(symbol), side=side, quantity=abs(quantity))

    def restart(self) -> "World":
        """Put the kernel through its snapshot into a new one."""
        fresh = self.new_kernel(self.specs)
        assert fresh.restore(self.kernel.snapshot()) == []
        assert fresh.snapshot() == self.kernel.snapshot()
        self.kernel = fresh
        return self

    @property
    def phases(self) -> list[str]:
        """Every transition so far, as ``rule phase``."""
        return [f"{each.rule} {each.phase.value}" for result in self.results for each in result.transitions]

    @property
    def actions(self) -> list[str]:
        """Every planned action so far, by name."""
        return [action.name for result in self.results for action in result.plan]

    def forget(self) -> "World":
        self.results.clear()
        return self

    @property
    def mode(self) -> str:
        return self.kernel.state.accounts[EVAL].mode


def actions(*items: str | tuple[str, dict[str, object]]) -> tuple[ActionSpec, ...]:
    """Actions as rules name them."""
    return tuple(
        ActionSpec(name=item) if isinstance(item, str) else ActionSpec(name=item[0], params=item[1]) for item in items
    )


def loss_rule(
    rule_id: str = "loss", *, at: float = 1000, then: tuple[ActionSpec, ...] | None = None, **more: object
) -> RuleSpec:
    """Stop at a day's loss."""
    warn = more.pop("warn", None)
    limit = LimitSpec(value="account.day.loss", comparison=Comparison.AT, threshold=at, warn=warn)  # type: ignore[arg-type]
    return RuleSpec(
        id=RuleId(rule_id),
        each=Scope.ACCOUNT,
        limit=limit,
        then=then if then is not None else actions("block_entries", "flatten", "notify"),
        **more,  # type: ignore[arg-type]
    )


def size_rule(
    rule_id: str = "size", *, maximum: float = 5, then: tuple[ActionSpec, ...] | None = None, **more: object
) -> RuleSpec:
    """Limit the size of one position."""
    limit = LimitSpec(value="abs(position.quantity)", comparison=Comparison.MAX, threshold=maximum)
    chosen = then if then is not None else actions(("reduce_to", {"quantity": 5}), "notify")
    return RuleSpec(id=RuleId(rule_id), each=Scope.POSITION, limit=limit, then=chosen, **more)  # type: ignore[arg-type]


class Makers:
    """Makers of rules and actions."""

    loss = staticmethod(loss_rule)
    size = staticmethod(size_rule)
    actions = staticmethod(actions)


@pytest.fixture
def world() -> Callable[..., World]:
    """Makes a world with some rules."""
    return World


@pytest.fixture
def rule() -> type[Makers]:
    """Makers of rules and actions."""
    return Makers


@pytest.fixture(scope="session")
def kernel_makers() -> tuple[type[World], type[Makers]]:
    """Both, for property tests, which may not use fixtures made anew for each test."""
    return World, Makers
