"""What can be done about something, as buttons: for replies and for messages."""

from haltline.api.reply import Button, Tone
from haltline.kernel.kernel import Kernel
from haltline.kernel.view import IncidentView


def buttons_of(kernel: Kernel, incident: str) -> tuple[Button, ...]:
    """The buttons for a live incident; none for one that is over."""
    live = next((each for each in kernel.incidents() if each.id == incident), None)
    return incident_buttons(live, kernel) if live is not None else ()


def incident_buttons(live: IncidentView, kernel: Kernel) -> tuple[Button, ...]:
    """Why, acknowledge it or take that back, an hour of silence, and stop entries of its account."""
    account = live.entity.partition("/")[0]
    seen = Button(label="Acknowledge", command="ack", arguments={"incident": live.id}, tone=Tone.GOOD)
    if live.acknowledged:
        seen = Button(label="Take back", command="unack", arguments={"incident": live.id})
    found = [
        Button(label="Why", command="why", arguments={"rule": live.rule, "entity": live.entity}),
        seen,
        Button(label="Quiet for 1h", command="silence", arguments={"rule": live.rule, "for": "1h"}),
    ]
    if account in kernel.state.accounts:
        found.append(Button(label="Pause", command="pause", arguments={"account": account}, tone=Tone.WARNING))
        found.append(Button(label="Flatten", command="flatten", arguments={"account": account}, tone=Tone.BAD))
    return tuple(found)
