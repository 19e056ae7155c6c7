"""Which addresses a webhook may connect to: those of the internet, or those of one's own network, never both.

The name in a URL is looked up anew for every message, and who answers for the name may change: then account data would
go to another machine of one's own network, or what was meant for it to the internet. So the set-up says which it is,
and it is held for every address that the name leads to.
"""

import ipaddress
import socket
from contextlib import suppress

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from haltline.errors import Refused


def is_allowed(address: str, *, private: bool) -> bool:
    """Whether an address is on the side that the set-up names."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv6Address) and found.ipv4_mapped is not None:
        found = found.ipv4_mapped
    outside = found.is_global and not found.is_multicast
    inside = (found.is_private or found.is_loopback) and not (found.is_unspecified or found.is_link_local)
    return inside if private else outside


def as_address(host: str) -> str | None:
    """The host if it is written as an address, in one of the odd ways too (``0x7f.1``), else None: it is a name."""
    with suppress(ValueError):
        return str(ipaddress.ip_address(host.strip("[]").partition("%")[0]))
    with suppress(OSError):
        return socket.inet_ntoa(socket.inet_aton(host))
    return None


class GuardedResolver(AbstractResolver):
    """Looks names up, and leaves out every address on the wrong side."""

    def __init__(self, *, private: bool) -> None:
        self._private = private
        self._inner = aiohttp.ThreadedResolver()

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """The allowed addresses of a name; raises Refused where it has others only."""
        found = await self._inner.resolve(host, port, family)
        allowed = [each for each in found if is_allowed(each["host"], private=self._private)]
        if not allowed:
            side = "a public" if self._private else "a private"
            raise Refused(f"the name of the receiver leads to {side} address, which `private` in its config forbids")
        return allowed

    async def close(self) -> None:
        """Nothing is held."""
        await self._inner.close()
