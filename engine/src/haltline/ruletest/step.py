"""Steps of a test: what happens, and what is expected after it."""

from haltline.clock import NS_PER_S
from haltline.config.finding import did_you_mean
from haltline.config.source import ListNode, MappingNode, Node, ScalarNode
from haltline.model.event import OutcomeStatus
from haltline.model.plan import TradingMode
from haltline.model.verdict import Phase
from haltline.ruletest.case import (
    BODIES,
    Deed,
    Ending,
    Expectation,
    ExpectedAction,
    ExpectedIntent,
    ExpectedMode,
    ExpectedValue,
    Fate,
    Outcomes,
    Prices,
    Restart,
    Step,
    Wait,
)
from haltline.ruletest.heard import read_hearings
from haltline.ruletest.reading import Reader, plain
from haltline.ruletest.series import Series, parse_series

DEEDS = (*BODIES, "quotes", "after", "at", "restart", "outcome")
CHECKS = ("expect", "expect_plan", "expect_mode", "expect_intent", "expect_value", "expect_heard")
STEP_KEYS = (*DEEDS, *CHECKS, "every", "note")
_EXPECTATION_KEYS = (
    "rule", "entity", "state", "measured", "threshold", "utilization", "headroom", "step", "severity", "shadow",
    "suppressed", "reason", "waits", "actions",
)  # fmt: skip
_FATE_KEYS = ("status", "detail", "retry_after")
_PRICE_FIELDS = ("last", "bid", "ask", "mark")


def read_step(node: Node, reader: Reader) -> Step | None:
    """One step: at most one thing that happens, and any of the expectations."""
    mapping = reader.mapping(node, "a step")
    if mapping is None:
        return None
    reader.refuse_unknown(mapping, STEP_KEYS, "step")
    happening = [key for key in mapping.entries if key in DEEDS]
    if len(happening) > 1:
        names = " and ".join(repr(key) for key in happening)
        reader.findings.add("E284", mapping.place_of(happening[1]), f"one step does {names}", "make two steps of it")
        return None
    if not happening and not any(key in CHECKS or key not in STEP_KEYS for key in mapping.entries):
        reader.findings.add("E284", mapping.place, "the step does nothing", "write one of: " + ", ".join(DEEDS))
        return None
    name = happening[0] if happening else "expect"
    deed = _deed(name, mapping, reader) if happening else None
    return Step(
        name=name,
        place=mapping.place_of(name) if happening else mapping.place,
        deed=deed,
        expect=_expectations(mapping.get("expect"), reader),
        plan=_plan(mapping, reader),
        modes=_modes(mapping.get("expect_mode"), reader),
        intent=_intent(mapping, reader),
        values=_values(mapping.get("expect_value"), reader),
        heard=read_hearings(mapping.get("expect_heard"), reader),
    )


def _deed(name: str, mapping: MappingNode, reader: Reader) -> Deed | None:
    node = mapping.entries[name]
    if name in ("lock", "silence", "grant") and isinstance(node, MappingNode):
        reader.duration(node.get("until"), f"{name}: until")
    if name == "fill" and isinstance(node, MappingNode):
        reader.duration(node.get("ago"), "fill: ago")
    if name in BODIES:
        deed: Deed | None = reader.record(node, BODIES[name], name)  # type: ignore[assignment] # BODIES are all deeds
        return deed
    if name == "quotes":
        return _prices(node, mapping.get("every"), reader)
    if name == "after":
        duration = reader.duration(node, "after")
        return None if duration is None else Wait(for_ns=duration)
    if name == "at":
        instant = reader.instant(node, "at")
        return None if instant is None else Wait(until=instant)
    return _outcomes(node, reader) if name == "outcome" else Restart()


def _outcomes(node: Node, reader: Reader) -> Outcomes | None:
    mapping = reader.mapping(node, "outcome")
    if mapping is None:
        return None
    return Outcomes(fates={name: _fate(name, value, reader) for name, value in mapping.entries.items()})


