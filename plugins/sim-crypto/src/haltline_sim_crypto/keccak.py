"""Keccak-256, the hash of Ethereum; it differs from SHA3-256 in one byte of padding."""

_RATE = 136
_MASK = (1 << 64) - 1
_TURNS = (
    (0, 36, 3, 41, 18), (1, 44, 10, 45, 2), (62, 6, 43, 15, 61), (28, 55, 25, 21, 56), (27, 20, 39, 8, 14),
)  # fmt: skip


def _round_constants() -> tuple[int, ...]:
    """The bits come from a shift register of eight bits."""
    found, state = [], 1
    for _ in range(24):
        constant = 0
        for power in range(7):
            if state & 1:
                constant |= 1 << ((1 << power) - 1)
            state = (state << 1) ^ (0x171 if state & 0x80 else 0)
        found.append(constant)
    return tuple(found)


_CONSTANTS = _round_constants()


def _left(lane: int, turns: int) -> int:
    return ((lane << turns) | (lane >> (64 - turns))) & _MASK if turns else lane


def _permute(a: list[list[int]]) -> list[list[int]]:
    for constant in _CONSTANTS:
        c = [a[x][0] ^ a[x][1] ^ a[x][2] ^ a[x][3] ^ a[x][4] for x in range(5)]
        d = [c[(x - 1) % 5] ^ _left(c[(x + 1) % 5], 1) for x in range(5)]
        b = [[0] * 5 for _ in range(5)]
        for x in range(5):
            for y in range(5):
                b[y][(2 * x + 3 * y) % 5] = _left(a[x][y] ^ d[x], _TURNS[x][y])
        a = [[b[x][y] ^ (~b[(x + 1) % 5][y] & b[(x + 2) % 5][y] & _MASK) for y in range(5)] for x in range(5)]
        a[0][0] ^= constant
    return a


def keccak256(content: bytes) -> bytes:
    """32 bytes."""
    filled = bytearray(content + b"\x01" + bytes(-(len(content) + 1) % _RATE))
    filled[-1] |= 0x80
    state = [[0] * 5 for _ in range(5)]
    for start in range(0, len(filled), _RATE):
        for place in range(_RATE // 8):
            lane = int.from_bytes(filled[start + place * 8 : start + place * 8 + 8], "little")
            state[place % 5][place // 5] ^= lane
        state = _permute(state)
    return b"".join(state[x][0].to_bytes(8, "little") for x in range(4))
