"""Application commands, global and of the guild: kept by name, checked as the platform checks them."""

import re
from typing import Any

from haltline_sim_discord.failure import bad_form, too_long, unknown, wrong_count
from haltline_sim_discord.method import Answer, Call
from haltline_sim_discord.record import Json
from haltline_sim_discord.world import BOT_ID, World

_NAME = re.compile(r"[-_'\w]{1,32}")
_MOST, _LARGEST = 100, 8000
_SUBCOMMAND, _GROUP = 1, 2


def get_commands(call: Call) -> Answer:
    """The commands of a place."""
    return 200, _kept(call)


def put_commands(call: Call) -> Answer:
    """Replace all commands of a place; one of the same name and type keeps its number."""
    given = call.body
    if not isinstance(given, list):
        raise bad_form("", "LIST_TYPE_CONVERT", "Only lists may be used in a ListType")
    if len(given) > _MOST:
        raise bad_form("", "MAX_COMMANDS", f"Maximum number of application commands reached ({_MOST}).")
    for place, each in enumerate(given):
        _check(str(place), each)
    names = [(each["name"], each.get("type") or 1) for each in given]
    if len(set(names)) < len(names):
        raise bad_form("", "APPLICATION_COMMANDS_DUPLICATE_NAME", "Application command names must be unique")
    made = [_made(call, each) for each in given]
    call.world.commands[call.parts.get("guild", "")] = made
    call.world.watch.changed()
    return 200, made


def post_command(call: Call) -> Answer:
    """Add a command or replace the one of its name."""
    _check("", call.form)
    made, kept = _made(call, call.form), _kept(call)
    is_old = made["id"] in {each["id"] for each in kept}
    call.world.commands[call.parts.get("guild", "")] = [e for e in kept if e["id"] != made["id"]] + [made]
    call.world.watch.changed()
    return 200 if is_old else 201, made


def get_command(call: Call) -> Answer:
    """One command."""
    return 200, _one(call)


def edit_command(call: Call) -> Answer:
    """Change one command."""
    found = _one(call)
    changed = {**found, **call.form}
    _check("", changed)
    found.update(changed, version=call.world.snowflake())
    return 200, found


def delete_command(call: Call) -> Answer:
    """Take one command away."""
    found = _one(call)
    _kept(call).remove(found)
    return 204, None


def find_command(world: World, name: str) -> Json:
    """The slash command of a name, the guild's first; raises LookupError that names those there are."""
    there = [each for kept in reversed(world.commands.values()) for each in kept if each["type"] == 1]
    for each in there:
        if each["name"] == name:
            return each
    raise LookupError(f"there is no command /{name}; there are {sorted(each['name'] for each in there)}")


def _kept(call: Call) -> list[Json]:
    return call.world.commands.setdefault(call.parts.get("guild", ""), [])


def _one(call: Call) -> Json:
    found = next((each for each in _kept(call) if each["id"] == call.parts["command"]), None)
    if found is None:
        raise unknown("application command")
    return found


def _made(call: Call, given: Json) -> Json:
    kind = given.get("type") or 1
    same = next((e for e in _kept(call) if (e["name"], e["type"]) == (given["name"], kind)), None)
    bits = given.get("default_member_permissions")
    made: Json = {
        "id": same["id"] if same else call.world.snowflake(), "application_id": BOT_ID,
        "version": call.world.snowflake(), "type": kind, "name": given["name"], "nsfw": bool(given.get("nsfw")),
        "description": given.get("description") or "", "options": given.get("options") or [],
        "default_member_permissions": None if bits is None else str(bits),
        "dm_permission": given.get("dm_permission", True), "contexts": given.get("contexts"),
        "integration_types": given.get("integration_types") or [0],
    }  # fmt: skip
    return {**made, "guild_id": call.parts["guild"]} if "guild" in call.parts else made


def _check(where: str, given: Any) -> None:
    prefix = f"{where}." if where else ""
    name, kind = given.get("name"), given.get("type") or 1
    is_slash = kind == 1
    if not isinstance(name, str) or not 1 <= len(name) <= 32:
        raise wrong_count(f"{prefix}name", 1, 32)
    if is_slash and (not _NAME.fullmatch(name) or name != name.lower()):
        raise bad_form(f"{prefix}name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
    if is_slash and not 1 <= len(given.get("description") or "") <= 100:
        raise wrong_count(f"{prefix}description", 1, 100)
    _check_options(prefix, given.get("options") or [])
    if _size(given) > _LARGEST:
        raise bad_form(
            prefix.rstrip("."), "APPLICATION_COMMAND_TOO_LARGE", f"Command exceeds maximum size ({_LARGEST})"
        )


def _check_options(prefix: str, options: list[Json]) -> None:
    if len(options) > 25:
        raise wrong_count(f"{prefix}options", 0, 25)
    is_required = True
    for place, each in enumerate(options):
        where = f"{prefix}options.{place}"
        name = each.get("name")
        if not isinstance(name, str) or not _NAME.fullmatch(name) or name != name.lower():
            raise bad_form(f"{where}.name", "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")
        if not 1 <= len(each.get("description") or "") <= 100:
            raise wrong_count(f"{where}.description", 1, 100)
        if each.get("required") and not is_required:
            told = "Required options must be placed before non-required options"
            raise bad_form(where, "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID", told)
        is_required = bool(each.get("required")) or each.get("type") in (_SUBCOMMAND, _GROUP)
        _check_choices(where, each)
        _check_options(f"{where}.", each.get("options") or [])


def _check_choices(where: str, option: Json) -> None:
    choices = option.get("choices") or []
    if len(choices) > 25:
        raise wrong_count(f"{where}.choices", 0, 25)
    for place, each in enumerate(choices):
        if not 1 <= len(str(each.get("name") or "")) <= 100:
            raise wrong_count(f"{where}.choices.{place}.name", 1, 100)
        if isinstance(each.get("value"), str) and len(each["value"]) > 100:
            raise too_long(f"{where}.choices.{place}.value", 100)


def _size(given: Json) -> int:
    own = len(str(given.get("name") or "")) + len(str(given.get("description") or ""))
    choices = sum(len(str(c.get("name"))) + len(str(c.get("value"))) for c in given.get("choices") or ())
    return own + choices + sum(_size(each) for each in given.get("options") or ())
