"""The program as the shell sees it: how quickly it answers, and how it ends."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

PROGRAM = (sys.executable, "-c", "from haltline.cli.main import main; main()")
ROOT = Path(__file__).parents[2]
HEAVY = {"rich.console", "jsonschema", "pandas", "pyarrow", "numpy", "pydantic", "exchange_calendars", "asyncio"}


def environment() -> dict[str, str]:
    """The user's own, where byte code is kept between two calls as it usually is."""
    return {key: value for key, value in os.environ.items() if key not in ("PYTHONDONTWRITEBYTECODE", "HALTLINE_DEBUG")}


def run(*words: str, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*PROGRAM, *words], capture_output=True, text=True, timeout=60, check=False, env=environment(), cwd=cwd
    )


def slower_than_python(words: Sequence[str], tries: int = 5) -> float:
    """How many times as long as the bare interpreter a call takes: both the fastest of some, taken in turns, because a
    busy machine only ever adds."""
    bare, ours = [], []
    for _ in range(tries):
        started = time.perf_counter()
        subprocess.run([sys.executable, "-c", "pass"], check=True, timeout=60, env=environment())
        bare.append(time.perf_counter() - started)
        started = time.perf_counter()
        run(*words)
        ours.append(time.perf_counter() - started)
    return min(ours) / min(bare)


def test_help_answers_in_a_few_times_of_what_python_takes_to_start():
    assert slower_than_python(["--help"]) < 15


def test_check_of_the_starter_pack_takes_no_more_than_a_hundred_starts_of_python():
    assert slower_than_python(["check", str(ROOT / "rules" / "starter")], tries=3) < 100


def test_help_imports_nothing_heavy():
    code = (
        "import sys; sys.argv = ['haltline', '--help']\n"
        "from haltline.cli.main import main\n"
        "try: main()\n"
        f"except SystemExit: print(*({HEAVY!r} & sys.modules.keys()), file=sys.stderr)"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert ran.stderr.strip() == ""


def test_exit_code_is_0_when_all_is_well():
    assert run("explain", "E201").returncode == 0


def test_exit_code_is_1_when_there_are_problems(tmp_path):
    (tmp_path / "x.yaml").write_text("rules: 5")
    assert run("check", str(tmp_path)).returncode == 1


def test_exit_code_is_2_when_the_command_is_misused():
    assert run("check", "--nonsense").returncode == 2


def hear_interrupts() -> None:
    """A shell that runs the tests in the background has told them, and so their children, to ignore Ctrl-C."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_exit_code_is_130_when_interrupted(tmp_path):
    run("init", str(tmp_path))
    with subprocess.Popen(
        [*PROGRAM, "demo", "--plain"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        preexec_fn=hear_interrupts,  # noqa: PLW1509 - no threads here
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGINT)
        _, err = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "Traceback" not in err


def test_a_closed_pipe_is_not_a_failure_people_see():
    command = f"{sys.executable} -c 'from haltline.cli.main import main; main()' fields | head -1"
    ran = subprocess.run(["bash", "-c", command], capture_output=True, text=True, timeout=60, check=False)
    assert "Traceback" not in ran.stderr
    assert "Fields" in ran.stdout


def test_colours_stay_away_from_pipes_and_files():
    assert "\x1b[" not in run("fields", "drawdown").stdout


@pytest.mark.parametrize(
    "words",
    [
        ("replay", "nowhere.feather"),
        ("run", "--config", "nowhere.yaml"),
        ("explain", "x", "y"),
        ("journal", "verify"),
        ("test", "nowhere"),
        ("replay", "README.md", "--position", "nonsense"),
    ],
)
def test_no_mistake_of_a_user_shows_a_traceback(words, tmp_path):
    ran = run(*words, cwd=tmp_path)
    assert ran.returncode in (1, 2)
    assert "Traceback" not in ran.stdout + ran.stderr
    assert "E999" not in ran.stderr
