"""Text for a terminal: what others wrote must not move the cursor, change colours or ring the bell."""

_KEPT = "\n\t"
_CONTROLS = {code: "\N{REPLACEMENT CHARACTER}" for code in (*range(32), *range(127, 160)) if chr(code) not in _KEPT}


def inert(text: str) -> str:
    """The text with every control character but line ends and tabs replaced by a sign that can be seen."""
    return text if text.isprintable() else text.translate(_CONTROLS)


def first_control(text: str) -> str:
    """The first control character that is neither line end nor tab; empty if there is none."""
    if text.isprintable():
        return ""
    return next((sign for sign in text if ord(sign) in _CONTROLS), "")