def _fate(name: str, node: Node, reader: Reader) -> Fate:
    """A word, or a mapping with the broker's own words and when it wants to be asked again."""
    where = f"outcome of {name}"
    if not isinstance(node, MappingNode):
        return Fate(status=OutcomeStatus(reader.value(node, Ending, where) or Ending.FAILED))
    reader.refuse_unknown(node, _FATE_KEYS, where)
    status, retry_after = node.get("status"), node.get("retry_after")
    ending = None if status is None else reader.value(status, Ending, f"{where}: status")
    return Fate(
        status=OutcomeStatus(ending or Ending.FAILED),
        detail=reader.text(node.get("detail"), f"{where}: detail") or "",
        retry_after_ns=None if retry_after is None else reader.duration(retry_after, f"{where}: retry_after"),
    )


def _prices(node: Node, every: Node | None, reader: Reader) -> Prices | None:
    mapping = reader.mapping(node, "quotes")
    every_ns = reader.duration(every, "every") if every is not None else NS_PER_S
    if mapping is None or every_ns is None:
        return None
    if every_ns == 0:
        reader.findings.add("E282", mapping.place, "every must be more than 0", "write 1s or more")
    series = {symbol: _fields(symbol, value, reader) for symbol, value in mapping.entries.items()}
    return Prices(series=series, every_ns=max(every_ns, 1))


def _fields(symbol: str, node: Node, reader: Reader) -> dict[str, Series]:
    """A bare series is the last price; a mapping names the fields."""
    written = node.entries if isinstance(node, MappingNode) else {"last": node}
    if isinstance(node, MappingNode):
        reader.refuse_unknown(node, _PRICE_FIELDS, f"quotes of {symbol}")
    found = {}
    for field, value in written.items():
        text = reader.text(value, f"quotes of {symbol}")
        if text is None:
            continue
        try:
            found[field] = parse_series(text)
        except ValueError as error:
            reader.findings.add("E285", value.place, str(error), where=f"quotes of {symbol}")
    return found


def _expectations(node: Node | None, reader: Reader) -> tuple[Expectation, ...]:
    items = (node,) if isinstance(node, MappingNode) else reader.items(node, "expect")
    found = (_expectation(item, reader) for item in items)
    return tuple(expectation for expectation in found if expectation is not None)


def _expectation(node: Node, reader: Reader) -> Expectation | None:
    mapping = reader.mapping(node, "an expectation")
    if mapping is None:
        return None
    reader.refuse_unknown(mapping, _EXPECTATION_KEYS, "expectation")
    rule, entity = reader.text(mapping.get("rule"), "rule"), reader.text(mapping.get("entity"), "entity")
    if rule is None or entity is None:
        missing = "rule" if rule is None else "entity"
        reader.findings.add(
            "E283", mapping.place, f"{missing!r} is missing", f"add '{missing}: …'", where="expectation"
        )
        return None
    numbers = {
        key: reader.number(mapping.get(key), key) for key in ("measured", "threshold", "utilization", "headroom")
    }
    shadow, suppressed = (reader.flag(mapping.get(key), key) for key in ("shadow", "suppressed"))
    state = mapping.get("state")
    step = mapping.get("step")
    return Expectation(
        rule=rule,
        entity=entity,
        place=mapping.place,
        state=None if state is None else reader.value(state, Phase, "state"),
        step=None if step is None else reader.value(step, int, "step"),
        severity=reader.text(mapping.get("severity"), "severity"),
        reason=reader.text(mapping.get("reason"), "reason"),
        waits=reader.text(mapping.get("waits"), "waits"),
        actions=_actions(mapping, "actions", reader),
        measured=numbers["measured"],
        threshold=numbers["threshold"],
        utilization=numbers["utilization"],
        headroom=numbers["headroom"],
        shadow=shadow,
        suppressed=suppressed,
    )


