"""The entry point: registers both kinds of channel. Apprise takes seconds to import: that waits until one is made."""

from haltline.api import Notifier, NotifierKind, NotifierSetup, Registry, hookimpl

_TIMEOUT = {
    "type": "number",
    "minimum": 1,
    "maximum": 14,
    "description": "how long to wait for the service, in seconds; the engine itself waits for 15",
}
APPRISE_SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["url"],
    "additionalProperties": False,
    "properties": {
        "url": {
            "type": "string",
            "minLength": 1,
            "description": "an Apprise URL, which holds its secrets: write ${NAME}; see https://appriseit.com/services/",
        },
        "timeout_s": {**_TIMEOUT, "default": 12},
    },
}
WEBHOOK_SCHEMA: dict[str, object] = {
    "type": "object",
    "required": ["url", "secret"],
    "additionalProperties": False,
    "properties": {
        "url": {"type": "string", "minLength": 1, "description": "where to POST; https, unless it is private"},
        "secret": {
            "type": "string",
            "minLength": 16,
            "description": "signs messages; 16 characters or more, the same at the receiver; write ${NAME}",
        },
        "private": {
            "type": "boolean",
            "default": False,
            "description": "the receiver stands in your own network: only private addresses, and http too; else only "
            "public ones, and https",
        },
        "ca": {
            "type": "string",
            "minLength": 1,
            "description": "a file of certificates to trust besides the usual ones, relative to the set-up",
        },
        "timeout_s": {**_TIMEOUT, "default": 10},
    },
}


def make_apprise(setup: NotifierSetup) -> Notifier:
    """One service; raises ConfigError for a URL that Apprise cannot use."""
    from haltline_notify_apprise.service import make_apprise as make  # noqa: PLC0415 - seconds, see above

    return make(setup)


def make_webhook(setup: NotifierSetup) -> Notifier:
    """A receiver of one's own; raises ConfigError for a URL or certificates that cannot be used."""
    from haltline_notify_apprise.webhook import make_webhook as make  # noqa: PLC0415 - it imports aiohttp

    return make(setup)


@hookimpl
def haltline_register_notifiers(registry: Registry) -> None:
    """Services of others, and a receiver of one's own."""
    registry.add_notifier(
        NotifierKind(
            name="apprise",
            make=make_apprise,
            meaning="mail, Slack, ntfy, Pushover, Matrix and 150 others, through Apprise",
            schema=APPRISE_SCHEMA,
        )
    )
    registry.add_notifier(
        NotifierKind(
            name="webhook", make=make_webhook, meaning="a signed HTTP POST to a receiver of your own",
            schema=WEBHOOK_SCHEMA, max_chars=100_000,
        )
    )  # fmt: skip
