"""Capsules: what is in one, what is refused, and what is never in one."""

import hashlib
import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from haltline.clock import NS_PER_S
from haltline.config.settings import BrokerEntry, ChannelEntry
from haltline.control.basis import Beginning
from haltline.control.capsule import (
    BASIS,
    EXPLANATION,
    MANIFEST,
    MESSAGES,
    RECORDS,
    CapsuleDamaged,
    CapsuleNewer,
    HoldsSecret,
    NotACapsule,
    NotTraceable,
    UnknownIncident,
    file_stem,
)
from haltline.control.capsulefile import Capsule, CapsuleWriter
from haltline.control.capsulemake import make_capsule
from haltline.control.capsuleplay import Comparer, replay
from haltline.control.incidentspan import find_span, read_spans
from haltline.journal.error import JournalBroken
from haltline.journal.record import RecordKind, entry_of, notice_entry
from haltline.kernel.view import Reasoning
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId
from haltline.model.plan import Result
from haltline.model.verdict import Transition

CANARY = "canary-4f1d-token"


@pytest.fixture
def fallen(engine, loss):
    return engine(loss()).fall()


def make(journal, folder, registry_of, wanted=None, **more):
    return make_capsule(journal, find_span(read_spans(journal), wanted), folder, registry_of, **more)


@pytest.fixture
def made(fallen, tmp_path, registry_of):
    return make(fallen.journal, tmp_path, registry_of)


def rewritten(path: Path, folder: Path, change) -> Path:
    """The capsule with some parts changed, under a name that carries no digest."""
    target = folder / "changed.capsule"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(target, "w") as new:
        parts = change({name: old.read(name) for name in old.namelist()})
        for name, content in parts.items():
            new.writestr(name, content)
    return target


# -- what is in one ------------------------------------------------------------------------------------------------


def test_a_capsule_replays_to_the_identical_decision(made, registry_of):
    with Capsule(made.path) as capsule:
        found = replay(capsule, registry_of)
    assert (str(found), found.transitions, found.plans) == ("identical", 3, 3)
    assert made.manifest.proof == "identical"


def test_its_name_carries_the_digest_and_the_same_incident_gives_the_same_file(made, fallen, tmp_path, registry_of):
    again = make(fallen.journal, tmp_path / "again", registry_of)
    assert again.path.name == made.path.name
    assert again.path.read_bytes() == made.path.read_bytes()


def test_it_says_why_the_rule_fired_at_that_instant(made):
    with Capsule(made.path) as capsule:
        why = msgspec.json.decode(capsule.read(EXPLANATION), type=Reasoning)
    assert (why.rule, why.phase, why.measured) == ("loss", "breached", 1200.0)


def test_it_holds_what_people_were_told(made):
    with Capsule(made.path) as capsule:
        told = [json.loads(line)["text"] for line in capsule.read(MESSAGES).splitlines()]
    assert len(told) == 2
    assert "is broken" in told[1]


def test_it_holds_rules_as_text_and_no_path_of_this_machine(made):
    with Capsule(made.path) as capsule:
        assert list(capsule.rule_texts()) == ["rules.yaml"]
        names = [RECORDS, BASIS, MANIFEST]
        assert not any(b"/anywhere" in capsule.read(name) for name in names)


def test_it_begins_the_lead_before_the_incident_with_the_state_of_then(fallen, tmp_path, registry_of):
    found = make(fallen.journal, tmp_path, registry_of, lead_ns=60 * NS_PER_S).manifest
    assert found.journal.first > 50
    assert "snapshot.bin" in found.parts
    assert found.taken_from is None


def test_a_saved_state_that_is_early_enough_is_taken(engine, loss, tmp_path, registry_of):
    story = engine(loss())
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0))
    story.save()
    seq = story.journal.last_seq - 1
    for price in (*[20_990.0] * 60, 20_930.0):
        story.seconds += 10
        story.take(story.quote(price))
    found = make(story.journal, tmp_path, registry_of, lead_ns=60 * NS_PER_S)
    assert found.manifest.taken_from == seq
    assert found.comparison.is_identical


def test_without_a_saved_state_it_is_decided_again_from_the_journals_beginning(made):
    assert made.manifest.taken_from is None


