"""The channel `apprise`: one service behind an Apprise URL."""

from collections.abc import Callable
from functools import partial

from apprise import AppriseAttachment, NotifyBase, NotifyFormat, NotifyType, OverflowMode
from apprise.attachment.memory import AttachMemory
from apprise.exception import AppriseException

from haltline.api import Message, NotifierSetup
from haltline.errors import EngineError, PluginFailed, Refused, Transient
from haltline_notify_apprise.client import connect
from haltline_notify_apprise.hear import hearing
from haltline_notify_apprise.letter import Room, letter_of
from haltline_notify_apprise.verdict import failure_of, secrets_of
from haltline_notify_apprise.worker import Worker

TIMEOUT_S = 12.0
"""Less than the engine waits, so that a service that hangs is told as one."""


class AppriseNotifier:
    """Sends each message in a thread; one that takes longer than `timeout_s` is given up, and the next one gets a new
    client. What was given up may arrive all the same.

    `connect` makes a client; `secrets` are the texts that no reason may hold.
    """

    def __init__(
        self,
        name: str,
        connect: Callable[[], NotifyBase],
        *,
        secrets: tuple[str, ...] = (),
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._connect = connect
        self._secrets = secrets
        self._timeout_s = timeout_s
        self._worker = Worker(f"channel {name}")
        self._client = connect()
        self.service = str(self._client.service_name)

    def __repr__(self) -> str:
        return f"<AppriseNotifier {self.service}>"

    @property
    def max_chars(self) -> int | None:
        """What the service takes, as Apprise knows it."""
        return int(self._client.body_maxlen) or None

    async def send(self, message: Message) -> None:
        """Deliver one message; raises Transient, Refused, or PluginFailed where Apprise itself fails."""
        call = partial(self._deliver, self._client, message)
        try:
            failure = await self._worker.run(call, timeout_s=self._timeout_s)
        except TimeoutError:
            self._client = self._connect()
            raise Transient(f"{self.service} did not answer within {self._timeout_s:g}s") from None
        if failure is not None:
            raise failure

    def _deliver(self, client: NotifyBase, message: Message) -> EngineError | None:
        """In a thread: send it; what went wrong is returned, so that no traceback holds what must not be shown."""
        with hearing() as heard:
            try:
                if message.plain:
                    client = self._connect()
                    client.notify_format = NotifyFormat.TEXT
                taken = _hand_over(client, message)
            except AppriseException:
                return Refused(f"{self.service}: Apprise cannot send this message")
            except Exception as error:  # noqa: BLE001 - the wall around Apprise: each service is code of its own
                return PluginFailed(f"{self.service}: Apprise failed with {type(error).__name__}")
            return None if taken else failure_of(self.service, heard, self._secrets)


def make_apprise(setup: NotifierSetup) -> AppriseNotifier:
    """The channel from its `config`; raises ConfigError for a URL that Apprise cannot use."""
    url = str(setup.config["url"])
    timeout_s = float(str(setup.config.get("timeout_s", TIMEOUT_S)))
    return AppriseNotifier(
        setup.name, partial(connect, url, channel=setup.name), secrets=secrets_of(url), timeout_s=timeout_s
    )


def _hand_over(client: NotifyBase, message: Message) -> bool:
    room = Room(
        body=int(client.body_maxlen),
        title=int(client.title_maxlen),
        shared=client.overflow_amalgamate_title,
        lines=int(client.body_max_line_count),
    )
    letter = letter_of(message, room)
    pictured = message.image and client.attachment_support and not message.plain
    return bool(
        client.notify(
            body=letter.body,
            title=letter.title,
            notify_type=NotifyType(letter.kind),
            body_format=NotifyFormat.TEXT,
            overflow=OverflowMode.UPSTREAM,
            attach=_picture(message.image) if pictured else None,
        )
    )


def _picture(png: bytes) -> AppriseAttachment:
    memory = AttachMemory(content=png, name="chart.png", mimetype="image/png")  # type: ignore[no-untyped-call] # theirs
    return AppriseAttachment([memory])
