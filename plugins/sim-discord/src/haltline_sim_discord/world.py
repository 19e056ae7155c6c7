"""The state of the simulated platform: one guild, its people and channels, what was said, and who is told."""

import itertools
import time
from collections.abc import Callable

from haltline_sim_discord.content import pings_of
from haltline_sim_discord.failure import ApiError, unknown
from haltline_sim_discord.gateway import Gateway, Session
from haltline_sim_discord.limit import Pace, Rate
from haltline_sim_discord.record import DIRECT, THREAD, Attachment, Channel, Interaction, Json, Message, Person
from haltline_sim_kit.fault import FaultBox
from haltline_sim_kit.transcript import Transcript
from haltline_sim_kit.watch import Watch

_EPOCH_S = 1_420_070_400
_GUILDS, _GUILD_MESSAGES, _DIRECT_MESSAGES, _CONTENT = 1 << 0, 1 << 9, 1 << 12, 1 << 15
GUILD_ID, BOT_ID = "200000000000000001", "123456789012345678"


class World:
    """Everything that REST, the gateway and the scripted people share."""

    def __init__(self, *, token: str, bot_name: str, rate: Rate, now: Callable[[], float] = time.time) -> None:
        self.token = token
        self.now = now
        self.base_url = ""
        self.answer_s = 3.0
        """How long an interaction may wait for its response; more where a slow machine is not what is tested."""
        self.bot = Person(id=BOT_ID, name=bot_name, is_bot=True)
        self.people: dict[str, Person] = {BOT_ID: self.bot}
        self.roles: dict[str, str] = {GUILD_ID: "@everyone"}
        self.channels: dict[str, Channel] = {}
        self.messages: dict[str, Message] = {}
        self.said: list[Message] = []
        """Each appearance of a message of the bot, new or edited, in order."""
        self.attachments: dict[str, Attachment] = {}
        self.commands: dict[str, list[Json]] = {}
        """By guild id; empty: the global ones."""
        self.interactions: dict[str, Interaction] = {}
        self.watch = Watch()
        self.faults = FaultBox()
        self.gateway = Gateway(token, self.faults, self.watch, self._ready)
        self.pace = Pace(rate, now)
        self.transcript = Transcript()
        self._counter = itertools.count(1)
        self.add_channel("general")

    def snowflake(self) -> str:
        """A number that was not given out before and tells the time."""
        return str((int((self.now() - _EPOCH_S) * 1000) << 22) + next(self._counter) % (1 << 22))

    # -- channels ------------------------------------------------------------------------------------------------------

    def add_channel(self, name: str) -> Channel:
        """A text channel of the guild."""
        made = Channel(id=self.snowflake(), kind=0, name=name, guild_id=GUILD_ID)
        self.channels[made.id] = made
        self.gateway.dispatch("CHANNEL_CREATE", made.to_json(BOT_ID), intents=_GUILDS)
        return made

    def add_thread(self, parent: Channel, name: str, channel_id: str | None = None) -> Channel:
        """A thread in a channel."""
        made = Channel(
            id=channel_id or self.snowflake(), kind=THREAD, name=name, guild_id=GUILD_ID, parent_id=parent.id
        )
        self.channels[made.id] = made
        self.gateway.dispatch("THREAD_CREATE", {**made.to_json(BOT_ID), "newly_created": True}, intents=_GUILDS)
        return made

    def direct(self, person: Person) -> Channel:
        """The private conversation with somebody."""
        found = next((each for each in self.channels.values() if each.recipient is person), None)
        if found is None:
            found = Channel(id=self.snowflake(), kind=DIRECT, name=f"@{person.name}", recipient=person)
            self.channels[found.id] = found
        return found

    def channel(self, channel_id: str) -> Channel:
        """A channel the bot may see; raises ApiError."""
        found = self.channels.get(channel_id)
        if found is None:
            raise unknown("Channel")
        if found.is_closed:
            raise ApiError(403, 50001, "Missing Access")
        return found

    def writable(self, channel_id: str) -> Channel:
        """A channel in which the bot may write; raises ApiError."""
        found = self.channel(channel_id)
        if found.is_silent:
            raise ApiError(403, 50013, "Missing Permissions")
        if found.recipient is not None and not found.recipient.takes_messages:
            raise ApiError(403, 50007, "Cannot send messages to this user")
        return found

    def message(self, channel: Channel, message_id: str) -> Message:
        """A message that everybody can see; raises ApiError."""
        found = self.messages.get(message_id)
        if found is None or found.deleted or found.channel is not channel or found.is_ephemeral:
            raise unknown("Message")
        return found

    # -- what is said --------------------------------------------------------------------------------------------------

    def keep(self, message: Message, allowed: Json | None) -> None:
        """Add a message, see whom it notifies, and tell those who listen."""
        message.pings = pings_of(message.text, allowed, users=self.people, roles=self.roles)
        message.mentions = [self.people[each] for each in sorted(message.pings) if each in self.people]
        self.messages[message.id] = message
        message.channel.last_message_id = message.id
        if not message.is_ephemeral:
            self._tell("MESSAGE_CREATE", message)
        if message.author is self.bot:
            self.show(message)

    def changed(self, message: Message) -> None:
        """Tell those who listen that a message was edited."""
        if not message.is_ephemeral:
            self._tell("MESSAGE_UPDATE", message)
        if message.author is self.bot:
            self.show(message, verb=f"edits message {message.id}")

    def show(self, message: Message, *, verb: str = "") -> None:
        """A message of the bot has appeared or was edited; nothing where it only thinks."""
        if not message.is_loading:
            self.said.append(message)
            seen = self.people.get(message.seen_by or "")
            told = " ".join(part for part in (verb, f"to {seen.name} alone" if seen else "") if part)
            self.transcript.add(message.channel.name, self.bot.name, message.shown, verb=told, buttons=message.buttons)
        self.watch.changed()

    def remove(self, message: Message) -> None:
        """Delete a message."""
        message.deleted = True
        self.transcript.add(message.channel.name, message.author.name, message.shown, verb="deletes")
        where = {"id": message.id, "channel_id": message.channel.id, "guild_id": message.channel.guild_id}
        self.gateway.dispatch("MESSAGE_DELETE", where, intents=_GUILD_MESSAGES | _DIRECT_MESSAGES)
        self.watch.changed()

    def _tell(self, event: str, message: Message) -> None:
        body = message.to_json(self.base_url)
        if message.channel.guild_id is None:
            self.gateway.dispatch(event, body, intents=_DIRECT_MESSAGES)
            return
        body["guild_id"] = message.channel.guild_id
        is_read = message.author is self.bot or self.bot in message.mentions
        if not is_read and not any(each.intents & _CONTENT for each in self.gateway.sessions.values()):
            body |= {"content": "", "embeds": [], "attachments": [], "components": []}
        if not message.author.is_bot:
            body["member"] = {k: v for k, v in message.author.member_json().items() if k != "user"}
        self.gateway.dispatch(event, body, intents=_GUILD_MESSAGES)

    # -- what a new session is told ------------------------------------------------------------------------------------

    def _ready(self, session: Session) -> list[Json]:
        url = f"{self.base_url.replace('http', 'ws', 1)}/gateway"
        ready: Json = {
            "v": 10, "user": self.bot_json(), "guilds": [{"id": GUILD_ID, "unavailable": True}],
            "session_id": session.id, "session_type": "normal", "resume_gateway_url": url, "shard": [0, 1],
            "application": {"id": BOT_ID, "flags": 0}, "private_channels": [], "relationships": [], "presences": [],
            "user_settings": {}, "_trace": [],
        }  # fmt: skip
        found = [{"t": "READY", "d": ready}]
        return [*found, {"t": "GUILD_CREATE", "d": self.guild_create()}] if session.intents & _GUILDS else found

    def bot_json(self) -> Json:
        """The bot as it sees itself."""
        return {
            **self.bot.to_json(), "verified": True, "mfa_enabled": True, "email": None, "locale": "en-US",
            "premium_type": 0,
        }  # fmt: skip

    def guild_json(self) -> Json:
        """The guild."""
        nothing = dict.fromkeys(
            ("icon", "splash", "discovery_splash", "description", "banner", "application_id", "afk_channel_id",
             "system_channel_id", "rules_channel_id", "public_updates_channel_id", "safety_alerts_channel_id",
             "widget_channel_id", "vanity_url_code", "home_header", "incidents_data")
        )  # fmt: skip
        return {
            **nothing, "id": GUILD_ID, "name": "Desk", "owner_id": BOT_ID, "roles": self.role_json(), "emojis": [],
            "stickers": [], "features": [], "afk_timeout": 300, "verification_level": 0, "explicit_content_filter": 0,
            "default_message_notifications": 0, "mfa_level": 0, "system_channel_flags": 0, "premium_tier": 0,
            "premium_subscription_count": 0, "premium_progress_bar_enabled": False, "preferred_locale": "en-US",
            "nsfw": False, "nsfw_level": 0, "widget_enabled": False, "region": "deprecated",
            "max_members": 500_000, "max_presences": None, "max_video_channel_users": 25,
            "max_stage_video_channel_users": 50,
        }  # fmt: skip

    def guild_create(self) -> Json:
        """The guild with everything in it."""
        rooms = [each for each in self.channels.values() if each.guild_id]
        return {
            **self.guild_json(), "joined_at": "2024-01-01T00:00:00+00:00", "large": False, "unavailable": False,
            "member_count": len(self.people), "members": [self.bot.member_json()], "voice_states": [],
            "channels": [each.to_json(BOT_ID) for each in rooms if each.kind != THREAD],
            "threads": [each.to_json(BOT_ID) for each in rooms if each.kind == THREAD and not each.is_archived],
            "presences": [], "stage_instances": [], "guild_scheduled_events": [], "soundboard_sounds": [],
        }  # fmt: skip

    def role_json(self) -> list[Json]:
        """The roles of the guild; everybody has the one that is called like it."""
        colours = {"primary_color": 0, "secondary_color": None, "tertiary_color": None}
        return [
            {
                "id": role_id, "name": name, "color": 0, "colors": colours, "hoist": False, "position": place,
                "permissions": str(self.bot.permissions), "managed": False, "mentionable": True, "flags": 0,
                "icon": None, "unicode_emoji": None, "description": None,
            }
            for place, (role_id, name) in enumerate(self.roles.items())
        ]  # fmt: skip
