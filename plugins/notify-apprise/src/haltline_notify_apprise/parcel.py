"""What a webhook is sent: a JSON body, and headers that prove who sent it and when.

The signature covers the time and the body; the body holds the message's id. So a receiver that refuses old times and
ids that it knows cannot be told anything twice, or by anybody else.
"""

import base64
import hashlib
import hmac
import json
from urllib.parse import quote

import msgspec

from haltline.api import Message
from haltline.clock import NS_PER_S, to_iso

VERSION = 1


class FactEntry(msgspec.Struct, frozen=True, kw_only=True):
    """One label and value."""

    label: str
    value: str


class ButtonEntry(msgspec.Struct, frozen=True, kw_only=True):
    """A command to offer, as the control service knows it."""

    label: str
    command: str
    arguments: dict[str, str]


class Parcel(msgspec.Struct, frozen=True, kw_only=True):
    """The body. `at` is ISO-8601; `image_png` is base64, empty without an image. `version` changes with the meaning."""

    version: int
    id: str
    at: str
    severity: str
    phase: str
    title: str
    text: str
    account: str
    rule: str
    incident: str
    thread: str
    update: bool
    labels: dict[str, str]
    facts: list[FactEntry]
    buttons: list[ButtonEntry]
    image_png: str


def body_of(message: Message) -> bytes:
    """The message as JSON; without buttons and image where it must be plain."""
    rich = not message.plain
    parcel = Parcel(
        version=VERSION, id=message.id, at=to_iso(message.at), severity=message.severity.value, phase=message.phase,
        title=message.title, text=message.text, account=message.account, rule=message.rule,
        incident=message.labels.get("incident", ""), thread=message.thread, update=message.update,
        labels=message.labels, facts=[FactEntry(label=label, value=value) for label, value in message.facts],
        buttons=[
            ButtonEntry(label=each.label, command=each.command, arguments=dict(each.arguments))
            for each in message.buttons if rich
        ],
        image_png=base64.b64encode(message.image).decode() if rich else "",
    )  # fmt: skip
    return json.dumps(msgspec.to_builtins(parcel), ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


def headers_of(message: Message, body: bytes, secret: str, now: int) -> dict[str, str]:
    """The headers that go with a body sent at `now`."""
    timestamp = str(now // NS_PER_S)
    return {
        "Content-Type": "application/json",
        "User-Agent": "Haltline",
        "Haltline-Message": quote(message.id, safe="", errors="replace"),
        "Haltline-Timestamp": timestamp,
        "Haltline-Signature": signature(secret, timestamp, body),
    }


def signature(secret: str, timestamp: str, body: bytes) -> str:
    """``sha256=`` and the HMAC of timestamp, a dot, and body."""
    return "sha256=" + hmac.new(secret.encode(), timestamp.encode() + b"." + body, hashlib.sha256).hexdigest()
