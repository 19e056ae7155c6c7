"""Every test here that takes a `page` runs once for each Markdown page of the repository."""

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def pages() -> list[Path]:
    """Every Markdown page for users and contributors."""
    folders = ("docs", "examples", "rules", "engine", "schemas", "plugins", "bots")
    below = [page for folder in folders for page in sorted((ROOT / folder).rglob("*.md"))]
    return [*sorted(ROOT.glob("*.md")), *(page for page in below if not any(p.startswith(".") for p in page.parts))]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test each page in turn, named by its path."""
    if "page" in metafunc.fixturenames:
        found = pages()
        metafunc.parametrize("page", found, ids=[str(page.relative_to(ROOT)) for page in found])
