"""The set-up against the rules: names that rules mention, and what the brokers can do."""

from collections.abc import Iterable

from haltline.api.registry import Registry
from haltline.config.finding import Findings, did_you_mean, listing
from haltline.config.settings import RuleBook, Setup
from haltline.errors import Problem
from haltline.model.rule import ActionSpec, RuleMode, RuleSpec


def check_mentions(setup: Setup, book: RuleBook) -> list[Problem]:
    """E425 for every account or symbol that an override names and the set-up does not know."""
    findings = Findings()
    accounts = [str(account.id) for account in setup.accounts]
    symbols = [str(spec.symbol) for spec in setup.instruments]
    names = {name for spec in setup.instruments for name in (spec.symbol, *spec.aliases)}
    for mention in book.mentions:
        known = accounts if mention.sort == "account" else symbols
        if mention.name not in known and not (mention.sort == "symbol" and mention.name in names):
            findings.add(
                "E425", mention.place, f"unknown {mention.sort} {mention.name!r}",
                did_you_mean(mention.name, known, sort=f"{mention.sort}s"), where=mention.where,
            )  # fmt: skip
    return findings.problems


def check_capabilities(setup: Setup, book: RuleBook, registry: Registry) -> list[Problem]:
    """E426 for every action that the broker of some account cannot carry out.

    An error where such an account is live and the rule acts, otherwise a warning.
    """
    findings = Findings()
    for spec in book.rules:
        if spec.mode is RuleMode.OFF:
            continue
        for action in actions_of(spec):
            _check_action(setup, spec, action, registry, findings)
    return findings.problems


def _check_action(setup: Setup, spec: RuleSpec, given: ActionSpec, registry: Registry, findings: Findings) -> None:
    action = registry.actions.get(given.name)
    for broker in setup.brokers:
        kind = registry.brokers.get(broker.kind)
        accounts = [account for account in setup.accounts if account.broker == broker.name]
        if action is None or kind is None or not accounts:
            continue
        missing = sorted(need.value for need in action.needs - kind.capabilities)
        if not missing:
            continue
        live = any(account.live for account in accounts) and spec.mode is RuleMode.LIVE
        note = findings.add if live else findings.warn
        note(
            "E426", given.place or spec.places.get(""),
            f"the broker {broker.name!r} cannot do {given.name!r}: it lacks {listing(missing)}",
            "use another action, or keep its accounts in shadow mode", where=f"rule {str(spec.id)!r}",
        )  # fmt: skip


def actions_of(spec: RuleSpec) -> Iterable[ActionSpec]:
    """All actions a rule may take."""
    yield from (*spec.then, *spec.warn_then, *spec.on_clear)
    for step in spec.limit.steps if spec.limit is not None else ():
        yield from step.then
    for louder in spec.escalate:
        yield from louder.then