def test_an_incident_that_ended_stops_there(fallen, made):
    fallen.seconds += 10
    fallen.take(fallen.quote(21_000.0))
    assert made.manifest.incident.phase == "resolved"
    assert made.manifest.journal.last < fallen.journal.last_seq
    assert not made.manifest.journal.is_open


def test_a_live_incident_goes_on_until_now(engine, loss, tmp_path, registry_of):
    story = engine(loss())
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0), story.quote(20_900.0))
    found = make(story.journal, tmp_path, registry_of).manifest
    assert found.journal.is_open
    assert found.journal.last == story.journal.last_seq


def test_a_turn_cut_off_by_making_is_no_difference(engine, loss, tmp_path, registry_of):
    story = engine(loss())
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0), story.quote(20_940.0))
    kept = story.journal.last_seq
    story.seconds += 1
    story.take(story.quote(20_900.0))
    del story.journal.records[kept + 1 :]
    story.journal.last_seq = kept + 1
    found = make(story.journal, tmp_path, registry_of)
    assert found.comparison.is_identical


def test_rules_that_changed_since_do_not_matter(fallen, loss, tmp_path, registry_of):
    fallen.seconds += 100
    fallen.reload(loss(50_000.0))
    fallen.restart(loss(70_000.0))
    found = make(fallen.journal, tmp_path, registry_of)
    assert found.comparison.is_identical
    with Capsule(found.path) as capsule:
        assert capsule.basis.rules[0].limit.threshold == 1000.0


def test_another_engine_that_began_on_the_same_journal_is_another_story(fallen, loss, tmp_path, registry_of):
    other = type(fallen)(loss()).fall()
    fallen.journal.append([(r.kind, r.at, r.body) for r in other.journal.records])
    spans = read_spans(fallen.journal)
    assert [span.incident for span in spans] == ["loss/eval/1", "loss/eval/1"]
    for span in spans:
        assert make_capsule(fallen.journal, span, tmp_path, registry_of).comparison.is_identical


# -- which incident ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("wanted", ["loss/eval/1", "loss/eval", "loss"])
def test_an_incident_is_found_by_its_id_its_rule_and_entity_or_its_rule(fallen, wanted):
    assert find_span(read_spans(fallen.journal), wanted).incident == "loss/eval/1"


def test_an_unknown_incident_is_told_with_the_nearest(fallen):
    with pytest.raises(UnknownIncident, match=r"did you mean 'loss/eval/1'\? \[E723\]"):
        find_span(read_spans(fallen.journal), "los/eval/1")


def test_a_journal_without_incidents_says_so(engine, loss):
    with pytest.raises(UnknownIncident, match="the journal has no incident"):
        find_span(read_spans(engine(loss()).journal), None)


# -- what cannot be made -------------------------------------------------------------------------------------------


def test_a_journal_that_does_not_say_which_rules_were_in_force_is_refused(fallen, tmp_path, registry_of):
    old = fallen.journal
    body = {"rules": "digest", "files": ["rules.yaml"]}
    bare = type(old)()
    bare.append([entry_of(RecordKind.CONFIG, old.records[0].at, body)])
    bare.append([(r.kind, r.at, r.body) for r in old.records[1:]])
    with pytest.raises(NotTraceable, match=r"older haltline.*\[E724\]"):
        make(bare, tmp_path, registry_of)
    assert list(tmp_path.iterdir()) == []


def test_a_journal_that_was_changed_is_refused(fallen, tmp_path, registry_of):
    records = fallen.journal.records
    records[5] = records[5]._replace(body=records[5].body.replace(b"20990", b"20980"))
    with pytest.raises(JournalBroken, match="record 6 of the journal is not what was written"):
        make(fallen.journal, tmp_path, registry_of)


# -- secrets -------------------------------------------------------------------------------------------------------


def test_no_secret_of_the_set_up_gets_into_a_capsule(engine, loss, make_setup, tmp_path, registry_of):
    setup = replace(
        make_setup(),
        brokers=(BrokerEntry(name="paper", kind="paper", config={"token": CANARY}),),
        channels=(ChannelEntry(name="chat", kind="console", config={"url": f"https://x/{CANARY}"}),),
    )
    story = engine(loss(), setup=setup).fall()
    with Capsule(make(story.journal, tmp_path, registry_of).path) as capsule:
        assert not any(CANARY.encode() in capsule.read(name) for name in [MANIFEST, *capsule.manifest.parts])


