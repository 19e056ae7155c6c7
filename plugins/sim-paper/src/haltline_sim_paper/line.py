"""One side of a connection on which every line is a frame."""

import asyncio
from collections.abc import Callable
from typing import cast

import msgspec

from haltline_sim_paper.wire import LONGEST_LINE


class LinePeer[Frame](asyncio.Protocol):
    """Splits what arrives into lines and hands the frames on; a line that is no frame, or too long, cuts it."""

    def __init__(self, decoder: msgspec.json.Decoder[Frame], on_frame: Callable[[Frame], None]) -> None:
        self._decoder = decoder
        self._on_frame = on_frame
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The other side is there."""
        self._transport = cast("asyncio.Transport", transport)  # those of uvloop are of no asyncio class

    def data_received(self, data: bytes) -> None:
        """Take in a piece of the stream."""
        self._buffer += data
        *lines, rest = self._buffer.split(b"\n")
        self._buffer = bytearray(rest)
        if len(rest) > LONGEST_LINE:
            self.abort()
        for line in lines:
            try:
                frame = self._decoder.decode(line)
            except msgspec.DecodeError:
                self.abort()
                return
            self._on_frame(frame)

    def send(self, line: bytes) -> bool:
        """Send a line; False where the connection is known to be lost."""
        if self._transport is None or self._transport.is_closing():
            return False
        self._transport.write(line)
        return True

    def abort(self) -> None:
        """Cut the connection at once."""
        if self._transport is not None:
            self._transport.abort()
