"""Messages stay until a channel confirms them; a dead channel hands on; a slow one delays nobody."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest

from haltline.api import Button, Message
from haltline.clock import ManualClock
from haltline.errors import Refused, Transient
from haltline.errors.inert import inert
from haltline.journal.store import Journal
from haltline.model.rule import Severity
from haltline.notify.lane import ChannelLimit
from haltline.notify.outbox import Outbox
from haltline.notify.route import Routes
from haltline.notify.table import MemoryOutboxTable, OutboxTable, Pending, SqliteOutboxTable

ALL = tuple(Severity)


class Channel:
    """Fails as scripted, then takes everything."""

    def __init__(self, *faults: Exception) -> None:
        self.faults = list(faults)
        self.heard: list[str] = []

    async def send(self, message: Message) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.heard.append(message.id)


class Deaf:
    """Never answers."""

    async def send(self, message: Message) -> None:
        await asyncio.Event().wait()


def message(key: str = "m", severity: Severity = Severity.CRITICAL) -> Message:
    return Message(id=key, at=1, severity=severity, title="t", text="t")


async def write(work: Callable[[], None]) -> None:
    work()


def outbox(table: OutboxTable, clock: ManualClock, capacity: int = 1000, **channels: Channel | Deaf) -> Outbox:
    return Outbox(
        channels=channels, routes=Routes(severities=dict.fromkeys(channels, ALL)), table=table, write=write,
        clock=clock, capacity=capacity,
    )  # fmt: skip


async def deliver(box: Outbox, clock: ManualClock, *messages: tuple[Message, str]) -> None:
    pending = box.prepare(messages)
    box.store(pending)
    box.release(pending)
    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(box.run_lane(name)) for name in box.channels]
        for _ in range(50):
            for _ in range(5):
                await asyncio.sleep(0)
            wake = clock.next_wake_ns()
            if wake is not None:
                clock.advance_to(wake)
        for task in tasks:
            task.cancel()


async def test_a_confirmed_message_leaves_the_table() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel()
    await deliver(outbox(table, clock, phone=phone), clock, (message(), ""))
    assert (phone.heard, table.rows()) == (["m"], [])


async def test_a_channel_that_is_down_for_a_while_hears_it_later() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel(Transient("down"), Transient("down"))
    await deliver(outbox(table, clock, phone=phone), clock, (message(), ""))
    assert phone.heard == ["m"]
    assert clock.now() >= 3_000_000_000


@pytest.mark.parametrize("fault", [Refused("blocked by user"), ZeroDivisionError("bug")])
async def test_a_dead_channel_hands_on_to_the_next(fault: Exception) -> None:
    table, clock, phone, mail = MemoryOutboxTable(), ManualClock(), Channel(fault, fault), Channel()
    await deliver(outbox(table, clock, phone=phone, mail=mail), clock, (message(), "phone"))
    assert (phone.heard, mail.heard, table.rows()) == ([], ["m"], [])


async def test_the_substitute_is_a_channel_that_does_not_get_the_message_anyway() -> None:
    clock, chat = ManualClock(), Channel(Refused("no"), Refused("no"))
    desk, log = Channel(), Channel()
    box = outbox(MemoryOutboxTable(), clock, chat=chat, desk=desk, log=log)
    await deliver(box, clock, (message(), "chat, desk"))
    assert (chat.heard, desk.heard, log.heard) == ([], ["m"], ["m"])


async def test_what_every_other_channel_gets_anyway_is_not_sent_to_one_of_them_twice() -> None:
    clock, chat, desk = ManualClock(), Channel(Refused("no"), Refused("no")), Channel()
    lost: list[str] = []
    box = outbox(MemoryOutboxTable(), clock, chat=chat, desk=desk)
    box._lost = lambda pending, reason: lost.append(f"{pending.key}: {reason}")
    await deliver(box, clock, (message(), ""))
    assert (chat.heard, desk.heard) == ([], ["m"])
    assert (lost, box.dropped) == ([], 1)


async def test_a_channel_whose_substitutes_have_it_already_is_tried_until_it_is_up_again() -> None:
    clock, chat, desk = ManualClock(), Channel(*[Transient("down")] * 12), Channel()
    box = outbox(MemoryOutboxTable(), clock, chat=chat, desk=desk)
    await deliver(box, clock, (message(), ""))
    assert (chat.heard, desk.heard) == (["m"], ["m"])


async def test_a_channel_that_stays_down_hands_on_after_its_attempts() -> None:
    table, clock, phone, mail = MemoryOutboxTable(), ManualClock(), Channel(*[Transient("x")] * 50), Channel()
    await deliver(outbox(table, clock, phone=phone, mail=mail), clock, (message(), "phone"))
    assert mail.heard == ["m"]


async def test_the_last_channel_is_tried_until_it_is_up_again() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel(*[Transient("down")] * 30)
    await deliver(outbox(table, clock, phone=phone), clock, (message(), ""))
    assert (phone.heard, table.rows()) == (["m"], [])


async def test_a_restart_tries_at_once_whatever_the_pause_was() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(1), Channel()
    table.put(Pending(key="m>phone", channel="phone", message=message(), due=10**15, attempts=7))
    await deliver(outbox(table, clock, phone=phone), clock)
    assert (phone.heard, clock.now()) == (["m"], 1)


async def test_where_no_channel_is_left_the_loss_is_counted_and_told() -> None:
    lost: list[str] = []
    table, clock = MemoryOutboxTable(), ManualClock()
    box = Outbox(
        channels={"phone": Channel(Refused("no"), Refused("no"))},
        routes=Routes(severities={"phone": ALL}), table=table, write=write,
        clock=clock, lost=lambda pending, reason: lost.append(reason),
    )  # fmt: skip
    await deliver(box, clock, (message(), ""))
    assert (box.dropped, lost) == (1, ["no"])


async def test_a_channel_that_hangs_delays_no_other() -> None:
    table, clock, mail = MemoryOutboxTable(), ManualClock(), Channel()
    await deliver(outbox(table, clock, phone=Deaf(), mail=mail), clock, (message(), ""))
    assert mail.heard == ["m"]
    assert [row.channel for row in table.rows()] == ["phone"]


async def test_what_was_not_confirmed_is_sent_after_a_restart(tmp_path: Path) -> None:
    clock, phone = ManualClock(), Channel()
    with Journal.open(tmp_path / "j.db") as journal:
        box = outbox(SqliteOutboxTable(journal.connection), clock, phone=Deaf())
        with journal.transaction(durable=True):
            box.store(box.prepare([(message(), "")]))
    with Journal.open(tmp_path / "j.db") as journal:
        await deliver(outbox(SqliteOutboxTable(journal.connection), clock, phone=phone), clock)
        assert phone.heard == ["m"]
        assert journal.connection.execute("SELECT count(*) FROM outbox").fetchone() == (0,)


def test_a_message_is_stored_with_the_decision_it_tells_of_or_not_at_all(tmp_path: Path) -> None:
    with Journal.open(tmp_path / "j.db") as journal:
        table = SqliteOutboxTable(journal.connection)
        with pytest.raises(KeyError), journal.transaction():
            table.put(Pending(key="k", channel="c", message=message(), due=0))
            raise KeyError
        assert table.rows() == []


def test_only_messages_of_the_lowest_severity_are_dropped_when_too_many_wait() -> None:
    table, clock = MemoryOutboxTable(), ManualClock()
    box = outbox(table, clock, capacity=2, phone=Deaf())
    box.release(box.prepare([(message("loud"), ""), (message("low", Severity.INFO), ""), (message("new"), "")]))
    assert sorted(item.key for item in box.waiting("phone")) == ["loud>phone", "new>phone"]
    assert box.dropped == 1


def test_routes_choose_by_severity_unless_channels_are_named() -> None:
    routes = Routes(severities={"log": ALL, "phone": (Severity.CRITICAL,)})
    assert routes.channels_for(message(severity=Severity.INFO)) == ("log",)
    assert routes.channels_for(message(severity=Severity.INFO), "phone, nobody") == ("phone",)
    assert routes.fallback("log", ["phone"]) is None


class Slow(Channel):
    """Takes one message for every turn of a gate."""

    def __init__(self) -> None:
        super().__init__()
        self.gate = asyncio.Semaphore(0)

    async def send(self, message: Message) -> None:
        await self.gate.acquire()
        self.heard.append(message.id)


async def test_a_new_message_does_not_wait_for_the_repeat_of_an_old_one() -> None:
    clock, channel = ManualClock(1), Channel(Transient("busy"))
    box = outbox(MemoryOutboxTable(), clock, phone=channel)
    box.release(box.prepare([(message("old", Severity.INFO), "")]))
    async with asyncio.TaskGroup() as group:
        lane = group.create_task(box.run_lane("phone"))
        await settle()
        box.release(box.prepare([(message("new"), "")]))
        await settle()
        assert channel.heard == ["new"]
        clock.advance_to(2_000_000_000)
        await settle()
        assert channel.heard == ["new", "old"]
        lane.cancel()


async def test_a_critical_message_overtakes_what_waits_before_a_slow_channel() -> None:
    clock, channel = ManualClock(1), Slow()
    box = outbox(MemoryOutboxTable(), clock, phone=channel)
    box.release(box.prepare([(message(f"m{n}", Severity.INFO), "") for n in range(3)]))
    async with asyncio.TaskGroup() as group:
        lane = group.create_task(box.run_lane("phone"))
        await settle()
        box.release(box.prepare([(message("alarm"), "")]))
        for _ in range(4):
            channel.gate.release()
            await settle()
        assert channel.heard == ["m0", "alarm", "m1", "m2"]
        lane.cancel()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


def test_a_message_that_was_dropped_does_not_come_back_after_a_restart() -> None:
    table, clock = MemoryOutboxTable(), ManualClock(1)
    box = outbox(table, clock, capacity=1, phone=Channel())
    for key in ("a", "b", "c"):
        pending = box.prepare([(message(key, Severity.INFO), "")])
        box.store(pending)
        box.release(pending)
    assert [row.message.id for row in table.rows()] == ["b", "c"]  # "b" goes with the next write
    box.store([])
    assert [row.message.id for row in table.rows()] == ["c"]


class Editor(Channel):
    """Remembers what it was asked to change."""

    def __init__(self, *faults: Exception) -> None:
        super().__init__(*faults)
        self.edited: list[tuple[str, str]] = []

    async def send(self, message: Message) -> str:
        await super().send(message)
        return f"h{len(self.heard)}"

    async def edit(self, handle: str, message: Message) -> str:
        if self.faults:
            raise self.faults.pop(0)
        self.edited.append((handle, message.id))
        return handle


def card(key: str, *, update: bool = False, severity: Severity = Severity.CRITICAL) -> Message:
    return msgspec.structs.replace(message(key, severity), thread="t", update=update)


async def test_an_update_changes_the_message_of_its_thread_where_the_channel_can() -> None:
    table, clock, chat, mail = MemoryOutboxTable(), ManualClock(), Editor(), Channel()
    box = outbox(table, clock, chat=chat, mail=mail)
    await deliver(box, clock, (card("a"), ""))
    await deliver(box, clock, (card("b", update=True), ""))
    assert (chat.heard, chat.edited, mail.heard) == (["a"], [("h1", "b")], ["a", "b"])


async def test_a_handle_survives_a_restart() -> None:
    table, clock, chat = MemoryOutboxTable(), ManualClock(), Editor()
    await deliver(outbox(table, clock, chat=chat), clock, (card("a"), ""))
    await deliver(outbox(table, clock, chat=chat), clock, (card("b", update=True), ""))
    assert chat.edited == [("h1", "b")]


async def test_a_message_that_cannot_be_changed_any_more_is_sent_anew() -> None:
    table, clock, chat = MemoryOutboxTable(), ManualClock(), Editor()
    box = outbox(table, clock, chat=chat)
    await deliver(box, clock, (card("a"), ""))
    chat.faults = [Refused("message to edit not found")]
    await deliver(box, clock, (card("b", update=True), ""))
    assert (chat.heard, chat.edited) == (["a", "b"], [])


async def test_what_is_refused_is_tried_without_formatting_and_stays_on_its_channel() -> None:
    table, clock, mail = MemoryOutboxTable(), ManualClock(), Channel()

    class Picky(Channel):
        async def send(self, message: Message) -> None:
            if not message.plain:
                raise Refused("can't parse entities")
            await super().send(message)

    phone = Picky()
    await deliver(outbox(table, clock, phone=phone, mail=mail), clock, (message(), "phone"))
    assert (phone.heard, mail.heard) == (["m"], [])


async def test_a_channel_that_says_when_is_asked_then_and_not_before() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel(Transient("429", retry_after_s=20.0))
    box = outbox(table, clock, phone=phone)
    await deliver(box, clock, (message("a", Severity.INFO), ""), (message("b", Severity.INFO), ""))
    assert phone.heard == ["a", "b"]
    assert clock.now() >= 20_000_000_000


async def test_a_critical_message_does_not_wait_for_a_channel_that_wants_to_be_left_alone_for_long() -> None:
    table, clock, mail = MemoryOutboxTable(), ManualClock(), Channel()
    phone = Channel(Transient("429", retry_after_s=3600.0))
    box = outbox(table, clock, phone=phone, mail=mail)
    pending = box.prepare([(message(), "phone")])
    box.release(pending)
    async with asyncio.TaskGroup() as group:
        lanes = [group.create_task(box.run_lane(name)) for name in box.channels]
        await settle()
        for lane in lanes:
            lane.cancel()
    assert (mail.heard, clock.now()) == (["m"], 0)


async def test_messages_of_a_removed_channel_go_to_another_one_that_is_told_so() -> None:
    table, clock, mail = MemoryOutboxTable(), ManualClock(1), Channel()
    table.put(Pending(key="m>phone", channel="phone", message=message(), due=5))
    texts: list[str] = []

    class Reader(Channel):
        async def send(self, message: Message) -> None:
            texts.append(message.text)
            await super().send(message)

    mail = Reader()
    box = outbox(table, clock, mail=mail)
    await deliver(box, clock)
    assert texts == ["t\n(This was meant for the channel phone, which is no longer in the set-up.)"]
    assert table.rows() == []
    await deliver(outbox(table, clock, mail=mail), clock)
    assert mail.heard == ["m"]


def test_a_message_for_a_removed_channel_is_kept_until_it_is_delivered_elsewhere() -> None:
    table, clock = MemoryOutboxTable(), ManualClock(1)
    table.put(Pending(key="m>phone", channel="phone", message=message(), due=5))
    box = outbox(table, clock, mail=Channel())
    assert [row.key for row in table.rows()] == ["m>phone"]
    box.store([])
    assert [row.key for row in table.rows()] == ["m>mail"]


def test_where_no_channel_is_left_for_a_removed_one_the_loss_is_told() -> None:
    table, lost = MemoryOutboxTable(), []
    table.put(Pending(key="m>phone", channel="phone", message=message(), due=5))
    Outbox(channels={}, routes=Routes(severities={}), table=table, write=write, clock=ManualClock(),
           lost=lambda pending, reason: lost.append(reason))  # fmt: skip
    assert lost == ["the channel is no longer in the set-up"]


async def test_losses_are_told_when_the_channel_takes_something_again() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel()
    box = outbox(table, clock, capacity=2, phone=phone)
    await deliver(box, clock, *((message(f"m{n}", Severity.INFO), "") for n in range(5)))
    assert phone.heard == ["m3", "lost:phone:0", "m4"]
    assert (box.dropped, table.rows()) == (3, [])


async def test_messages_of_one_thread_keep_their_order_through_failures() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel(Transient("x"), Transient("x"))
    box = outbox(table, clock, phone=phone)
    warning = msgspec.structs.replace(card("a"), severity=Severity.WARNING)
    await deliver(box, clock, (warning, ""), (card("b"), ""))
    assert phone.heard == ["a", "b"]


async def test_a_critical_message_behind_a_repeat_of_its_thread_has_that_tried_at_once() -> None:
    clock, phone = ManualClock(), Channel(Transient("x"))
    box = outbox(MemoryOutboxTable(), clock, phone=phone)
    box.release(box.prepare([(card("a"), "")]))
    async with asyncio.TaskGroup() as group:
        lane = group.create_task(box.run_lane("phone"))
        await settle()
        box.release(box.prepare([(card("b"), "")]))
        await settle()
        lane.cancel()
    assert (phone.heard, clock.now()) == (["a", "b"], 0)


async def test_the_rate_budget_holds_back_all_but_critical_messages() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel()
    box = Outbox(
        channels={"phone": phone}, routes=Routes(severities={"phone": ALL}), table=table, write=write, clock=clock,
        limits={"phone": ChannelLimit(per_minute=4, reserved=0.5)},
    )  # fmt: skip
    infos = [(message(f"i{n}", Severity.INFO), "") for n in range(4)]
    box.release(box.prepare([*infos, *((message(f"c{n}"), "") for n in range(6))]))
    async with asyncio.TaskGroup() as group:
        lane = group.create_task(box.run_lane("phone"))
        await settle()
        assert phone.heard == [f"c{n}" for n in range(6)]
        for _ in range(200):
            clock.advance_to(clock.now() + 1_000_000_000)
            await settle()
        lane.cancel()
    assert phone.heard[6:] == ["i0", "i1", "i2", "i3"]


async def test_a_long_message_is_split_and_every_part_arrives_in_order() -> None:
    table, clock, phone = MemoryOutboxTable(), ManualClock(), Channel()
    box = Outbox(
        channels={"phone": phone}, routes=Routes(severities={"phone": ALL}), table=table, write=write, clock=clock,
        limits={"phone": ChannelLimit(max_chars=40)},
    )  # fmt: skip
    long = msgspec.structs.replace(message(), text="a" * 25 + "\n" + "b" * 25, items=("a" * 25, "b" * 25))
    await deliver(box, clock, (long, ""))
    assert phone.heard == ["m#1/2", "m#2/2"]


async def test_watchers_are_told_of_what_was_confirmed() -> None:
    clock, seen = ManualClock(7), []
    box = outbox(MemoryOutboxTable(), clock, phone=Channel())
    box.watchers.append(lambda pending, at: seen.append((pending.message.id, at)))
    await deliver(box, clock, (message(), ""))
    assert seen == [("m", 7)]


def test_no_channel_is_given_a_sign_that_a_screen_obeys() -> None:
    bad = "a\x1b[31m\x00\u202eb"
    written = msgspec.structs.replace(
        message(), title=bad, text=f"{bad}\nline", items=(bad,), facts=((bad, bad),), labels={"symbol": bad},
        buttons=(Button(label=bad, command="why", arguments={"rule": bad}),),
    )  # fmt: skip
    [pending] = outbox(MemoryOutboxTable(), ManualClock(), phone=Channel()).address([(written, "phone")])
    given = pending.message
    said = [given.title, given.text, *given.items, *given.facts[0], given.labels["symbol"], given.buttons[0].label]
    assert [inert(each) == each and "\x1b" not in each for each in said] == [True] * 7
    assert given.buttons[0].arguments == {"rule": bad}  # what is asked for stays exact


def test_a_row_of_an_older_version_still_decodes() -> None:
    old = b'{"key":"k","channel":"c","message":{"id":"m","at":1,"severity":"info","title":"t","text":"t"},"due":1}'
    assert msgspec.json.decode(old, type=Pending).queued == 0
