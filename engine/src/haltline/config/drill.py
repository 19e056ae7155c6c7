"""The section `drills:` of a set-up: drills of the alarm path on certain days at a certain time."""

import re
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass

from haltline.clock import NS_PER_S
from haltline.config.finding import Findings, did_you_mean
from haltline.config.source import MappingNode, Node, ScalarNode
from haltline.errors import Place
from haltline.model.rule import Severity
from haltline.rules.schedule import Window, parse_window

WAIT_NS = 120 * NS_PER_S
"""How long an acknowledgement is waited for where the set-up says nothing."""
LONGEST_NS = 3600 * NS_PER_S
_AT = re.compile(r"(?:(?P<days>[a-z,-]+)\s+)?(?P<time>\d{1,2}:\d{2})\s+(?P<zone>\S+)", re.IGNORECASE)
_CURE = "write a day, a time and a zone: mon 08:30 Europe/Berlin"


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillEntry:
    """One drill that comes again: it begins whenever `at` opens. `wait_ns` is how long somebody has to acknowledge it,
    0 where nobody needs to; without an `account` it is of the first one. With `flatten` it also flattens that account,
    where no money may be real."""

    name: str
    at: Window
    account: str = ""
    severity: Severity = Severity.CRITICAL
    wait_ns: int = WAIT_NS
    flatten: bool = False
    place: Place | None = None

    def next_after(self, instant_ns: int) -> int | None:
        """The next time it begins (UTC nanoseconds)."""
        return self.at.next_opening(instant_ns, self.at.zone or "UTC")


def bind_drills(
    node: MappingNode | None, accounts: Sequence[str], findings: Findings, *, practice: Collection[str] = ()
) -> tuple[DrillEntry, ...]:
    """The section; E425 for an account there is not, E444 for a time that is none or a wait that is too long, E448 for
    a flatten of an account that is none of `practice`."""
    return tuple(
        entry
        for name, each in (node.entries.items() if node is not None else ())
        if isinstance(each, MappingNode)
        for entry in _entry(name, each, accounts, findings, practice)
    )


def _entry(
    name: str, node: MappingNode, accounts: Sequence[str], findings: Findings, practice: Collection[str]
) -> Iterator[DrillEntry]:
    where = f"drill {name!r}"
    account, severity = _text(node.get("account")), _text(node.get("severity"))
    if account and account not in accounts:
        cure = did_you_mean(account, accounts, sort="accounts")
        findings.add("E425", node.place_of("account"), f"unknown account {account!r}", cure, where=where)
    wait_ns = node.duration_ns("wait", WAIT_NS)
    if wait_ns > LONGEST_NS:
        findings.add("E444", node.place_of("wait"), "a drill waits at most an hour", "write 1h or less", where=where)
    flatten, flattened = _text(node.get("flatten")).lower() == "true", account or next(iter(accounts), "")
    if flatten and flattened in accounts and flattened not in practice:
        findings.add(
            "E448", node.place_of("flatten"), f"account {flattened!r} may hold real money",
            "leave 'flatten' out, or name an account at the paper exchange", where=where,
        )  # fmt: skip
    try:
        at = _window(_text(node.get("at")))
    except ValueError as error:
        findings.add("E444", node.place_of("at"), str(error).partition("; ")[0], _CURE, where=where)
        return
    yield DrillEntry(
        name=name, at=at, account=account, wait_ns=wait_ns, flatten=flatten, place=node.place,
        severity=Severity(severity) if severity in list(Severity) else Severity.CRITICAL,
    )  # fmt: skip


def _window(text: str) -> Window:
    """A day long from the time on, so that it opens then; raises ValueError in plain words."""
    found = _AT.fullmatch(text)
    if found is None:
        raise ValueError(f"{text!r} is no time of a drill")
    days = f"{found['days']} " if found["days"] else ""
    window = parse_window(f"{days}{found['time']}-{found['time']} {found['zone']}")
    assert isinstance(window, Window)
    return window


def _text(node: Node | None) -> str:
    return node.text.strip() if isinstance(node, ScalarNode) else ""
