"""Hashes and signatures, against published values and the genuine client's own."""

import pytest

from haltline_sim_crypto.ethereum import action_digest, address_of, signer
from haltline_sim_crypto.keccak import keccak256

ORDER = {"a": 0, "b": True, "p": "63000", "s": "0.01", "r": False, "t": {"limit": {"tif": "Ioc"}}}
ACTION = {"type": "order", "orders": [ORDER], "grouping": "na"}
NONCE = 1_700_000_000_000


@pytest.mark.parametrize(
    ("content", "digest"),
    [
        (b"", "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"),
        (b"abc", "4e03657aea45a94fc7d47ba826c8d667c0d1e6e33a64a036ec44f58fa12d6c45"),
    ],
)
def test_keccak_has_the_published_values(content: bytes, digest: str) -> None:
    assert keccak256(content).hex() == digest


@pytest.mark.parametrize("length", [0, 1, 134, 135, 136, 137, 271, 272, 273, 1000])
def test_keccak_agrees_with_the_clients_at_every_length_of_block(length: int) -> None:
    client = pytest.importorskip("ccxt").Exchange()
    content = bytes(index % 251 for index in range(length))
    assert keccak256(content).hex() == client.hash(content, "keccak", "hex")


def test_addresses_are_known_ones() -> None:
    assert address_of("0x" + "0" * 63 + "1") == "0x7e5f4552091a69125d5dfcb7b8c2659029395bdf"
    assert address_of("0x" + "11" * 32) == "0x19e7e376e7c213b7e7e7e46cc70a5dd086daff2a"


@pytest.mark.parametrize("vault", ["", "ab" * 20])
@pytest.mark.parametrize("expires", [None, NONCE + 1000])
def test_the_address_behind_the_clients_signature_is_found(vault: str, expires: int | None) -> None:
    client = pytest.importorskip("ccxt").hyperliquid({"privateKey": "0x" + "22" * 32})
    made = client.sign_l1_action(ACTION, NONCE, vault or None, expires)
    digest = action_digest(ACTION, NONCE, vault=vault, expires_ms=expires)
    found = signer(digest, int(made["r"], 16), int(made["s"], 16), made["v"])
    assert found == address_of("0x" + "22" * 32)
    other = action_digest(ACTION, NONCE + 1, vault=vault, expires_ms=expires)
    assert signer(other, int(made["r"], 16), int(made["s"], 16), made["v"]) != found


@pytest.mark.parametrize(("r", "s", "v"), [(0, 1, 27), (1, 0, 27), (1, 1, 26), (5, 1, 27), (2**256, 1, 27)])
def test_what_is_no_signature_is_refused(r: int, s: int, v: int) -> None:
    with pytest.raises(ValueError, match="not a"):
        signer(bytes(32), r, s, v)
