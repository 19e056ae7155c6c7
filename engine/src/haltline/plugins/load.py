"""The guarded loader: each plugin is checked, imported and asked alone; its faults undo only its own part."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from types import ModuleType

import pluggy

from haltline.api import Registry, hookspecs
from haltline.errors import ConfigError, EngineError, Problem
from haltline.plugins.discover import PACK_GROUP, PLUGIN_GROUP, by_name, distribution_of, installed, version_of
from haltline.plugins.pack import locate
from haltline.plugins.report import PluginReport, PluginStatus
from haltline.plugins.shape import misshapen
from haltline.plugins.version import engine_version, unmet_range

BUILTINS = "builtins"
_HOOK_PREFIX = "haltline_register_"
_PROJECT = "haltline"


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginRequest:
    """A plugin that the set-up names; the loss of a required one refuses start."""

    name: str
    required: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Loaded:
    """The frozen registry, and what became of everything that is installed or was asked for."""

    registry: Registry
    reports: tuple[PluginReport, ...]


class _Failed(Exception):
    """Why one plugin cannot be used."""

    def __init__(self, code: str, what: str, cure: str) -> None:
        self.code = code
        self.what = what
        self.cure = cure
        super().__init__(what)


def load_plugins(
    wanted: Sequence[PluginRequest] = (),
    *,
    entry_points: Iterable[metadata.EntryPoint] | None = None,
    version: str | None = None,
) -> Loaded:
    """Load the built-ins, the plugins named in `wanted` and all rule packs; freeze the registry.

    A failed optional plugin is in the reports, its registrations taken back. Raises ConfigError with every problem of
    every required one. `entry_points` and `version` stand in for this environment's own in tests.
    """
    entries = (*installed(PLUGIN_GROUP), *installed(PACK_GROUP)) if entry_points is None else tuple(entry_points)
    loader = _Loader(engine_version() if version is None else version)
    plugins = by_name(entries, PLUGIN_GROUP)
    requests = {request.name: request for request in wanted} | {BUILTINS: PluginRequest(name=BUILTINS, required=True)}
    for name in sorted(requests, key=lambda name: (name != BUILTINS, name)):
        loader.load(requests[name], plugins)
    loader.list_others(plugins, requests)
    for name, found in by_name(entries, PACK_GROUP).items():
        loader.add_pack(name, found)
    loader.registry.freeze()
    return Loaded(registry=loader.registry, reports=loader.finish())


class _Loader:
    """One load: its own plugin manager, registry and reports."""

    def __init__(self, version: str) -> None:
        self.registry = Registry()
        self._version = version
        self._reports: list[PluginReport] = []
        self._manager = pluggy.PluginManager(_PROJECT)
        self._manager.add_hookspecs(hookspecs)

    def load(self, request: PluginRequest, plugins: Mapping[str, tuple[metadata.EntryPoint, ...]]) -> None:
        """Load one plugin, or report why not."""
        name = request.name
        found = plugins.get(name, ())
        try:
            entry = self._only(name, found, plugins)
            self._require_fit(entry)
            self._register(name, _import(entry))
        except _Failed as failure:
            self.registry.forget(name)
            self._report(name, found, required=request.required, failure=failure)
        else:
            self._report(name, found, required=request.required)

    def add_pack(self, name: str, found: tuple[metadata.EntryPoint, ...]) -> None:
        """Register one rule pack, or report why not; packs are data and need not be named in the set-up."""
        owner = distribution_of(found[0]) or name
        try:
            entry = self._only(name, found, {})
            self._require_fit(entry)
            self.registry.owner = owner
            self.registry.add_rule_pack(locate(entry))
        except _Failed as failure:
            self._report(name, found, failure=failure)
        except (ValueError, EngineError) as error:
            cure = "reinstall or remove the distribution that brings it"
            self._report(name, found, failure=_Failed("E509", f"the rule pack cannot be used: {error}", cure))
        else:
            self._reports.append(_report(name, found, status=PluginStatus.OK, provides=(f"rule pack {name}",)))

    def list_others(
        self, plugins: Mapping[str, tuple[metadata.EntryPoint, ...]], requests: Mapping[str, PluginRequest]
    ) -> None:
        """Report what is installed and was not asked for."""
        for name, found in plugins.items():
            if name not in requests:
                self._reports.append(_report(name, found, status=PluginStatus.NOT_ENABLED))

    def finish(self) -> tuple[PluginReport, ...]:
        """The reports; raises ConfigError if a required plugin failed."""
        problems = [report.error for report in self._reports if report.required and report.error is not None]
        if problems:
            raise ConfigError(problems)
        return tuple(self._reports)

    def _only(
        self,
        name: str,
        found: tuple[metadata.EntryPoint, ...],
        plugins: Mapping[str, tuple[metadata.EntryPoint, ...]],
    ) -> metadata.EntryPoint:
        if not found:
            close = difflib.get_close_matches(name, plugins, n=1)
            cure = f"did you mean {close[0]!r}?" if close else "install the distribution that brings it"
            raise _Failed("E501", "no installed distribution brings this plugin", cure)
        if len(found) > 1:
            both = " and ".join(sorted(repr(distribution_of(entry)) for entry in found))
            raise _Failed("E502", f"the name is used by {both}", "uninstall all but one of them")
        return found[0]

    def _require_fit(self, entry: metadata.EntryPoint) -> None:
        wanted = unmet_range(entry.dist, self._version)
        if wanted is not None:
            what = f"it needs haltline {wanted} and this is {self._version}"
            raise _Failed("E507", what, "install a version of it, or of haltline, that fits")

    def _register(self, name: str, module: object) -> None:
        self.registry.owner = name
        _require_marked_hooks(module)
        try:
            self._manager.register(module, name)
            self._manager.check_pending()
        except pluggy.PluginValidationError as error:
            self._manager.unregister(name=name)
            raise _Failed("E506", f"it has a hook that does not exist or has other arguments: {_first_line(error)}",
                          "compare its hooks with haltline.api.hookspecs") from error  # fmt: skip
        others = [plugin for plugin in self._manager.get_plugins() if plugin is not module]
        for hook in sorted(vars(self._manager.hook)):
            if hook.startswith(_HOOK_PREFIX):
                self._call(hook, others)
        flaws = misshapen(self.registry, name)
        if flaws:
            raise _Failed("E508", "what it registered cannot be used: " + "; ".join(flaws), "report this to its author")

    def _call(self, hook: str, others: list[object]) -> None:
        try:
            self._manager.subset_hook_caller(hook, others)(registry=self.registry)
        except EngineError as error:
            raise _Failed("E503", f"its hook {hook} was refused: {error}", "enable only one of the two") from error
        except (Exception, SystemExit) as error:
            what = f"its hook {hook} raised {type(error).__name__}: {_first_line(error)}"
            raise _Failed("E505", what, "update it, or take it out of `plugins`") from error

    def _report(
        self,
        name: str,
        found: tuple[metadata.EntryPoint, ...],
        *,
        required: bool = False,
        failure: _Failed | None = None,
    ) -> None:
        if failure is not None:
            error = Problem(code=failure.code, where=f"plugin {name!r}", what=failure.what, cure=failure.cure)
            self._reports.append(_report(name, found, status=PluginStatus.FAILED, required=required, error=error))
            return
        self._reports.append(
            _report(
                name,
                found,
                status=PluginStatus.OK,
                required=required,
                provides=_provides(self.registry, name),
                capabilities=_capabilities(self.registry, name),
            )
        )


def _import(entry: metadata.EntryPoint) -> object:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        what = f"it cannot be imported: {type(error).__name__}: {_first_line(error)}"
        raise _Failed("E504", what, "install what it needs, or take it out of `plugins`") from error


def _require_marked_hooks(module: object) -> None:
    """pluggy passes over functions without a marker in silence; we do not."""
    names = [name for name in dir(module) if name.startswith(_HOOK_PREFIX)]
    unmarked = [name for name in names if not hasattr(getattr(module, name), f"{_PROJECT}_impl")]
    if unmarked:
        raise _Failed("E506", f"{unmarked[0]} is not marked as a hook", "put @hookimpl of haltline.api above it")
    if not names:
        kind = "module" if isinstance(module, ModuleType) else type(module).__name__
        raise _Failed(
            "E506", f"its {kind} has no hook, so it would do nothing", "define a haltline_register_… function"
        )


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def _report(
    name: str,
    found: tuple[metadata.EntryPoint, ...],
    *,
    status: PluginStatus,
    required: bool = False,
    provides: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    error: Problem | None = None,
) -> PluginReport:
    return PluginReport(
        name=name,
        status=status,
        distribution=", ".join(dict.fromkeys(distribution_of(entry) for entry in found)),
        version=", ".join(dict.fromkeys(version_of(entry) for entry in found)),
        required=required,
        provides=provides,
        capabilities=capabilities,
        error=error,
    )


def _provides(registry: Registry, owner: str) -> tuple[str, ...]:
    return tuple(
        f"{shelf.sort} {name}" for shelf in registry.shelves() for name, _, who in shelf.items() if who == owner
    )


def _capabilities(registry: Registry, owner: str) -> tuple[str, ...]:
    found = {str(flag) for _, kind, who in registry.brokers.items() if who == owner for flag in kind.capabilities}
    return tuple(sorted(found))
