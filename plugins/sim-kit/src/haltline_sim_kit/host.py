"""The port on loopback: opened, closed as if the platform were down, and opened again at the same place."""

import asyncio
from collections.abc import Callable

from aiohttp import web

_LEAVE_S = 0.02
"""How long requests under way are left when the platform goes down."""


class Host:
    """One address. `build` makes the application anew each time the port opens."""

    def __init__(self, build: Callable[[], web.Application], *, port: int, address: str = "127.0.0.1") -> None:
        self._build = build
        self._address = address
        self._runner: web.AppRunner | None = None
        self.port = port

    @property
    def is_up(self) -> bool:
        """Whether connections are accepted."""
        return self._runner is not None

    async def up(self) -> None:
        """Open the port, the same one as before; raises OSError where somebody else has it."""
        if self._runner is not None:
            return
        runner = web.AppRunner(self._build(), access_log=None, shutdown_timeout=_LEAVE_S)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self._address, self.port, reuse_address=True)
            await site.start()
        except OSError:
            await runner.cleanup()
            raise
        self._runner = runner
        self.port = int(runner.addresses[0][1])

    async def down(self) -> None:
        """Refuse connections and cut those that are open; requests under way are lost."""
        runner, self._runner = self._runner, None
        if runner is not None:
            await runner.cleanup()

    async def away(self, seconds: float) -> None:
        """Be down for so long."""
        await self.down()
        await asyncio.sleep(seconds)
        await self.up()
