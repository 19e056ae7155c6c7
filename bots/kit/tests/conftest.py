"""A memory that forgets nothing until it is told to."""

import pytest


class FakeMemory:
    """`api.SurfaceMemory` without a disk."""

    def __init__(self) -> None:
        self.texts: dict[str, str] = {}
        self.puts = 0

    def get(self, key: str) -> str | None:
        return self.texts.get(key)

    async def put(self, key: str, text: str) -> None:
        self.puts += 1
        self.texts[key] = text

    async def forget(self, key: str) -> None:
        self.texts.pop(key, None)


@pytest.fixture(scope="session")
def empty_memory() -> type[FakeMemory]:
    return FakeMemory
