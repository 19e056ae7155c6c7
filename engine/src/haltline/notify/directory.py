"""What messages say of rules and accounts beside a result: labels and locks, as the kernel and the set-up have them."""

from collections.abc import Iterable, Mapping

from haltline.api.field import Kind
from haltline.config.settings import Setup
from haltline.kernel.kernel import Kernel
from haltline.model.plan import Lock
from haltline.notify.notice import Directory
from haltline.rules.incident import Incident
from haltline.rules.rule import account_of


def directory_of(setup: Setup, kernel: Kernel) -> Directory:
    """Looks up what holds at that moment: rules may be others after a reload."""
    accounts: dict[str, Mapping[str, str]] = {account.id: account.labels for account in setup.accounts}

    def rule_labels(rule: str) -> Mapping[str, str]:
        return next((each.spec.labels for each in kernel.index.rules if each.id == rule), {})

    def locks() -> Iterable[Lock]:
        return list(kernel.governor.locks)

    def unit(rule: str, account: str) -> str:
        found = next((each for each in kernel.index.rules if each.id == rule), None)
        value = found.checked.value if found is not None else None
        known = kernel.state.accounts.get(account)
        if value is None or known is None:
            return ""
        return {Kind.MONEY: str(known.currency), Kind.FRACTION: "%"}.get(value.kind, "")

    return Directory(
        rule_labels=rule_labels, account_labels=lambda account: accounts.get(account, {}), locks=locks, unit=unit
    )


def live_labels(setup: Setup, kernel: Kernel) -> dict[str, dict[str, str]]:
    """The labels of every live incident."""
    directory = directory_of(setup, kernel)
    return {incident.id: _labels(incident, directory) for incident in kernel.live.values()}


def _labels(incident: Incident, directory: Directory) -> dict[str, str]:
    account = account_of(incident.entity)
    own = {
        "kind": "incident", "severity": incident.rule.severity.value, "rule": str(incident.rule.id),
        "entity": str(incident.entity.key), "account": str(account.id) if account is not None else "",
        "symbol": str(getattr(incident.entity, "symbol", None) or ""), "phase": incident.phase.value,
        "incident": str(incident.id),
    }  # fmt: skip
    named = {name: text for name, text in own.items() if text}
    return {**directory.account_labels(own["account"]), **directory.rule_labels(own["rule"]), **named}
