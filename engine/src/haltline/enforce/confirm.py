"""Is it really so, and does it stay so: two witnesses, and a time for which both must agree.

A pull has shown that a flatten or close is through. Now the broker's pushes must show it too, nothing may come up for
the hold time, and a last pull must show it again. Pushes that lag are waited for and then corrected from a pull; a
broker without pushes is asked twice, as far apart as the hold time.
"""

from dataclasses import dataclass
from enum import Enum, auto

from haltline.clock import format_duration
from haltline.enforce.budget import Budget
from haltline.journal.receipt import Proof


class Step(Enum):
    """What is to be done next."""

    WAIT = auto()
    PULL = auto()
    CORRECT = auto()
    CONCLUDE = auto()
    DOUBT = auto()


@dataclass(slots=True)
class Confirmation:
    """One flatten or close on its way to being proven. All instants are the clock's; `wake_at` is when to look again.

    `reached_at` is when the pull was asked for that first showed it, `pulled_at` the newest one.
    """

    budget: Budget
    reached_at: int
    pulled_at: int
    wake_at: int = 0
    agreed_at: int | None = None
    lagging_since: int | None = None
    corrected_at: int | None = None
    listens: bool = False
    failures: int = 0

    def next_step(self, now: int, *, agrees: bool | None) -> Step:
        """Judge by what the pushes show now: `agrees`, or None where there are none to go by."""
        self.wake_at = now + self.budget.look_ns
        if now > self.reached_at + self.budget.action_ns + self.budget.hold_ns + 2 * self.budget.push_ns:
            return Step.DOUBT
        self.listens = agrees is not None
        if agrees is None:
            self.agreed_at = None
            return self._once_held(now, self.reached_at)
        if agrees:
            self.agreed_at = now if self.agreed_at is None else self.agreed_at
            return self._once_held(now, max(self.agreed_at, self.reached_at))
        return self._while_they_differ(now)

    def pulled(self, at: int) -> None:
        """A pull asked for at that instant shows it still."""
        self.pulled_at, self.failures = at, 0

    def failed(self, now: int) -> None:
        """The broker could not be asked."""
        self.wake_at = now + self.budget.wait_ns(self.failures)
        self.failures += 1

    def corrected(self, now: int) -> None:
        """The pushes were silent; the kernel was told what the pull shows."""
        self.corrected_at = self.lagging_since = now

    @property
    def proof(self) -> Proof:
        """Who has confirmed it."""
        is_pushed = self.listens and self.agreed_at is not None and self.corrected_at is None
        return Proof.PUSH_AND_PULL if is_pushed else Proof.PULL_TWICE

    @property
    def note(self) -> str:
        """Why it was not the pushes; empty if it was."""
        if self.proof is Proof.PUSH_AND_PULL:
            return ""
        if self.corrected_at is None:
            return "the broker pushes nothing to go by"
        return f"its pushes did not show it for {format_duration(self.budget.push_ns)} and were corrected"

    def held_ns(self, now: int) -> int:
        """For how long it was watched."""
        return now - (self.reached_at if self.agreed_at is None else max(self.agreed_at, self.reached_at))

    def _once_held(self, now: int, since: int) -> Step:
        end = since + self.budget.hold_ns
        if now >= end:
            return Step.CONCLUDE
        self.wake_at = min(end, self.wake_at) if self.listens else end
        return Step.WAIT

    def _while_they_differ(self, now: int) -> Step:
        """The pushes show something else: something new has come up, or they lag."""
        if self.agreed_at is not None:
            self.agreed_at, self.lagging_since = None, now
            return Step.PULL
        if self.lagging_since is None:
            self.lagging_since = now
        if now >= self.lagging_since + self.budget.push_ns:
            return Step.CORRECT if self.corrected_at is None else Step.DOUBT
        return Step.PULL if now >= self.pulled_at + max(self.budget.hold_ns, self.budget.look_ns) else Step.WAIT
