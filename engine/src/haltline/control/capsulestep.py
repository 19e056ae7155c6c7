"""Events as steps of a rule test."""

from decimal import Decimal

import msgspec

from haltline.model.event import (
    AccountReport,
    Acknowledge,
    ArmRequest,
    CashFlow,
    ConnectionUpdate,
    Consent,
    Event,
    Fill,
    LockRequest,
    OrderUpdate,
    PositionReport,
    Quote,
    Release,
)
from haltline.model.id import IncidentId
from haltline.model.order import OrderReport

type Step = dict[str, object]

_SIMPLE: dict[type, tuple[str, frozenset[str]]] = {
    Quote: ("quote", frozenset()),
    PositionReport: ("position", frozenset({"opened_at"})),
    AccountReport: ("account", frozenset()),
    CashFlow: ("cash", frozenset({"flow_id"})),
    ConnectionUpdate: ("connection", frozenset()),
    ArmRequest: ("arm", frozenset({"reason", "gaps"})),
}
_ORDER_RENAMED = {"order_id": "id"}
_ORDER_LEFT_OUT = frozenset({"client_id", "placed_at", "reason"})
_FILL_RENAMED = {"fill_id": "id", "order_id": "order"}


def step_of(event: Event, now: int) -> Step | None:
    """The step that gives a test the same event; None for what passes by itself (time, ends of actions)."""
    found = _SIMPLE.get(type(event))
    if found is not None:
        key, left_out = found
        return {key: _body(event, left_out, {})}
    match event:
        case Fill():
            return {"fill": _body(event, frozenset(), _FILL_RENAMED)}
        case OrderUpdate(order=order):
            return {"order": _body(order, _ORDER_LEFT_OUT, _ORDER_RENAMED)}
        case Acknowledge(incident=incident):
            return {"ack": _incident(incident)}
        case Consent():
            asked = event.incident or IncidentId(str(event.action).partition(":")[0])
            return {"consent": _incident(asked) | {"operator": event.operator, "reason": event.reason}}
        case Release():
            return _release(event)
        case LockRequest():
            body = _body(event, frozenset({"until"}), {})
            if event.until is not None:
                body["until"] = f"{max(1, (event.until - now) // 1_000_000)}ms"
            return {"lock": body}
        case _:
            return None


def _release(event: Release) -> Step | None:
    if event.incident is not None:
        return {"release": _incident(event.incident) | {"reason": event.reason}}
    if event.lock_id is not None:
        account = event.lock_id.rpartition("@")[2].partition("/")[0]  # ids of locks are ``rule@account/symbol``
        return {"release": {"account": account, "reason": event.reason}}
    return None


def _incident(incident: IncidentId) -> dict[str, object]:
    """Ids are ``rule/entity/serial``, and a rule has no slash in its id."""
    rule, _, rest = incident.partition("/")
    return {"rule": rule, "entity": rest.rpartition("/")[0]}


def _body(record: Event | OrderReport, left_out: frozenset[str], renamed: dict[str, str]) -> dict[str, object]:
    """The fields that say something, as a test file writes them."""
    found: dict[str, object] = {}
    for field in msgspec.structs.fields(record):
        value = getattr(record, field.name)
        if field.name in ("at", "received_at") or field.name in left_out or value is None or value == field.default:
            continue
        found[renamed.get(field.name, field.name)] = value if isinstance(value, Decimal | bool | float) else str(value)
    return found
