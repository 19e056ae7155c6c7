"""Which values of a set-up are secret: those it reads by reference, and those whose keys say so."""

import re
from collections.abc import Iterable, Iterator, Mapping
from urllib.parse import quote, unquote

from haltline.config.finding import Findings
from haltline.config.reference import References, Secret
from haltline.config.settings import Setup
from haltline.errors import Place

_REFERENCE = re.compile(r"\$\{[^}]*\}")
_KEY = re.compile(r"token|secret|passw|key|auth|webhook|credential", re.IGNORECASE)
_SHORTEST = 6


def secret_values(setup: Setup, environ: Mapping[str, str]) -> tuple[str, ...]:
    """The secret texts of a set-up, longest first; numbers and very short words are none."""
    found: set[str] = set()
    for file, text in setup.sources.items():
        references = References(environ, setup.directory, Findings())
        for reference in _REFERENCE.findall(text):
            found.add(references(reference, Place(file=file)) or "")
    entries = [*(each.config for each in setup.brokers), *(each.config for each in setup.feeds)]
    entries += [*(each.config for each in setup.channels), *(each.config for each in setup.surfaces)]
    found.update(operator.totp for operator in setup.operators)
    for config in entries:
        found.update(secrets_in(config))
    return _sorted(found)


def secrets_in(config: Mapping[str, object]) -> tuple[str, ...]:
    """The secret texts of one valid `config`, longest first."""
    return _sorted(_texts(config, is_named=False))


def hidden(text: str, secrets: Iterable[str]) -> str:
    """A text with every secret in it replaced by ``***``."""
    for secret in secrets:
        text = text.replace(secret, "***")
    return text


def _texts(value: object, *, is_named: bool) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _texts(each, is_named=is_named or bool(_KEY.search(str(key))))
    elif isinstance(value, list | tuple):
        for each in value:
            yield from _texts(each, is_named=is_named)
    elif isinstance(value, Secret) or (isinstance(value, str) and is_named):
        yield value


def _pieces(value: str) -> list[str]:
    """What stands in an address by itself: messages often repeat a part of one. Its host may be told."""
    scheme, is_address, rest = value.partition("://")
    if not is_address:
        return []
    host = rest.partition("/")[0].rpartition("@")[2].partition(":")[0] if scheme.startswith("http") else ""
    return [piece for piece in re.split(r"[/:@?&=#]+", rest) if piece != host]


def _sorted(found: Iterable[str]) -> tuple[str, ...]:
    pieces = {str.__str__(piece) for value in found for piece in (value, *_pieces(value))}
    spelt = {way for piece in pieces for way in (piece, unquote(piece), quote(piece, safe=""))}
    return tuple(sorted(filter(_is_secret, spelt), key=lambda value: (-len(value), value)))


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and not re.fullmatch(r"[-+]?[\d.]+", value)
