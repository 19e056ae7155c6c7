"""Rule packs: folders of YAML in installed distributions, found by entry point and never imported."""

from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from haltline.api import RulePack


def locate(entry: metadata.EntryPoint) -> RulePack:
    """The pack behind an entry point; raises ValueError saying why there is none."""
    try:
        spec = find_spec(entry.value)
    except ImportError as error:
        raise ValueError(f"package {entry.value!r} cannot be found: {error}") from error
    places = list(spec.submodule_search_locations or ()) if spec is not None else []
    if not places:
        raise ValueError(f"package {entry.value!r} cannot be found, or is not a folder")
    folder = Path(places[0])
    if not any(folder.rglob("*.yaml")):
        raise ValueError(f"package {entry.value!r} holds no YAML file")
    summary = entry.dist.metadata.get("Summary", "") if entry.dist is not None else ""
    version = entry.dist.version if entry.dist is not None else ""
    return RulePack(name=entry.name, folder=folder, version=version, meaning=summary or f"rules of {entry.value}")
