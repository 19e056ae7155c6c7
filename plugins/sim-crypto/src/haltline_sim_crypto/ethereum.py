"""Who signed: the address behind a signature on the curve secp256k1, and the digest that Hyperliquid's clients sign."""

from functools import cache
from typing import Any

import msgspec

from haltline_sim_crypto.keccak import keccak256

type Point = tuple[int, int, int] | None

_P = 2**256 - 2**32 - 977
_N = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
_G = (
    0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798,
    0x483ADA7726A3C4655DA4FBFC0E1108A8FD17B448A68554199C47D08FFB10D4B8,
    1,
)
_DOMAIN_TYPE = b"EIP712Domain(string name,string version,uint256 chainId,address verifyingContract)"
_AGENT_TYPE = b"Agent(string source,bytes32 connectionId)"
_CHAIN = 1337


def _add(p: Point, q: Point) -> Point:
    """Points are (X, Y, Z) and stand for (X/Z², Y/Z³): no division until the end."""
    if p is None or q is None:
        return p or q
    zz, ww = p[2] * p[2] % _P, q[2] * q[2] % _P
    u, w = p[0] * ww % _P, q[0] * zz % _P
    s, t = p[1] * ww * q[2] % _P, q[1] * zz * p[2] % _P
    if u == w:
        return _double(p) if s == t else None
    h, r = w - u, t - s
    hh = h * h % _P
    hhh, v = h * hh % _P, u * hh % _P
    x = (r * r - hhh - 2 * v) % _P
    return x, (r * (v - x) - s * hhh) % _P, h * p[2] * q[2] % _P


def _double(p: Point) -> Point:
    if p is None:
        return None
    yy = p[1] * p[1] % _P
    s, m = 4 * p[0] * yy % _P, 3 * p[0] * p[0] % _P
    x = (m * m - 2 * s) % _P
    return x, (m * (s - x) - 8 * yy * yy) % _P, 2 * p[1] * p[2] % _P


def _sum(k: int, p: Point, m: int, q: Point) -> Point:
    """k times p and m times q, doubling once for both."""
    terms, found = (None, q, p, _add(p, q)), None
    for bit in range(max(k.bit_length(), m.bit_length()) - 1, -1, -1):
        found = _add(_double(found), terms[2 * (k >> bit & 1) + (m >> bit & 1)])
    return found


def address_of(private_key: str) -> str:
    """The address of a private key, in small letters."""
    return _address(_sum(int(private_key, 16), _G, 0, None))


def _address(point: Point) -> str:
    if point is None:
        raise ValueError("a point at infinity has no address")
    inverse = pow(point[2], -1, _P)
    x, y = point[0] * inverse * inverse % _P, point[1] * inverse**3 % _P
    return "0x" + keccak256(x.to_bytes(32) + y.to_bytes(32))[12:].hex()


def signer(digest: bytes, r: int, s: int, v: int) -> str:
    """The address that signed a digest; raises ValueError for what is no signature."""
    if not (0 < r < _N and 0 < s < _N and v in (27, 28)):
        raise ValueError("not a signature")
    y = pow((pow(r, 3, _P) + 7) % _P, (_P + 1) // 4, _P)
    if (y * y - r * r * r - 7) % _P:
        raise ValueError("not a point of the curve")
    if y & 1 != v - 27:
        y = _P - y
    inverse = pow(r, -1, _N)
    return _address(_sum(-int.from_bytes(digest) * inverse % _N, _G, s * inverse % _N, (r, y, 1)))


def action_digest(action: Any, nonce: int, *, vault: str = "", expires_ms: int | None = None) -> bytes:
    """What is signed for an action: its hash stands in for an agent, as typed data (EIP-712) of the main network."""
    content = msgspec.msgpack.encode(action) + nonce.to_bytes(8)
    content += b"\x01" + bytes.fromhex(vault.removeprefix("0x")) if vault else b"\x00"
    if expires_ms is not None:
        content += b"\x00" + expires_ms.to_bytes(8)
    head, domain = _constants()
    return keccak256(b"\x19\x01" + domain + keccak256(head + keccak256(content)))


@cache
def _constants() -> tuple[bytes, bytes]:
    """The head of every agent, of the main network, and the domain."""
    words = keccak256(_DOMAIN_TYPE) + keccak256(b"Exchange") + keccak256(b"1") + _CHAIN.to_bytes(32) + bytes(32)
    return keccak256(_AGENT_TYPE) + keccak256(b"a"), keccak256(words)
