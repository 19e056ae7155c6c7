"""What a message may hold: lengths, embeds, components, and who is notified by it."""

import re
from collections.abc import Iterable
from typing import Any

from haltline_sim_discord.failure import ApiError, bad_form, too_long, wrong_count
from haltline_sim_discord.record import Json

LONGEST_TEXT, MOST_EMBEDS, LARGEST_EMBEDS, MOST_ROWS = 2000, 10, 6000, 5
_CODE = re.compile(r"```.*?```|``.+?``|`[^`]+`", re.DOTALL)
_EMBED_TEXTS = (("title", 256), ("description", 4096), ("footer.text", 2048), ("author.name", 256))
_BUTTON, _SELECTS, _LINK = 2, (3, 5, 6, 7, 8), 5
_VERSION_2 = 1 << 15


def check_content(body: Json, *, has_files: bool, is_edit: bool = False) -> None:
    """Raise ApiError 400 where the platform would not take this as a message."""
    text, embeds = body.get("content") or "", body.get("embeds") or []
    if len(text) > LONGEST_TEXT:
        raise too_long("content", LONGEST_TEXT)
    if len(embeds) > MOST_EMBEDS:
        raise wrong_count("embeds", 0, MOST_EMBEDS)
    for place, embed in enumerate(embeds):
        _check_embed(f"embeds.{place}", embed)
    if sum(map(embed_size, embeds)) > LARGEST_EMBEDS:
        raise bad_form("embeds", "MAX_EMBED_SIZE_EXCEEDED", f"Embed size exceeds maximum size of {LARGEST_EMBEDS}")
    check_components(body.get("components") or [])
    _check_allowed(body.get("allowed_mentions") or {})
    if bool((body.get("flags") or 0) & _VERSION_2):
        raise bad_form("flags", "SIM_UNSUPPORTED", "The simulator does not have components of version 2")
    is_empty = not text.strip() and not embeds and not has_files and not body.get("components")
    if is_empty and not is_edit and not body.get("attachments"):
        raise ApiError(400, 50006, "Cannot send an empty message")


def embed_size(embed: Json) -> int:
    """The characters that count towards the limit of all embeds together."""
    fields = embed.get("fields") or []
    texts = [_at(embed, path) for path, _ in _EMBED_TEXTS]
    texts += [each.get(part) for each in fields for part in ("name", "value")]
    return sum(len(text) for text in texts if isinstance(text, str))


def _check_embed(where: str, embed: Json) -> None:
    for path, most in _EMBED_TEXTS:
        if len(_at(embed, path) or "") > most:
            raise too_long(f"{where}.{path}", most)
    fields = embed.get("fields") or []
    if len(fields) > 25:
        raise wrong_count(f"{where}.fields", 0, 25)
    for place, each in enumerate(fields):
        for part, most in (("name", 256), ("value", 1024)):
            text = each.get(part) or ""
            if not text.strip():
                raise bad_form(f"{where}.fields.{place}.{part}", "BASE_TYPE_REQUIRED", "This field is required")
            if len(text) > most:
                raise too_long(f"{where}.fields.{place}.{part}", most)


def check_components(rows: list[Any]) -> None:
    """Raise ApiError 400 where rows of buttons and selections cannot be shown."""
    if len(rows) > MOST_ROWS:
        raise wrong_count("components", 1, MOST_ROWS)
    seen: set[str] = set()
    for place, row in enumerate(rows):
        where = f"components.{place}"
        if not isinstance(row, dict) or row.get("type") != 1:
            raise bad_form(f"{where}.type", "UNION_TYPE_CHOICES", 'Value of field "type" must be one of (1,).')
        inner = row.get("components") or []
        width = sum(5 if each.get("type") in _SELECTS else 1 for each in inner)
        if not inner or width > 5:
            raise wrong_count(f"{where}.components", 1, 5)
        for number, each in enumerate(inner):
            _check_component(f"{where}.components.{number}", each, seen)


def _check_component(where: str, each: Json, seen: set[str]) -> None:
    name, is_link = each.get("custom_id"), each.get("style") == _LINK and each.get("type") == _BUTTON
    if is_link:
        if name or not each.get("url"):
            raise bad_form(where, "BUTTON_COMPONENT_INVALID", "A link button must have a url and no custom_id")
    elif not isinstance(name, str) or not 1 <= len(name) <= 100:
        raise wrong_count(f"{where}.custom_id", 1, 100)
    elif name in seen:
        raise bad_form(
            f"{where}.custom_id", "COMPONENT_CUSTOM_ID_DUPLICATED", "Component custom id cannot be duplicated"
        )
    else:
        seen.add(name)
    if each.get("type") == _BUTTON:
        if not each.get("label") and not each.get("emoji"):
            raise bad_form(where, "BUTTON_COMPONENT_MISSING_LABEL", "A button must have a label or an emoji")
        if len(each.get("label") or "") > 80:
            raise too_long(f"{where}.label", 80)
    elif len(each.get("options") or []) > 25:
        raise wrong_count(f"{where}.options", 1, 25)


def _check_allowed(allowed: Json) -> None:
    parse = allowed.get("parse") or []
    for kind in ("users", "roles"):
        if kind in parse and allowed.get(kind):
            told = f'parse:["{kind}"] and {kind}: [ids...] are mutually exclusive.'
            raise bad_form("allowed_mentions", "MESSAGE_ALLOWED_MENTIONS_PARSE_EXCLUSIVE", told)


def pings_of(text: str, allowed: Json | None, *, users: Iterable[str], roles: Iterable[str]) -> frozenset[str]:
    """Who a text notifies: ids of known users and roles, and `everyone`. Without `allowed` everybody it names."""
    plain = _CODE.sub("", text)
    parse = ("users", "roles", "everyone") if allowed is None else tuple(allowed.get("parse") or ())
    named = allowed or {}
    found: set[str] = set()
    for kind, pattern, known in (("users", r"<@!?(\d+)>", users), ("roles", r"<@&(\d+)>", roles)):
        mentioned = set(re.findall(pattern, plain)) & set(known)
        found |= mentioned if kind in parse else mentioned & set(named.get(kind) or ())
    if "everyone" in parse and re.search(r"@(everyone|here)\b", plain):
        found.add("everyone")
    return frozenset(found)


def _at(embed: Json, path: str) -> Any:
    found: Any = embed
    for part in path.split("."):
        found = found.get(part) if isinstance(found, dict) else None
    return found
