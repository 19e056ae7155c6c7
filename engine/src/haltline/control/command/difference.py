"""What the brokers show otherwise than we have it: differences."""

from haltline.api.control import Argument, ArgumentKind, Call, Command
from haltline.api.field import Kind
from haltline.api.reply import Column, Reply, Table, Tone
from haltline.control.command.reading import text_of
from haltline.control.door import Door

SECTION = "See"


class Differences:
    """Commands about pull against push."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        account = Argument(name="account", meaning="one account", kind=ArgumentKind.ACCOUNT, required=False)
        return (
            Command(
                name="differences", meaning="Where a broker shows something else than we have.", run=self.differences,
                arguments=(account,), section=SECTION, example="differences",
            ),
        )  # fmt: skip

    async def differences(self, call: Call) -> Reply:
        """One row a difference, of the caller's accounts."""
        asked = text_of(call, "account")
        found = [
            each for each in self._door.differences() if each.account in call.accounts and asked in ("", each.account)
        ]
        columns = (
            Column(name="account", label="account"), Column(name="about", label="about"),
            Column(name="ours", label="we have"), Column(name="theirs", label="the broker shows"),
            Column(name="since", label="since", kind=Kind.TIME),
        )  # fmt: skip
        rows = tuple((str(each.account), each.about, each.ours, each.theirs, each.since) for each in found)
        title = f"{len(found)} difference{'' if len(found) == 1 else 's'}" if found else "Ours is what the brokers show"
        table = Table(columns=columns, rows=rows, empty="the last comparison found none")
        return Reply(title=title, tone=Tone.BAD if found else Tone.GOOD, parts=(table,))
