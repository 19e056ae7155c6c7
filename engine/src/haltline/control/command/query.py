"""Questions that change nothing: ask, whatif."""

import math

from haltline.api.control import Argument, ArgumentKind, Call, Command, Role
from haltline.api.field import Kind
from haltline.api.reply import Card, Fact, Paragraph, Part, Reply, Tone
from haltline.control.command.limit import explanation_branch
from haltline.control.command.reading import ACCOUNT, number_of, text_of
from haltline.control.door import Door
from haltline.model.id import AccountId, Symbol
from haltline.model.order import Intent, Side
from haltline.model.plan import Permission

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
        branch = explanation_branch(explanation)
        return Reply(title=branch.text, parts=branch.children)

    async def whatif(self, call: Call) -> Reply:
        """The permission, and the largest quantity that would be allowed."""
        quantity = number_of(call, "quantity") or 0.0
        permission = self._check(call, quantity)
        about = f"{text_of(call, 'side')} {quantity:g} {text_of(call, 'symbol')} on {text_of(call, 'account')}"
        parts: list[Part] = [Paragraph(text=reason, tone=Tone.BAD) for reason in permission.reasons]
        largest = quantity if permission.allowed else self._largest(call, quantity)
        facts = (
            Fact(label="account is", value=permission.mode.value),
            Fact(label="largest that would pass", value=largest, kind=Kind.QUANTITY),
            Fact(label="rules against it", value=", ".join(permission.rules) or "none"),
        )
        title = f"{'Allowed' if permission.allowed else 'Not allowed'}: {about}"
        parts.append(Card(title=about, facts=facts))
        return Reply(title=title, tone=Tone.GOOD if permission.allowed else Tone.BAD, parts=tuple(parts))

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
