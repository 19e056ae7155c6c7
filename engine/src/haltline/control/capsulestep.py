"""Events as steps of a rule test."""

from decimal import Decimal

import msgspec

from haltline.clock import NS_PER_S
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
    OverrideGrant,
    OverrideRevoke,
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
_GRANT_RENAMED = {"grant_id": "id"}
_FILL_RENAMED = {"fill_id": "id", "order_id": "order"}


def step_of(event: Event, now: int) -> Step | None:
    """The step that gives a test the same event; None for what passes by itself (time, ends of actions)."""
    found = _SIMPLE.get(type(event))
    if found is not None:
        key, left_out = found
        return {key: _body(event, left_out, {})}
    match event:
        case Fill():
            return {"fill": _body(event, frozenset(), _FILL_RENAMED) | _ago(event, now)}
        case OrderUpdate(order=order):
            return {"order": _body(order, _ORDER_LEFT_OUT, _ORDER_RENAMED)}
        case Acknowledge(incident=incident):
            return {"ack": _incident(incident)}
        case Consent():
            asked = event.incident or IncidentId(str(event.action).partition(":")[0])
            return {"consent": _incident(asked) | {"operator": event.operator, "reason": event.reason}}
        case Release():
            return _release(event)
        case LockRequest(until=until):
            ends = {} if until is None else {"until": _milliseconds(until - now)}
            return {"lock": _body(event, frozenset({"until"}), {}) | ends}
        case OverrideGrant() | OverrideRevoke():
            return _override(event, now)
        case _:
            return None


def _override(event: OverrideGrant | OverrideRevoke, now: int) -> Step:
    body = _body(event, frozenset(), _GRANT_RENAMED)
    if isinstance(event, OverrideRevoke):
        return {"revoke": body}
    return {"grant": body | {"until": _milliseconds(event.until - now)}}


def _ago(event: Fill, now: int) -> dict[str, object]:
    """How long a fill lies back, where it was heard of late."""
    return {"ago": _milliseconds(now - event.at)} if now - event.at >= NS_PER_S else {}


def _milliseconds(length_ns: int) -> str:
    return f"{max(1, length_ns // 1_000_000)}ms"


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
