"""Swap the rule set of a running kernel in one instant."""

from typing import Any

from haltline.expr.window import WindowNeed
from haltline.kernel.core import Core
from haltline.model.plan import Result
from haltline.rules.compile import CompiledRules
from haltline.rules.override import describe_override


def replace_rules(core: Core, compiled: CompiledRules, now: int) -> Result:
    """Incidents and windows of rules that did not change in meaning go on; the incidents of all others end."""
    out = core.move_to(now)
    windows = _windows_by_need(core)
    meanings = {checked.spec.id: checked.fingerprint for checked in compiled.rules}
    for incident in list(core.live.values()):
        if meanings.get(incident.rule.id) != incident.rule.fingerprint:
            core.lifecycle.resolve(incident, core.now, out, "the rule was changed or removed")
    kept = [rule.id for rule in core.index.rules if meanings.get(rule.id) == rule.fingerprint]
    for grant in core.overrides.keep_rules(kept):
        out.notices.append(f"ended, because its rule was changed or removed: {describe_override(grant)}")
    core.compiled = compiled
    core.index = core.link(compiled)
    rules = {rule.id: rule for rule in core.index.rules}
    for incident in core.live.values():
        del incident.entity.instances[incident.rule.index]
    for incident in core.live.values():
        incident.rule = rules[incident.rule.id]
        incident.entity.instances[incident.rule.index] = incident
    core.live.renew()
    core.attach_windows(windows)
    core.next_tick = core.next_schedule = None
    core.judge_everything(out)
    core.settle(core.now, out, force=True)
    core.schedule_next()
    return core.result(out)


def _windows_by_need(core: Core) -> dict[tuple[str, WindowNeed], Any]:
    kept: dict[tuple[str, WindowNeed], Any] = {}
    for scope, needs in core.index.needs.items():
        for entity in core.state.entities(scope) if needs else ():
            kept.update({(entity.key, need): window for need, window in zip(needs, entity.windows, strict=True)})
    return kept
