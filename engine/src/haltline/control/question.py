"""Commands that wait for a confirmation. A nonce works once, in time, for whom it was made, over restarts too."""

import hashlib
import secrets

import msgspec
import pyotp

from haltline.api.control import Caller
from haltline.clock import NS_PER_S, to_datetime
from haltline.config.operator import Second
from haltline.control.note import Note, Notes

SPACE = "question"
CODES = "code"
WRONG = "wrong-code"
MOST_WRONG_AN_HOUR = 6
_MOST_WRONG = 3
_HOUR_S = 3600
_BACKWARD_NS = 60 * NS_PER_S
"""How far a clock may be set back before what was asked since counts as too late."""
_STEP_S = 30
_LONGEST_NONCE = 100


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """A command as it was asked for and read, and what must happen before it is carried out."""

    id: str
    command: str
    arguments: dict[str, str]
    operator: str
    platform: str
    user: str
    text: str
    asked_at: int
    expires_at: int
    second: Second = Second.NONE
    wrong: int = 0

    def is_of(self, operator: str, caller: Caller) -> bool:
        """Whether this is who asked, on the platform where it was asked."""
        return (operator, caller.platform, caller.user) == (self.operator, self.platform, self.user)

    def stands(self, now: int) -> bool:
        """Whether it may still be answered; not where the clock was set back behind the question."""
        return self.asked_at - _BACKWARD_NS <= now < self.expires_at


class Questions:
    """All that wait. Only a digest of each nonce is kept."""

    def __init__(self, notes: Notes) -> None:
        self._notes = notes

    async def ask(
        self, *, command: str, arguments: dict[str, str], operator: str, caller: Caller, text: str, now: int,
        within_ns: int, second: Second,
    ) -> tuple[str, Question]:  # fmt: skip
        """Keep a command until it is confirmed; returns its nonce."""
        await self._drop_expired(now)
        nonce = secrets.token_hex(10)
        question = Question(
            id=digest_of(nonce), command=command, arguments=arguments, operator=operator, platform=caller.platform,
            user=caller.user, text=text, asked_at=now, expires_at=now + within_ns, second=second,
        )  # fmt: skip
        await self._keep(question)
        return nonce, question

    def find(self, nonce: str) -> Question | None:
        """What waits under a nonce, expired or not; None where nothing does, or no longer."""
        kept = self._notes.get(SPACE, digest_of(nonce))
        return msgspec.json.decode(kept, type=Question) if kept is not None else None

    async def close(self, question: Question) -> bool:
        """It waits no longer; True for the one who closed it, and only then may it be carried out."""
        return await self._notes.forget(SPACE, question.id)

    def may_try_code(self, operator: str, now: int) -> bool:
        """Whether somebody has not given too many wrong codes within an hour, over all questions and restarts."""
        return len(self._wrong_codes(operator, now)) < MOST_WRONG_AN_HOUR

    def _wrong_codes(self, operator: str, now: int) -> list[int]:
        """When they were given (s), those of the last hour; one that lies ahead of a clock set back counts, too."""
        kept = [int(each) for each in (self._notes.get(WRONG, operator) or "").split()]
        return [each for each in kept if abs(now // NS_PER_S - each) < _HOUR_S]

    async def note_wrong(self, question: Question, operator: str, now: int) -> bool:
        """One more wrong code; False once there were too many, and it is closed."""
        given = [*self._wrong_codes(operator, now), now // NS_PER_S][-MOST_WRONG_AN_HOUR:]
        await self._notes.put(Note(WRONG, operator, now, " ".join(map(str, given))))
        wrong = question.wrong + 1
        if wrong >= _MOST_WRONG:
            await self.close(question)
            return False
        await self._keep(msgspec.structs.replace(question, wrong=wrong))
        return True

    async def take_code(self, operator: str, secret: str, code: str, now: int) -> bool:
        """Whether this is the operator's one-time code now, or the one before or after; each counts once."""
        bare = code.replace(" ", "")
        totp = pyotp.TOTP(secret.replace(" ", "").upper(), interval=_STEP_S)
        last = int(self._notes.get(CODES, operator) or -1)
        step = now // NS_PER_S // _STEP_S
        for each in (step - 1, step, step + 1):
            moment = to_datetime(each * _STEP_S * NS_PER_S)
            if each > last and bare.isascii() and secrets.compare_digest(totp.at(moment), bare):
                await self._notes.put(Note(CODES, operator, now, str(each)))
                return True
        return False

    async def _keep(self, question: Question) -> None:
        text = msgspec.json.encode(question).decode()
        await self._notes.put(Note(SPACE, question.id, question.asked_at, text))

    async def _drop_expired(self, now: int) -> None:
        for note in self._notes.of(SPACE):
            question = msgspec.json.decode(note.text, type=Question)
            if not question.stands(now):
                await self.close(question)


def digest_of(nonce: str) -> str:
    """What is kept of a nonce."""
    return hashlib.sha256(nonce[:_LONGEST_NONCE].encode("utf-8", "replace")).hexdigest()[:32]
