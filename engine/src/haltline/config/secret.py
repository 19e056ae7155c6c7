"""Which values of a set-up are secret: those it reads by reference, and those whose keys say so."""

import re
from collections.abc import Iterator, Mapping

from haltline.config.finding import Findings
from haltline.config.reference import References
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
    entries.append(setup.store.config)
    found.update(operator.totp for operator in setup.operators)
    for config in entries:
        found.update(_named(config))
    return tuple(sorted((str(value) for value in found if _is_secret(value)), key=lambda value: (-len(value), value)))


def _named(config: Mapping[str, object]) -> Iterator[str]:
    for key, value in config.items():
        if isinstance(value, Mapping):
            yield from _named(value)
        elif isinstance(value, str) and _KEY.search(key):
            yield value


def _is_secret(value: str) -> bool:
    return len(value) >= _SHORTEST and not re.fullmatch(r"[-+]?[\d.]+", value)
