"""A capsule as a test of its rule: what happened as steps, and what was decided as the expectation at their end.

Where the journal began within the capsule the test is plain steps; otherwise it begins from the saved kernel, as a
`state` beside its steps. Enforcement is left to the test runner, which reports what steps show to be done.
"""

import re
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec

from haltline.clock import NS_PER_S
from haltline.control.capsule import NotATest, file_stem
from haltline.control.capsulefile import Capsule
from haltline.control.capsuleplay import DECISIONS, Player, RegistryOf
from haltline.control.capsulestep import step_of
from haltline.control.capsuleyaml import Block, accounts_of, dump, instruments_of
from haltline.journal.record import Record, RecordKind, event_of
from haltline.kernel.kernel import Kernel
from haltline.kernel.packed import pack_state
from haltline.model.event import InstrumentUpdate
from haltline.model.instrument import InstrumentSpec
from haltline.model.plan import Result
from haltline.model.verdict import Phase, Transition

MOST_STEPS = 1_000
_TEMPLATE = re.compile(r"^template:", re.MULTILINE)
_WORST = (Phase.BREACHED, Phase.UNKNOWN, Phase.WARNING, Phase.PENDING)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleTest:
    """A test file, and the rule files it names that have to be written beside it."""

    text: str
    rules: dict[str, str]


@dataclass(slots=True)
class _Story:
    """What leads to the decision. `state` is the kernel to begin from; None for an empty one."""

    at: int
    state: bytes | None
    steps: list[dict[str, object]] = field(default_factory=list)
    instruments: dict[str, InstrumentSpec] = field(default_factory=dict)
    symbols: set[str] = field(default_factory=set)
    moved: Transition | None = None
    actions: list[str] = field(default_factory=list)


def write_test(
    capsule: Capsule, registry_of: RegistryOf, *, rules: Sequence[str] = (), name: str = "", most: int = MOST_STEPS
) -> RuleTest:
    """The test of a capsule's incident; `rules` are the rule files to test, by default those of the capsule.

    At most `most` events come before the decision. Raises NotATest for a capsule whose decision does not come again.
    """
    target = _target(capsule)
    begin_at = _beginning(capsule, target, most)
    story = _tell(capsule, registry_of, target, begin_at)
    if story.moved is None:
        raise NotATest(
            f"incident {capsule.manifest.incident.id} does not come out of the capsule again",
            "see what 'haltline capsule replay' says",
        )
    own = _rule_files(capsule) if not rules else {}
    return RuleTest(text=_text(capsule, story, list(rules) or list(own), name), rules=own)


def _target(capsule: Capsule) -> bytes:
    """The transition that the test is to show: the worst there was, the first of its kind."""
    found: dict[Phase, bytes] = {}
    for record in capsule.records():
        if record.kind is RecordKind.TRANSITION:
            moved = msgspec.json.decode(record.body, type=Transition)
            if moved.incident == capsule.manifest.incident.id:
                found.setdefault(moved.phase, record.body)
    worst = next((found[phase] for phase in _WORST if phase in found), None)
    if worst is None:
        raise NotATest("the incident never came near its limit", "choose another incident")
    return worst


def _beginning(capsule: Capsule, target: bytes, most: int) -> int:
    """The record to begin with so that at most so many events come before the decision."""
    recent: deque[int] = deque(maxlen=most)
    count = 0
    for record in capsule.records():
        if record.body == target and record.kind is RecordKind.TRANSITION:
            break
        if record.kind is RecordKind.EVENT:
            recent.append(record.seq)
            count += 1
    return recent[0] if count > most else capsule.manifest.journal.first


def _tell(capsule: Capsule, registry_of: RegistryOf, target: bytes, begin: int) -> _Story:
    player = Player(registry_of)
    saved = capsule.snapshot
    if saved is not None:
        player.take_up(capsule.basis, saved)
    wanted = msgspec.json.decode(target, type=Transition)
    story: _Story | None = None
    last_at = -1
    for record in capsule.records():
        if story is None and record.seq >= begin and record.at != last_at:
            empty = saved is None and record.seq == capsule.manifest.journal.first
            story = _Story(record.at, None if empty else player.kernel.snapshot())
        last_at = record.at if record.kind is RecordKind.EVENT else last_at
        result = player.take(record)
        if story is not None and _add(story, record, result, wanted):
            break
    assert story is not None
    story.symbols |= _held(player.kernel)
    known = {str(spec.symbol): spec for spec in (player.basis or capsule.basis).instruments}
    used = {player.kernel.state.names[name].symbol for name in story.symbols if name in player.kernel.state.names}
    story.instruments = {name: known[name] for name in sorted(used) if name in known} | story.instruments
    return story


