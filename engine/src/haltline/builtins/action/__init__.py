"""The built-in actions: `state` (kernel and notifier), `order` (cancel, flatten), `size` (close, reduce, protect).

In: a `PlannedAction` and the desk. Out: desk verbs, nothing else. Never: a broker, a clock, or a retry of its own.
"""
