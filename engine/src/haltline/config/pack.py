"""Where templates are found: packs that plugins registered, and packages with an entry point in the group."""

import importlib.util
from importlib.metadata import entry_points
from pathlib import Path

from haltline.api.registry import Registry
from haltline.config.finding import Findings, did_you_mean
from haltline.config.source import read_source
from haltline.config.template import Template, read_template
from haltline.errors import ConfigError, Place

GROUP = "haltline.rule_packs"


class Packs:
    """Finds and reads each template once."""

    def __init__(self, registry: Registry, findings: Findings) -> None:
        self._registry = registry
        self._findings = findings
        self._folders: dict[str, Path | None] = {}
        self._templates: dict[str, Template | None] = {}
        self.sources: dict[str, str] = {}

    def template(self, name: str, place: Place, where: str) -> Template | None:
        """The template ``pack/name``; None after noting what is wrong (E406, or the template's own problems)."""
        if name not in self._templates:
            self._templates[name] = self._read(name, place, where)
        return self._templates[name]

    def folder(self, pack: str) -> Path | None:
        """The folder of a pack, without importing its package; None where there is no such pack."""
        if pack not in self._folders:
            registered = self._registry.rule_packs.get(pack)
            self._folders[pack] = registered.folder if registered else _installed(pack)
        return self._folders[pack]

    def names(self) -> list[str]:
        """All packs that are installed."""
        return sorted({*self._registry.rule_packs.names(), *(point.name for point in entry_points(group=GROUP))})

    def _read(self, name: str, place: Place, where: str) -> Template | None:
        pack, _, short = name.partition("/")
        folder = self.folder(pack)
        if folder is None:
            cure = did_you_mean(pack, self.names(), sort="installed packs")
            self._findings.add("E406", place, f"there is no rule pack {pack!r}", cure, where=where)
            return None
        path = folder / f"{short}.yaml"
        if not path.is_file():
            cure = did_you_mean(short, template_names(folder), sort="its templates")
            self._findings.add("E406", place, f"the pack {pack!r} has no template {short!r}", cure, where=where)
            return None
        try:
            source = read_source(path)
        except ConfigError as error:
            self._findings.extend(error.problems)
            return None
        self.sources[source.file] = source.text
        return read_template(source, name, self._findings)


def template_names(folder: Path) -> list[str]:
    """The templates of a folder."""
    return sorted(path.stem for path in folder.glob("*.yaml") if not path.name.endswith(".test.yaml"))


def _installed(pack: str) -> Path | None:
    for point in entry_points(group=GROUP, name=pack):
        found = importlib.util.find_spec(point.value)
        if found is not None and found.submodule_search_locations:
            return Path(next(iter(found.submodule_search_locations)))
    return None
