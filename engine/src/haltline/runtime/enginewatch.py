"""What the guardian knows of the engine: whether it lives, and which accounts nobody but the guardian guards now.

An engine may live and not reach one broker: its key was revoked, its route is broken, its plugin fails. So each
account has a silence of its own: the time, really watched, since the engine last said that it guards that account.
What an older engine says counts for every account.
"""

from collections.abc import Iterable
from functools import partial

from haltline.clock import NS_PER_S, format_duration
from haltline.model.account import AccountSpec
from haltline.model.id import AccountId
from haltline.runtime.heartbeat import Heartbeat, Vigil, is_guarded

NOT_SAID = "the engine does not say why"


class EngineWatch:
    """Heartbeats in; silence of the engine, and of each of `accounts`, out. `look` moves it."""

    def __init__(self, accounts: Iterable[AccountId], *, silence_ns: int, longest_gap_ns: int) -> None:
        self._whole = Vigil(silence_ns=silence_ns, longest_gap_ns=longest_gap_ns)
        self._single = {
            account: Vigil(
                silence_ns=silence_ns, longest_gap_ns=longest_gap_ns, is_sign=partial(is_guarded, account=account)
            )
            for account in accounts
        }

    @property
    def is_silent(self) -> bool:
        """Whether the engine gave no sign of life for longer than allowed."""
        return self._whole.is_silent

    @property
    def last(self) -> Heartbeat | None:
        """The newest heartbeat, alive or not."""
        return self._whole.last

    @property
    def away(self) -> frozenset[AccountId]:
        """The accounts that the engine has not guarded for longer than allowed: all of them once it is silent."""
        return frozenset(account for account, vigil in self._single.items() if vigil.is_silent)

    def look(self, beat: Heartbeat | None, now: int) -> None:
        """Note the newest heartbeat (None: there is none to be read)."""
        for vigil in (self._whole, *self._single.values()):
            vigil.look(beat, now)

    def silent_for(self, account: AccountId | None = None) -> str:
        """For how long, in words: the engine, or about one account."""
        vigil = self._whole if account is None else self._single[account]
        return format_duration(vigil.silent_ns // NS_PER_S * NS_PER_S)

    def reason(self, account: AccountId) -> str:
        """Why the engine does not guard an account, in its own words."""
        told = self.last.accounts.get(account) if self.last is not None else None
        if told is None:
            return "the engine does not know it: does it run on the same set-up?"
        return told.unguarded or NOT_SAID

    def absence(self, account: AccountId) -> str:
        """In a clause: why the guardian acts on it."""
        return "the engine is silent" if self.is_silent else "the engine does not guard it"

    def is_live(self, account: AccountSpec) -> bool:
        """Whether the account is armed: by the engine's last word, else by the set-up."""
        told = self.last.accounts.get(account.id) if self.last is not None else None
        return told.live if told is not None else account.live
