"""Scripted people: they use slash commands with completion, press buttons, fill in forms, and write."""

from typing import Any

from haltline_sim_discord.command import find_command
from haltline_sim_discord.content import pings_of
from haltline_sim_discord.interaction import COMMAND, COMPLETION, FORM, PRESS, is_visible
from haltline_sim_discord.record import Channel, Interaction, Json, Message, Person, stamp
from haltline_sim_discord.world import BOT_ID, GUILD_ID, World

_TYPES: dict[int, tuple[type, ...]] = {3: (str,), 4: (int,), 5: (bool,), 6: (str,), 7: (str,), 10: (int, float)}
_NESTED = (1, 2)


class Human:
    """One person in the guild."""

    def __init__(self, world: World, person: Person) -> None:
        self._world = world
        self.person = person

    def slash(self, name: str, /, *, to: Channel | None = None, **options: Any) -> Interaction:
        """Use a command, `"lock set"` for a subcommand, in the first channel unless told otherwise.

        Raises LookupError for what a client would not let them send: an unknown command or option, a missing one,
        a wrong type or choice; PermissionError where they may not use it.
        """
        words = name.split()
        command, leaf = self._command(words)
        payload = _payload(command, words[1:], _given(leaf, options))
        told = " ".join([f"/{name}", *(f"{key}:{value}" for key, value in options.items())])
        where = self._place(to)
        self._world.transcript.add(where.name, self.person.name, told)
        return self._interact(COMMAND, where, payload)

    def completes(self, name: str, option: str, typed: str = "", /, **options: Any) -> Interaction:
        """Type into an option that completes; the bot's choices come into `choices`. Raises as `slash` does."""
        words = name.split()
        command, leaf = self._command(words)
        declared = next((each for each in leaf.get("options") or () if each["name"] == option), None)
        if declared is None or not declared.get("autocomplete"):
            raise LookupError(f"/{name} has no option {option!r} that completes")
        given = [_value(leaf, key, value) for key, value in options.items()]
        focused = {"name": option, "type": declared["type"], "value": typed, "focused": True}
        return self._interact(COMPLETION, self._place(None), _payload(command, words[1:], [*given, focused]))

    def presses(self, message: Message, label: str) -> Interaction:
        """Press a button, also one that an earlier version of the message had.

        Raises LookupError where there is none, PermissionError where they do not see the message.
        """
        if not is_visible(message, self.person.id):
            raise PermissionError(f"{self.person.name} does not see message {message.id}")
        found = message.component(label)
        if "custom_id" not in found or found.get("disabled"):
            raise LookupError(f"button {label!r} of message {message.id} sends nothing")
        self._world.transcript.add(message.channel.name, self.person.name, f"[{label}]", verb="presses")
        return self.sends_press(message, str(found["custom_id"]), kind=int(found["type"]))

    def sends_press(
        self, message: Message, custom_id: str, *, kind: int = 2, values: list[str] | None = None
    ) -> Interaction:
        """Send a press with any `custom_id`, as a modified client can; `values` of a selection."""
        payload: Json = {"custom_id": custom_id, "component_type": kind, "id": 1}
        if values is not None:
            payload["values"] = values
        return self._interact(PRESS, message.channel, payload, message)

    def submits(self, interaction: Interaction, **values: str) -> Interaction:
        """Fill in the form that the bot answered with, by `custom_id`; raises LookupError where there is none."""
        if interaction.form is None:
            raise LookupError("the bot has not answered with a form")
        rows = []
        for row in interaction.form["components"]:
            inner = row["components"] if row["type"] == 1 else [row["component"]]
            filled = [{"type": e["type"], "custom_id": e["custom_id"], "id": 1, "value": values.get(e["custom_id"], "")}
                      for e in inner]  # fmt: skip
            rows.append(
                {**row, "components": filled} if row["type"] == 1 else {"type": row["type"], "component": filled[0]}
            )
        told = ", ".join(f"{key}: {value}" for key, value in values.items())
        self._world.transcript.add(interaction.channel.name, self.person.name, told, verb="fills in")
        payload = {"custom_id": interaction.form["custom_id"], "components": rows}
        return self._interact(FORM, interaction.channel, payload, interaction.message)

    def says(self, text: str, *, to: Channel | None = None) -> Message:
        """Write a message; the bot reads it only with the intents for it."""
        where = self._place(to)
        made = Message(id=self._world.snowflake(), channel=where, author=self.person, at=self._world.now(), text=text)
        self._world.transcript.add(where.name, self.person.name, text)
        self._world.keep(made, None if pings_of(text, None, users=[BOT_ID], roles=()) else {"parse": ["users"]})
        return made

    def edits(self, message: Message, text: str) -> Message:
        """Change what was written."""
        message.history.append((message.text, message.embeds, message.components))
        message.text, message.edited = text, self._world.now()
        self._world.transcript.add(message.channel.name, self.person.name, text, verb=f"edits message {message.id}")
        self._world.changed(message)
        return message

    def blocks(self) -> None:
        """Take no private messages of the bot: 403 with code 50007."""
        self.person.takes_messages = False

    def unblocks(self) -> None:
        """Take them again."""
        self.person.takes_messages = True

    @property
    def direct(self) -> Channel:
        """The private conversation with the bot."""
        return self._world.direct(self.person)

    def _command(self, words: list[str]) -> tuple[Json, Json]:
        command = leaf = find_command(self._world, words[0])
        bits = command.get("default_member_permissions")
        if bits is not None and not self.person.may(int(bits) or 8):
            raise PermissionError(f"{self.person.name} may not use /{words[0]}")
        for word in words[1:]:
            inner = [each for each in leaf["options"] if each["type"] in _NESTED]
            found = next((each for each in inner if each["name"] == word), None)
            if found is None:
                raise LookupError(f"/{' '.join(words)}: there are {sorted(each['name'] for each in inner)}")
            leaf = found
        if any(each["type"] in _NESTED for each in leaf.get("options") or ()):
            raise LookupError(f"/{' '.join(words)} needs a subcommand")
        return command, leaf

    def _place(self, to: Channel | None) -> Channel:
        return to or next(each for each in self._world.channels.values() if each.guild_id)

    def _interact(self, kind: int, channel: Channel, payload: Json, message: Message | None = None) -> Interaction:
        number = self._world.snowflake()
        made = Interaction(
            id=number, token=f"interaction-token-{number}", kind=kind, by=self.person, channel=channel,
            at=self._world.now(), payload=payload, message=message,
        )  # fmt: skip
        self._world.interactions[number] = made
        self._world.gateway.dispatch("INTERACTION_CREATE", interaction_json(self._world, made))
        return made


