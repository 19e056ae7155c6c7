"""Questions that change nothing: ask, whatif."""

import asyncio
import math
from decimal import Decimal

from haltline.api.control import Argument, ArgumentKind, Call, Command, Role
from haltline.api.field import Kind
from haltline.api.reply import Card, Fact, Paragraph, Part, Reply, Tone
from haltline.compose.rehearsal import rehearse_fill
from haltline.control.command.limit import explanation_branch
from haltline.control.command.reading import ACCOUNT, number_of, text_of
from haltline.control.door import Door
from haltline.errors import DataRefused
from haltline.model.event import Fill
from haltline.model.id import AccountId, FillId, Symbol
from haltline.model.order import Intent, Side
from haltline.model.plan import Permission, Result
from haltline.model.verdict import Phase, Transition

SECTION = "See"
_STEPS = 60


class Queries:
    """Commands that compute."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def commands(self) -> tuple[Command, ...]:
        """All of this family."""
        expression = Argument(name="expression", meaning="an expression as in rules", rest=True)
        price = Argument(name="price", meaning="its limit price", kind=ArgumentKind.NUMBER, required=False)
        return (
            Command(
                name="ask", meaning="What an expression of the rule language says now.", run=self.ask,
                arguments=(ACCOUNT, expression), account="account", section=SECTION,
                example="ask eval account.day.loss / account.equity",
            ),
            Command(
                name="whatif", meaning="May this order be sent, and how much would pass.",
                run=self.whatif, role=Role.VIEWER, account="account", section=SECTION,
                arguments=(
                    ACCOUNT, Argument(name="side", meaning="buy or sell", kind=ArgumentKind.SIDE),
                    Argument(name="quantity", meaning="how much", kind=ArgumentKind.QUANTITY),
                    Argument(name="symbol", meaning="the symbol", kind=ArgumentKind.SYMBOL), price,
                ),
                example="whatif eval buy 2 MNQ",
            ),
        )  # fmt: skip

    async def ask(self, call: Call) -> Reply:
        """The value, and what it was made of."""
        account = text_of(call, "account")
        explanation = self._door.kernel.evaluate(text_of(call, "expression"), account)
        branch = explanation_branch(explanation, str(self._door.kernel.state.accounts[account].currency))
        return Reply(title=branch.text, parts=branch.children)

    async def whatif(self, call: Call) -> Reply:
        """The permission, and the largest quantity that would be allowed."""
        quantity = number_of(call, "quantity") or 0.0
        permission = self._check(call, quantity)
        broken = await self._broken(call, quantity) if permission.allowed else []
        about = f"{text_of(call, 'side')} {quantity:g} {text_of(call, 'symbol')} on {text_of(call, 'account')}"
        parts: list[Part] = [Paragraph(text=reason, tone=Tone.BAD) for reason in (*permission.reasons, *broken)]
        largest = quantity if permission.allowed else self._largest(call, quantity)
        facts = (
            Fact(label="account is", value=permission.mode.value),
            Fact(label="largest that would pass", value=largest, kind=Kind.QUANTITY),
            Fact(label="rules against it", value=", ".join(permission.rules) or "none"),
        )
        verdict = "Not allowed" if not permission.allowed else "Let through, but read this" if broken else "Allowed"
        parts.append(Card(title=about, facts=facts))
        tone = Tone.BAD if not permission.allowed else Tone.WARNING if broken else Tone.GOOD
        return Reply(title=f"{verdict}: {about}", tone=tone, parts=tuple(parts))

    async def _broken(self, call: Call, quantity: float) -> list[str]:
        """What rules of positions, accounts and the rest would say once it is filled: tried on a copy of the state."""
        door, symbol, price = self._door, Symbol(text_of(call, "symbol")), number_of(call, "price")
        instrument = door.kernel.state.names.get(symbol)
        mark = math.nan if instrument is None else instrument.mark
        if price is None and not mark > 0:
            return [f"no price of {symbol} is known: what its fill would break is not known"]
        fill = Fill(
            at=call.now, received_at=call.now, account=AccountId(text_of(call, "account")), symbol=symbol,
            fill_id=FillId(f"whatif:{call.request_id}"), side=Side(text_of(call, "side")),
            quantity=Decimal(str(quantity)), price=Decimal(str(mark if price is None else price)),
        )  # fmt: skip
        try:
            result = await asyncio.to_thread(
                rehearse_fill, door.setup, door.registry, state=door.kernel.snapshot(), current=door.kernel.compiled,
                fill=fill, now=door.kernel.now,
            )  # fmt: skip
        except DataRefused as refused:
            return [str(refused)]
        return [_then(moved, result) for moved in result.transitions if moved.phase is Phase.BREACHED]

    def _largest(self, call: Call, refused: float) -> float:
        """The largest allowed quantity below one that is refused, in lots; 0 where none is."""
        symbol = text_of(call, "symbol")
        instrument = self._door.kernel.state.names.get(symbol)
        lot = float(instrument.spec.lot_size) if instrument is not None else 1.0
        low, high = 0, max(math.ceil(refused / lot), 1)
        for _ in range(_STEPS):
            if high - low <= 1:
                break
            middle = (low + high) // 2
            if self._check(call, middle * lot).allowed:
                low = middle
            else:
                high = middle
        return low * lot

    def _check(self, call: Call, quantity: float) -> Permission:
        return self._door.check(
            Intent(
                account=AccountId(text_of(call, "account")), symbol=Symbol(text_of(call, "symbol")),
                side=Side(text_of(call, "side")), quantity=quantity, price=number_of(call, "price"),
                source=f"{call.operator} asks",
            )
        )  # fmt: skip


def _then(moved: Transition, result: Result) -> str:
    """A rule that the fill would break, and what it would ask for."""
    does = ", ".join(dict.fromkeys(action.name for action in result.plan if moved.rule in action.rules))
    size = (
        f" ({moved.measured:,.10g} of {moved.threshold:,.10g})" if None not in (moved.measured, moved.threshold) else ""
    )
    return f"then {moved.rule} on {moved.entity} is broken{size}: {does or 'nothing is done at once'}"
