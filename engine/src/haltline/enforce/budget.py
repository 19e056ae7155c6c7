"""How long an action may take, and how its repeats are spaced."""

from dataclasses import dataclass

from haltline.clock import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of one action. `call_s` is the real time one call to a broker may take; the rest is on the clock.

    Repeats wait `first_wait_ns`, then twice as long each time up to `longest_wait_ns`. A position that does not yet
    show an execution the venue has confirmed is given `settle_ns` before more is sent.
    """

    action_ns: int = 30 * NS_PER_S
    call_s: float = 10.0
    first_wait_ns: int = NS_PER_S // 20
    longest_wait_ns: int = 2 * NS_PER_S
    settle_ns: int = 3 * NS_PER_S
    orders: int = 25

    def wait_ns(self, attempt: int) -> int:
        """The pause after the given attempt (0 for the first)."""
        return min(self.longest_wait_ns, self.first_wait_ns << min(attempt, 30))
