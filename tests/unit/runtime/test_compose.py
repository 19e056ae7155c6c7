"""What plugins raise while the engine is put together is a problem with a name, not an internal error."""

import pytest

from haltline.errors import ConfigError
from haltline.runtime.compose import making


def test_a_plugin_that_raises_whilemaking_is_named() -> None:
    with pytest.raises(ConfigError) as caught, making("feed", "a", {}):
        raise ValueError("boom")
    assert [problem.what for problem in caught.value.problems] == ["feed 'a' could not be made: ValueError: boom"]