def _add(story: _Story, record: Record, result: Result | None, wanted: Transition) -> bool:
    """Tell one record; True when it led to the decision."""
    moved = next((each for each in (result.transitions if result else ()) if each == wanted), None)
    by_time = moved is not None and (record.kind in DECISIONS or moved.at < record.at)
    if record.kind is RecordKind.EVENT and not by_time:
        event = event_of(record)
        if isinstance(event, InstrumentUpdate):
            story.instruments[event.spec.symbol] = event.spec
        step = step_of(event, record.at)
        if step is not None:
            story.steps += _waited(story, record.at)
            story.steps.append(step)
            story.symbols |= _symbols(step)
    if moved is None or result is None:
        return False
    if by_time or not story.steps:
        story.steps += _waited(story, moved.at, up=True)
    story.moved = moved
    story.actions = [action.name for action in result.plan if moved.incident in action.incidents]
    return True


def _waited(story: _Story, at: int, *, up: bool = False) -> Iterator[dict[str, object]]:
    """A step that lets time pass, where it did."""
    latest = next((step["at"] for step in reversed(story.steps) if "at" in step), instant(story.at))
    if instant(at, up=up) != latest:
        yield {"at": instant(at, up=up)}


def instant(at: int, *, up: bool = False) -> str:
    """ISO-8601 with as many digits as it takes, to the microsecond; `up` rounds what is left to the next one."""
    micros = -(-at // 1000) if up else at // 1000
    seconds, rest = divmod(micros, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return moment.isoformat().replace("+00:00", "Z")


def _symbols(step: dict[str, object]) -> set[str]:
    return {str(body["symbol"]) for body in step.values() if isinstance(body, dict) and body.get("symbol")}


def _held(kernel: Kernel) -> set[str]:
    accounts = kernel.state.accounts.values()
    held = {position.symbol for account in accounts for position in account.book.values()}
    return held | {order.symbol for account in accounts for order in account.order_book.values()}


def _rule_files(capsule: Capsule) -> dict[str, str]:
    """The rule files of the capsule; templates come with their packs."""
    texts = capsule.rule_texts()
    found = {name: text for name, text in texts.items() if not _TEMPLATE.search(text)}
    if not found:
        raise NotATest("the capsule holds no rule files: its rules were given by a program", "name rules with --rules")
    stem = file_stem(capsule.manifest.incident.rule)
    return {f"{stem}.{name}": text for name, text in found.items()}


def _text(capsule: Capsule, story: _Story, rules: list[str], name: str) -> str:
    moved = story.moved
    assert moved is not None
    basis, manifest = capsule.basis, capsule.manifest
    expected: dict[str, object] = {"rule": moved.rule, "entity": moved.entity, "state": moved.phase.value}
    if moved.shadow:
        expected["shadow"] = True
    if moved.phase is Phase.BREACHED:
        expected["actions"] = story.actions
    steps = story.steps
    if not steps:
        steps.append({})
    steps[-1]["expect"] = [expected]
    case: dict[str, object] = {"name": name or f"{manifest.incident.id} as it happened", "at": instant(story.at)}
    if story.state is not None:
        case["state"] = Block(pack_state(story.state))
    content: dict[str, object] = {
        "note": f"Written by 'haltline capsule to-test' from {capsule.path.name}",
        "rules": rules,
        "stale_after": f"{basis.stale_after_ns / NS_PER_S:g}s",
        "evidence": {"tolerance": basis.tolerance, "hold": f"{basis.hold_ns / NS_PER_S:g}s"},
        "accounts": accounts_of(basis.accounts),
    }
    if story.instruments:
        content["instruments"] = instruments_of(story.instruments.values())
    return dump(content | {"tests": [case | {"steps": steps}]})