def test_a_secret_in_a_remark_is_hidden_and_the_chain_still_fits(engine, loss, tmp_path, registry_of):
    story = engine(loss())
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0))
    story.journal.append([notice_entry(story.now, "channel", f"https://api/bot{CANARY}/send failed")])
    story.seconds += 1
    story.take(story.quote(20_900.0))
    made = make(story.journal, tmp_path, registry_of, secrets=[CANARY])
    assert made.manifest.hidden == 1
    with Capsule(made.path) as capsule:
        assert not any(CANARY.encode() in capsule.read(name) for name in capsule.manifest.parts)
        assert b"https://api/bot***/send failed" in capsule.read(RECORDS)
        assert replay(capsule, registry_of).is_identical


def test_a_secret_that_a_decision_may_depend_on_is_refused(engine, loss, make_setup, tmp_path, registry_of):
    account = AccountSpec(id=AccountId("eval"), labels={"desk": CANARY}, live=True)
    story = engine(loss(), setup=replace(make_setup(), accounts=(account,))).fall()
    with pytest.raises(HoldsSecret, match=r"keeps secret; .* \[E725\]") as refused:
        make(story.journal, tmp_path, registry_of, secrets=[CANARY])
    assert CANARY not in str(refused.value)
    assert list(tmp_path.iterdir()) == []


def test_a_part_that_holds_a_secret_is_not_written(tmp_path):
    with CapsuleWriter(tmp_path, "x", secrets=['with "quotes"']) as writer, pytest.raises(HoldsSecret):
        writer.put("basis.json", b'{"a": "with \\"quotes\\""}')
    assert list(tmp_path.iterdir()) == []


# -- what is refused when it is opened -----------------------------------------------------------------------------


def test_another_file_is_not_a_capsule(tmp_path):
    path = tmp_path / "x.capsule"
    path.write_text("hello")
    with pytest.raises(NotACapsule, match=r"\[E720\]"):
        Capsule(path)


def test_another_zip_is_not_a_capsule(tmp_path):
    path = tmp_path / "x.capsule"
    with zipfile.ZipFile(path, "w") as other:
        other.writestr("a.txt", "hello")
    with pytest.raises(NotACapsule, match="not a capsule"):
        Capsule(path)


@pytest.mark.parametrize("share", [0.02, 0.5, 0.999])
def test_a_capsule_that_was_cut_off_is_damaged(made, tmp_path, share):
    content = made.path.read_bytes()
    path = tmp_path / "cut.capsule"
    path.write_bytes(content[: int(len(content) * share)])
    with pytest.raises(CapsuleDamaged, match=r"\[E721\]"):
        Capsule(path)


@pytest.mark.parametrize("share", [0.01, 0.3, 0.6, 0.9])
def test_a_flipped_bit_is_found_by_the_name(made, share):
    content = bytearray(made.path.read_bytes())
    content[int(len(content) * share)] ^= 1
    made.path.write_bytes(content)
    with pytest.raises(CapsuleDamaged, match="the digest that its name carries"):
        Capsule(made.path)


def test_any_flipped_byte_is_found_or_changes_nothing_even_under_another_name(made, tmp_path):
    content = made.path.read_bytes()
    path = tmp_path / "renamed.capsule"
    with Capsule(made.path) as original:
        parts = {name: original.read(name) for name in original.manifest.parts}
    for place in range(0, len(content), 173):
        changed = bytearray(content)
        changed[place] ^= 0x55
        path.write_bytes(changed)
        try:
            with Capsule(path) as capsule:
                assert {name: capsule.read(name) for name in capsule.manifest.parts} == parts
        except (CapsuleDamaged, NotACapsule):
            pass


def test_a_changed_part_is_found(made, tmp_path):
    path = rewritten(made.path, tmp_path, lambda parts: parts | {RECORDS: parts[RECORDS].replace(b"20940", b"20990")})
    with pytest.raises(CapsuleDamaged, match=r"records\.jsonl was changed"):
        Capsule(path)


