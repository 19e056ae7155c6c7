"""``python -m haltline.testing.conformance FILE.py[:open_world] [--name NAME] [--write RECORD.json]``

Runs every case that the world promises, prints a line for each, and ends with 1 where one fails.
"""

import argparse
import asyncio
import importlib.util
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import cast

from haltline.testing.broker import all_broker_cases
from haltline.testing.conformance.record import OpenWorld, record_cases, write_record


def main(words: Sequence[str] | None = None) -> int:
    """Run the cases; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m haltline.testing.conformance", description=__doc__)
    parser.add_argument("world", help="a Python file, and after a colon the name in it that opens a world")
    parser.add_argument("--name", default="", help="what the broker is called, where its kind is not enough")
    parser.add_argument("--write", type=Path, help="the record to write")
    given = parser.parse_args(words)
    record = asyncio.run(record_cases(all_broker_cases(), _world_of(given.world), name=given.name, told=print_line))
    print_line(f"{len(record.passed)} passed, {len(record.failed)} failed")
    if given.write is not None:
        write_record(record, given.write)
    return 1 if record.failed else 0


def print_line(line: str) -> None:
    """One line on the screen, now."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def _world_of(text: str) -> OpenWorld:
    file, _, name = text.partition(":")
    spec = importlib.util.spec_from_file_location("conformance_world", file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return cast("OpenWorld", getattr(module, name or "open_world"))


if __name__ == "__main__":
    sys.exit(main())
