"""A line that can be cut: a TCP proxy on loopback between two parties who know nothing of it.

TLS passes through untouched, so both ends still check each other's certificates.
"""

import asyncio
import socket
import struct
from contextlib import suppress

LOOPBACK = "127.0.0.1"
CHUNK = 1 << 16
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


class Link:
    """One line to one port; whole until it is cut."""

    def __init__(self, target_port: int) -> None:
        """Prepare the line.

        Args:
            target_port: TCP port on loopback where the line ends.
        """
        self._target_port = target_port
        self._whole = True
        self._server: asyncio.Server | None = None
        self._ends: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen on a free port and give its number."""
        self._server = await asyncio.start_server(self._carry, LOOPBACK, 0)
        return int(self._server.sockets[0].getsockname()[1])

    def cut(self) -> None:
        """Reset every connection, and each new one as soon as it is made."""
        self._whole = False
        for end in tuple(self._ends):
            _reset(end)

    def heal(self) -> None:
        """Carry new connections again; the old ones stay lost."""
        self._whole = True

    async def stop(self) -> None:
        """Cut the line and give the port back."""
        self.cut()
        if self._server is not None:
            self._server.close()
        if self._tasks:
            await asyncio.wait(self._tasks)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - a stream handler runs in a task
        self._tasks.add(task)
        self._ends.add(writer)
        far: asyncio.StreamWriter | None = None
        try:
            if not self._whole:
                return
            far_reader, far = await asyncio.open_connection(LOOPBACK, self._target_port)
            self._ends.add(far)
            if self._whole:
                await asyncio.gather(_pump(reader, far), _pump(far_reader, writer))
        except OSError:
            pass  # the other side is not there: the near side sees a reset, as it would on a real network
        finally:
            for end in filter(None, (writer, far)):
                self._ends.discard(end)
                _reset(end)
            self._tasks.discard(task)


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(CHUNK):
            writer.write(data)
            await writer.drain()
        writer.write_eof()
        return
    _reset(writer)


def _reset(end: asyncio.StreamWriter) -> None:
    """Close at once, with a reset instead of a farewell."""
    if end.is_closing():
        return
    line = end.get_extra_info("socket")
    with suppress(OSError):
        line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    end.transport.abort()
