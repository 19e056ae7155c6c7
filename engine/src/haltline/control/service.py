"""The control service: every request of every front end, from who asked to what was done, all of it on record."""

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence

from haltline.api.control import ArgumentKind, Caller, Choice, Command, Confirm, OnResult, Request
from haltline.api.reply import Button, Cell, Confirmation, Paragraph, Reply, ReplyStatus, Tone
from haltline.clock import format_duration
from haltline.config.finding import did_you_mean
from haltline.config.operator import ControlEntry, Second
from haltline.control.argument import WrongArguments, read_arguments
from haltline.control.audit import Attempt, command_entry
from haltline.control.command.drill import drill_reply
from haltline.control.door import Door
from haltline.control.granted import Granted
from haltline.control.line import LineProblem, read_line, read_words, split_command
from haltline.control.live import LiveNames
from haltline.control.note import Notes
from haltline.control.offer import buttons_of
from haltline.control.operator import Operator, OperatorBook
from haltline.control.question import Question, Questions
from haltline.control.rate import Rate
from haltline.control.receipt import ReceiptBook, receipts_reply
from haltline.control.refusal import from_error, refused, unknown_caller
from haltline.errors import EngineError, InvariantBroken
from haltline.journal.error import JournalError

CONFIRM, DECLINE = "confirm", "decline"
_MOST_CHOICES = 25
_STRANGERS = 30


