"""Test files → report: every case on a kernel of its own, expectations after every step."""

from collections.abc import Callable, Iterable, Sequence
from fnmatch import fnmatch
from pathlib import Path

from haltline.api.registry import Registry
from haltline.errors import ConfigError, EngineError
from haltline.kernel.kernel import Kernel
from haltline.kernel.permission import check_intent
from haltline.kernel.view import gauges
from haltline.model.event import Acknowledge, Consent, OverrideRevoke, Quote, Release
from haltline.model.id import IncidentId, Symbol
from haltline.model.verdict import Phase
from haltline.ruletest.case import (
    Case,
    ConsentBody,
    IncidentBody,
    IntentBody,
    Outcomes,
    Prices,
    ReleaseBody,
    Restart,
    RevokeBody,
    Step,
    Wait,
)
from haltline.ruletest.coverage import Seen, Tally, branch_of
from haltline.ruletest.event import event_of, intent_of
from haltline.ruletest.expect import (
    is_same,
    judge_intent,
    judge_mode,
    judge_plan,
    judge_rule,
    judge_value,
)
from haltline.ruletest.hearing import Hall
from haltline.ruletest.load import Suite, load_suite, make_kernel
from haltline.ruletest.report import CaseReport, Failure, FileReport, Mismatch, TestReport
from haltline.ruletest.series import Gap
from haltline.ruletest.world import OF_LOCKS, World

SUFFIX = ".test.yaml"


def find_files(paths: Sequence[Path]) -> list[Path]:
    """Every ``*.test.yaml`` among the paths and below the folders among them, sorted, each once."""
    found: dict[Path, None] = {}
    for path in paths:
        below = sorted(path.rglob(f"*{SUFFIX}")) if path.is_dir() else [path]
        found.update(dict.fromkeys(file for file in below if not _is_hidden(file, path)))
    return list(found)


def _is_hidden(file: Path, root: Path) -> bool:
    parts = file.relative_to(root).parts if file != root else ()
    return any(part.startswith(".") or part == "node_modules" for part in parts)


def run_files(paths: Sequence[Path], registry: Registry, *, pattern: str | None = None) -> TestReport:
    """Run all tests of the paths (files or folders) whose name contains, or fits, `pattern`.

    A file that cannot be loaded becomes a FileReport with problems; nothing is raised for what people wrote.
    """
    tally = Tally()
    files = tuple(_run_file(path, registry, pattern, tally) for path in find_files(paths))
    return TestReport(files=files, coverage=tally.result())


def _run_file(path: Path, registry: Registry, pattern: str | None, tally: Tally) -> FileReport:
    try:
        suite = load_suite(path, registry)
    except ConfigError as error:
        return FileReport(file=str(path), problems=error.problems)
    tally.add_rules(suite.book.rules, suite.uses)
    return FileReport(file=suite.file, cases=tuple(run_cases(suite, registry, pattern, tally)))


def run_cases(suite: Suite, registry: Registry, pattern: str | None, tally: Tally) -> Iterable[CaseReport]:
    """Run the cases of a loaded file whose names fit."""
    for case in suite.cases:
        if pattern is None or pattern in case.name or fnmatch(case.name, pattern):
            yield run_case(case, suite, registry, tally)


def run_case(case: Case, suite: Suite, registry: Registry, tally: Tally | None = None) -> CaseReport:
    """Run one case; what it has shown is tallied if it passed."""
    try:
        hall = Hall(suite.setup, registry) if suite.setup.channels else None
        run = _Run(case, lambda: make_kernel(suite, registry, case.at), hall, registry)
    except EngineError as error:  # what it begins from was saved by another version
        mismatch = Mismatch(subject="state", expected="a state this version can begin from", actual=str(error))
        failure = Failure(place=case.place, title="the test cannot begin", mismatches=(mismatch,))
        return CaseReport(name=case.name, place=case.place, failures=(failure,))
    try:
        run.play()
    except EngineError as error:
        run.fail(run.step, "the test cannot go on", "the step to be possible", str(error))
    if tally is not None and not run.failures:
        tally.add_case(case, suite.book.rules, suite.uses, run.seen)
    return CaseReport(name=case.name, place=case.place, failures=tuple(run.failures))


