"""Do every part of an action even when one fails: an order that cannot be cancelled must not keep a position open."""

from collections.abc import Awaitable, Sequence

from haltline.errors import OutcomeUnknown, Refused, Transient
from haltline.model.id import AccountId
from haltline.model.plan import PlannedAction


class Attempts:
    """Awaits each part, remembers what failed, and raises once at the end with everything that failed."""

    def __init__(self) -> None:
        self.failures: list[Transient | Refused | OutcomeUnknown] = []

    async def run(self, part: Awaitable[None]) -> bool:
        """Await one part; a classified failure is remembered, and so is what cannot be reckoned with (a position that
        is no number); anything else passes through. Tells whether it worked.
        """
        try:
            await part
        except (Transient, Refused, OutcomeUnknown) as failure:
            self.failures.append(failure)
            return False
        except ArithmeticError as failure:
            self.failures.append(Refused(f"the broker shows what is no number ({type(failure).__name__})"))
            return False
        return True

    def close(self) -> None:
        """Raise the failure that asks for the most care: unknown outcome, then transient, then refused."""
        if not self.failures:
            return
        text = "; ".join(dict.fromkeys(str(failure) for failure in self.failures))
        raise _gravest(self.failures)(text) from self.failures[0]


def _gravest(failures: Sequence[Exception]) -> type[OutcomeUnknown | Transient | Refused]:
    for kind in (OutcomeUnknown, Transient):
        if any(isinstance(failure, kind) for failure in failures):
            return kind
    return Refused


def account_of(request: PlannedAction) -> AccountId:
    """The account to act on; raises Refused where the plan names none."""
    if request.account is None:
        raise Refused(f"action {request.name!r} was planned without an account; plan it once per account")
    return request.account
