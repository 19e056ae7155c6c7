"""Arguments as typed become values: each read by its kind and checked against the live state, all problems at once."""

import math
from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from haltline.api.control import Argument, ArgumentKind, Command
from haltline.api.reply import Cell
from haltline.clock import NS_PER_S, parse_duration
from haltline.config.finding import did_you_mean
from haltline.control.line import usage
from haltline.control.live import LiveNames
from haltline.errors.inert import first_control

_LONGEST = 1000
_YES = {"yes": True, "true": True, "on": True, "1": True, "no": False, "false": False, "off": False, "0": False}


class WrongArguments(ValueError):
    """What is wrong with the arguments of a command, every sentence of it."""

    def __init__(self, problems: list[str]) -> None:
        self.problems = tuple(problems)
        super().__init__("; ".join(problems))


def read_arguments(
    command: Command, given: Mapping[str, str], names: LiveNames, accounts: Sequence[str]
) -> dict[str, Cell]:
    """The values by name; those left out are None. Raises WrongArguments, which names only what these accounts have."""
    known = {argument.name for argument in command.arguments}
    problems = [f"{name!r} is no argument of {command.name}" for name in sorted(set(given) - known)]
    values: dict[str, Cell] = {}
    for argument in command.arguments:
        text = given.get(argument.name, "").strip()
        values[argument.name] = None
        if not text:
            if argument.required:
                problems.append(f"{argument.name} is missing ({argument.meaning})")
            continue
        try:
            values[argument.name] = read_argument(argument, text, names, accounts)
        except ValueError as error:
            problems.append(f"{argument.name}: {error}")
    problems += _unmet(command, values, names)
    if problems:
        raise WrongArguments([*problems, f"write: {usage(command)}"])
    return values


def _unmet(command: Command, values: Mapping[str, Cell], names: LiveNames) -> list[str]:
    """What is done to a symbol must find it: closing or locking a name that nothing trades as would do nothing."""
    account = values.get("account")
    named = [argument.name for argument in command.arguments if argument.kind is ArgumentKind.SYMBOL]
    if not command.mutates or not isinstance(account, str):
        return []
    found = [(name, names.unmet(symbol, account)) for name in named if isinstance(symbol := values.get(name), str)]
    return [f"{name}: {problem}" for name, problem in found if problem]


def read_argument(argument: Argument, text: str, names: LiveNames, accounts: Sequence[str]) -> Cell:
    """One value; raises ValueError in words."""
    if len(text) > _LONGEST:
        raise ValueError(f"{len(text):,} characters are too many; at most {_LONGEST:,}")
    if first_control(text):
        raise ValueError("it holds a control character")
    if argument.choices and text not in argument.choices:
        raise ValueError(f"{text!r} is not one of {', '.join(argument.choices)}")
    read = _READERS.get(argument.kind)
    if read is not None:
        return read(text)
    if not names.is_known(argument, text):
        known = [choice.value for choice in names.choices(argument, accounts, {})]
        raise ValueError(f"there is no {argument.kind.value} {text!r}; {did_you_mean(text, known, sort='there are')}")
    return text


def _number(text: str) -> float:
    try:
        number = float(text.replace(",", "").replace("_", ""))
    except ValueError:
        raise ValueError(f"{text!r} is not a number") from None
    if not math.isfinite(number):
        raise ValueError(f"{text!r} is not a finite number")
    return number


def _quantity(text: str) -> float:
    try:
        quantity = Decimal(text)
    except InvalidOperation:
        raise ValueError(f"{text!r} is not a quantity") from None
    if not (quantity.is_finite() and 0 < quantity < Decimal("1e15")):
        raise ValueError(f"{text!r} is not a quantity above 0")
    return float(quantity)


def _duration(text: str) -> float:
    length_ns = parse_duration(text)
    if not length_ns:
        raise ValueError(f"{text!r} is no time at all")
    return length_ns / NS_PER_S


def _flag(text: str) -> bool:
    if text.lower() not in _YES:
        raise ValueError(f"{text!r} is neither yes nor no")
    return _YES[text.lower()]


_READERS: Mapping[ArgumentKind, Callable[[str], Cell]] = {
    ArgumentKind.NUMBER: _number,
    ArgumentKind.QUANTITY: _quantity,
    ArgumentKind.DURATION: _duration,
    ArgumentKind.FLAG: _flag,
}
