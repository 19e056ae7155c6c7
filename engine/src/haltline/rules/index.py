"""What must be looked at again when something changed: fused screens per scope and change, and window samples.

Glossary. A *screen* is one compiled function that returns the indices of the rules that are not definitely fine for an
entity. A *key* packs what changed, eight bits a place: the entity itself, its account, its instrument, the portfolio.
Rules that read nothing of what changed are not in the screen at all, so a quote costs what it touches.
"""

from collections.abc import Callable, Sequence
from typing import Any

from haltline.api.field import Change
from haltline.expr.checked import Checked
from haltline.expr.compile import compile_value
from haltline.expr.screen import compile_screen
from haltline.expr.window import WindowNeed
from haltline.model.rule import Scope
from haltline.rules.rule import Bindings, Rule

type Screen = Callable[[Any], Sequence[int]]

ACCOUNT_SHIFT, INSTRUMENT_SHIFT, PORTFOLIO_SHIFT = 8, 16, 24
EVERYTHING = (1 << 32) - 1
BORN = 128
"""The bit of an entity that has just appeared: every rule of its scope is then asked."""
_TIME = int(Change.TIME)


class WindowFeed:
    """One window of a scope: when an entity changes in a way that matters, its reader's value is one more sample."""

    __slots__ = ("changes", "index", "need", "read")

    def __init__(self, index: int, need: WindowNeed, bindings: Bindings) -> None:
        self.index = index
        self.need = need
        self.changes = int(need.changes)
        self.read = compile_value(need.reader, bindings)


class RuleIndex:
    """The dependency index of a rule set; screens are compiled on first use and kept."""

    def __init__(self, rules: Sequence[Rule], needs: dict[Scope, tuple[WindowNeed, ...]], bindings: Bindings) -> None:
        self.rules = tuple(rules)
        self._bindings = bindings
        self._masks = {rule.index: _mask_of(rule) for rule in rules}
        self._screens: dict[tuple[Scope, int], Screen | None] = {}
        self.series: dict[Scope, tuple[WindowFeed, ...]] = {}
        self.events: dict[Scope, tuple[WindowFeed, ...]] = {}
        self.needs = needs
        for scope, wanted in needs.items():
            feeds = [WindowFeed(i, need, bindings) for i, need in enumerate(wanted)]
            self.series[scope] = tuple(feed for feed in feeds if feed.need.kind == "series")
            self.events[scope] = tuple(feed for feed in feeds if feed.need.kind == "events")
        self.samples = any(self.series.values())
        self.timed: dict[Scope, Screen] = {}
        for scope in Scope:
            screen = self.screen(scope, _TIME)
            if screen is not None and scope is not Scope.INTENT:
                self.timed[scope] = screen
        self.fans = tuple(
            scope
            for scope in (Scope.ACCOUNT, Scope.POSITION, Scope.ORDER, Scope.INSTRUMENT)
            if any(rule.each is scope and self._masks[rule.index] >> ACCOUNT_SHIFT for rule in rules)
        )
        self.scheduled = tuple(rule for rule in rules if rule.schedule is not None)

    @property
    def reads_time(self) -> bool:
        """Whether some rule can change its verdict by the passing of time alone."""
        return bool(self.timed)

    def screen(self, scope: Scope, key: int) -> Screen | None:
        """The screen of a scope for what changed; None if no rule of the scope reads any of it."""
        known = (scope, key)
        try:
            return self._screens[known]
        except KeyError:
            pass
        conditions = [
            (rule.index, rule.checked.screen)
            for rule in self.rules
            if rule.each is scope and self._masks[rule.index] & key
        ]
        if scope is Scope.FILL and key != EVERYTHING:
            conditions = []  # an instant: judged once, on its arrival, whatever changes later
        screen = compile_screen(conditions, scope, self._bindings) if conditions else None
        self._screens[known] = screen
        return screen

    def of_scope(self, scope: Scope) -> tuple[Rule, ...]:
        """The rules of one scope."""
        return tuple(rule for rule in self.rules if rule.each is scope)


def _mask_of(rule: Rule) -> int:
    """Everything that may move an incident of the rule: its condition, what clears it, its rungs, what it follows."""
    checked = rule.checked
    read = [checked.screen, *checked.conditions.rungs[1:]]
    if checked.clear is not None:
        read.append(checked.clear)
    for action in rule.every_action():
        if action.action.follows:
            read.extend(action.read)
    mask = 0
    for each in read:
        mask |= _key_of(each, rule.each)
    return mask


def _key_of(screen: Checked, scope: Scope) -> int:
    """What a condition reads, packed: changes of its own root, its account, its instrument, the portfolio.

    The passing of time is no change of any of them: whoever reads it is asked by the clock.
    """
    key = BORN
    for root, changes in screen.changes.items():
        bits = int(changes)
        key |= bits & _TIME
        bits &= ~_TIME
        if root == "clock":
            key |= _TIME
        elif root == str(scope) or (root == "session" and scope is Scope.INSTRUMENT):
            key |= bits
        elif root in ("account", "session"):
            key |= bits if scope is Scope.ACCOUNT else bits << ACCOUNT_SHIFT
        elif root == "instrument":
            key |= bits << INSTRUMENT_SHIFT
        elif root == "portfolio":
            key |= bits << PORTFOLIO_SHIFT
        else:
            # A root this index does not know: looked at on every change of the entity rather than never.
            key |= int(Change.ANY)
    if screen.windows:
        key |= _TIME
    return key
