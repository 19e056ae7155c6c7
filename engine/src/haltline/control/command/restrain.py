"""Holding accounts back, and making room: lock, unlock, pause, resume, override, revoke."""

from functools import partial

import msgspec

from haltline.api.control import Argument, ArgumentKind, Call, Command, Confirm, Role
from haltline.api.reply import Button, Paragraph, Reply, Tone
from haltline.clock import NS_PER_S, format_duration
from haltline.control.command.reading import (
    ACCOUNT,
    MAYBE_REASON,
    REASON,
    number_of,
    reason_of,
    take,
    text_of,
    until_of,
)
from haltline.control.door import Door
from haltline.kernel.loosening import policy_of_rule
from haltline.model.event import LockRequest, OverrideGrant, OverrideRevoke, Release
from haltline.model.id import AccountId, RuleId, Symbol
from haltline.model.loosening import LooseningPolicy
from haltline.model.plan import Lock

SECTION = "Restrain"
_LONGEST_S = 100 * 365 * 86_400.0


class Restraints:
    """Commands about locks, pauses and overrides."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        length = Argument(
            name="for", meaning="how long; until lifted if left out", kind=ArgumentKind.DURATION, required=False
        )
        symbol = Argument(name="symbol", meaning="only this symbol", kind=ArgumentKind.SYMBOL, required=False)
        return (
            Command(
                name="lock", meaning="Stop new risk: entries are refused, what is opened is closed.", run=self.lock,
                arguments=(ACCOUNT, length, symbol, MAYBE_REASON), account="account", mutates=True, role=Role.TRADER,
                confirm=Confirm.PRESS, text=self.lock_text, section=SECTION, example="lock eval 1h because of the news",
            ),
            Command(
                name="unlock", meaning="Lift a lock before its time.", run=self.unlock,
                arguments=(Argument(name="lock", meaning="the lock", kind=ArgumentKind.LOCK), REASON), account="lock",
                mutates=True, role=Role.RISK_MANAGER, confirm=Confirm.LOOSENING, text=self.unlock_text, section=SECTION,
                example="unlock operator@eval it was a mistake",
            ),
            Command(
                name="pause", meaning="Stop entries of an account; nothing is closed.", run=self.pause,
                arguments=(ACCOUNT, length, MAYBE_REASON), account="account", mutates=True, role=Role.TRADER,
                section=SECTION, example="pause eval 30m lunch",
            ),
            Command(
                name="resume", meaning="End a pause.", run=self.resume, arguments=(ACCOUNT, MAYBE_REASON),
                account="account", mutates=True, role=Role.TRADER, confirm=Confirm.PRESS, text=self.resume_text,
                section=SECTION, example="resume eval",
            ),
            *self._overrides(),
        )  # fmt: skip

    def _overrides(self) -> tuple[Command, ...]:
        rule = Argument(name="rule", meaning="the rule", kind=ArgumentKind.RULE)
        entity = Argument(name="entity", meaning="what for: an account, or eval/MNQ", kind=ArgumentKind.ENTITY)
        length = Argument(name="for", meaning="how long", kind=ArgumentKind.DURATION)
        extra = Argument(
            name="extra", meaning="how much more room, in the limit's unit; an exemption if left out",
            kind=ArgumentKind.NUMBER, required=False,
        )  # fmt: skip
        grant = Argument(name="override", meaning="the override", kind=ArgumentKind.OVERRIDE)
        return (
            Command(
                name="override", meaning="Give a rule more room for something, or exempt it, for a while.",
                run=self.override, arguments=(rule, entity, length, extra, REASON), account="entity", mutates=True,
                role=Role.RISK_MANAGER, confirm=Confirm.LOOSENING, text=self.override_text, section=SECTION,
                example="override daily-loss eval 30m extra=150 the news is out",
            ),
            Command(
                name="revoke", meaning="Take an override back.", run=self.revoke, arguments=(grant, MAYBE_REASON),
                account="override", mutates=True, role=Role.TRADER, section=SECTION, example="revoke g1",
            ),
        )  # fmt: skip

    def lock_text(self, call: Call) -> str:
        """What a lock does."""
        scope = f"{text_of(call, 'symbol')} on {text_of(call, 'account')}" if text_of(call, "symbol") else ""
        about = scope or f"account {text_of(call, 'account')}"
        return (
            f"Lock {about} {_length(call)}, because: {reason_of(call)}. New entries are refused, working entry orders"
            " cancelled, and what is opened all the same is closed. Exits stay possible."
        )

    async def lock(self, call: Call) -> Reply:
        """An operator's lock."""
        account, symbol = AccountId(text_of(call, "account")), text_of(call, "symbol")
        event = LockRequest(
            at=call.now, received_at=call.now, account=account, operator=call.operator, reason=reason_of(call),
            symbol=Symbol(symbol) if symbol else None, until=_until(call),
        )  # fmt: skip
        name = f"operator@{account}{f'/{symbol}' if symbol else ''}"
        return await take(
            self._door, call, event, title=f"Locked {account} {symbol}".rstrip(), is_done=lambda: self._stands(name)
        )

    def unlock_text(self, call: Call) -> str:
        """What lifting it means."""
        name = text_of(call, "lock")
        lock = self._door.kernel.governor.locks.get(name)
        about = f" of account {lock.account} ({lock.reason})" if lock is not None else ""
        after = "New risk is possible again at once." if lock is None else self._after(lock)
        return f"Lift the lock {name}{about}, because: {reason_of(call)}. {after}"

    def _after(self, lock: Lock) -> str:
        """What lifting a lock changes: it may have to wait first, and it may not be the only one."""
        kernel = self._door.kernel
        policy = kernel.loosenings.policy.joined(policy_of_rule(kernel, lock.rule))
        others = [each.id for each in kernel.governor.locks.of_account(lock.account) if each.id != lock.id]
        if lock.symbol is not None:
            others += [each.id for each in kernel.governor.locks.of_symbol(lock.account, lock.symbol) if each != lock]
        still = f"{', '.join(others)} still hold{'s' if len(others) == 1 else ''}" if others else ""
        if policy is not LooseningPolicy.AT_ONCE:
            waits = f"It waits first, as what loosens does here ({policy}): `pending` shows until when."
            return f"{waits} And {still}." if still else waits
        return f"New risk stays banned: {still}." if still else "New risk is possible again at once."

    async def unlock(self, call: Call) -> Reply:
        """Lift it."""
        name = text_of(call, "lock")
        return await self._release(call, (name,), f"Unlocked: {name}")

    async def pause(self, call: Call) -> Reply:
        """Stop entries."""
        account = AccountId(text_of(call, "account"))
        event = LockRequest(
            at=call.now, received_at=call.now, account=account, operator=call.operator, reason=reason_of(call),
            until=_until(call), entries_only=True,
        )  # fmt: skip
        title = f"Paused {account} {_length(call)}"
        reply = await take(self._door, call, event, title=title, is_done=lambda: self._stands(f"pause@{account}"))
        button = Button(label="Resume", command="resume", arguments={"account": str(account)})
        return msgspec.structs.replace(reply, buttons=(button,) if self._stands(f"pause@{account}") else ())

    def resume_text(self, call: Call) -> str:
        """What resuming means."""
        return f"Resume account {text_of(call, 'account')}: entries are possible again, as far as rules allow."

    async def resume(self, call: Call) -> Reply:
        """End pauses: an operator's, and that of a flatten that was never proven."""
        account = text_of(call, "account")
        names = tuple(name for name in (f"pause@{account}", f"flatten@{account}") if self._stands(name))
        return await self._release(call, names or (f"pause@{account}",), f"Resumed {account}")

    def override_text(self, call: Call) -> str:
        """What the grant allows."""
        extra = number_of(call, "extra")
        what = f"{extra:g} more room" if extra is not None else "an exemption"
        return (
            f"Grant rule {text_of(call, 'rule')} {what} for {text_of(call, 'entity')}, {_length(call)}, because:"
            f" {reason_of(call)}. Until then it lets more through; then it reverts by itself."
        )

    async def override(self, call: Call) -> Reply:
        """A grant that ends by itself."""
        until = until_of(call)
        assert until is not None
        name = f"{text_of(call, 'rule')}-{call.operator}-{call.now // (NS_PER_S // 1000)}"
        event = OverrideGrant(
            at=call.now, received_at=call.now, grant_id=name, rule=RuleId(text_of(call, "rule")),
            entity=text_of(call, "entity"), until=until, operator=call.operator, reason=reason_of(call),
            extra=number_of(call, "extra"),
        )  # fmt: skip
        extra = number_of(call, "extra")
        what = f"{extra:g} more" if extra is not None else "exempt"
        title = f"Granted: {what} for {event.rule} on {event.entity}, {_length(call)}"
        reply = await take(self._door, call, event, title=title, is_done=lambda: self._granted(name))
        button = Button(label="Revoke", command="revoke", arguments={"override": name}, tone=Tone.WARNING)
        if not self._granted(name):
            return reply
        back = Paragraph(text=f"Take it back with: revoke {name}", tone=Tone.MUTED)
        return msgspec.structs.replace(reply, parts=(*reply.parts, back), buttons=(button,))

    async def revoke(self, call: Call) -> Reply:
        """Take it back."""
        name = text_of(call, "override")
        event = OverrideRevoke(
            at=call.now, received_at=call.now, grant_id=name, operator=call.operator, reason=reason_of(call)
        )
        return await take(self._door, call, event, title=f"Revoked {name}", is_done=lambda: not self._granted(name))

    async def _release(self, call: Call, names: tuple[str, ...], title: str) -> Reply:
        reply = Reply(title=title)
        for name in names:
            event = Release(
                at=call.now, received_at=call.now, operator=call.operator, reason=reason_of(call), lock_id=name
            )
            stood = self._stands(name)
            gone = partial(self._is_gone, name)
            reply = await take(self._door, call, event, title=title, is_done=gone if stood else _never)
        return reply

    def _stands(self, lock: str) -> bool:
        return self._door.kernel.governor.locks.get(lock) is not None

    def _is_gone(self, lock: str) -> bool:
        return not self._stands(lock)

    def _granted(self, name: str) -> bool:
        return any(grant.id == name for grant in self._door.kernel.overrides)


def _never() -> bool:
    return False


def _until(call: Call) -> int | None:
    """When it ends; None for never, which a hundred years are too."""
    length_s = number_of(call, "for")
    return None if length_s is None or length_s > _LONGEST_S else until_of(call)


def _length(call: Call) -> str:
    length_s = number_of(call, "for")
    return "until somebody lifts it" if length_s is None else f"for {format_duration(round(length_s * NS_PER_S))}"
