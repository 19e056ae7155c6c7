"""The section `store: backup:` of a set-up."""

from pathlib import Path

from haltline.config.finding import Findings
from haltline.config.settings import BackupEntry
from haltline.config.source import MappingNode, ScalarNode

SHORTEST_NS = 60_000_000_000
FOLDER = "backup"


def bind_backup(node: MappingNode | None, directory: Path, journal: Path, findings: Findings) -> BackupEntry | None:
    """The section, or None where there is none; E207 for copies more often than every `SHORTEST_NS`.

    `directory` is that of the set-up, where relative paths start; `journal` is what is copied.
    """
    if node is None:
        return None
    folder, keep = node.get("folder"), node.get("keep")
    default = BackupEntry(folder=directory / folder.text if isinstance(folder, ScalarNode) else journal.parent / FOLDER)
    every_ns = node.duration_ns("every", default.every_ns)
    if every_ns < SHORTEST_NS:
        findings.add(
            "E207", node.place_of("every"), "backups would follow each other too closely", "1m or more is allowed",
            where="store: backup",
        )  # fmt: skip
    kept = int(keep.text) if isinstance(keep, ScalarNode) and keep.text.isdecimal() else default.keep
    return BackupEntry(folder=default.folder, every_ns=every_ns, keep=kept)
