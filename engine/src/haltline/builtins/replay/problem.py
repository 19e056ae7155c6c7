"""Problems with recordings, with file and row."""

from pathlib import Path

from haltline.errors import ConfigError, Place, Problem


def unreadable(path: Path, why: str) -> ConfigError:
    """The file is missing, not of its format, or cut short."""
    return _error("E551", path, f"the file cannot be read: {why}", "check the path, or export the file again")


def lacks_column(path: Path, wanted: str, found: list[str]) -> ConfigError:
    """No column can be what is needed."""
    what = f"there is no column for {wanted}; found {', '.join(repr(name) for name in found)}"
    return _error("E552", path, what, "name it under `columns`, or as `symbol` or `account`")


def bad_row(path: Path, row: int, why: str) -> ConfigError:
    """One row cannot be used; `row` is the line of a CSV file, the 1-based row of another."""
    return _error("E553", path, why, "correct it, or set `bad_rows: skip`", line=row)


def empty(path: Path) -> ConfigError:
    """No row can be used."""
    return _error("E554", path, "the file holds no row that can be used", "check that this is the right file")


def _error(code: str, path: Path, what: str, cure: str, *, line: int = 1) -> ConfigError:
    place = Place(file=str(path), line=line)
    return ConfigError([Problem(code=code, what=what, cure=cure, where="replay", place=place)])
