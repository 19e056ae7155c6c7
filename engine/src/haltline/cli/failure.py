"""What a person is told when a command raises: problems with places, one sentence, or where to report a bug."""

import os
import sys
import tempfile
import traceback
from collections.abc import Mapping
from pathlib import Path

from haltline.cli.option import WANTS_JSON
from haltline.cli.output import Output
from haltline.cli.problem import say_problems
from haltline.errors import ConfigError, EngineError, Problem

DEBUG_VARIABLE = "HALTLINE_DEBUG"


def report_failure(error: Exception, meta: Mapping[str, object]) -> int:
    """Write what went wrong, as JSON on standard output or as text on standard error; returns the exit code, 1."""
    problems = problems_of(error)
    if meta.get(WANTS_JSON):
        Output(json=True).emit({"ok": False, "problems": [problem.as_record() for problem in problems]})
    else:
        say_problems(Output(stream=sys.stderr), problems)
    return 1


def problems_of(error: Exception) -> list[Problem]:
    """Any exception as problems; one that is not ours becomes a single sentence, and a trace file when debugging."""
    match error:
        case ConfigError():
            return list(error.problems)
        case EngineError():
            return [_from_sentence(str(error))]
        case OSError():
            what = f"{error.filename}: {error.strerror}" if error.filename else str(error)
            return [Problem(code="E910", what=what, cure="check the path and your permission to use it")]
        case _:
            return [_internal(error)]


def _from_sentence(sentence: str) -> Problem:
    text, found, code = sentence.rpartition(" [E")
    if found and code.endswith("]") and code[:-1].isdigit():
        return Problem(code=f"E{code[:-1]}", what=text)
    return Problem(code="E911", what=sentence)


def _internal(error: Exception) -> Problem:
    name = f"{type(error).__name__}: {error}".splitlines()[0]
    cure = f"this is a bug: run again with {DEBUG_VARIABLE}=1 and report the trace file it names"
    if os.environ.get(DEBUG_VARIABLE):
        cure = f"this is a bug: report it with {_write_trace(error)}"
    return Problem(code="E999", what=f"internal error, {name}", cure=cure)


def _write_trace(error: Exception) -> Path:
    descriptor, path = tempfile.mkstemp(prefix="haltline-trace-", suffix=".txt")
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.writelines(traceback.format_exception(error))
    return Path(path)
