"""The files a command works on: finds the set-up, loads its plugins, then set-up and rules."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from haltline.api.registry import Registry
from haltline.compose.kernel import meaning_problems
from haltline.config.diagnose import explained
from haltline.config.load import load_book, load_setup, named_plugins
from haltline.config.settings import RuleBook, Setup
from haltline.errors import ConfigError, Problem
from haltline.plugins.load import Loaded, PluginRequest, load_plugins

FILE_NAME = "haltline.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """Plugins, set-up and rules, all valid."""

    loaded: Loaded
    setup: Setup
    book: RuleBook


def find_setup(config: Path | None, start: Path | None = None) -> Path:
    """The named set-up, or the nearest `haltline.yaml` here or above; raises ConfigError where there is none."""
    if config is not None:
        if not config.is_file():
            raise _missing(config)
        return config
    here = (start or Path()).resolve()
    for folder in (here, *here.parents):
        candidate = folder / FILE_NAME
        if candidate.is_file():
            return candidate if folder != here else (start or Path()) / FILE_NAME
    what = f"there is no {FILE_NAME} in this folder or above it"
    raise ConfigError([Problem(code="E902", what=what, cure="run 'haltline init', or name one with --config FILE")])


def present_setup(config: Path | None) -> list[Path]:
    """The set-up if one is named or found, else nothing; raises ConfigError if the named one is missing."""
    try:
        return [find_setup(config)]
    except ConfigError:
        if config is not None:
            raise
        return []


def open_workspace(config: Path | None = None) -> Workspace:
    """Everything a set-up names, loaded; raises ConfigError with every problem."""
    path = find_setup(config)
    loaded = plugins_of([path])
    setup = load_setup(path, loaded.registry, environ=os.environ)
    book = load_book(setup.rule_files, loaded.registry, environ=os.environ)
    require_meaning(setup, book, loaded.registry)
    return Workspace(loaded=loaded, setup=setup, book=book)


def require_meaning(setup: Setup, book: RuleBook, registry: Registry) -> None:
    """Raise ConfigError with every problem of rules and calendars, before anything is opened or started."""
    problems = [problem for problem in meaning_problems(setup, book, registry) if problem.severity == "error"]
    if problems:
        raise explained(ConfigError(problems), {**setup.sources, **book.sources})


def require_paths(paths: Sequence[Path]) -> None:
    """Raise ConfigError naming every path that does not exist."""
    missing = [path for path in paths if not path.exists()]
    if missing:
        raise ConfigError([problem for path in missing for problem in _missing(path).problems])


def plugins_of(paths: Sequence[Path]) -> Loaded:
    """The built-ins and every plugin named by the set-ups among the paths; raises ConfigError for required ones."""
    requests: dict[str, PluginRequest] = {}
    for path in paths:
        file = path / FILE_NAME if path.is_dir() else path
        for entry in _named(file):
            requests[entry.name] = entry
    return load_plugins(tuple(requests.values()))


def _named(file: Path) -> list[PluginRequest]:
    if not file.is_file():
        return []
    try:
        return [PluginRequest(name=entry.name, required=entry.required) for entry in named_plugins(file)]
    except ConfigError:
        return []  # whoever loads the file itself reports what is wrong with it


def _missing(path: Path) -> ConfigError:
    return ConfigError(
        [Problem(code="E904", what=f"there is no file or folder {str(path)!r}", cure="correct the path")]
    )
