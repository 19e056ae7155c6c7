"""The live engine: load → recover → reconcile with the brokers → guard. Until an account is reconciled, entries wait.

Services: the pump, the enforcement lanes, the reconciler and the saver are vital: if one dies, everything ends and
start-up is recovery. Brokers, feeds and channels are guarded and start again.
"""

import asyncio
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import cast

from haltline.api import Broker, Feed, HandledBy, QuoteTaker
from haltline.clock import NS_PER_S, Clock, SystemClock
from haltline.compose.kernel import build_kernel
from haltline.config.secret import secret_values
from haltline.control.basis import Beginning, basis_of, config_entry
from haltline.control.note import MemoryNoteTable, Notes, NoteTable
from haltline.control.practice import PracticeAccount
from haltline.control.readiness import Standings
from haltline.enforce.budget import Budget
from haltline.enforce.executor import Executor
from haltline.enforce.progress import OnProgress, Progress
from haltline.errors import EngineError
from haltline.journal.receipt import Receipt
from haltline.journal.record import event_entry, notice_entry
from haltline.journal.recover import Store
from haltline.journal.store import Journal
from haltline.kernel.late import is_watched
from haltline.model.account import AccountSpec
from haltline.model.event import ActionOutcome, Event
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Intent
from haltline.model.plan import Permission, Result, TradingMode
from haltline.notify.desk import Desk
from haltline.notify.directory import directory_of, live_labels
from haltline.notify.drillreport import DrillReport
from haltline.notify.outbox import Outbox
from haltline.notify.render import alarm_message
from haltline.notify.table import OutboxTable, Pending
from haltline.runtime.aftercare import Aftercare
from haltline.runtime.arming import armed_message, arming_by_file, withheld
from haltline.runtime.backups import Backups, copy_apart
from haltline.runtime.believer import Believer, Means
from haltline.runtime.comparison import Comparison
from haltline.runtime.compose import Faults, Parts, limits_of, make_channels, make_feeds
from haltline.runtime.console import Console
from haltline.runtime.discreet import discreet_sink
from haltline.runtime.drillroom import DrillRoom
from haltline.runtime.drillschedule import DrillSchedule
from haltline.runtime.economics import LiveInstruments
from haltline.runtime.frontdoor import FrontDoor
from haltline.runtime.guarded import Guarded, PullBook
from haltline.runtime.handover import Lease, taking_turns
from haltline.runtime.health import EngineStatus, HealthBook
from haltline.runtime.inbox import Inbox
from haltline.runtime.loosening import hold
from haltline.runtime.namesake import Namesakes
from haltline.runtime.pair import BrokerPairs
from haltline.runtime.practiceflatten import PracticeFlatten
from haltline.runtime.publish import Publisher, tell_when_due
from haltline.runtime.pump import Pump
from haltline.runtime.reach import Reach
from haltline.runtime.recovery import Resumed, resume_kernel
from haltline.runtime.reload import Reloader
from haltline.runtime.sampler import Sampler
from haltline.runtime.supervise import Supervisor
from haltline.runtime.surface import make_control, make_surfaces, serve_surfaces, speaking
from haltline.runtime.upkeep import Upkeep
from haltline.runtime.watchdog import Watchdog, Watched
from haltline.runtime.witness import KernelWitness, pushing_accounts
from haltline.runtime.writer import Writer

SAVE_EVERY_NS = 10 * NS_PER_S
_LAST_WORDS_S = 5.0


