"""Text → Python AST, with length, nesting and size bounded before Python's parser sees it."""

import ast
import re
from typing import NamedTuple

from haltline.expr.report import Report

MAX_LENGTH = 4096
MAX_DEPTH = 40
MAX_NODES = 1500
_MAX_UNARY_RUN = 8
_UNARY_RUN = re.compile(rf"(?:(?:[-+~]|\bnot\b)\s*){{{_MAX_UNARY_RUN + 1},}}")
_LONG_NUMBER = re.compile(r"[0-9_]{31,}")
_STRING = re.compile(r"'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"")
_PERCENT = re.compile(r"(\d+(?:\.\d+)?)\s*%\s*(?:$|[)\],<>=!]|and\b|or\b|if\b|else\b)")
_HINTS = (
    (re.compile(r"&&"), "write 'and' instead of '&&'"),
    (re.compile(r"\|\|"), "write 'or' instead of '||'"),
    (re.compile(r"<>"), "write '!=' for 'is not equal to'"),
    (re.compile(r"(?<![<>=!])=(?!=)"), "write '==' to compare"),
    (re.compile(r"!(?!=)"), "write 'not' instead of '!'"),
    (re.compile(r"[$€£]"), "write money as a plain number"),
    (re.compile(r"\d+(?:ms|s|m|h|d|w)\b"), 'write a duration in quotes: "90s"'),
)


class Parsed(NamedTuple):
    """An expression's AST and how many characters were put before its text."""

    body: ast.expr
    shift: int


def parse(report: Report) -> Parsed | None:
    """Parse the report's text; None after reporting why it cannot be."""
    text = report.text
    if not _is_plausible(report):
        return None
    shift = 1 if "\n" in text else 0
    lead = len(text) - len(text.lstrip(" \t"))
    source = f"({text}\n)" if shift else text[lead:]
    try:
        body = ast.parse(source, mode="eval").body
    except SyntaxError as error:
        _report_syntax(report, error)
        return None
    except (RecursionError, MemoryError, ValueError):
        report.add("E303", "the expression is nested too deeply", f"at most {MAX_DEPTH} levels are allowed")
        return None
    if lead and not shift:
        _indent(body, lead)
    return Parsed(body, shift) if _is_bounded(body, report) else None


def _is_plausible(report: Report) -> bool:
    text = report.text
    if not text.strip():
        report.add("E300", "the expression is empty", "write a condition or a value")
        return False
    if len(text) > MAX_LENGTH:
        report.add("E302", f"the expression has {len(text):,} characters", f"at most {MAX_LENGTH:,} are allowed")
        return False
    odd = next((char for char in text if not (char.isprintable() or char in "\n\t\r")), None)
    if odd is None:
        odd = next((char for char in _STRING.sub("''", text) if not char.isascii() and char not in "€£"), None)
    if odd is not None:
        report.add("E320", f"the character {odd!a} cannot stand here", "use plain letters outside quoted texts")
        return False
    return _is_flat(report, _STRING.sub("''", text))


def _is_flat(report: Report, bare: str) -> bool:
    depth = deepest = 0
    for char in bare:
        depth += (char in "([{") - (char in ")]}")
        deepest = max(deepest, depth)
    if deepest > MAX_DEPTH or _UNARY_RUN.search(bare):
        report.add("E303", "the expression is nested too deeply", f"at most {MAX_DEPTH} levels are allowed")
        return False
    if _LONG_NUMBER.search(bare):
        report.add("E314", "a number has more than 30 digits", "write a smaller number")
        return False
    return True


def _report_syntax(report: Report, error: SyntaxError) -> None:
    bare = _STRING.sub(lambda match: "'" + " " * (len(match.group()) - 2) + "'", report.text)
    column = max((error.offset or 1) - 1, 0)
    percent = _PERCENT.search(bare)
    if percent:
        share = f"{float(percent.group(1)) / 100:g}"
        what = f"{percent.group(1)}% is not a number here"
        report.add("E301", what, f"write {share} for {percent.group(1)} %", column=percent.start())
        return
    cure = next((hint for pattern, hint in _HINTS if pattern.search(bare)), "check brackets, quotes and operators")
    report.add("E301", f"cannot be read as an expression ({error.msg})", cure, column=column)


def _indent(body: ast.expr, lead: int) -> None:
    for node in ast.walk(body):
        if isinstance(node, ast.expr | ast.keyword):
            node.col_offset += lead
            if node.end_col_offset is not None:
                node.end_col_offset += lead


def _is_bounded(body: ast.expr, report: Report) -> bool:
    level: list[ast.AST] = [body]
    count = depth = 0
    while level:
        depth += 1
        count += len(level)
        if depth > 2 * MAX_DEPTH or count > MAX_NODES:
            report.add("E303", "the expression is too large", f"at most {MAX_DEPTH} levels and {MAX_NODES} parts")
            return False
        level = [child for node in level for child in ast.iter_child_nodes(node)]
    return True