def interaction_json(world: World, made: Interaction) -> Json:
    """An interaction as the gateway tells it."""
    is_guild = made.channel.guild_id is not None
    found: Json = {
        "id": made.id, "application_id": BOT_ID, "type": made.kind, "token": made.token, "version": 1,
        "data": made.payload, "channel_id": made.channel.id, "channel": made.channel.to_json(BOT_ID),
        "locale": "en-US", "app_permissions": str(world.bot.permissions), "entitlements": [],
        "authorizing_integration_owners": {"0": GUILD_ID if is_guild else "0"}, "context": 0 if is_guild else 1,
        "attachment_size_limit": 10 << 20,
    }  # fmt: skip
    if is_guild:
        found |= {"guild_id": GUILD_ID, "guild_locale": "en-US", "member": made.by.member_json()}
        found["guild"] = {"id": GUILD_ID, "locale": "en-US", "features": []}
    else:
        found["user"] = made.by.to_json()
    if made.message is not None:
        body = made.message.to_json(world.base_url)
        found["message"] = {**body, "edited_timestamp": None if not made.message.edited else stamp(made.message.edited)}
    return found


def _given(leaf: Json, options: dict[str, Any]) -> list[Json]:
    missing = [e["name"] for e in leaf.get("options") or () if e.get("required") and e["name"] not in options]
    if missing:
        raise LookupError(f"/{leaf['name']} needs {missing}")
    return [_value(leaf, name, value) for name, value in options.items()]


def _value(leaf: Json, name: str, value: Any) -> Json:
    declared = {each["name"]: each for each in leaf.get("options") or ()}
    if name not in declared:
        raise LookupError(f"/{leaf['name']} has no option {name!r}; it has {sorted(declared)}")
    option = declared[name]
    kind, choices = option["type"], [each["value"] for each in option.get("choices") or ()]
    if not isinstance(value, _TYPES[kind]) or (isinstance(value, bool) and kind != 5):
        raise LookupError(f"/{leaf['name']} {name}: {value!r} has the wrong type")
    if choices and value not in choices:
        raise LookupError(f"/{leaf['name']} {name}: {value!r} is not one of {choices}")
    return {"name": name, "type": kind, "value": value}


def _payload(command: Json, path: list[str], given: list[Json]) -> Json:
    options = given
    kinds = {1: (1,), 2: (2, 1)}.get(len(path), ())
    for word, kind in reversed(list(zip(path, kinds, strict=True))):
        options = [{"name": word, "type": kind, "options": options}]
    return {"id": command["id"], "name": command["name"], "type": command["type"], "options": options,
            **({"guild_id": command["guild_id"]} if "guild_id" in command else {})}  # fmt: skip