class Engine:
    """One engine on one journal. `run` does everything; the rest may be called while it runs, on its event loop."""

    def __init__(
        self, parts: Parts, *, clock: Clock, store: Store, table: OutboxTable, writer: Writer,
        directory: Path | None, feeds: Mapping[str, Feed] | None = None, budget: Budget | None = None,
        steady: Clock | None = None, watch: bool = False, notes: NoteTable | None = None, damage: str = "",
    ) -> None:  # fmt: skip
        notes_kept = Notes(notes or MemoryNoteTable(), writer.run_in_transaction)
        self._standings = Standings(notes_kept)
        self._held = hold(parts.setup, parts.book, parts.registry, store, now=clock.now())
        self._withheld = withheld(self._held.setup, self._held.before, self._standings, now=clock.now())
        parts = replace(
            parts, setup=self._withheld.setup(self._held.setup), book=self._held.book,
            origin=parts.origin or parts.setup,
        )  # fmt: skip
        self.parts = parts
        self.clock = clock
        self._damage = damage
        self.store = store
        self.inbox = Inbox()
        self.health = HealthBook(
            secrets=secret_values(parts.setup, os.environ if parts.environ is None else parts.environ)
        )
        self.kernel = build_kernel(parts.setup, parts.book, parts.registry, now=clock.now())
        self._writer = writer
        self._pairs = BrokerPairs(parts, clock, directory, self.health.inert)
        self._namesakes = Namesakes()
        self._pulls = PullBook(clock)
        self.believer = Believer(
            Means(
                setup=parts.setup, kernel=self.kernel, clock=clock, health=self.health, puller=self._pairs.confirmer,
                put=self.inbox.put, settle=self._settle_inbox, resume=self._resume,
                answered=self._pulls.answered,
            )
        )  # fmt: skip
        self.reconciled = self.believer.confirmed
        self._guarded = Guarded(
            parts.setup, kernel=self.kernel, confirmed=self.reconciled, health=self.health, pulls=self._pulls
        )
        self._lease = None if steady is None or directory is None else Lease(parts.setup.store.path, steady=steady)
        self._brokers = self._pairs.readers
        self._feeds: dict[str, Feed] = dict(feeds or {})
        self._isolated: Faults = {}
        for name, feed in make_feeds(parts, clock, self._isolated).items():
            if hasattr(feed, "run"):
                self._feeds[name] = cast("Feed", feed)
            else:
                self.health.set(f"feed {name}", "degraded", "a recording is for `haltline replay`")
        self._surfaces = make_surfaces(parts, clock=clock, notes=notes_kept)
        channels, routes = make_channels(parts, speaking(self._surfaces), self._isolated)
        for name, reason in self._isolated.items():
            self.health.set(name, "down", reason, at=clock.now())
        self._channels = channels
        self._outbox = Outbox(
            channels=channels,
            routes=routes,
            table=table,
            write=writer.run_in_transaction,
            clock=clock,
            lost=self._lost,
            limits=limits_of(parts, channels),
        )
        self._executor = Executor(
            actions=parts.registry.actions, brokers=taking_turns(self._pairs.hands(), self._lease), clock=clock,
            ledger=writer, report=self._reported, mark_of=self._mark_of, budget=budget,
            instruments=LiveInstruments(self.kernel),
            witness=KernelWitness(
                self.kernel, clock=clock, pushed=pushing_accounts(parts.setup, parts.registry),
                confirmed=self.reconciled, is_settled=self._is_settled, put=self.inbox.put,
            ),
        )  # fmt: skip
        self.publisher = Publisher(
            store=store,
            writer=writer,
            executor=self._executor,
            outbox=self._outbox,
            actions=parts.registry.actions,
            desk=Desk(routes, table.memory(), clock.now()),
            directory=directory_of(parts.setup, self.kernel),
            live=lambda: live_labels(parts.setup, self.kernel),
        )
        self.publisher.subscribers.extend(observer.on_result for _, observer, _ in parts.registry.observers.items())
        takers = [broker for broker in self._brokers.values() if isinstance(broker, QuoteTaker)]
        self.pump = Pump(
            kernel=self.kernel, inbox=self.inbox, clock=clock, store=store, writer=writer, publisher=self.publisher,
            takers=takers, hide=self.health.inert,
        )  # fmt: skip
        self.watchdog = self._make_watchdog(steady, directory) if steady is not None else None
        self.reloader = Reloader(
            parts, kernel=self.kernel, pump=self.pump, clock=clock, health=self.health, publisher=self.publisher,
            held=self._held, put=self.inbox.put,
        )  # fmt: skip
        self._drills = DrillRoom(
            channels, routes, partial(limits_of, parts, channels), clock=clock,
            record=partial(writer.record, durable=True), standings=self._standings, drills=parts.setup.drills,
            inert=self.health.inert, practice=PracticeFlatten(submit=self.pump.submit, clock=clock),
        )  # fmt: skip
        self.comparison = Comparison(
            kernel=self.kernel, clock=clock, confirmed=self.reconciled, health=self.health, writer=writer,
            accounts={a.id: self._pairs.puller(a.broker) for a in self._served()},
            put=self.inbox.put, settle=self._settle_inbox, tell=self.alarm, pulls=self._pulls,
            hurries=lambda account: is_watched(self.kernel, account, clock.now()),
        )  # fmt: skip
        self._door = FrontDoor(
            parts, kernel=self.kernel, clock=clock, pump=self.pump, publisher=self.publisher, reloader=self.reloader,
            writer=writer, store=store, check=self.check, status=self.status, drills=self._drills,
            differences=lambda: self.comparison.found,
        )  # fmt: skip
        self._door.subscribe_receipts(self._drills.practice.heard)
        self.control = make_control(parts, self._door, notes_kept)
        self._console = Console(self.control, parts.setup.store.path) if directory is not None else None
        self._watches = watch
        self._receipts: asyncio.Queue[Receipt] = asyncio.Queue()
        self._is_telling = False
        self._stop = asyncio.Event()
        self._resumed = Resumed()

    async def run(self, started: Callable[[], None]) -> None:
        """Recover, connect, guard until `stop`; `started` is called once every broker's accounts are reconciled.

        Raises JournalError, InvariantBroken, or whatever ended a vital service (in an ExceptionGroup).
        """
        actions = self.parts.registry.actions.items()
        enforced = [name for name, action, _ in actions if action.handled_by is HandledBy.ENFORCE]
        self._resumed = resume_kernel(self.kernel, self.store, enforced=enforced, now=self.clock.now())
        if isinstance(self.clock, SystemClock):
            self.clock.begin_at(self.kernel.now)  # else whatever waits would wait until the host has caught up
        await self._begin(self._resumed)
        try:
            async with Supervisor(self.clock, self._changed) as supervisor:
                self._start_services(supervisor, started)
                await self._stop.wait()
                await self.pump.idle.wait()
        except BaseExceptionGroup as failure:
            await self._raise_alarm(failure)
            raise
        finally:
            self.reconciled.clear()
            await self._end()

    def stop(self) -> None:
        """End `run` in good order."""
        self._stop.set()

    def check(self, intent: Intent) -> Permission:
        """May this order be sent now? Entries wait until the broker has confirmed the state of the account."""
        permission = self.kernel.check(intent)
        if not permission.allowed or intent.account in self.reconciled:
            return permission
        if not self.kernel.state.intent(intent).increases:
            return permission
        reason = f"account {intent.account} is not confirmed by its broker yet: entries wait"
        return Permission(allowed=False, reasons=(reason,), mode=TradingMode.REDUCING)

    def status(self) -> EngineStatus:
        """The engine in one record."""
        accounts = self.kernel.state.accounts
        return EngineStatus(
            now=self.clock.now(), events=self.pump.events, waiting=len(self.inbox), conflated=self.inbox.conflated,
            enforcing=not self._executor.is_idle, undelivered=not self._outbox.is_idle, accounts=tuple(accounts),
            reconciled=tuple(sorted(self.reconciled)), services=self.health.services(),
            modes={name: account.mode for name, account in accounts.items()}, rules=self.reloader.status,
            unguarded={name: flaw for name in accounts if (flaw := self._guarded.flaw(AccountId(name)))},
        )  # fmt: skip

    @property
    def is_idle(self) -> bool:
        """Whether every event is processed, every action ended, every message delivered."""
        is_quiet = not len(self.inbox) and not self.pump.is_wanted and self._executor.is_idle
        is_told = self._receipts.empty() and not self._is_telling
        return is_quiet and is_told and self._outbox.is_idle and self.reloader.is_idle

    async def _begin(self, resumed: Resumed) -> None:
        """What the last run left unsaid goes on record now; then the state is saved, so that nothing is said twice."""
        now = self.clock.now()
        basis = basis_of(self.parts.setup, self.parts.book)
        start = Beginning.FRESH if resumed.is_fresh else Beginning.RESUME
        in_force = config_entry(now, basis, start, built=self.kernel.now)
        by_file = arming_by_file(self.parts, self.kernel, self._held.before, now=now)
        remarks = [notice_entry(now, "recovery", text) for text in (*resumed.remarks, *self._held.remarks)]
        disarmed = await self._take_first(by_file.disarm, now)
        await self._writer.record([in_force, *remarks], durable=True)
        left = resumed.unfinished
        self._executor.mark_finished([key for key in left.planned if key in left.receipts])
        self._executor.park(left.actions, left.histories)
        await self.publisher.publish([*resumed.late, *disarmed, self.kernel.evaluate_all(now)], now)
        await self.publisher.publish(await self._take_first(by_file.arm, now), now)
        await self.publisher.reconcile(live_labels(self.parts.setup, self.kernel), now)
        await self.pump.save()
        for text in filter(None, (self._damage, *resumed.alarms)):
            await self.alarm("The journal was damaged", text)
        for name, text in self._isolated.items():
            await self.alarm(f"Left out: {name}", f"{text}; the engine runs without it [E508]")
        self.pump.idle.set()
        for outcome in resumed.outcomes:
            self.inbox.put(outcome)
            self._receipts.put_nowait(resumed.unfinished.receipts[outcome.action_id])
        for each in by_file.arm:
            await self.publisher.tell([armed_message(each, len(self.parts.book.rules))])
        await self.reloader.tell_gaps()
        if unarmed := self._withheld.text(self.kernel):
            await self.alarm("NOT armed", unarmed)
        for text in self._held.remarks:
            await self.alarm("What was in force could not be kept", text)

    async def _take_first(self, events: Sequence[Event], now: int) -> list[Result]:
        """What the set-up file asks for, before the pump runs."""
        if not events:
            return []
        await self._writer.record([event_entry(event, now) for event in events], durable=True)
        return [self.kernel.step(event, now) for event in events]

    def _start_services(self, supervisor: Supervisor, started: Callable[[], None]) -> None:
        supervisor.vital("pump", self.pump.run)
        supervisor.vital("loosening", self.reloader.follow)
        supervisor.vital("saver", self._save_often)
        supervisor.guard("drills", self._drills.run)
        supervisor.guard("drill schedule", self._make_drill_schedule().run)
        supervisor.guard("equity", Sampler(kernel=self.kernel, writer=self._writer, clock=self.clock).run)
        supervisor.vital("receipts", self._tell_receipts)
        supervisor.vital("notices", partial(tell_when_due, self.publisher, self.clock))
        self.believer.expect(set(self._brokers), partial(self._start, started))
        self._guard_journal(supervisor)
        supervisor.guard("names", partial(self._namesakes.run, self.alarm))
        if self.watchdog is not None:
            supervisor.guard("watchdog", self.watchdog.run)
            supervisor.guard("heartbeat", self.watchdog.beat)
            supervisor.guard("comparison", self.comparison.run)
            aftercare = Aftercare(
                kernel=self.kernel, clock=self.clock, confirmed=self.reconciled, put=self.inbox.put,
                settle=self._settle_inbox, tell=self.alarm,
                accounts={a.id: self._pairs.puller(a.broker) for a in self._served()},
            )  # fmt: skip
            supervisor.guard("aftercare", aftercare.run)
            reach = Reach(self.parts.setup, guarded=self._guarded, clock=self.clock, tell=self.alarm)
            supervisor.guard("reach", reach.run)
        if self._watches:
            supervisor.guard("rules", self.reloader.watch)
        if self._console is not None:
            supervisor.guard("console", self._console.run)
        serve_surfaces(self._surfaces, self.control, supervisor=supervisor, health=self.health, clock=self.clock)
        for account in self._executor.accounts:
            supervisor.vital(f"enforce {account}", partial(self._executor.run_lane, account))
        for channel in self._outbox.channels:
            supervisor.vital(f"channel {channel}", partial(self._outbox.run_lane, channel))
        self._start_brokers(supervisor)
        for name, feed in self._feeds.items():
            self.health.set(f"feed {name}", "starting", at=self.clock.now())
            up = partial(self.health.set, f"feed {name}", "up")
            supervisor.guard(f"feed {name}", partial(feed.run, self.inbox.put, up))

    def _start_brokers(self, supervisor: Supervisor) -> None:
        for account in self.parts.setup.accounts:
            if account.broker in self._brokers:
                supervisor.vital(f"confirm {account.id}", partial(self.believer.run, account))
        for name, broker in self._brokers.items():
            self.health.set(f"broker {name}", "starting", at=self.clock.now())
            supervisor.guard(f"broker {name}", partial(self._serve_broker, name, broker))
        for name, actuator in self._pairs.actuators.items():
            self.health.set(f"actuator {name}", "starting", at=self.clock.now())
            up = partial(self.health.set, f"actuator {name}", "up")
            supervisor.guard(
                f"actuator {name}", partial(actuator.run, discreet_sink(self.inbox.put, self.health.inert), up)
            )

    def _start(self, started: Callable[[], None]) -> None:
        if self.watchdog is not None:
            self.watchdog.is_started = True
        started()

    def _make_watchdog(self, steady: Clock, directory: Path | None) -> Watchdog:
        guardian = self.parts.setup.guardian
        watched = Watched(
            kernel=self.kernel, pump=self.pump, inbox=self.inbox, store=self.store, clock=self.clock,
            health=self.health, reconciled=self.reconciled, guarded=self._guarded, tell=self.alarm, shout=self._shout,
        )  # fmt: skip
        return Watchdog(
            watched, steady=steady, journal=self.parts.setup.store.path if directory is not None else None,
            pid=os.getpid(), guardian_silence_ns=guardian.silence_ns if guardian is not None else None,
            lease=self._lease,
        )  # fmt: skip

    def _make_drill_schedule(self) -> DrillSchedule:
        setup = self.parts.setup
        return DrillSchedule(
            setup.drills, self._drills, self._standings, clock=self.clock, tell=self.alarm,
            account=next((str(account.id) for account in setup.accounts), ""),
            practice=partial(PracticeAccount, setup, self.parts.registry),
        )  # fmt: skip

    def _make_upkeep(self, journal: Journal) -> Upkeep:
        return Upkeep(
            journal, writer=self._writer, store=self.parts.setup.store, clock=self.clock, health=self.health,
            tell=self.alarm,
        )  # fmt: skip

    def _guard_journal(self, supervisor: Supervisor) -> None:
        store = self.parts.setup.store
        if not isinstance(self.store, Journal):
            return
        supervisor.guard("journal", self._make_upkeep(self.store).run)
        if store.backup is not None:
            backups = Backups(
                store.path, entry=store.backup, clock=self.clock, health=self.health, tell=self.alarm, copy=copy_apart
            )
            supervisor.guard("backup", backups.run)

    def _served(self) -> list[AccountSpec]:
        return [account for account in self.parts.setup.accounts if account.broker in self._brokers]

    async def _serve_broker(self, name: str, broker: Broker) -> None:
        sink = self._namesakes.between(name, discreet_sink(self.inbox.put, self.health.inert))
        await broker.run(sink, partial(self.believer.connected, name))

    async def _resume(self, account: AccountId) -> None:
        """Carry on what a crash left half done, once the account is confirmed."""
        actions = [action for action in self._resumed.unfinished.actions if action.account == account]
        self._executor.resume(actions, self._resumed.unfinished.histories)
        await self._executor.tell_refused()

    async def _settle_inbox(self) -> None:
        while len(self.inbox) or self.pump.is_busy:
            await self.pump.idle.wait()
            await asyncio.sleep(0)

    async def _save_often(self) -> None:
        while True:
            await self.clock.sleep_until(self.clock.now() + SAVE_EVERY_NS)
            self.pump.want_snapshot()

    async def _tell_receipts(self) -> None:
        while True:
            receipt = await self._receipts.get()
            self._is_telling = True
            await self.publisher.tell_receipt(receipt)
            self._is_telling = False

    def progress(self) -> tuple[Progress, ...]:
        """What enforcement has under way: every action with the state of its requests, account by account."""
        return self._executor.progress()

    @property
    def watchers(self) -> list[OnProgress]:
        """Who is told of each change of an action or of one of its requests; one that raises is told no more."""
        return self._executor.watchers

    def _is_settled(self) -> bool:
        return not len(self.inbox) and not self.pump.is_busy

    def _reported(self, outcome: ActionOutcome, receipt: Receipt) -> None:
        self.inbox.put(outcome)
        self._receipts.put_nowait(receipt)
        self._door.tell_receipt(receipt)

    def _lost(self, pending: Pending, reason: str) -> None:
        self.health.set(f"channel {pending.channel}", "degraded", f"message {pending.key!r} was lost: {reason}")

    def _mark_of(self, symbol: Symbol) -> float | None:
        instrument = self.kernel.state.names.get(symbol)
        mark = float("nan") if instrument is None else instrument.mark
        return mark if mark == mark else None

    def _changed(self, name: str, status: str, reason: str) -> None:
        """A guarded service went down: its accounts are no longer confirmed, and the kernel is told."""
        now, reason = self.clock.now(), self.health.inert(reason)
        self.health.set(name, status, reason, at=now)
        sort, _, broker = name.partition(" ")
        if sort == "broker":
            self.believer.lost(broker, reason)

    async def _raise_alarm(self, failure: BaseExceptionGroup[BaseException]) -> None:
        text = f"The engine stopped: {_cause(failure)}. Accounts are NOT guarded until it runs again; check them now."
        await self._shout("Haltline stopped", text)

    async def _shout(self, title: str, text: str) -> None:
        """Tell every channel, past the outbox, because the journal may be what failed."""
        now = self.clock.now()
        message = alarm_message(now, title, text)
        for name, channel in self._channels.items():
            try:
                async with asyncio.timeout(_LAST_WORDS_S):
                    await channel.send(message)
            except Exception as error:  # noqa: BLE001 - the wall around plugin code; the next channel must be tried
                self.health.set(f"channel {name}", "down", str(error), at=now)

    async def _end(self) -> None:
        """Last words: save where a turn was not cut off, and let the writer finish. Start-up is recovery either way."""
        if not self.pump.is_busy:
            try:
                async with asyncio.timeout(_LAST_WORDS_S):
                    await self.pump.save()
            except (EngineError, TimeoutError):
                self.health.set("journal", "degraded", "the last state could not be saved")
        if self.watchdog is not None:
            self.watchdog.last_beat("stopped" if self._stop.is_set() else "failed")
        self._writer.close()

    async def drill(self, labels: Mapping[str, str], *, wait_ns: int = 0) -> DrillReport:
        """A fire drill through the channels as they are now; what it has shown goes on record. It waits so long for
        somebody to acknowledge it. Raises EngineError while another goes on."""
        report = await self._drills.ended(self._drills.begin(labels, wait_ns=wait_ns))
        assert report is not None
        return report

    async def alarm(self, title: str, text: str) -> None:
        """Tell people that something is wrong with the engine itself."""
        await self.publisher.tell([alarm_message(self.clock.now(), title, text)])


def _cause(failure: BaseException) -> str:
    """The first failure inside nested groups, in words."""
    while isinstance(failure, BaseExceptionGroup):
        failure = failure.exceptions[0]
    return f"{type(failure).__name__}: {failure}"
