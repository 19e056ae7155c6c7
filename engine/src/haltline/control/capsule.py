"""A capsule: one incident's complete evidence in one file, and what can be wrong with one.

Its parts: `manifest.json` what it is and the digest of every other part · `basis.json` rules, accounts, instruments and
versions · `snapshot.bin` the kernel just before (absent where the journal itself begins there) · `records.jsonl` the
slice of the journal, each record with its place in the hash chain · `explanation.json` why it fired ·
`messages.jsonl` what people were told · `rules/` the rule files as texts.
"""

import msgspec

from haltline.errors import EngineError
from haltline.journal.record import RecordKind

FORMAT = "haltline-capsule"
VERSION = 1
SUFFIX = ".capsule"

MANIFEST = "manifest.json"
BASIS = "basis.json"
SNAPSHOT = "snapshot.bin"
RECORDS = "records.jsonl"
EXPLANATION = "explanation.json"
MESSAGES = "messages.jsonl"
RULES = "rules/"


def file_stem(name: str) -> str:
    """A name for a file, whatever the id of an incident or rule says: nothing that a path could be made of."""
    return "".join(letter if letter.isalnum() or letter in "._" else "-" for letter in name).lstrip(".") or "incident"


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """One part of a capsule."""

    sha256: str
    size: int


class IncidentFacts(msgspec.Struct, frozen=True, kw_only=True):
    """Which incident it is. Instants in UTC nanoseconds; `ended_at` None while it lives."""

    id: str
    rule: str
    entity: str
    phase: str
    opened_at: int
    fired_at: int | None = None
    ended_at: int | None = None


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Which records of which journal: `first` to `last`, chained behind the digest `before`.

    `head_seq` and `head` are where the journal ended when the capsule was made; `is_open` that the incident still
    lived, so that the last decisions may not have been on record yet.
    """

    first: int
    last: int
    before: str
    head_seq: int
    head: str
    is_open: bool = False


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """What a capsule is. `proof` is ``identical``, or how its replay differed from the record when it was made.

    `taken_from` is the record whose saved state the capsule was made from; None for the journal's beginning.
    """

    format: str
    version: int
    engine: str
    python: str
    plugins: dict[str, str]
    rules: str
    incident: IncidentFacts
    journal: Slice
    lead_ns: int
    transitions: int
    plans: int
    proof: str
    taken_from: int | None = None
    hidden: int = 0
    parts: dict[str, Part] = {}


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One record of the slice. The body of a `hidden` one held a secret, and was changed."""

    seq: int
    at: int
    kind: RecordKind
    body: msgspec.Raw
    digest: str
    hidden: bool = False


class CapsuleError(EngineError):
    """A capsule cannot be made or used; `code` is stable."""

    code = "E720"

    def __init__(self, what: str, cure: str) -> None:
        self.what = what
        self.cure = cure
        super().__init__(f"{what}; {cure} [{self.code}]")


class NotACapsule(CapsuleError):
    """The file is something else."""

    code = "E720"


class CapsuleDamaged(CapsuleError):
    """The file is not what was written."""

    code = "E721"


class CapsuleNewer(CapsuleError):
    """The file was written by a later version."""

    code = "E722"


class UnknownIncident(CapsuleError):
    """The journal has no such incident."""

    code = "E723"


class NotTraceable(CapsuleError):
    """The journal does not hold what deciding again needs."""

    code = "E724"


class HoldsSecret(CapsuleError):
    """A secret of the set-up would get into the capsule."""

    code = "E725"


class NotATest(CapsuleError):
    """The incident cannot be told as a test of its rule."""

    code = "E726"
