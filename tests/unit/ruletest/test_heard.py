"""`expect_heard`: which channels hear what and when, by the routes of a set-up or of the test itself."""

from pathlib import Path

import pytest

from haltline.api.registry import Registry
from haltline.ruletest.report import TestReport
from haltline.ruletest.run import run_files

SETUP = """
version: 1
channels:
  phone: {kind: telegram-that-is-not-installed, config: {token: "${NOT_SET}"}}
  boss: {kind: console, severities: [critical]}
notify:
  channels: [phone]
  escalations: {desk: [{after: 2m, channels: [boss]}]}
  routes: [{match: severity=critical, escalate: desk}]
"""
HEAD = """
version: 1
accounts: {eval: {balance: 50000}}
at: 2026-03-02T15:00:00Z
book:
  - {id: big, each: position, severity: critical, limit: {value: abs(position.quantity), max: 5}, then: [notify]}
"""
BREACH = "{account: eval, symbol: MNQ, quantity: 6, average_price: 21000}"


@pytest.fixture
def play(tmp_path: Path, registry: Registry):
    (tmp_path / "haltline.yaml").write_text(SETUP)

    def run(steps: str, head: str = "setup: haltline.yaml") -> TestReport:
        text = f"{HEAD}{head}\ntests:\n  - name: t\n    steps:\n{steps}"
        (tmp_path / "a.test.yaml").write_text(text)
        return run_files([tmp_path], registry)

    return run


def failures(report: TestReport) -> list[str]:
    assert not report.files[0].problems, report.files[0].problems
    return [
        f"{failure.title}: {mismatch.expected} | {mismatch.actual}"
        for case in report.files[0].cases for failure in case.failures for mismatch in failure.mismatches
    ]  # fmt: skip


def test_the_set_ups_own_routes_are_tested_without_its_secrets(play) -> None:
    report = play(f"""
      - position: {BREACH}
        expect_heard: {{phone: [{{rule: big, phase: breached, severity: critical, after: 0s}}], boss: []}}
      - after: 2m
        expect_heard:
          boss: ["Not acknowledged for 2m"]
      - ack: {{rule: big, entity: eval/MNQ}}
      - after: 1h
        expect_heard: {{phone: [], boss: []}}
""")
    assert failures(report) == []


def test_a_test_may_bring_its_own_routes(play) -> None:
    head = "channels: {mail: {}}\nnotify: {channels: mail, critical_repeat: never}"
    steps = f"      - position: {BREACH}\n        expect_heard: {{mail: big}}\n"
    assert failures(play(steps, head)) == []


def test_a_message_that_was_not_heard_is_named_with_what_was(play) -> None:
    steps = f"      - position: {BREACH}\n        expect_heard: {{phone: [], boss: [{{rule: big, after: 5s}}]}}\n"
    found = failures(play(steps))
    assert found[0].startswith("channel phone: nothing | eval/MNQ: rule big is broken (after 0s)")
    assert found[1] == "channel boss: big after 5s | nothing"


def test_a_silence_and_a_restart_are_part_of_the_story(play) -> None:
    report = play(f"""
      - silence: {{matchers: [rule=big], until: 10m}}
      - restart: true
      - position: {BREACH}
        expect_heard: {{phone: []}}
      - after: 10m
        expect_heard: {{phone: [{{rule: big, after: 10m}}]}}
""")
    assert failures(report) == []


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        ("      - {after: 1s, expect_heard: {pager: []}}\n", "E289"),
        ("      - {after: 1s, expect_heard: {phone: [{rulle: big}]}}\n", "E280"),
        ("      - {after: 1s, expect_heard: {phone: [{phase: broken}]}}\n", "E282"),
        ("      - {after: 1s, expect_heard: [phone]}\n", "E281"),
        ("      - {after: 1s, expect_heard: {phone: [[a]]}}\n", "E281"),
    ],
)
def test_mistakes_are_named_at_their_place(play, steps: str, code: str) -> None:
    assert [problem.code for problem in play(steps).files[0].problems] == [code]


def test_a_set_up_that_is_not_there_is_named(play) -> None:
    report = play("      - after: 1s\n", "setup: other.yaml")
    assert [problem.code for problem in report.files[0].problems] == ["E121"]
