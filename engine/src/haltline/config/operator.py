"""The sections `operators:`, `control:` and `surfaces:` of a set-up: who may do what, and where they may say it."""

import base64
import binascii
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from fnmatch import fnmatchcase

from haltline.api.control import Role
from haltline.config.finding import Findings, did_you_mean
from haltline.config.rule import texts_of
from haltline.config.source import ListNode, MappingNode, ScalarNode
from haltline.errors import Place
from haltline.model.rule import Severity

LOCAL = "local"
"""The platform of people at the engine's own machine; they are known by the name of their user."""


class Second(StrEnum):
    """What confirms a command that makes room, besides a press: nothing, another operator, a one-time code."""

    NONE = "press"
    PERSON = "second-person"
    CODE = "code"


@dataclass(frozen=True, slots=True, kw_only=True)
class OperatorEntry:
    """One person. `accounts` are patterns (``eval*``); `identities` their ids on each platform; `totp` a secret."""

    name: str
    role: Role
    accounts: tuple[str, ...] = ("*",)
    identities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    totp: str = field(default="", repr=False)
    place: Place | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ControlEntry:
    """How commands are confirmed: within `confirm_within_ns`, with what for those that make room; how many an operator
    may send a minute; `roles` overrides the role a command needs."""

    loosening: Second = Second.NONE
    confirm_within_ns: int = 120_000_000_000
    per_minute: int = 60
    roles: Mapping[str, Role] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class SurfaceEntry:
    """One front end: its name in this set-up, its registered kind, its valid `config`; what it hears as a channel."""

    name: str
    kind: str
    config: Mapping[str, object] = field(default_factory=dict)
    severities: tuple[Severity, ...] = tuple(Severity)
    place: Place | None = None


def bind_operators(node: MappingNode | None, accounts: Sequence[str], findings: Findings) -> tuple[OperatorEntry, ...]:
    """The section `operators:`; E440 for an identity of two people, E441 for accounts there are not, E442 for a secret
    that is none."""
    entries = []
    owners: dict[tuple[str, str], str] = {}
    for name, each in _named(node):
        where = f"operator {name!r}"
        identities = dict(_identities(each))
        for platform, ids in identities.items():
            for user in ids:
                other = owners.setdefault((platform, user), name)
                if other != name:
                    findings.add(
                        "E440", each.place_of("identities"), f"{platform} {user!r} is {other!r} already",
                        "one id is one person: give it to one of them", where=where,
                    )  # fmt: skip
        _check_accounts(each, accounts, findings, where)
        totp = _text(each, "totp")
        if totp and not is_secret(totp):
            cure = "it must be at least 16 letters A-Z and digits 2-7 (base32), as authenticators show it"
            findings.add("E442", each.place_of("totp"), "the secret of the one-time codes is none", cure, where=where)
        entries.append(
            OperatorEntry(
                name=name, role=Role(_text(each, "role")), accounts=texts_of(each.get("accounts")) or ("*",),
                identities=identities, totp=totp, place=each.place,
            )
        )  # fmt: skip
    return tuple(entries)


def bind_control(node: MappingNode | None, operators: Sequence[OperatorEntry], findings: Findings) -> ControlEntry:
    """The section `control:`; E443 where what makes room could then be confirmed by nobody."""
    default = ControlEntry()
    if node is None:
        return default
    loosening = Second(_text(node, "loosening") or default.loosening)
    able = [operator for operator in operators if operator.role.rank >= Role.RISK_MANAGER.rank]
    enough = len(able) > 1 if loosening is Second.PERSON else any(operator.totp for operator in able)
    if loosening is not Second.NONE and not enough:
        cure = {
            Second.PERSON: "list two operators of role risk-manager or admin",
            Second.CODE: "give 'totp' to an operator of role risk-manager or admin",
        }[loosening]
        what = f"with {loosening.value!r} nobody could confirm what makes room"
        findings.add("E443", node.place_of("loosening"), what, cure, where="control")
    roles = node.get("roles")
    per_minute = _text(node, "per_minute")
    return ControlEntry(
        loosening=loosening,
        confirm_within_ns=node.duration_ns("confirm_within", default.confirm_within_ns),
        per_minute=int(per_minute) if per_minute else default.per_minute,
        roles={
            name: Role(value.text)
            for name, value in (roles.entries.items() if isinstance(roles, MappingNode) else ())
            if isinstance(value, ScalarNode)
        },
    )


def is_secret(text: str) -> bool:
    """Whether a text can be the secret of one-time codes: base32 of at least ten bytes."""
    bare = text.replace(" ", "").upper()
    try:
        return len(base64.b32decode(bare + "=" * (-len(bare) % 8))) >= 10
    except (binascii.Error, ValueError):
        return False


def _check_accounts(node: MappingNode, accounts: Sequence[str], findings: Findings, where: str) -> None:
    given = node.get("accounts")
    items = given.items if isinstance(given, ListNode) else (given,) if given is not None else ()
    for item in items:
        if isinstance(item, ScalarNode) and not any(fnmatchcase(name, item.text) for name in accounts):
            cure = did_you_mean(item.shown, accounts, sort="accounts")
            findings.add("E441", item.place, f"no account fits {item.shown!r}", cure, where=where)


def _identities(node: MappingNode) -> Iterator[tuple[str, tuple[str, ...]]]:
    given = node.get("identities")
    for platform, value in given.entries.items() if isinstance(given, MappingNode) else ():
        yield platform, texts_of(value)


def _named(node: MappingNode | None) -> Iterator[tuple[str, MappingNode]]:
    for name, each in node.entries.items() if node is not None else ():
        if isinstance(each, MappingNode):
            yield name, each


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.text.strip() if isinstance(value, ScalarNode) else ""
