"""How far executions and flows were read, kept in a small file, so that a restart asks for what it missed."""

import json
import os
from pathlib import Path


class Watermark:
    """One instant of the venue's clock, in ms. Without a directory it lasts as long as the process."""

    def __init__(self, directory: Path | None, name: str) -> None:
        self._file = directory / f"{name}.watermark.json" if directory is not None else None
        self._read = 0

    def load(self) -> int:
        """What was kept; 0 where there is nothing that can be read."""
        if self._file is None:
            return self._read
        try:
            kept = json.loads(self._file.read_text("utf-8"))
        except (OSError, ValueError):
            return 0
        since = kept.get("read_ms") if isinstance(kept, dict) else None
        return since if isinstance(since, int) and since > 0 else 0

    def keep(self, read_ms: int) -> None:
        """Everything up to this instant was read."""
        self._read = read_ms
        if self._file is None:
            return
        self._file.parent.mkdir(parents=True, exist_ok=True)
        fresh = self._file.with_suffix(".new")
        fresh.write_text(json.dumps({"read_ms": read_ms}), "utf-8")
        os.replace(fresh, self._file)
