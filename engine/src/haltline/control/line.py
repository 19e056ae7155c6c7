"""A typed line becomes a command and its arguments: ``lock eval 1h because of the news``, ``room symbol=MNQ``.

Words go to the arguments in their order; ``name=value`` names one; the last of the `rest` sort takes what is left as it
was typed. Double quotes keep words together. Nothing typed is ever run, expanded or looked up as anything else.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence

from haltline.api.control import Argument, ArgumentKind, Command
from haltline.clock import parse_duration

LONGEST = 4000
_NAME = re.compile(r"[a-z_]+")
_WORD = re.compile(r'\s*(?:(?P<name>[a-z_]+)=)?(?:"(?P<quoted>[^"]*)"|(?P<bare>\S+))')


class LineProblem(ValueError):
    """A line that cannot be read, in words."""


def split_command(line: str) -> tuple[str, str]:
    """The command's name, in small letters and without slash or ``@bot``, and the rest of the line."""
    head, _, rest = line.strip().removeprefix("/").partition(" ")
    return head.partition("@")[0].lower(), rest.strip()


def read_line(command: Command, rest: str) -> dict[str, str]:
    """The arguments as texts; raises LineProblem for words that no argument takes."""
    if len(rest) > LONGEST:
        raise LineProblem(f"the line has {len(rest):,} characters; at most {LONGEST:,}")
    words = list(_words(rest))
    tails = [rest[start:].strip().strip('"') for start, _, _ in words]
    return _fill(command, [(name, word) for _, name, word in words], tails)[0]


def read_words(command: Command, words: Sequence[str]) -> tuple[dict[str, str], list[Argument]]:
    """The same for words that a shell has split: each is one, whatever is in it; also the arguments not yet given.

    Raises LineProblem.
    """
    if sum(map(len, words)) > LONGEST:
        raise LineProblem(f"there are more than {LONGEST:,} characters")
    pairs = []
    for word in words:
        name, is_named, value = word.partition("=")
        pairs.append((name, value) if is_named and _NAME.fullmatch(name) else ("", word))
    return _fill(command, pairs, [" ".join(words[at:]) for at in range(len(words))])


def _fill(
    command: Command, words: Sequence[tuple[str, str]], tails: Sequence[str]
) -> tuple[dict[str, str], list[Argument]]:
    names = {argument.name for argument in command.arguments}
    waiting = list(command.arguments)
    given: dict[str, str] = {}
    for at, (name, value) in enumerate(words):
        if name in names and name not in given:
            given[name] = value
            waiting = [argument for argument in waiting if argument.name != name]
            continue
        word = f"{name}={value}" if name else value
        argument = next_of(waiting, word)
        if argument is None:
            raise LineProblem(f"nothing takes {word!r}; write: {usage(command)}")
        if argument.rest:
            given[argument.name] = tails[at]
            return given, []
        given[argument.name] = word
        waiting = _without(waiting, argument)
    return given, waiting


def _without(waiting: Sequence[Argument], taken: Argument) -> list[Argument]:
    return [argument for argument in waiting if argument is not taken]


def next_of(waiting: Sequence[Argument], word: str) -> Argument | None:
    """Which argument a word is for: the first that must be there, or an optional one before it that the word fits.

    What cannot be told from its looks (a symbol) is only taken where no text comes after it. What looks as if it were
    meant for one (``10ns``, ``3x``, an order's id) is, and is refused if it is none: as the beginning of a reason it
    would change what is asked for, a lock without end, an exemption, all orders cancelled.
    """
    has_rest = any(argument.rest for argument in waiting)
    for argument in waiting:
        if argument.required or argument.rest:
            return argument
        if argument.kind in _MEANT and _MEANT[argument.kind].fullmatch(word):
            return argument
        if argument.kind in _LOOKS:
            if _LOOKS[argument.kind](argument, word):
                return argument
        elif not has_rest:
            return argument
    return None


def usage(command: Command) -> str:
    """How a command is written."""
    words = [argument.name if argument.required else f"[{argument.name}]" for argument in command.arguments]
    return " ".join([command.name, *words])


def _is_duration(_: Argument, word: str) -> bool:
    try:
        parse_duration(word)
    except ValueError:
        return False
    return True


def _is_number(_: Argument, word: str) -> bool:
    try:
        float(word)
    except ValueError:
        return False
    return True


def _is_choice(argument: Argument, word: str) -> bool:
    return word in argument.choices


_LOOKS: Mapping[ArgumentKind, Callable[[Argument, str], bool]] = {
    ArgumentKind.DURATION: _is_duration,
    ArgumentKind.NUMBER: _is_number,
    ArgumentKind.QUANTITY: _is_number,
    ArgumentKind.CHOICE: _is_choice,
}


_MEANT: Mapping[ArgumentKind, re.Pattern[str]] = {
    ArgumentKind.DURATION: re.compile(r"[+-]?\d[\d.]*[A-Za-z]\w*"),
    ArgumentKind.NUMBER: re.compile(r"[+-]?\.?\d\S*"),
    ArgumentKind.ORDER: re.compile(r"\S*\d\S*"),
}
"""A number with letters at it, something that begins like a number, something with a digit in it."""


def _words(text: str) -> Iterator[tuple[int, str, str]]:
    for found in _WORD.finditer(text):
        word = found["quoted"] if found["quoted"] is not None else found["bare"]
        yield found.start(), found["name"] or "", word