def test_a_record_changed_together_with_its_digest_breaks_the_chain(made, tmp_path):
    def change(parts):
        records = parts[RECORDS].replace(b"20940", b"20990")
        manifest = json.loads(parts[MANIFEST])
        manifest["parts"][RECORDS]["sha256"] = hashlib.sha256(records).hexdigest()
        return parts | {RECORDS: records, MANIFEST: json.dumps(manifest).encode()}

    with pytest.raises(CapsuleDamaged, match="does not fit the hash chain"):
        Capsule(rewritten(made.path, tmp_path, change))


def test_a_part_that_nobody_listed_is_refused(made, tmp_path):
    path = rewritten(made.path, tmp_path, lambda parts: parts | {"../../evil": b"x"})
    with pytest.raises(CapsuleDamaged, match="parts that the manifest does not list"):
        Capsule(path)


@pytest.mark.parametrize(
    "name", ["rules/../../evil.yaml", "rules/a/b.yaml", "rules/..", "rules/C:\\evil.yaml", "other.bin"]
)
def test_a_rule_file_that_would_leave_its_folder_is_refused(made, tmp_path, name):
    def change(parts):
        manifest = json.loads(parts[MANIFEST])
        manifest["parts"][name] = {"sha256": hashlib.sha256(b"x").hexdigest(), "size": 1}
        return parts | {name: b"x", MANIFEST: json.dumps(manifest).encode()}

    with pytest.raises(CapsuleDamaged, match="is no part of a capsule"):
        Capsule(rewritten(made.path, tmp_path, change))


@pytest.mark.parametrize(("name", "stem"), [("loss/eval/1", "loss-eval-1"), ("../../x", "-..-x"), ("..", "incident")])
def test_no_path_can_be_made_of_an_id(name, stem):
    assert file_stem(name) == stem


def test_a_capsule_of_a_later_format_asks_for_an_update(made, tmp_path):
    def later(parts):
        manifest = json.loads(parts[MANIFEST]) | {"version": 99, "unheard": "of"}
        return parts | {MANIFEST: json.dumps(manifest).encode()}

    with pytest.raises(CapsuleNewer, match=r"format 99, this haltline reads 1; update haltline \[E722\]"):
        Capsule(rewritten(made.path, tmp_path, later))


def test_a_renamed_capsule_is_read_and_says_that_its_name_was_changed(made, tmp_path):
    path = tmp_path / "mine.capsule"
    shutil.copy(made.path, path)
    with Capsule(path) as capsule:
        assert not capsule.name_is_kept


# -- differences ---------------------------------------------------------------------------------------------------


def moved(**more: object) -> Transition:
    given = {
        "at": 1, "rule": "loss", "entity": "eval", "incident": "loss/eval/1", "phase": "breached", "previous": "ok",
        "severity": "warning", "measured": 1000.0,
    }  # fmt: skip
    return msgspec.convert(given | more, Transition)


def compared(recorded, replayed, *, is_open=False):
    comparer = Comparer()
    for each in recorded:
        fallen_record = entry_of(RecordKind.TRANSITION, each.at, each)
        comparer.note_record(_Recorded(RecordKind.TRANSITION, each.at, fallen_record.body))
    comparer.note_result(Result(transitions=tuple(replayed)))
    return comparer.finish(is_open=is_open)


class _Recorded:
    def __init__(self, kind, at, body):
        self.kind, self.at, self.body = kind, at, body


def test_the_first_difference_is_told_with_both_values():
    found = compared([moved()], [moved(measured=1005.0)])
    assert str(found) == "transition 1 differs (loss/eval/1 breached): measured 1000.0 on record, 1005.0 now"


def test_a_decision_that_does_not_come_again_is_a_difference():
    assert "was not decided again" in str(compared([moved(), moved(at=2)], [moved()]))


def test_a_decision_that_was_not_on_record_is_a_difference():
    assert "is not on record" in str(compared([moved()], [moved(), moved(at=2)]))


def test_a_fresh_start_without_a_kernel_to_resume_is_not_traceable(engine, loss, tmp_path, registry_of):
    story = engine(loss())
    story.journal.records.clear()
    story.journal.last_seq = 0
    story.begin(Beginning.RESUME)
    story.take(story.quote(21_000.0), story.fill(10, 21_000.0), story.quote(20_900.0))
    with pytest.raises(NotTraceable):
        make(story.journal, tmp_path, registry_of)
