"""The table of stable error codes: what each means and what to do, for `haltline explain CODE` and the docs.

E1xx files and YAML · E2xx structure and schema · E3xx expressions · E4xx meaning of rules and set-up ·
E5xx plugins · E6xx data from outside · E7xx journal · E8xx enforcement · E9xx command line
"""

from typing import NamedTuple


class CodeEntry(NamedTuple):
    """One row: a title, why it happens, and the cure."""

    title: str
    why: str
    cure: str


CODES: dict[str, CodeEntry] = {}
