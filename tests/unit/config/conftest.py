"""The registry of the built-ins, as `haltline check` has it."""

import pytest

from haltline.api.registry import Registry
from haltline.builtins import plugin


@pytest.fixture(scope="session")
def registry() -> Registry:
    """Everything the built-in plugin registers."""
    found = Registry()
    found.owner = "builtins"
    for name, hook in vars(plugin).items():
        if name.startswith("haltline_register_"):
            hook(found)
    found.freeze()
    return found