def _plan(mapping: MappingNode, reader: Reader) -> tuple[ExpectedAction, ...] | None:
    return _actions(mapping, "expect_plan", reader)


def _actions(mapping: MappingNode, key: str, reader: Reader) -> tuple[ExpectedAction, ...] | None:
    if key not in mapping.entries:
        return None
    found = (_action(item, reader) for item in reader.items(mapping.entries[key], key))
    return tuple(action for action in found if action is not None)


def _action(node: Node, reader: Reader) -> ExpectedAction | None:
    """A name, or ``{name: params}``; the params `account` and `symbol` say where it is aimed."""
    if isinstance(node, ScalarNode):
        return ExpectedAction(name=node.text)
    if not isinstance(node, MappingNode) or len(node.entries) != 1:
        reader.findings.add("E282", node.place, "an action must be a name or {name: params}")
        return None
    ((name, value),) = node.entries.items()
    params = plain(value)
    if not isinstance(params, dict) or any(isinstance(param, dict | list) for param in params.values()):
        reader.findings.add("E282", value.place, f"the parameters of {name!r} must be a mapping of plain values")
        return None
    account, symbol = params.pop("account", None), params.pop("symbol", None)
    return ExpectedAction(
        name=name,
        params=params,  # type: ignore[arg-type] # no containers, as checked above
        account=None if account is None else str(account),
        symbol=None if symbol is None else str(symbol),
    )


def _modes(node: Node | None, reader: Reader) -> tuple[ExpectedMode, ...]:
    mapping = reader.mapping(node, "expect_mode")
    if mapping is None:
        return ()
    found = []
    for account, value in mapping.entries.items():
        mode = reader.value(value, TradingMode, f"expect_mode of {account}")
        if mode is not None:
            found.append(ExpectedMode(account=account, mode=mode, place=value.place))
    return tuple(found)


def _intent(mapping: MappingNode, reader: Reader) -> ExpectedIntent | None:
    node = mapping.get("expect_intent")
    if node is None:
        return None
    if "intent" not in mapping.entries:
        reader.findings.add("E284", node.place, "expect_intent stands in a step without intent", "add 'intent: {…}'")
        return None
    if isinstance(node, MappingNode):
        reader.refuse_unknown(node, ("allowed", "rules", "reason"), "expect_intent")
        allowed = node.get("allowed")
        rules = node.get("rules")
        return ExpectedIntent(
            allowed=bool(reader.value(allowed, bool, "allowed")) if allowed is not None else False,
            rules=None if rules is None else tuple(str(plain(item)) for item in reader.items(rules, "rules")),
            reason=reader.text(node.get("reason"), "reason"),
            place=node.place,
        )
    word = node.text if isinstance(node, ScalarNode) else ""
    if word not in ("allowed", "refused"):
        cure = did_you_mean(word, ("allowed", "refused"))
        reader.findings.add("E282", node.place, "expect_intent must be allowed, refused or a mapping", cure)
        return None
    return ExpectedIntent(allowed=word == "allowed", place=node.place)


def _values(node: Node | None, reader: Reader) -> tuple[ExpectedValue, ...]:
    items = (node,) if isinstance(node, MappingNode) else reader.items(node, "expect_value")
    found = []
    for item in items:
        mapping = reader.mapping(item, "expect_value")
        if mapping is None:
            continue
        reader.refuse_unknown(mapping, ("entity", "of", "is"), "expect_value")
        entity, expression = reader.text(mapping.get("entity"), "entity"), reader.text(mapping.get("of"), "of")
        value = mapping.entries.get("is")
        if entity is None or expression is None or value is None or isinstance(value, ListNode | MappingNode):
            reader.findings.add(
                "E283",
                mapping.place,
                "expect_value needs entity, of and is",
                "write {entity: eval, of: account.fees, is: 2}",
            )
            continue
        wanted = None if value.value == "unknown" else value.value
        found.append(ExpectedValue(entity=entity, expression=expression, value=wanted, place=mapping.place))
    return tuple(found)
