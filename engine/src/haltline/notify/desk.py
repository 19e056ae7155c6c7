"""The desk: what to say, to whom, when. Pure: notices and an instant in, messages with their channels out.

Notices come from results (`notice`); they are placed in the groups of the routes that take them. A group is looked at
when it is due: what rests, is silenced or inhibited stays unsaid; what is new, or goes on unacknowledged, is told.
Everything the desk must know after a restart is in its notes, which are written with what they belong to.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

import msgspec

from haltline.api import Message
from haltline.clock import format_duration
from haltline.model.event import Acknowledge, Attention, Silence, Unacknowledge
from haltline.model.rule import Severity
from haltline.notify.card import card, first_card
from haltline.notify.crowd import crowded
from haltline.notify.group import FOREVER, Group, Member, group_id
from haltline.notify.inhibit import is_inhibited
from haltline.notify.notice import Notice
from haltline.notify.render import over_message
from haltline.notify.route import NAMED, Options, Route, Routes
from haltline.notify.silence import SilenceBook, StandingSilence

type Outgoing = list[tuple[Message, str]]
GROUP, SILENCE, _TREE = "group:", "silence:", "tree"


class Desk:
    """Decides what is said. `deadline` is when `advance` must be called even if nothing happens."""

    def __init__(self, routes: Routes, notes: Mapping[str, bytes] | None = None, now: int = 0) -> None:
        self._routes = routes
        self._groups: dict[str, Group] = {}
        self._active: dict[str, dict[str, str]] = {}
        self._changed: dict[str, None] = {}
        self.silences = SilenceBook()
        self._digest = hashlib.sha256(repr(routes.root).encode()).hexdigest().encode()
        self._restore(notes or {}, now)

    @property
    def deadline(self) -> int | None:
        """The next instant at which something may have to be said."""
        dues = [group.due for group in self._groups.values() if group.due is not None]
        expiry = self.silences.next_expiry()
        return min([*dues, *([expiry] if expiry is not None else [])], default=None)

    @property
    def groups(self) -> tuple[Group, ...]:
        """What goes on, as people hear of it."""
        return tuple(self._groups.values())

    def take(self, notices: Sequence[Notice], now: int, *, heard: Sequence[Attention] = ()) -> Outgoing:
        """Take what happened and what operators said into account; returns what must be said now."""
        out: Outgoing = []
        for notice in notices:
            self._follow(notice)
        for event in heard:
            out += self._hear(event, now)
        for notice in notices:
            out += self._place(notice, now)
        return [*crowded(out), *self.advance(now)]

    def advance(self, now: int) -> Outgoing:
        """What must be said because time has passed."""
        for silence in self.silences.expire(now):
            self._note(SILENCE + silence.id)
            for group in self._groups.values():
                group.look_at(now)
        out: Outgoing = []
        for group in [each for each in self._groups.values() if each.due is not None and each.due <= now]:
            out += self._look(group, now)
        return out

    def keep_only(self, live: Mapping[str, Mapping[str, str]], now: int) -> Outgoing:
        """The incidents that are live in the kernel, with their labels; others ended where nobody could tell."""
        self._active = {incident: dict(labels) for incident, labels in live.items()}
        for group in self._groups.values():
            for member in group.members.values():
                if not (member.once or member.over) and member.key not in live:
                    member.over = True
                    reason = "its rule was changed or removed"
                    member.message = over_message(member.message, member.begun, now, reason=reason)
                    group.look_at(now)
                    self._note(GROUP + group.id)
        return self.advance(now)

    def changes(self) -> list[tuple[str, bytes | None]]:
        """What must be written down since this was asked last: notes by key, None for one to be forgotten."""
        changed, self._changed = list(self._changed), {}
        silences = {each.id: each for each in self.silences}
        return [(key, self._body(key, silences)) for key in changed]

    # -- what happened ---------------------------------------------------------------------------------------------

    def _follow(self, notice: Notice) -> None:
        """Whether an incident goes on: it may keep others quiet."""
        if not notice.incident:
            return
        if notice.is_over:
            if self._active.pop(notice.incident, None) is not None:
                for group in self._groups.values():
                    if group.inhibited:
                        group.look_at(notice.message.at)
        else:
            self._active[notice.incident] = notice.labels

    def _place(self, notice: Notice, now: int) -> Outgoing:
        if notice.is_done:
            return self._note_deed(notice, now)
        if notice.is_over and notice.incident:
            known = self._close(notice, now)
            if known:
                return []
        if not notice.is_asked:
            return []
        out: Outgoing = []
        routes = self._routes.find(notice.labels, notice.named)
        covered = set(self._covered(notice))
        self._leave(notice, routes)
        for route in routes:
            if route.options.at_once:
                out += self._pass_on(notice, route, covered, now)
            else:
                self._join(notice, route, tuple(sorted(covered)), now)
            covered.update(route.options.channels)
        return out

    def _covered(self, notice: Notice) -> Iterator[str]:
        """Channels that hear of the same incident in the same phase by what was placed at the same instant."""
        for group in self._groups.values() if notice.incident else ():
            member = group.members.get(notice.incident)
            if member is not None and member.is_new and _is_same_news(member.message, notice.message):
                route = self._routes.route(group.route)
                if route is not None and route.id.startswith(NAMED) != bool(notice.named):
                    yield from route.options.channels

    def _leave(self, notice: Notice, routes: Sequence[Route]) -> None:
        """An incident that other routes take now (it has another phase) goes on there; here only its end is told."""
        staying = [group_id(route.id, route.group_of(notice.labels)) for route in routes]
        heard = tuple(channel for route in routes for channel in route.options.channels)
        for group in list(self._groups.values()) if notice.incident and not notice.named else ():
            member = group.members.get(notice.incident)
            if member is None or group.id in staying or group.route.startswith(NAMED):
                continue
            self._note(GROUP + group.id)
            if member.told_at is not None:
                member.elsewhere, member.covered = True, heard
                continue
            del group.members[notice.incident]
            if not group.members:
                del self._groups[group.id]

    def _pass_on(self, notice: Notice, route: Route, covered: Iterable[str], now: int) -> Outgoing:
        if self.silences.until(notice.labels, now) is not None:
            return []
        return [(notice.message, channel) for channel in self._listeners(route, notice) if channel not in covered]

    def _listeners(self, route: Route, notice: Notice) -> list[str]:
        named = route.id.startswith(NAMED)
        severity = notice.message.severity
        return [name for name in route.options.channels if named or self._routes.hears(name, severity)]

    def _join(self, notice: Notice, route: Route, covered: tuple[str, ...], now: int) -> None:
        labels = route.group_of(notice.labels)
        key = group_id(route.id, labels)
        group = self._groups.get(key)
        if group is None:
            group = self._groups[key] = Group(id=key, route=route.id, labels=labels)
        self._note(GROUP + key)
        member = group.members.get(notice.key)
        if member is None:
            group.members[notice.key] = member = Member(
                key=notice.key, message=notice.message, labels=notice.labels, begun=notice.since,
                once=not notice.incident or notice.is_over, covered=covered, actions=notice.actions,
            )  # fmt: skip
        else:
            joined = member.is_new and _is_same_news(member.message, notice.message)
            if not joined and notice.message.id != member.message.id:
                member.acked_until, member.acked_by = None, ""  # what was acknowledged was less than this
            member.message = _joined(member.message, notice.message) if joined else notice.message
            member.labels, member.covered, member.elsewhere = notice.labels, covered, False
            member.actions = tuple(dict.fromkeys((*member.actions, *notice.actions)))
        group.look_at(_first_look(group, route.options, notice.message.severity, now))

    def _close(self, notice: Notice, now: int) -> bool:
        """An incident is over; whether a group had it. What ended before it was told is told all the same, once."""
        known = False
        for group in self._groups.values():
            member = group.members.get(notice.incident)
            if member is None or member.over:
                continue
            known = True
            ended = over_message(member.message, member.begun, now, closing=notice, deeds=member.deeds)
            if member.told_at is None:
                member.once = True
                begun = member.message
                member.message = msgspec.structs.replace(begun, text=f"{begun.text} {ended.text}", buttons=())
            else:
                member.over, member.message = True, ended
                group.look_at(now)
            self._note(GROUP + group.id)
        return known

    def _note_deed(self, notice: Notice, now: int) -> Outgoing:
        """What was done belongs to the incidents it was done for."""
        for group in self._groups.values():
            for member in group.members.values():
                if notice.deed_of in member.actions:
                    member.deeds = (*member.deeds, notice.deed)
                    self._note(GROUP + group.id)
        return self._place(msgspec.structs.replace(notice, deed_of=""), now)

    # -- what operators said ---------------------------------------------------------------------------------------

    def _hear(self, event: Attention, now: int) -> Outgoing:
        if isinstance(event, Acknowledge):
            return self._acknowledge(event, now)
        if isinstance(event, Unacknowledge):
            return self._take_back(event, now)
        if isinstance(event, Silence):
            self.silences.add(event, now)
        else:
            self.silences.remove(event)
        self._note(SILENCE + event.silence_id)
        for group in self._groups.values():
            group.look_at(now)
        return []

    def _acknowledge(self, event: Acknowledge, now: int) -> Outgoing:
        out: Outgoing = []
        for group in self._groups.values():
            member = group.members.get(event.incident)
            route = self._routes.route(group.route)
            if member is None or route is None or member.over or member.is_acked(now):
                continue
            length = route.options.ack_for_ns
            member.acked_until, member.acked_by = (now + length if length else FOREVER), event.operator
            self._note(GROUP + group.id)
            if member.told_at is not None and not self._is_hidden(member, route.options, now):
                group.serial += 1
                message = card(group, [member], now, update=True)
                out += [(message, channel) for channel in group.told_to if channel not in member.covered]
            group.look_at(now)
        return out

    def _take_back(self, event: Unacknowledge, now: int) -> Outgoing:
        """It asks for attention again, from now on."""
        for group in self._groups.values():
            member = group.members.get(event.incident)
            if member is not None and member.acked_until is not None:
                member.acked_until, member.acked_by = None, ""
                group.look_at(now)
        return []

    # -- when it is due --------------------------------------------------------------------------------------------

    def _look(self, group: Group, now: int) -> Outgoing:
        self._note(GROUP + group.id)
        route = self._routes.route(group.route)
        if route is None:
            del self._groups[group.id]
            return []
        options = route.options
        seen = [member for member in group.members.values() if not self._is_hidden(member, options, now)]
        news = [member for member in seen if member.is_new and _is_worth_telling(member, options)]
        again = [] if news else [member for member in seen if _is_due_again(member, options, now)]
        out: Outgoing = []
        if news or again:
            out += self._tell(group, options, news or again, seen, now)
        out += self._climb(group, options, seen, now)
        self._sweep(group, options, now)
        return out

    def _tell(
        self, group: Group, options: Options, shown: Sequence[Member], seen: Sequence[Member], now: int
    ) -> Outgoing:
        is_news = any(member.is_new for member in shown)
        update = is_news and all(member.over for member in shown)
        lead = "" if is_news else "Not acknowledged yet"
        out: Outgoing = []
        channels = tuple(dict.fromkeys((*options.channels, *group.told_to)))
        group.serial += 1
        named = group.route.startswith(NAMED)
        for channel in channels:
            heard = [
                member for member in shown
                if channel not in member.covered and (named or self._routes.hears(channel, member.message.severity))
            ]  # fmt: skip
            if not heard:
                continue
            is_first = len(heard) == len(group.members) == 1 and heard[0].told_at is None
            message = (
                first_card(group, heard[0])
                if is_first
                else card(group, heard, now, seen=seen, lead=lead, update=update)
            )
            out.append((message, channel))
        for member in shown:
            member.told, member.told_at = member.message.id, now
        group.told_to = tuple(dict.fromkeys((*group.told_to, *(channel for _, channel in out))))
        group.flushed = now
        return out

    def _climb(self, group: Group, options: Options, seen: Sequence[Member], now: int) -> Outgoing:
        """Steps of the chain that are due because nobody acknowledged."""
        waiting = [member for member in seen if member.is_nagging(now)]
        if not waiting:
            if not any(member.is_nagging(now) for member in group.members.values()):
                group.nagging, group.climbed = None, 0
            return []
        if group.nagging is None:
            group.nagging = now
        out: Outgoing = []
        while group.climbed < len(options.steps):
            step = options.steps[group.climbed]
            if group.nagging + step.after_ns > now:
                break
            group.climbed += 1
            group.serial += 1
            message = card(group, waiting, now, lead=f"Not acknowledged for {format_duration(step.after_ns)}")
            out += [(message, channel) for channel in step.channels]
            group.told_to = tuple(dict.fromkeys((*group.told_to, *step.channels)))
        return out

    def _is_hidden(self, member: Member, options: Options, now: int) -> bool:
        rests = options.rests(member.message.severity, now)
        return rests or self._is_quiet(member, now)

    def _is_quiet(self, member: Member, now: int) -> bool:
        return self.silences.until(member.labels, now) is not None or self._is_inhibited(member)

    def _is_inhibited(self, member: Member) -> bool:
        policy = self._routes.policy
        if policy is None or not policy.inhibit or member.over:
            return False
        sources = (labels for incident, labels in self._active.items() if incident != member.key)
        return is_inhibited(member.labels, sources, policy.inhibit)

    def _sweep(self, group: Group, options: Options, now: int) -> None:
        """Forget what is told to its end, or never will be; then say when to look again."""
        for key, member in list(group.members.items()):
            is_told = not member.is_new or not _is_worth_telling(member, options)
            if (member.over or member.once) and (is_told or self._is_quiet(member, now)):
                del group.members[key]
        if not group.members:
            del self._groups[group.id]
            return
        group.inhibited = any(self._is_inhibited(member) for member in group.members.values())
        group.due = min(self._next_looks(group, options, now), default=None)

    def _next_looks(self, group: Group, options: Options, now: int) -> Iterator[int]:
        for member in group.members.values():
            if options.rests(member.message.severity, now):
                change = options.next_change(now)
                if change is not None:
                    yield change
                continue
            if self._is_quiet(member, now):
                continue  # looked at when a silence or what inhibits it ends
            yield from _next_news(member, group, options, now)
        if group.nagging is not None and group.climbed < len(options.steps):
            yield max(group.nagging + options.steps[group.climbed].after_ns, now + 1)

    # -- what is kept ----------------------------------------------------------------------------------------------

    def _note(self, key: str) -> None:
        self._changed[key] = None

    def _body(self, key: str, silences: Mapping[str, StandingSilence]) -> bytes | None:
        if key == _TREE:
            return self._digest
        kept: Group | StandingSilence | None
        if key.startswith(GROUP):
            kept = self._groups.get(key.removeprefix(GROUP))
        else:
            kept = silences.get(key.removeprefix(SILENCE))
        return None if kept is None else msgspec.json.encode(kept)

    def _restore(self, notes: Mapping[str, bytes], now: int) -> None:
        """What an earlier run noted; after a change of the routes, what goes on finds its new ones."""
        standing = [body for key, body in notes.items() if key.startswith(SILENCE)]
        self.silences = SilenceBook(msgspec.json.decode(body, type=StandingSilence) for body in standing)
        groups = [
            msgspec.json.decode(body, type=Group) for key, body in notes.items() if key.startswith(GROUP)
        ]  # fmt: skip
        if notes.get(_TREE) == self._digest:
            self._groups = {group.id: group for group in groups}
            return
        if self._routes.policy is not None:
            self._note(_TREE)
        for group in groups:
            self._note(GROUP + group.id)
            for member in group.members.values():
                self._move(group, member, now)

    def _move(self, old: Group, member: Member, now: int) -> None:
        named = old.route.removeprefix(NAMED) if old.route.startswith(NAMED) else ""
        for route in self._routes.find(member.labels, named):
            if route.options.at_once:
                continue
            labels = route.group_of(member.labels)
            key = group_id(route.id, labels)
            group = self._groups.setdefault(key, Group(id=key, route=route.id, labels=labels))
            group.members.setdefault(member.key, msgspec.structs.replace(member, covered=()))
            group.look_at(now)
            self._note(GROUP + key)


def _is_same_news(old: Message, new: Message) -> bool:
    return (old.phase, old.at) == (new.phase, new.at)


def _joined(first: Message, second: Message) -> Message:
    """Two messages about one incident in one phase are one: the sentences of both."""
    if second.text in first.text:
        return first
    return msgspec.structs.replace(first, text=f"{first.text}\n{second.text}")


def _first_look(group: Group, options: Options, severity: Severity, now: int) -> int:
    """What is critical waits for nothing; the rest for its group."""
    if severity is Severity.CRITICAL:
        return now + options.critical_wait_ns
    if group.flushed is None:
        return now + options.group_wait_ns
    return max(now, group.flushed + options.group_interval_ns)


def _is_worth_telling(member: Member, options: Options) -> bool:
    """The end of something is told to those who heard of it, unless the route does not want that."""
    return not member.over or (options.resolved and member.told_at is not None)


def _is_due_again(member: Member, options: Options, now: int) -> bool:
    repeat = options.repeat_ns(member.message.severity)
    if not repeat or not member.is_nagging(now):
        return False
    return member.told_at is not None and member.told_at + repeat <= now


def _next_news(member: Member, group: Group, options: Options, now: int) -> Iterator[int]:
    if member.is_new:
        yield max(_first_look(group, options, member.message.severity, now), now + 1)
        return
    repeat = options.repeat_ns(member.message.severity)
    if member.is_acked(now):
        if member.acked_until is not None and member.acked_until < FOREVER:
            yield member.acked_until
    elif repeat and member.told_at is not None:
        yield max(member.told_at + repeat, now + 1)
