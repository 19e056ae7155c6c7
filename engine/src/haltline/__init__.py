"""Haltline keeps trading accounts inside their limits.

The public surface is small: `Haltline` to embed the engine, `haltline.api` for plugin authors,
`haltline.testing` for their tests. Everything else may change without notice.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from haltline.runtime.embed import Haltline as Haltline

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    """Import the engine only when somebody asks for it: plugins and the command line start faster without."""
    if name == "Haltline":
        from haltline.runtime.embed import Haltline  # noqa: PLC0415 - start-up time

        return Haltline
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
