"""Pages, tables and code in Markdown, for `generate.py`."""

from collections.abc import Iterable

NOTE = "<!-- Written by docs/generate.py from the code. Do not edit. -->"


def table(headings: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A Markdown table."""
    lines = [tuple(headings)]
    lines.append(tuple("---" for _ in lines[0]))
    lines += [tuple(cell.replace("|", "\\|").replace("\n", " ") for cell in row) for row in rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines) + "\n"


def code(text: str) -> str:
    """Text in code type; empty stays empty."""
    return f"`{text}`" if text else ""


def page(title: str, *parts: str) -> str:
    """A whole page."""
    return f"{NOTE}\n\n# {title}\n\n" + "\n".join(part.rstrip() + "\n" for part in parts)
