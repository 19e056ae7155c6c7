"""A pytest plugin that collects `*.test.yaml`: one item a test, failing with the same report as `haltline test`.

Nothing of the engine is imported until such a file is met, so that other people's test runs pay nothing for it.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from haltline.api.registry import Registry
    from haltline.errors import Problem
    from haltline.ruletest.case import Case
    from haltline.ruletest.load import Suite
    from haltline.ruletest.report import Failure

SUFFIX = ".test.yaml"
_REGISTRY: "pytest.StashKey[Registry]" = pytest.StashKey()


def pytest_collect_file(file_path: Path, parent: pytest.Collector) -> "RuleFile | None":
    """Collect files of rule tests and nothing else."""
    return RuleFile.from_parent(parent, path=file_path) if file_path.name.endswith(SUFFIX) else None


class RuleTestFailed(Exception):
    """A test of rules failed; carries what differs."""

    def __init__(self, failures: "tuple[Failure, ...]") -> None:
        super().__init__("\n\n".join(str(failure) for failure in failures))


class RuleFileInvalid(Exception):
    """A file of rule tests, or a rule file it names, could not be loaded."""

    def __init__(self, problems: "Iterable[Problem]") -> None:
        from haltline.config.diagnose import render  # noqa: PLC0415 - start-up time of every pytest run

        super().__init__(render(tuple(problems), "text"))


class RuleFile(pytest.File):
    """One ``*.test.yaml``."""

    def collect(self) -> "Iterator[RuleItem]":
        """One item a test; raises RuleFileInvalid with every problem of the file."""
        from haltline.errors import ConfigError  # noqa: PLC0415 - start-up time of every pytest run
        from haltline.ruletest.load import load_suite  # noqa: PLC0415 - start-up time of every pytest run

        try:
            suite = load_suite(self.path, _registry(self.config))
        except ConfigError as error:
            raise RuleFileInvalid(error.problems) from None
        for case in suite.cases:
            yield RuleItem.from_parent(self, name=case.name, case=case, suite=suite)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """The problems, without a stack trace."""
        if isinstance(excinfo.value, RuleFileInvalid):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))


class RuleItem(pytest.Item):
    """One test of a file."""

    def __init__(self, *, case: "Case", suite: "Suite", **kwargs: object) -> None:
        super().__init__(**kwargs)  # type: ignore[arg-type] # what pytest's from_parent passes on
        self._case = case
        self._suite = suite

    def runtest(self) -> None:
        """Run it; raises RuleTestFailed where something was not as expected."""
        from haltline.ruletest.run import run_case  # noqa: PLC0415 - start-up time of every pytest run

        report = run_case(self._case, self._suite, _registry(self.config))
        if not report.passed:
            raise RuleTestFailed(report.failures)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: object = None) -> str:
        """What differs, without a stack trace; a stack trace only for our own mistakes."""
        if isinstance(excinfo.value, RuleTestFailed):
            return str(excinfo.value)
        return str(super().repr_failure(excinfo))

    def reportinfo(self) -> tuple[str, int | None, str]:
        """Where the test stands."""
        return str(self.path), self._case.place.line - 1, self.name


def _registry(config: pytest.Config) -> "Registry":
    """The built-in plugins and the installed rule packs, loaded once a run."""
    known = config.stash.get(_REGISTRY, None)
    if known is None:
        from haltline.plugins.load import load_plugins  # noqa: PLC0415 - start-up time of every pytest run

        known = load_plugins().registry
        config.stash[_REGISTRY] = known
    return known
