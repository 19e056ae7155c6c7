"""Text for people: what others wrote must not move the cursor, change colours, ring the bell, or turn around the
order in which the rest of the line is read.
"""

_KEPT = "\n\t"
_TURNING = (*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x2028, 0x2029)
"""Marks that change the direction of what follows, and the two line ends that only Unicode knows."""
_HALVES = range(0xD800, 0xE000)
"""Halves of a pair: no text that can be sent anywhere."""
_CONTROLS = {
    code: "\N{REPLACEMENT CHARACTER}"
    for code in (*range(32), *range(127, 160), *_TURNING, *_HALVES)
    if chr(code) not in _KEPT
}


def inert(text: str) -> str:
    """The text with every control character but line ends and tabs replaced by a sign that can be seen."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def first_control(text: str) -> str:
    """The first control character that is neither line end nor tab; empty if there is none."""
    if text.isprintable():
        return ""
    return next((sign for sign in text if ord(sign) in _CONTROLS), "")
