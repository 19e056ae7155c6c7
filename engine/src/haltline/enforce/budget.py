"""How long an action may take, how its repeats are spaced, and how long its result must hold."""

from dataclasses import dataclass

from haltline.clock import NS_PER_S


@dataclass(frozen=True, slots=True, kw_only=True)
class Budget:
    """Limits of one action. `call_s` is the real time one call to a broker may take; the rest is on the clock.

    Repeats wait `first_wait_ns`, then twice as long each time up to `longest_wait_ns`. A position that does not yet
    show an execution the venue has confirmed is given `settle_ns` before more is sent. An action that must give way to
    a stronger one may finish a request under way within `grace_s` of real time. An action about several things leaves
    an order that it cannot cancel after `cancel_ns`, and a position that it cannot reduce after `part_ns`, and goes on.

    A flatten or close is done once it was so for `hold_ns`, by the broker's pushes and by a pull. Pushes that lag are
    given `push_ns`; meanwhile both are looked at whenever the state changed, and at least every `look_ns`.
    """

    action_ns: int = 30 * NS_PER_S
    call_s: float = 10.0
    grace_s: float = 0.15
    first_wait_ns: int = NS_PER_S // 20
    longest_wait_ns: int = 2 * NS_PER_S
    settle_ns: int = 3 * NS_PER_S
    hold_ns: int = NS_PER_S
    push_ns: int = 3 * NS_PER_S
    look_ns: int = NS_PER_S // 20
    orders: int = 25
    cancel_ns: int = 2 * NS_PER_S
    part_ns: int = 5 * NS_PER_S

    def wait_ns(self, attempt: int) -> int:
        """The pause after the given attempt (0 for the first)."""
        return min(self.longest_wait_ns, self.first_wait_ns << min(attempt, 30))
