"""Every error code that is emitted is in the table, and every code of the table is emitted."""

import re
from pathlib import Path

from haltline.errors import CODES

ROOT = Path(__file__).parents[2]
_CODE = re.compile(r"(?<![\w-])E[1-9]\d\d(?![\w-])")
_TABLES = tuple(f"errors/{name}.py" for name in ("code", "file_code", "rule_code", "engine_code"))


def emitted(sources) -> dict[str, set[str]]:
    """Code → the modules whose text names it, the tables left out."""
    found: dict[str, set[str]] = {}
    for source in sources:
        if source.name not in _TABLES:
            for code in _CODE.findall(source.text):
                found.setdefault(code, set()).add(source.name)
    return found


def test_every_emitted_code_is_in_the_table(sources) -> None:
    missing = {code: files for code, files in emitted(sources).items() if code not in CODES}
    assert missing == {}


def test_every_code_of_the_table_is_emitted(sources) -> None:
    assert set(CODES) - set(emitted(sources)) == set()


def test_the_table_is_in_order() -> None:
    assert list(CODES) == sorted(CODES)


def test_entries_are_sentences_with_a_cure() -> None:
    def is_sentence(text: str) -> bool:
        return bool(text) and text[0] == text[0].upper() and text.endswith((".", "…", ".)"))

    wrong = [code for code, entry in CODES.items() if not (is_sentence(entry.why) and is_sentence(entry.cure))]
    assert wrong == []


def test_titles_are_short_and_end_without_a_full_stop() -> None:
    assert [code for code, entry in CODES.items() if entry.title.endswith(".") or len(entry.title) > 60] == []
