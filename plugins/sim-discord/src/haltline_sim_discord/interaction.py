"""Interactions: one response within three seconds, then edits and follow-ups for a quarter of an hour."""

from haltline_sim_discord.content import check_components
from haltline_sim_discord.failure import ApiError, bad_form, unknown, wrong_count
from haltline_sim_discord.method import Answer, Call, rewrite, write
from haltline_sim_discord.record import EPHEMERAL, LOADING, Interaction, Json, Message

LIFE_S = 900.0
COMMAND, PRESS, COMPLETION, FORM = 2, 3, 4, 5
_MESSAGE, _DEFERRED, _DEFERRED_EDIT, _EDIT, _CHOICES, _FORM = 4, 5, 6, 7, 8, 9
_ALLOWED = {
    COMMAND: (_MESSAGE, _DEFERRED, _FORM), PRESS: (_MESSAGE, _DEFERRED, _DEFERRED_EDIT, _EDIT, _FORM),
    COMPLETION: (_CHOICES,), FORM: (_MESSAGE, _DEFERRED, _DEFERRED_EDIT, _EDIT),
}  # fmt: skip


def respond(call: Call) -> Answer:
    """The first and only response."""
    found = call.world.interactions.get(call.parts["interaction"])
    if found is None or found.token != call.parts["token"] or call.world.now() - found.at > call.world.answer_s:
        raise unknown("interaction")
    if found.answered is not None:
        raise ApiError(400, 40060, "Interaction has already been acknowledged.")
    kind, given = call.form.get("type"), call.form.get("data") or {}
    if kind not in _ALLOWED[found.kind] or (kind in (_DEFERRED_EDIT, _EDIT) and found.message is None):
        raise bad_form("type", "INTERACTION_CALLBACK_INVALID", "Invalid interaction callback type")
    shown = _carry_out(call, found, int(kind), given)
    found.answered = int(kind)
    call.world.watch.changed()
    if call.query.get("with_response", "").lower() not in ("true", "1"):
        return 204, None
    return 200, _receipt(call, found, shown)


def _carry_out(call: Call, found: Interaction, kind: int, given: Json) -> Message | None:
    match kind:
        case 4 | 5:
            return _open(call, found, given, is_deferred=kind == _DEFERRED)
        case 7:
            assert found.message is not None
            rewrite(call, found.message, given)
            found.original = found.message
            found.replies.append(found.message)
            return found.message
        case 6:
            found.original = found.message
        case 8:
            found.choices = _choices(given)
        case 9:
            _check_form(given)
            found.form = given
    return None


def _open(call: Call, found: Interaction, given: Json, *, is_deferred: bool) -> Message:
    body = {**given, "content": "…"} if is_deferred else given
    made = write(call, found.channel, body, found)
    if is_deferred:
        made.text, made.flags = "", made.flags | LOADING
    found.original = made
    found.replies.append(made)
    call.world.keep(made, given.get("allowed_mentions"))
    return made


def _receipt(call: Call, found: Interaction, shown: Message | None) -> Json:
    told: Json = {"id": found.id, "type": found.kind}
    if shown is not None:
        told |= {
            "response_message_id": shown.id, "response_message_loading": shown.is_loading,
            "response_message_ephemeral": shown.is_ephemeral, "channel_id": found.channel.id,
        }  # fmt: skip
    answer: Json = {"interaction": told}
    if shown is not None and found.answered in (_MESSAGE, _EDIT):
        answer["resource"] = {"type": found.answered, "message": shown.to_json(call.world.base_url)}
    return answer


def _choices(given: Json) -> list[Json]:
    found = given.get("choices") or []
    if len(found) > 25:
        raise wrong_count("data.choices", 0, 25)
    for place, each in enumerate(found):
        if not 1 <= len(str(each.get("name") or "")) <= 100:
            raise wrong_count(f"data.choices.{place}.name", 1, 100)
    return list(found)


def _check_form(given: Json) -> None:
    if not 1 <= len(given.get("title") or "") <= 45:
        raise wrong_count("data.title", 1, 45)
    if not 1 <= len(given.get("custom_id") or "") <= 100:
        raise wrong_count("data.custom_id", 1, 100)
    if not 1 <= len(given.get("components") or []) <= 5:
        raise wrong_count("data.components", 1, 5)
    rows = [row for row in given["components"] if row.get("type") == 1]
    check_components(rows)


# -- after the response ------------------------------------------------------------------------------------------------


def follow_up(call: Call) -> Answer:
    """Another message; the first after a deferral takes the place of the one that says the bot is thinking."""
    found = _by_token(call)
    if found.original is not None and found.original.is_loading and found.original in found.replies:
        rewrite(call, found.original)
        return 200, found.original.to_json(call.world.base_url)
    made = write(call, found.channel, None, found)
    found.replies.append(made)
    call.world.keep(made, call.form.get("allowed_mentions"))
    return 200, made.to_json(call.world.base_url)


def get_reply(call: Call) -> Answer:
    """The response or a follow-up."""
    return 200, _reply(call).to_json(call.world.base_url)


def edit_reply(call: Call) -> Answer:
    """Change the response or a follow-up."""
    found, interaction = _reply(call), _by_token(call)
    rewrite(call, found)
    if found not in interaction.replies:
        interaction.replies.append(found)
    call.world.watch.changed()
    return 200, found.to_json(call.world.base_url)


def delete_reply(call: Call) -> Answer:
    """Take the response or a follow-up away."""
    call.world.remove(_reply(call))
    return 204, None


def _by_token(call: Call) -> Interaction:
    token = call.parts["token"]
    found = next((each for each in call.world.interactions.values() if each.token == token), None)
    if found is None or found.answered is None:
        raise unknown("Webhook")
    if call.world.now() - found.at > LIFE_S:
        raise ApiError(401, 50027, "Invalid Webhook Token")
    return found


def _reply(call: Call) -> Message:
    interaction, wanted = _by_token(call), call.parts.get("message", "@original")
    known = [interaction.original] if wanted == "@original" else [*interaction.replies, interaction.message]
    found = next((m for m in known if m is not None and not m.deleted and wanted in ("@original", m.id)), None)
    if found is None:
        raise unknown("Message")
    return found


def is_visible(message: Message, user_id: str) -> bool:
    """Whether somebody sees a message."""
    return not message.deleted and (not message.flags & EPHEMERAL or message.seen_by == user_id)