class _Run:
    """One case being played."""

    def __init__(
        self, case: Case, make_kernel: Callable[[], Kernel], hall: Hall | None, registry: Registry
    ) -> None:  # fmt: skip
        self.case = case
        self.failures: list[Failure] = []
        self.seen: dict[str, Seen] = {}
        self.step = case.steps[0] if case.steps else Step(name="start", place=case.place)
        self._restarted = False
        self._serial = 0
        self.world = World(make_kernel, case.at, case.state, hall, registry.actions.get)

    def play(self) -> None:
        """All steps; a failing one does not stop the test, so that every difference is seen at once."""
        for step in self.case.steps:
            self.step = step
            self.world.begin_step()
            self._do(step)
            self._observe()
            self._judge(step)

    def fail(self, step: Step, title: str, expected: str, actual: str) -> None:
        """Note something that is wrong with the step itself."""
        mismatch = Mismatch(subject=step.name, expected=expected, actual=actual)
        self.failures.append(Failure(place=step.place, title=title, mismatches=(mismatch,)))

    # -- what happens ----------------------------------------------------------------------------------------------

    def _do(self, step: Step) -> None:
        world, deed = self.world, step.deed
        match deed:
            case None:
                pass
            case Prices():
                self._play_prices(deed)
            case Wait():
                self._wait(deed, step)
            case Outcomes():
                self._decide(deed, step)
            case Restart():
                world.restart()
                self._restarted = True
            case IncidentBody() | ReleaseBody() | RevokeBody():
                self._command(deed, step)
            case IntentBody():
                self._ask(deed, step)
            case _:
                self._serial += 1
                world.feed(event_of(deed, world.now, self._serial))
        for notice in world.notices:
            if "was refused" in notice:
                self.fail(step, "the event was refused", "an event the state can use", notice)

    def _decide(self, outcomes: Outcomes, step: Step) -> None:
        known = {linked.action.name for rule in self.world.kernel.index.rules for linked in rule.every_action()}
        for name in sorted(outcomes.fates.keys() - known - OF_LOCKS):
            self.fail(step, f"outcome of {name}", "an action that a rule names", "none of that name")
        self.world.decide(outcomes.fates)

    def _wait(self, wait: Wait, step: Step) -> None:
        target = wait.until if wait.until is not None else self.world.now + wait.for_ns
        if target < self.world.now:
            self.fail(step, "time cannot go back", "an instant after the step before", "an earlier one")
            return
        self.world.advance(target)

    def _play_prices(self, prices: Prices) -> None:
        world = self.world
        length = max((len(series.points) for fields in prices.series.values() for series in fields.values()), default=0)
        for index in range(length):
            if index:
                world.advance(world.now + prices.every_ns)
            for symbol, fields in prices.series.items():
                self._quote(Symbol(symbol), {name: series.at(index) for name, series in fields.items()})

    def _quote(self, symbol: Symbol, points: dict[str, float | Gap]) -> None:
        world = self.world
        if Gap.STALE in points.values():
            instrument = world.kernel.state.instruments.get(symbol)
            if instrument is not None and not instrument.stale:
                world.advance(max(world.now, instrument.stale_due))
            return
        given = {name: point for name, point in points.items() if isinstance(point, float)}
        if given:
            world.feed(Quote(at=world.now, received_at=world.now, symbol=symbol, source="test", **given))

    def _command(self, body: IncidentBody | ReleaseBody | RevokeBody, step: Step) -> None:
        world = self.world
        now = world.now
        if isinstance(body, RevokeBody):
            self._revoke(body, step)
            return
        if isinstance(body, ReleaseBody) and not body.rule:
            self._unlock(body, step)
            return
        incident = next(
            (
                live
                for live in world.kernel.live.values()
                if (live.rule.id, live.entity.key) == (body.rule, body.entity)
            ),
            None,
        )
        if incident is None:
            self.fail(step, f"rule {body.rule} on {body.entity}", "a live incident", "none")
        elif isinstance(body, ReleaseBody):
            world.feed(
                Release(
                    at=now,
                    received_at=now,
                    operator=body.operator,
                    reason=body.reason,
                    incident=IncidentId(incident.id),
                )
            )
        elif isinstance(body, ConsentBody):
            world.feed(
                Consent(
                    at=now,
                    received_at=now,
                    operator=body.operator,
                    reason=body.reason,
                    incident=IncidentId(incident.id),
                )
            )
        else:
            world.feed(Acknowledge(at=now, received_at=now, incident=IncidentId(incident.id), operator=body.operator))

    def _unlock(self, body: ReleaseBody, step: Step) -> None:
        world = self.world
        locks = [lock.id for lock in world.kernel.governor.locks if lock.account == body.account]
        if not locks:
            self.fail(step, f"account {body.account}", "a standing lock", "none")
        for lock_id in locks:
            now = world.now
            world.feed(Release(at=now, received_at=now, operator=body.operator, reason=body.reason, lock_id=lock_id))

    def _revoke(self, body: RevokeBody, step: Step) -> None:
        world, wanted = self.world, (body.rule, body.entity)
        standing = list(world.kernel.overrides)
        grants = [each.id for each in standing if body.id == each.id or wanted == (each.rule, each.entity)]
        if not grants:
            self.fail(step, body.id or f"rule {body.rule} on {body.entity}", "a standing grant", "none")
        for grant in grants:
            now = world.now
            world.feed(
                OverrideRevoke(at=now, received_at=now, grant_id=grant, operator=body.operator, reason=body.reason)
            )

    def _ask(self, body: IntentBody, step: Step) -> None:
        permission = check_intent(self.world.kernel, intent_of(body))
        for rule in permission.rules:
            self._of(rule).breached = True
        for spec in self._intent_rules():
            seen = self._of(spec)
            seen.restarted = seen.restarted or self._restarted
            seen.unknown = seen.unknown or any("unknown means no" in reason for reason in permission.reasons)
            seen.expected_quiet = seen.expected_quiet or permission.allowed
        if step.intent is not None:
            self._keep(judge_intent(permission, step.intent))

    def _intent_rules(self) -> list[str]:
        return [str(rule.id) for rule in self.world.kernel.index.rules if rule.each == "intent"]

    # -- what is seen and judged -----------------------------------------------------------------------------------

    def _of(self, rule: str) -> Seen:
        return self.seen.setdefault(str(rule), Seen())

    def _observe(self) -> None:
        for said in self.world.transitions:
            seen = self._of(said.rule)
            seen.breached = seen.breached or said.phase is Phase.BREACHED
            seen.unknown = seen.unknown or said.phase is Phase.UNKNOWN
            seen.branches.update(filter(None, (branch_of(said),)))

    def _judge(self, step: Step) -> None:
        world = self.world
        for expectation in step.expect:
            self._keep(judge_rule(world, expectation))
            seen = self._of(expectation.rule)
            seen.restarted = seen.restarted or self._restarted
            seen.expected_quiet = seen.expected_quiet or expectation.state not in (None, Phase.BREACHED, Phase.UNKNOWN)
            seen.unknown = seen.unknown or expectation.state is Phase.UNKNOWN
            seen.boundary = seen.boundary or self._at_boundary(expectation.rule, expectation.entity)
        if step.plan is not None:
            self._keep(judge_plan(world, step.plan, f"after step {step.name}", step.place))
        for mode in step.modes:
            self._keep(judge_mode(world, mode))
        for value in step.values:
            self._keep(judge_value(world, value))
        if world.hall is not None:
            self.failures += world.hall.judge(step.heard)

    def _at_boundary(self, rule: str, entity: str) -> bool:
        known = {(gauge.rule, gauge.entity): gauge for gauge in gauges(self.world.kernel)}
        found = known.get((rule, entity))
        if found is None:
            said = self.world.latest.get((rule, entity))
            return said is not None and said.threshold is not None and is_same(said.threshold, said.measured)
        return found.threshold is not None and is_same(found.threshold, found.measured)

    def _keep(self, failure: Failure | None) -> None:
        if failure is not None:
            self.failures.append(failure)
