"""Whether a plugin was made for this engine, from its own metadata, before anything of it is imported."""

from importlib import metadata

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name

ENGINE = "haltline"


def engine_version() -> str:
    """The version of the installed engine."""
    return metadata.version(ENGINE)


def unmet_range(dist: metadata.Distribution | None, version: str) -> str | None:
    """The range of engine versions that the distribution asks for, if `version` is outside it; otherwise None."""
    for text in (dist.requires or ()) if dist is not None else ():
        requirement = _parse(text)
        if requirement is None or canonicalize_name(requirement.name) != ENGINE:
            continue
        applies = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if applies and not requirement.specifier.contains(version, prereleases=True):
            return str(requirement.specifier)
    return None


def _parse(text: str) -> Requirement | None:
    try:
        return Requirement(text)
    except InvalidRequirement:
        return None
