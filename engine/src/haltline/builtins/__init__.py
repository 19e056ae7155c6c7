"""First-party plugins, registered through the same hooks as everybody else's.

Modules: `plugin` (the hooks) · `action` (what rules may do) · `paper` (a simulated broker) · `replay` (recordings of
bars, ticks and fills) · `calendar` (trading hours) · `notifier` (console, JSON lines) · `function` (without data).
In: what the hooks of `haltline.api` hand over. Out: registrations. Never: state of the engine, or a privilege that a
third-party plugin does not have.
"""
