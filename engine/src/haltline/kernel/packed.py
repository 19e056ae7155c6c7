"""A saved kernel as text that can stand in a file of YAML: compressed, in letters, a hundred to a line."""

import base64
import textwrap
import zlib

_LARGEST = 1 << 28
_WIDTH = 100


def pack_state(state: bytes) -> str:
    """The text of a saved kernel."""
    return "\n".join(textwrap.wrap(base64.b64encode(zlib.compress(state, 9)).decode(), _WIDTH))


def unpack_state(text: str) -> bytes:
    """The saved kernel of a text; raises ValueError where it is not one."""
    try:
        packed = base64.b64decode("".join(text.split()), validate=True)
        inflater = zlib.decompressobj()
        state = inflater.decompress(packed, _LARGEST)
    except (ValueError, zlib.error) as error:
        raise ValueError(str(error)) from error
    if not inflater.eof:
        raise ValueError("its end is missing" if not inflater.unconsumed_tail else "it is too large")
    return state
