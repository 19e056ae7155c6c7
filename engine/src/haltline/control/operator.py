"""Who a caller is here, and what they may do. Nobody is anybody until the set-up says so."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase

from haltline.api.control import Caller, Command, Role
from haltline.config.operator import LOCAL, OperatorEntry


@dataclass(frozen=True, slots=True, kw_only=True)
class Operator:
    """One person known here. `accounts` are those of the set-up that they may see and command."""

    name: str
    role: Role
    accounts: tuple[str, ...]
    entry: OperatorEntry


class OperatorBook:
    """All operators of a set-up.

    Where the set-up names none, `owner`, the user that runs the engine, is an admin at its own machine, and nobody
    else is anybody.
    """

    def __init__(
        self, entries: Sequence[OperatorEntry], accounts: Sequence[str], *, owner: str, roles: Mapping[str, Role]
    ) -> None:
        if not entries and owner:
            entries = [OperatorEntry(name=owner, role=Role.ADMIN, identities={LOCAL: (owner,)})]
        self._accounts = tuple(accounts)
        self._roles = roles
        self._operators = {entry.name: self._operator(entry) for entry in entries}
        self._people = {
            (platform, user): entry.name
            for entry in entries
            for platform, users in entry.identities.items()
            for user in users
        }

    def find(self, caller: Caller) -> Operator | None:
        """Who this is, by platform and that platform's own id; None for anybody not listed."""
        name = self._people.get((caller.platform, caller.user))
        return self._operators.get(name) if name is not None else None

    def all(self) -> tuple[Operator, ...]:
        """All operators."""
        return tuple(self._operators.values())

    def people(self) -> dict[str, tuple[str, ...]]:
        """The ids that operators have, by platform."""
        found: dict[str, list[str]] = {}
        for platform, user in self._people:
            found.setdefault(platform, []).append(user)
        return {platform: tuple(users) for platform, users in found.items()}

    def role_for(self, command: Command) -> Role:
        """The role a command needs in this set-up."""
        return self._roles.get(command.name, command.role)

    def may_use(self, operator: Operator, command: Command) -> bool:
        """Whether the operator's role is enough, whatever the account."""
        return operator.role.rank >= self.role_for(command).rank

    def may(self, operator: Operator, command: Command, accounts: Sequence[str]) -> bool:
        """Whether the operator may use a command on all of these accounts."""
        return self.may_use(operator, command) and set(accounts) <= set(operator.accounts)

    def _operator(self, entry: OperatorEntry) -> Operator:
        accounts = tuple(
            account for account in self._accounts if any(fnmatchcase(account, pattern) for pattern in entry.accounts)
        )
        return Operator(name=entry.name, role=entry.role, accounts=accounts, entry=entry)
