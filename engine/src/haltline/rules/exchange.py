"""Other rules for rules in force: what may be used at once, what must wait, and what stands meanwhile.

Rule by rule. What tightens is used at once. Of what loosens the old one stays. Where a change does both, a rule at
least as strict as both takes its place; where none can be shown to be, the old rule stays and the new one is in force
beside it, under the id ``<rule>~<digest>``. A derived value of `define` that rules in force may use stays what it was.
"""

import hashlib
from collections.abc import Collection, Sequence

import msgspec

from haltline.model.id import RuleId
from haltline.model.loosening import LooseningPolicy, LooseningSort
from haltline.model.rule import Definition, RuleMode, RuleSpec
from haltline.rules.loosening import Direction, RuleMove, move_of
from haltline.rules.meaning import bare_of, fingerprint_of, used_definitions

BESIDE = "~"
"""What stands between a rule's id and the digest of a new form of it that is in force beside it."""


class Waiting(msgspec.Struct, frozen=True, kw_only=True):
    """One loosening that is not used yet; `id` is a pure function of what it would become."""

    id: str
    sort: LooseningSort
    subject: str
    text: str
    policy: LooseningPolicy


class RuleStep(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of an exchange and which way it goes; `waits` says whether some of it is not used yet."""

    rule: str
    move: RuleMove
    waits: bool = False


class Exchange(msgspec.Struct, frozen=True, kw_only=True):
    """What is in force from now on, and what waits."""

    rules: tuple[RuleSpec, ...]
    definitions: tuple[Definition, ...]
    steps: tuple[RuleStep, ...] = ()
    waiting: tuple[Waiting, ...] = ()


class RuleSet(msgspec.Struct, frozen=True, kw_only=True):
    """Rules and derived values, as a file has them or as they are in force."""

    rules: tuple[RuleSpec, ...]
    definitions: tuple[Definition, ...] = ()

    @property
    def terms(self) -> dict[str, str]:
        """The texts of the derived values by their names."""
        return {each.name: each.text for each in self.definitions}


def plan_exchange(
    current: RuleSet, wanted: RuleSet, *, policy: LooseningPolicy,
    released: Collection[str] = (), busy: Collection[str] = (),
) -> Exchange:  # fmt: skip
    """What may be used of `wanted` now. `released` are ids of what was let go; `busy` are rules with an open incident,
    which an edit must not end: of such a rule the new form stands beside the old one, whatever it says."""
    return _Planner(current, wanted, policy=policy, released=released, busy=busy).plan()


def has_locks(rules: Sequence[RuleSpec], policy: LooseningPolicy) -> bool:
    """Whether anything at all must wait under the policy of the set-up and those of the rules."""
    asked = {policy, *(spec.loosening for spec in rules)}
    return bool(asked - {None, LooseningPolicy.AT_ONCE})


class _Planner:
    def __init__(
        self, current: RuleSet, wanted: RuleSet, *, policy: LooseningPolicy, released: Collection[str],
        busy: Collection[str],
    ) -> None:  # fmt: skip
        self._current = current
        self._wanted = wanted
        self._policy = policy
        self._released = released
        self._busy = busy
        self._terms_before, self._terms_after = current.terms, wanted.terms
        self._standing = {str(spec.id): spec for spec in current.rules}
        self._rules: list[RuleSpec] = []
        self._steps: list[RuleStep] = []
        self._waiting: list[Waiting] = []

    def plan(self) -> Exchange:
        wanted = {str(spec.id): spec for spec in self._wanted.rules}
        for name, spec in wanted.items():
            self._take(name, self._standing.get(name), spec)
        for name, spec in self._standing.items():
            if BESIDE not in name and name not in wanted:
                self._remove(name, spec)
        for name, spec in self._standing.items():
            if BESIDE in name:
                self._keep_beside(name, spec)
        definitions = self._definitions()
        return Exchange(
            rules=tuple(self._rules),
            definitions=definitions,
            steps=tuple(self._steps),
            waiting=tuple(self._waiting),
        )

    def _take(self, name: str, old: RuleSpec | None, new: RuleSpec) -> None:
        if old is None:
            self._rules.append(new)
            self._note(name, RuleMove(direction=Direction.TIGHTENS))
            return
        move, policy = move_of(old, new), self._policy_of(old)
        disturbs = name in self._busy and policy is not LooseningPolicy.AT_ONCE and not _alike(old, new)
        if move.is_safe and not disturbs:
            self._rules.append(new)
            self._note(name, move)
            return
        what = "changed" if not disturbs else "changed while its incident is open"
        waiting = self._wait(LooseningSort.RULE, name, _digest(new), f"rule {name} {what}", policy)
        if waiting is None:
            self._rules.append(new)
            self._note(name, move)
            return
        self._note(name, move, waits=True)
        if move.stricter is not None and not disturbs:
            self._rules.append(msgspec.structs.replace(move.stricter, places=new.places))
            return
        self._rules.append(old)
        if move.direction is not Direction.LOOSENS and new.mode is not RuleMode.OFF:
            self._rules.append(_beside(new, _digest(new)))

    def _remove(self, name: str, old: RuleSpec) -> None:
        direction = Direction.NEUTRAL if old.mode is RuleMode.OFF else Direction.LOOSENS
        waiting = None
        if direction is Direction.LOOSENS:
            waiting = self._wait(LooseningSort.RULE, name, "", f"rule {name} removed", self._policy_of(old))
        if waiting is not None:
            self._rules.append(old)
        self._note(name, RuleMove(direction=direction), waits=waiting is not None)

    def _keep_beside(self, name: str, spec: RuleSpec) -> None:
        """What stands beside a rule goes once the rule itself says the same, or once it is let go like any rule."""
        if any(each.id == spec.id for each in self._rules):
            return
        owner = spec.id.partition(BESIDE)[0]
        taken = next((each for each in self._rules if each.id == owner), None)
        if taken is not None and _alike(taken, spec):
            return
        if self._wait(LooseningSort.RULE, name, "", f"rule {name} removed", self._policy_of(spec)) is not None:
            self._rules.append(spec)

    def _definitions(self) -> tuple[Definition, ...]:
        """New names come at once; a text that rules in force may use changes only when it is let go."""
        text = " ".join(msgspec.json.encode(bare_of(spec)).decode() for spec in self._rules)
        used = used_definitions(text, self._terms_before)
        found = {each.name: each for each in self._wanted.definitions}
        for each in self._current.definitions:
            if each.name not in used or self._terms_after.get(each.name) == each.text:
                continue
            after = self._terms_after.get(each.name)
            if after is None:  # whoever used it went, or waits and brings it along
                found[each.name] = each
                continue
            policy = self._policy_of_term(each.name)
            name, digest = each.name, _short(after.encode())
            what = f"define {name}: {each.text} → {after}"
            if self._wait(LooseningSort.DEFINITION, name, digest, what, policy) is not None:
                found[each.name] = each
        return tuple(found.values())

    def _policy_of_term(self, name: str) -> LooseningPolicy:
        policy = self._policy
        for spec in self._current.rules:
            if spec.loosening is not None and name in used_definitions(
                msgspec.json.encode(bare_of(spec)).decode(), self._terms_before
            ):
                policy = policy.joined(spec.loosening)
        return policy

    def _policy_of(self, spec: RuleSpec) -> LooseningPolicy:
        return self._policy if spec.loosening is None else self._policy.joined(spec.loosening)

    def _wait(
        self, sort: LooseningSort, subject: str, digest: str, text: str, policy: LooseningPolicy
    ) -> Waiting | None:
        """What must wait, noted; None where it need not."""
        request_id = f"{sort.value}:{subject}:{digest or 'removed'}"
        if policy is LooseningPolicy.AT_ONCE or request_id in self._released:
            return None
        waiting = Waiting(id=request_id, sort=sort, subject=subject, text=text, policy=policy)
        self._waiting.append(waiting)
        return waiting

    def _note(self, name: str, move: RuleMove, *, waits: bool = False) -> None:
        if move.direction is not Direction.NEUTRAL or waits:
            self._steps.append(RuleStep(rule=name, move=move, waits=waits))


def _beside(spec: RuleSpec, digest: str) -> RuleSpec:
    return msgspec.structs.replace(spec, id=RuleId(f"{spec.id}{BESIDE}{digest}"))


def _digest(spec: RuleSpec) -> str:
    return _short(fingerprint_of(spec, {}))


def _alike(one: RuleSpec, other: RuleSpec) -> bool:
    """Whether two rules differ in their ids and words alone."""
    return fingerprint_of(msgspec.structs.replace(one, id=other.id), {}) == fingerprint_of(other, {})


def _short(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()[:8]
