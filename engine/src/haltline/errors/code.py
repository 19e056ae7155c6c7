"""The table of stable error codes: what each means and what to do, for `haltline explain CODE` and the docs.

E1xx files and YAML · E2xx structure and schema · E3xx expressions · E4xx meaning of rules and set-up ·
E5xx plugins · E6xx data from outside · E7xx journal · E8xx enforcement · E9xx command line
"""

from haltline.errors.engine_code import ENGINE_CODES
from haltline.errors.entry import CodeEntry
from haltline.errors.file_code import FILE_CODES
from haltline.errors.rule_code import RULE_CODES

CODES: dict[str, CodeEntry] = {**FILE_CODES, **RULE_CODES, **ENGINE_CODES}
