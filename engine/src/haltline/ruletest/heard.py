"""`expect_heard` of a step: what each channel is to hear."""

from haltline.config.source import MappingNode, Node, ScalarNode
from haltline.model.rule import Severity
from haltline.model.verdict import Phase
from haltline.ruletest.case import ExpectedHearing, ExpectedMessage
from haltline.ruletest.reading import Reader

_KEYS = ("text", "rule", "phase", "severity", "after")


def read_hearings(node: Node | None, reader: Reader) -> tuple[ExpectedHearing, ...]:
    """A mapping from channels to a message or a list of messages; an empty list is silence."""
    mapping = reader.mapping(node, "expect_heard")
    found = []
    for channel, value in mapping.entries.items() if mapping is not None else ():
        items = (value,) if isinstance(value, MappingNode) else reader.items(value, f"expect_heard of {channel}")
        messages = [_message(item, reader) for item in items]
        known = tuple(message for message in messages if message is not None)
        found.append(ExpectedHearing(channel=channel, messages=known, place=value.place))
    return tuple(found)


def _message(node: Node, reader: Reader) -> ExpectedMessage | None:
    """A text that it contains, or a mapping of what matters."""
    if isinstance(node, ScalarNode):
        return ExpectedMessage(text=node.text)
    mapping = reader.mapping(node, "a message")
    if mapping is None:
        return None
    reader.refuse_unknown(mapping, _KEYS, "expect_heard")
    phase, severity, after = mapping.get("phase"), mapping.get("severity"), mapping.get("after")
    read_phase = None if phase is None else reader.value(phase, Phase, "phase")
    read_severity = None if severity is None else reader.value(severity, Severity, "severity")
    return ExpectedMessage(
        text=reader.text(mapping.get("text"), "text") or "",
        rule=reader.text(mapping.get("rule"), "rule"),
        phase=read_phase.value if read_phase is not None else None,
        severity=read_severity.value if read_severity is not None else None,
        after_ns=None if after is None else reader.duration(after, "after"),
    )
