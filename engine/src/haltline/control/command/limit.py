"""Rules and their limits: rules, rule, why, whynot, room."""

import math
from collections.abc import Callable

from haltline.api.control import Argument, ArgumentKind, Call, Command
from haltline.api.field import Kind
from haltline.api.reply import Branch, Card, Column, Fact, Reply, Table, Tone
from haltline.control.command.reading import MAYBE_ACCOUNT, accounts_of, text_of
from haltline.control.door import Door
from haltline.errors import EngineError
from haltline.expr.explain import Explanation
from haltline.kernel.view import Gauge, Reasoning
from haltline.model.verdict import Verdict
from haltline.state.field import MONEY_UNIT

SECTION = "See"
_TONES = {
    Verdict.OK: Tone.GOOD, Verdict.WARNING: Tone.WARNING, Verdict.BREACH: Tone.BAD, Verdict.UNKNOWN: Tone.WARNING,
}  # fmt: skip
_RULE = Argument(name="rule", meaning="the rule", kind=ArgumentKind.RULE)
_ENTITY = Argument(name="entity", meaning="what for: an account, or eval/MNQ", kind=ArgumentKind.ENTITY)


class Limits:
    """Commands about rules."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        symbol = Argument(name="symbol", meaning="only this symbol", kind=ArgumentKind.SYMBOL, required=False)
        return (
            Command(name="rules", meaning="The rules in force.", run=self.rules, section=SECTION, example="rules"),
            Command(
                name="rule", meaning="What one rule says, and how full it is everywhere.", run=self.rule,
                arguments=(_RULE,), section=SECTION, example="rule daily-loss",
            ),
            Command(
                name="why", meaning="Why a rule says what it says of something, with every value.", run=self.why,
                arguments=(_RULE, _ENTITY), account="entity", section=SECTION, example="why daily-loss eval",
            ),
            Command(
                name="whynot", meaning="Why a rule does not fire, and how far it is from it.", run=self.whynot,
                arguments=(_RULE, _ENTITY), account="entity", section=SECTION, example="whynot daily-loss eval",
            ),
            Command(
                name="room", meaning="How much is left to every limit, fullest first.", run=self.room,
                arguments=(MAYBE_ACCOUNT, symbol), account="account", section=SECTION, example="room eval",
            ),
        )  # fmt: skip

    async def rules(self, call: Call) -> Reply:
        """One row a rule."""
        columns = (
            Column(name="rule", label="rule"), Column(name="each", label="for each"),
            Column(name="severity", label="severity"), Column(name="title", label="title"),
            Column(name="shadow", label="shadow", kind=Kind.BOOL),
        )  # fmt: skip
        rows = tuple(
            (rule.id, rule.each.value, rule.severity.value, rule.spec.title or rule.id, rule.shadow)
            for rule in self._door.kernel.index.rules
        )
        title = f"{len(rows)} rule{'' if len(rows) == 1 else 's'}"
        return Reply(title=title, parts=(Table(columns=columns, rows=rows, empty="no rules"),))

    async def rule(self, call: Call) -> Reply:
        """The rule as it was written, then its gauges."""
        rule = next(each for each in self._door.kernel.index.rules if each.id == text_of(call, "rule"))
        spec = rule.spec
        limit = spec.limit
        facts = [Fact(label="for each", value=rule.each.value), Fact(label="severity", value=rule.severity.value)]
        if limit is not None:
            facts.append(Fact(label="limit", value=limit.value))
        if spec.when:
            facts.append(Fact(label="when", value=str(spec.when)))
        if spec.where:
            facts.append(Fact(label="where", value=str(spec.where)))
        facts.append(Fact(label="then", value=", ".join(action.name for action in spec.then) or "nothing"))
        facts.append(Fact(label="shadow", value=rule.shadow, kind=Kind.BOOL))
        gauges = [each for each in self._seen(call) if each.rule == rule.id]
        card = Card(title=spec.title or rule.id, facts=tuple(facts))
        return Reply(title=rule.id, parts=(card, gauge_table(gauges, self._unit)))

    async def why(self, call: Call) -> Reply:
        """The reasoning as a tree."""
        reasoning = self._reasoning(call)
        return Reply(
            title=f"{reasoning.verdict.value.upper()}  {reasoning.rule} on {reasoning.entity}",
            tone=_TONES[reasoning.verdict], parts=(reasoning_branch(reasoning, self._currency(reasoning.entity)),),
        )  # fmt: skip

    async def whynot(self, call: Call) -> Reply:
        """The reasoning, and the distance to the limit."""
        reasoning = self._reasoning(call)
        gauge = next(
            (each for each in self._seen(call) if (each.rule, each.entity) == (reasoning.rule, reasoning.entity)), None
        )
        said = f"{reasoning.rule} says {reasoning.verdict.value} of {reasoning.entity}"
        if gauge is not None and gauge.headroom is not None and gauge.utilization is not None:
            left = f"{abs(gauge.headroom):,.10g} {self._unit(gauge)}".rstrip()
            where = "is left" if gauge.headroom >= 0 else "beyond it"
            said += f": {gauge.utilization:.0%} of the limit is used, {left} {where}"
        elif reasoning.reason:
            said += f": {reasoning.reason}"
        return Reply(
            title=said,
            tone=_TONES[reasoning.verdict],
            parts=(reasoning_branch(reasoning, self._currency(reasoning.entity)),),
        )

    async def room(self, call: Call) -> Reply:
        """How full every limit is."""
        accounts, symbol = accounts_of(call), text_of(call, "symbol")
        gauges = [
            gauge
            for gauge in self._seen(call)
            if (gauge.entity.partition("/")[0] in accounts or not text_of(call, "account"))
            and (not symbol or gauge.entity.rpartition("/")[2] == symbol)
        ]
        return Reply(title="Room", parts=(gauge_table(gauges, self._unit),))

    def _seen(self, call: Call) -> list[Gauge]:
        """The gauges of what the operator may see; those of no account are for everybody."""
        hidden = set(self._door.kernel.state.accounts) - set(call.accounts)
        return [gauge for gauge in self._door.kernel.gauges() if gauge.entity.partition("/")[0] not in hidden]

    def _currency(self, entity: str) -> str:
        account = self._door.kernel.state.accounts.get(entity.partition("/")[0])
        return str(account.currency) if account is not None else ""

    def _unit(self, gauge: Gauge) -> str:
        return self._currency(gauge.entity) if gauge.kind == Kind.MONEY else ""

    def _reasoning(self, call: Call) -> Reasoning:
        entity = text_of(call, "entity")
        try:
            return self._door.kernel.explain(text_of(call, "rule"), entity)
        except EngineError:
            if (
                entity.partition("/")[0] in self._door.kernel.state.accounts
                and entity.partition("/")[0] in call.accounts
            ):
                raise
            raise EngineError(f"there is nothing {entity!r} that this rule is about [E463]") from None


def gauge_table(gauges: list[Gauge], unit_of: Callable[[Gauge], str]) -> Table:
    """How full limits are, each with what its values are counted in."""
    columns = (
        Column(name="rule", label="rule"), Column(name="entity", label="of"),
        Column(name="utilization", label="used", kind=Kind.FRACTION),
        Column(name="measured", label="value", kind=Kind.NUMBER),
        Column(name="threshold", label="limit", kind=Kind.NUMBER),
        Column(name="headroom", label="left", kind=Kind.NUMBER), Column(name="unit", label=""),
        Column(name="override", label="override"),
    )  # fmt: skip
    rows = tuple(
        (
            each.rule,
            each.entity,
            each.utilization,
            each.measured,
            each.threshold,
            each.headroom,
            unit_of(each),
            each.override,
        )
        for each in gauges
    )
    return Table(columns=columns, rows=rows, tones=tuple(_TONES[each.verdict] for each in gauges), empty="no limits")


def reasoning_branch(reasoning: Reasoning, currency: str = "") -> Branch:
    """Why a rule says what it says; money in the `currency` of its account."""
    children = [explanation_branch(reasoning.condition, currency)]
    if reasoning.where is not None:
        children.insert(0, Branch(text="applies where", children=(explanation_branch(reasoning.where, currency),)))
    text = f"{reasoning.title}{f' ({reasoning.reason})' if reasoning.reason else ''}"
    return Branch(text=text, tone=_TONES[reasoning.verdict], children=tuple(children))


def explanation_branch(part: Explanation, currency: str = "") -> Branch:
    """A sub-expression with its value, its unit and its age."""
    children = tuple(explanation_branch(child, currency) for child in part.children if not child.is_number_as_written)
    if part.value is None or (isinstance(part.value, float) and math.isnan(part.value)):
        return Branch(text=f"{part.text} = unknown {part.unknown}".rstrip(), tone=Tone.WARNING, children=children)
    age = f", {part.age_s:.0f} s old" if part.age_s is not None else ""
    unit = f" {currency if currency and part.unit == MONEY_UNIT else part.unit}" if part.unit else ""
    return Branch(text=f"{part.text} = {_shown(part.value)}{unit}{age}", children=children)


def _shown(value: float | str | bool) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:,.10g}" if isinstance(value, int | float) else repr(value)
