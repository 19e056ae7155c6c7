"""What end-to-end tests share."""

from pathlib import Path

import pytest

SHARED = Path(__file__).parents[3] / "shared" / "data"


@pytest.fixture
def shared_data() -> Path:
    """The shared data set; the test is skipped where it is absent."""
    if not SHARED.is_dir():
        pytest.skip("needs the shared data set beside the repository (../shared/data)")
    return SHARED
