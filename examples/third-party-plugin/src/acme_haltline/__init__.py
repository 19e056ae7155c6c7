"""An example plugin: `plugin` registers `rate` (a function), `outbox` (a channel) and `derisk` (an action)."""
