"""What another rule set, or one more fill, would do now: tried on a copy of the state, so that nothing real moves."""

from haltline.api.registry import Registry
from haltline.compose.kernel import build_state
from haltline.config.settings import Setup
from haltline.kernel.kernel import Kernel
from haltline.model.event import Fill
from haltline.model.plan import Result
from haltline.rules.compile import CompiledRules


def rehearse(
    setup: Setup, registry: Registry, *, state: bytes, current: CompiledRules, other: CompiledRules, now: int
) -> Result:
    """The result of replacing the rules `current` by `other` at the instant `now`, in a kernel whose snapshot is
    `state`; raises whatever the exchange itself would raise."""
    return _copy(setup, registry, state=state, current=current, now=now).replace_rules(other, now)


def rehearse_fill(
    setup: Setup, registry: Registry, *, state: bytes, current: CompiledRules, fill: Fill, now: int
) -> Result:
    """The result of a fill that nobody has made, in a kernel whose snapshot is `state`; raises DataRefused for one that
    no account could have."""
    return _copy(setup, registry, state=state, current=current, now=now).step(fill, now)


def _copy(setup: Setup, registry: Registry, *, state: bytes, current: CompiledRules, now: int) -> Kernel:
    copy = Kernel(build_state(setup, registry, now=now), current)
    copy.restore(state)
    return copy
