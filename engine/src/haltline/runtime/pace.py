"""Settings of the interpreter that keep its pauses short; for a process that does nothing but guard accounts."""

import gc
import sys

SWITCH_S = 0.0005
"""How long the event loop may keep the writer's thread waiting for the interpreter, in seconds."""


def calm() -> None:
    """Clear up after loading, then never look at what was loaded again: collections stay short from here on.

    Call it once everything is loaded, and `settle` once the engine guards. They change the whole process, which is why
    the engine does not do it by itself: a program of yours that embeds it may want other settings.
    """
    sys.setswitchinterval(SWITCH_S)
    gc.collect()
    gc.freeze()


def settle() -> None:
    """Leave what the start has made out of all later collections; takes no time."""
    gc.freeze()
