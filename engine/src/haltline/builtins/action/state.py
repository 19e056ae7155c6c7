"""Actions that touch no broker: messages, blocks and locks. The kernel and the notifier carry them out."""

from haltline.api import Action, HandledBy, Kind, Parameter
from haltline.model.rule import Evidence, Scope

NOTIFY = Action(
    name="notify",
    meaning="tell people, on the channels that the routes choose or on those named",
    handled_by=HandledBy.NOTIFY,
    parameters=(
        Parameter(name="channels", kind=Kind.TEXT, meaning="names of channels, separated by commas", required=False),
        Parameter(name="text", kind=Kind.TEXT, meaning="a sentence to add to the message", required=False),
    ),
    rank=90,
    evidence=Evidence.WITNESS,
    example="then: [{notify: {channels: phone, text: stop trading for today}}]",
)

BLOCK_ENTRIES = Action(
    name="block_entries",
    meaning="let the account only reduce for as long as the incident lives",
    handled_by=HandledBy.KERNEL,
    scopes=frozenset(Scope) - {Scope.FILL, Scope.INTENT},  # instants: an incident that is over at once blocks nothing
    rank=0,
    evidence=Evidence.WITNESS,
    example="then: [block_entries]",
)

LOCK = Action(
    name="lock",
    meaning="ban new risk until an instant that outlives the incident, and close what is opened all the same",
    handled_by=HandledBy.KERNEL,
    parameters=(
        Parameter(
            name="until",
            kind=Kind.ENUM,
            meaning="next_session: the next opening of the market; reset: the next roll of the trading day; clear: the "
            "end of the incident; released: an operator lifts it. Without `until` and `for` it is next_session",
            required=False,
            choices=("next_session", "reset", "clear", "released"),
        ),
        Parameter(
            name="for",
            kind=Kind.DURATION,
            meaning="how long, instead of `until`: 30m, or an expression; one that is not above 0 counts as left out",
            required=False,
        ),
        Parameter(
            name="scope",
            kind=Kind.ENUM,
            meaning="the whole account, or only the symbol of the rule's entity",
            default="account",
            required=False,
            choices=("account", "symbol"),
        ),
    ),
    rank=10,
    evidence=Evidence.CORROBORATED,
    example="then: [{lock: {until: next_session}}]",
)

STATE_ACTIONS = (NOTIFY, BLOCK_ENTRIES, LOCK)
