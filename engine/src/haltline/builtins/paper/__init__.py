"""A simulated broker in two layers.

Modules: `venue` (the whole exchange: synchronous, deterministic, no clock) · `book` (what it remembers) · `order`
(one order) · `ledger` (cash and positions, exact) · `price` (what a quote lets one trade at) · `admit` (refusals at
the door) · `match` (when an order fills) · `margin` · `setting` (the `config` section) · `store` (a crash-safe copy
of the book) · `broker` (the `api.Broker` on top).
In: orders, quotes, time as an argument. Out: model events through a sink. Never: a clock read below `broker`,
randomness, or an event that is pushed before the book that explains it is on disk.
"""