class ControlService:
    """Implements `api.Control` on a running engine."""

    def __init__(
        self, door: Door, commands: Iterable[Command], *, operators: OperatorBook, notes: Notes, entry: ControlEntry
    ) -> None:
        self._door = door
        self._commands = {command.name: command for command in commands}
        self._operators = operators
        self._questions = Questions(notes)
        self._entry = entry
        self._names = LiveNames(door)
        self._rate = Rate(entry.per_minute)
        self._refusals = Rate(entry.per_minute)
        self._strangers = Rate(_STRANGERS)
        self._turn = asyncio.Lock()
        self._receipts = ReceiptBook()
        door.subscribe_receipts(self._receipts.take)

    # -- what front ends call --------------------------------------------------------------------------------------

    def commands(self, caller: Caller | None = None) -> Sequence[Command]:
        """All commands, or those that a caller may use: none for somebody who is not listed."""
        if caller is None:
            return tuple(self._commands.values())
        operator = self._operators.find(caller)
        if operator is None:
            return ()
        return tuple(each for each in self._commands.values() if self._operators.may_use(operator, each))

    def complete(
        self, caller: Caller, command: str, argument: str, text: str, given: Mapping[str, str] | None = None
    ) -> Sequence[Choice]:
        """At most 25 values that begin like `text`, or hold it, that the caller may see."""
        operator = self._operators.find(caller)
        usable = {each.name: each for each in self.commands(caller)}
        found = usable.get(command)
        wanted = next((each for each in found.arguments if each.name == argument), None) if found else None
        if operator is None or wanted is None:
            return ()
        if wanted.kind is ArgumentKind.COMMAND:
            choices = [Choice(value=each.name, meaning=each.meaning) for each in usable.values()]
        else:
            choices = list(self._names.choices(wanted, operator.accounts, given or {}))
        start = text.casefold()
        fitting = [choice for choice in choices if start in choice.value.casefold()]
        fitting.sort(key=lambda choice: not choice.value.casefold().startswith(start))
        return fitting[:_MOST_CHOICES]

    def buttons(self, incident: str) -> Sequence[Button]:
        """What can be done about a live incident now; nothing for one that is over."""
        return buttons_of(self._door.kernel, incident)

    def subscribe(self, on_result: OnResult) -> Callable[[], None]:
        """Be told of every result once it is on record."""
        return self._door.subscribe(on_result)

    async def follow(self, reply: Reply) -> Reply:
        """Wait until the actions of a reply have ended; the receipt of all of them."""
        if not reply.actions:
            return reply
        try:
            shown = await self._door.drills.ended(reply.actions[0])
        except EngineError as error:
            return from_error(error)
        if shown is not None:
            return drill_reply(shown)
        return receipts_reply(await self._receipts.wait(reply.actions), asked=len(reply.actions))

    async def say(self, caller: Caller, line: str) -> Reply:
        """Answer a typed line."""
        name, rest = split_command(line)
        if name in (CONFIRM, DECLINE):
            words = dict(zip(("nonce", "code"), rest.split(), strict=False))
            return await self.run(Request(caller=caller, command=name, arguments=words))
        command = self._commands.get(name)
        if command is None or self._operators.find(caller) is None:
            return await self.run(Request(caller=caller, command=name))
        try:
            given = read_line(command, rest)
        except LineProblem as problem:
            request = Request(caller=caller, command=name, arguments={"line": rest})
            return await self._refuse(request, self._operators.find(caller), "E853", str(problem))
        return await self.run(Request(caller=caller, command=name, arguments=given))

    async def say_words(self, caller: Caller, name: str, words: Sequence[str]) -> Reply:
        """Answer a line that a shell has split into words."""
        command = self._commands.get(name)
        operator = self._operators.find(caller)
        if name in (CONFIRM, DECLINE):
            return await self.run(
                Request(caller=caller, command=name, arguments=dict(zip(("nonce", "code"), words, strict=False)))
            )
        if command is None or operator is None:
            return await self.run(Request(caller=caller, command=name))
        try:
            given, _ = read_words(command, words)
        except LineProblem as problem:
            request = Request(caller=caller, command=name, arguments={"line": " ".join(words)})
            return await self._refuse(request, operator, "E853", str(problem))
        return await self.run(Request(caller=caller, command=name, arguments=given))

    def complete_words(self, caller: Caller, name: str, words: Sequence[str], text: str) -> Sequence[Choice]:
        """Values for the word being typed after others."""
        command = self._commands.get(name)
        if command is None:
            return ()
        try:
            given, waiting = read_words(command, words)
        except LineProblem:
            return ()
        named, is_named, value = text.partition("=")
        if is_named:
            found = self.complete(caller, name, named, value, given)
            return tuple(Choice(value=f"{named}={each.value}", meaning=each.meaning) for each in found)
        choices: list[Choice] = []
        for argument in waiting:
            choices += self.complete(caller, name, argument.name, text, given)
            if argument.required:
                break
        return choices[:_MOST_CHOICES]

    async def run(self, request: Request) -> Reply:
        """Answer a request; nothing that a caller says raises."""
        now = self._door.clock.now()
        operator = self._operators.find(request.caller)
        if operator is None:
            if self._strangers.is_free(request.caller.platform, now):
                await self._note(request, Attempt.REFUSED, code="E851", detail="not listed")
            return unknown_caller()
        if not self._rate.is_free(operator.name, now):
            return await self._refuse(request, operator, "E852", f"more than {self._entry.per_minute} in a minute")
        if request.command in (CONFIRM, DECLINE):
            async with self._turn:
                return await self._answer(request, operator, now)
        return await self._take(request, operator, now)

    # -- one request -----------------------------------------------------------------------------------------------

    async def _take(self, request: Request, operator: Operator, now: int) -> Reply:
        command = self._commands.get(request.command)
        if command is None:
            known = [each.name for each in self.commands(request.caller)]
            what = f"there is no command {request.command[:60]!r}; {did_you_mean(request.command, known)}"
            return await self._refuse(request, operator, "E850", what)
        if not self._operators.may_use(operator, command):
            return await self._refuse(request, operator, "E851", self._objection(operator, command, {}))
        try:
            values = read_arguments(command, request.arguments, self._names, operator.accounts)
        except WrongArguments as wrong:
            return await self._refuse(request, operator, "E853", str(wrong))
        objection = self._objection(operator, command, values)
        if objection:
            return await self._refuse(request, operator, "E851", objection)
        granted = self._grant(request, operator, command, values, now)
        if command.confirm is not Confirm.NEVER:
            return await self._ask(request, operator, command, granted, now)
        return await self._carry_out(request, operator, command, granted)

    def _objection(self, operator: Operator, command: Command, values: Mapping[str, Cell]) -> str:
        """Why the operator may not do this, in words; empty where they may."""
        if not self._operators.may_use(operator, command):
            needed = self._operators.role_for(command).value
            return f"{command.name} needs the role {needed}; {operator.name} is {operator.role.value}"
        concerned = self._concerned(command, values)
        foreign = [account for account in concerned if account not in operator.accounts]
        if foreign:
            return f"{operator.name} has no rights on account {', '.join(foreign)}"
        return ""

    def _concerned(self, command: Command, values: Mapping[str, Cell]) -> tuple[str, ...]:
        """The accounts a call is about. One that changes something and names none concerns all of them."""
        named = values.get(command.account) if command.account else None
        if isinstance(named, str):
            argument = next(each for each in command.arguments if each.name == command.account)
            if argument.kind is ArgumentKind.ENTITY:
                return self._names.accounts_of(named)
            return self._names.concerned(argument.kind, named)
        return self._names.accounts if command.mutates else ()

    def _grant(
        self, request: Request, operator: Operator, command: Command, values: Mapping[str, Cell], now: int,
        question: str = "",
    ) -> Granted:  # fmt: skip
        return Granted(
            operator=operator, caller=request.caller, arguments=values, now=now, question=question, door=self._door,
            run_other=self._run_reading, mutates=command.mutates,
        )  # fmt: skip

    async def _run_reading(self, caller: Caller, name: str, arguments: Mapping[str, str]) -> Reply:
        command = self._commands.get(name)
        if command is not None and command.mutates:
            raise EngineError(f"{name} changes something: only a person may ask for it [E851]")
        return await self.run(Request(caller=caller, command=name, arguments=arguments))

    async def _carry_out(self, request: Request, operator: Operator, command: Command, granted: Granted) -> Reply:
        try:
            reply = await command.run(granted)
        except (InvariantBroken, JournalError):
            raise
        except EngineError as error:
            reply = from_error(error)
        except Exception as error:  # noqa: BLE001 - the wall around commands: a plugin's may raise anything
            text = f"{command.name} failed: {type(error).__name__}"
            await self._note(request, Attempt.FAILED, operator, code="E855", detail=f"{text}: {error}")
            return refused("E855", text)
        is_done = reply.status is ReplyStatus.DONE
        attempt = Attempt.DONE if is_done else Attempt.REFUSED
        await self._note(request, attempt, operator, code=reply.code, question=granted.question)
        return reply

    # -- confirmation ----------------------------------------------------------------------------------------------

    async def _ask(self, request: Request, operator: Operator, command: Command, granted: Granted, now: int) -> Reply:
        second = self._second_for(command)
        text = command.text(granted) if command.text is not None else f"{command.name}: {command.meaning}"
        nonce, question = await self._questions.ask(
            command=command.name, arguments=dict(request.arguments), operator=operator.name, caller=request.caller,
            text=text, now=now, within_ns=self._entry.confirm_within_ns, second=second,
        )  # fmt: skip
        await self._note(request, Attempt.ASKED, operator, question=question.id)
        who = {
            Second.NONE: "", Second.PERSON: " Another operator must confirm it.",
            Second.CODE: " It needs a one-time code.",
        }[second]  # fmt: skip
        within = format_duration(self._entry.confirm_within_ns)
        return Reply(
            title="Please confirm", status=ReplyStatus.ASKS, tone=Tone.WARNING,
            parts=(Paragraph(text=f"{text}{who} The question stands for {within}."),),
            buttons=(
                Button(label="Confirm", command=CONFIRM, arguments={"nonce": nonce}, tone=Tone.BAD),
                Button(label="Leave it", command=DECLINE, arguments={"nonce": nonce}),
            ),
            confirmation=Confirmation(
                nonce=nonce, text=text, expires_at=question.expires_at, second_person=second is Second.PERSON,
                code=second is Second.CODE,
            ),
        )  # fmt: skip

    def _second_for(self, command: Command) -> Second:
        return self._entry.loosening if command.confirm is Confirm.LOOSENING else Second.NONE

    async def _answer(self, request: Request, operator: Operator, now: int) -> Reply:
        """A press: whose question it is, whether it stands, and whether this one may answer it."""
        question = self._questions.find(request.arguments.get("nonce", ""))
        if question is None:
            await self._note(request, Attempt.EXPIRED, operator, code="E856")
            return refused("E856", "nothing waits for this: it was answered already, or never asked", is_late=True)
        command = self._commands.get(question.command)
        if not question.stands(now) or command is None:
            await self._questions.close(question)
            await self._note(request, Attempt.EXPIRED, operator, code="E856", question=question.id)
            return refused("E856", "the question was not answered in time; ask again", is_late=True)
        if request.command == DECLINE:
            return await self._decline(request, operator, question, command)
        return await self._confirm(request, operator, question, command, now)

    async def _decline(self, request: Request, operator: Operator, question: Question, command: Command) -> Reply:
        is_second = question.second is Second.PERSON and self._operators.may_use(operator, command)
        if not is_second and not question.is_of(operator.name, request.caller):
            return await self._refuse(request, operator, "E857", "somebody else asked this", question.id)
        await self._questions.close(question)
        await self._note(request, Attempt.DECLINED, operator, question=question.id)
        return Reply(title="Left as it was", parts=(Paragraph(text=f"{question.command} was not carried out."),))

    async def _confirm(
        self, request: Request, operator: Operator, question: Question, command: Command, now: int
    ) -> Reply:
        asked = Request(caller=request.caller, command=question.command, arguments=question.arguments)
        asker = next((each for each in self._operators.all() if each.name == question.operator), None)
        if asker is None or self._second_for(command) not in (Second.NONE, question.second):
            await self._questions.close(question)
            who = f"{question.operator} is no operator any more" if asker is None else "it needs more than a press now"
            return await self._refuse(asked, operator, "E857", f"{who}; ask again", question.id)
        try:
            values = read_arguments(command, question.arguments, self._names, operator.accounts)
        except WrongArguments as wrong:
            await self._questions.close(question)
            return await self._refuse(asked, operator, "E853", str(wrong), question.id)
        objection = self._objection(operator, command, values) or self._objection(asker, command, values)
        if objection:
            return await self._refuse(asked, operator, "E851", objection, question.id)
        objection = await self._wrong_hands(request, operator, question, command, values, now)
        if objection:
            return await self._refuse(asked, operator, "E857", objection, question.id)
        if not await self._questions.close(question):
            return refused("E856", "it was answered already", is_late=True)
        await self._note(asked, Attempt.CONFIRMED, operator, question=question.id)
        granted = self._grant(asked, asker, command, values, now, question.id)
        return await self._carry_out(asked, operator, command, granted)

    async def _wrong_hands(
        self, request: Request, operator: Operator, question: Question, command: Command, values: Mapping[str, Cell],
        now: int,
    ) -> str:  # fmt: skip
        """Why this press does not count, in words; empty where it does."""
        if question.second is Second.PERSON:
            return "another operator must confirm it" if operator.name == question.operator else ""
        if not question.is_of(operator.name, request.caller):
            return "only who asked can confirm it, and where it was asked"
        if question.second is not Second.CODE:
            return ""
        if not self._questions.may_try_code(operator.name, now):
            return "too many wrong one-time codes within an hour; wait, or have another operator ask"
        code = request.arguments.get("code", "")
        if not await self._is_right_code(operator, command, values, code, now):
            stands = await self._questions.note_wrong(question, operator.name, now)
            return "the one-time code is wrong" + ("" if stands else "; too often: ask again")
        return ""

    async def _is_right_code(
        self, operator: Operator, command: Command, values: Mapping[str, Cell], code: str, now: int
    ) -> bool:
        """The operator's own code, or where they have none that of anybody who may use the command here."""
        concerned = self._concerned(command, values)
        holders = [operator] if operator.entry.totp else [
            each for each in self._operators.all() if each.entry.totp and self._operators.may(each, command, concerned)
        ]  # fmt: skip
        for holder in holders:
            if await self._questions.take_code(holder.name, holder.entry.totp, code, now):
                return True
        return False

    # -- the record ------------------------------------------------------------------------------------------------

    async def _refuse(
        self, request: Request, operator: Operator | None, code: str, what: str, question: str = ""
    ) -> Reply:
        if operator is not None and self._refusals.is_free(operator.name, self._door.clock.now()):
            await self._note(request, Attempt.REFUSED, operator, code=code, detail=what, question=question)
        return refused(code, what)

    async def _note(
        self, request: Request, attempt: Attempt, operator: Operator | None = None, *, code: str = "",
        detail: str = "", question: str = "",
    ) -> None:  # fmt: skip
        entry = command_entry(
            self._door.clock.now(), request, attempt, operator=operator.name if operator is not None else "",
            code=code, detail=detail, question=question,
        )  # fmt: skip
        await self._door.record([entry])
