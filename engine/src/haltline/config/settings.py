"""The records that loading produces: the set-up and the book of rules."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path

from haltline.config.arming import ArmingTerms
from haltline.config.drill import DrillEntry
from haltline.config.evidence import EvidenceEntry
from haltline.config.operator import ControlEntry, OperatorEntry, SurfaceEntry
from haltline.config.routing import NotifyEntry
from haltline.errors import Place
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId
from haltline.model.instrument import InstrumentSpec
from haltline.model.loosening import LooseningPolicy
from haltline.model.plan import Caps
from haltline.model.rule import Definition, RuleSpec, Severity


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginEntry:
    """An entry point of group ``haltline`` to load besides the built-ins; a required one must load."""

    name: str
    required: bool = False
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerEntry:
    """One broker connection: its name in this set-up, its registered kind, its valid `config` (secrets resolved)."""

    name: str
    kind: str
    required: bool = True
    config: Mapping[str, object] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedEntry:
    """One source of prices or recording."""

    name: str
    kind: str
    required: bool = False
    config: Mapping[str, object] = field(default_factory=dict)
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelEntry:
    """One place that messages go to; it hears the severities listed."""

    name: str
    kind: str
    config: Mapping[str, object] = field(default_factory=dict)
    severities: tuple[Severity, ...] = tuple(Severity)
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupEntry:
    """Copies of the journal: one into `folder` (absolute) every `every_ns`; the newest `keep` of them stay."""

    folder: Path
    every_ns: int = 86_400_000_000_000
    keep: int = 7


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreEntry:
    """Where the journal is kept: `path` is absolute.

    Quotes older than `keep_quotes_ns` are removed, but for those that incidents younger than `keep_incidents_ns` need.
    """

    path: Path
    keep_quotes_ns: int = 86_400_000_000_000
    keep_incidents_ns: int = 7_776_000_000_000_000
    backup: BackupEntry | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardianEntry:
    """What `haltline guardian` does: the equity (in the account's currency) at which it flattens, by account.

    It acts once the engine was silent longer than `silence_ns`, and looks every `interval_ns`. `on_unknown` says what
    happens where an equity cannot be learnt then: ``alarm``, or ``block`` (also cancel orders that could open).
    """

    floors: Mapping[AccountId, Decimal] = field(default_factory=dict)
    silence_ns: int = 15_000_000_000
    interval_ns: int = 1_000_000_000
    on_unknown: str = "alarm"
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """A whole ``haltline.yaml``, valid. `directory` is the folder it stands in: relative paths start there.

    `live` is the default of accounts that do not say `mode`. `stale_after_ns` is the age at which a price is UNKNOWN
    for instruments that do not say their own. `rules` are the patterns as written; `rule_files` what they match now.
    `loosening` says when a change that guards less takes effect. `sources` maps each file read to its text, for
    excerpts; `places` tells where an entry or one of its values stands (``accounts.eval``, ``accounts.eval.calendar``),
    for problems that are found later.
    """

    path: Path
    directory: Path
    store: StoreEntry
    live: bool = False
    stale_after_ns: int = 10_000_000_000
    accounts: tuple[AccountSpec, ...] = ()
    brokers: tuple[BrokerEntry, ...] = ()
    feeds: tuple[FeedEntry, ...] = ()
    channels: tuple[ChannelEntry, ...] = ()
    guardian: GuardianEntry | None = None
    notify: NotifyEntry | None = None
    operators: tuple[OperatorEntry, ...] = ()
    control: ControlEntry = ControlEntry()  # noqa: RUF009 - frozen
    surfaces: tuple[SurfaceEntry, ...] = ()
    instruments: tuple[InstrumentSpec, ...] = ()
    rules: tuple[str, ...] = ()
    rule_files: tuple[Path, ...] = ()
    plugins: tuple[PluginEntry, ...] = ()
    loosening: LooseningPolicy = LooseningPolicy.AT_ONCE
    sources: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)
    evidence: EvidenceEntry = field(default_factory=EvidenceEntry)
    caps: Caps = field(default_factory=Caps)
    drills: tuple[DrillEntry, ...] = ()
    arming: ArmingTerms = field(default_factory=ArmingTerms)

    def account(self, name: str) -> AccountSpec | None:
        """The account of that id, or None."""
        return next((account for account in self.accounts if account.id == name), None)

    def broker(self, name: str) -> BrokerEntry | None:
        """The broker of that name, or None."""
        return next((broker for broker in self.brokers if broker.name == name), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Mention:
    """A rule file names an account or a symbol that the set-up must know. `sort` is ``account`` or ``symbol``."""

    sort: str
    name: str
    where: str
    place: Place


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleBook:
    """All rules of all files, templates expanded, valid as far as can be told without their expressions.

    `files` are the rule files and templates read, in order; `sources` their texts; `digest` identifies what the rules
    say, whatever their layout.
    """

    rules: tuple[RuleSpec, ...] = ()
    definitions: tuple[Definition, ...] = ()
    files: tuple[str, ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict)
    mentions: tuple[Mention, ...] = ()
    digest: str = ""
