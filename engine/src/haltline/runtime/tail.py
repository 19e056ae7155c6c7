"""Does the journal end where the last engine left it? The heartbeat beside it knows the last record.

A `-wal` file that was deleted, or an older copy put in its place, takes the newest records away, locks and fills among
them, and what is left proves itself all the same.
"""

from haltline.clock import to_iso
from haltline.journal.store import Journal
from haltline.runtime.heartbeat import NoHeartbeat, heartbeat_path, read_heartbeat


def lost_tail(journal: Journal) -> str:
    """What the last heartbeat knew of the journal and the file does not hold, in words; empty where it holds it all.

    Asked before anything new is written. A heartbeat that is missing or foreign proves nothing.
    """
    try:
        beat = read_heartbeat(heartbeat_path(journal.path, "engine"), role="engine", journal=journal.path.name)
    except NoHeartbeat:
        return ""
    cure = "Check positions, orders and locks; what happened since is not known."
    if beat.seq > journal.last_seq:
        return (
            f"The journal ends at record {journal.last_seq}, and the last engine had written {beat.seq} at "
            f"{to_iso(beat.wall)}: its end is gone (a -wal file was deleted, an older copy, or a power cut). {cure}"
        )
    held = journal.digest_at(beat.seq).hex() if beat.seq else ""
    if held and beat.head and held != beat.head:
        return (
            f"Record {beat.seq} of the journal is not the one that the last engine wrote at {to_iso(beat.wall)}: "
            f"another file stands in its place. {cure}"
        )
    return ""
