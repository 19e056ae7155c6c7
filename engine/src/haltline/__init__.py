"""Haltline keeps trading accounts inside their limits.

The public surface is small: `Haltline` to embed the engine, `haltline.api` for plugin authors,
`haltline.testing` for their tests. Everything else may change without notice.
"""

__version__ = "0.1.0"
