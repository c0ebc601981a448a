"""A line that is cut and healed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from gridroom.sim.faults import Link


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(1000):
            writer.write(data)
            await writer.drain()
    writer.close()


@contextlib.asynccontextmanager
async def line() -> AsyncIterator[tuple[Link, int]]:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    link = Link(server.sockets[0].getsockname()[1])
    port = await link.start()
    try:
        yield link, port
    finally:
        await link.stop()
        server.close()


async def hello(port: int) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(b"hello")
        writer.write_eof()
        return await asyncio.wait_for(reader.read(-1), 5)
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


async def test_a_whole_line_carries_both_ways_and_the_end_of_each() -> None:
    async with line() as (_, port):
        assert await hello(port) == b"hello"


async def test_a_big_message_arrives_whole() -> None:
    async with line() as (_, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        data = bytes(range(256)) * 4000
        writer.write(data)
        assert await asyncio.wait_for(reader.readexactly(len(data)), 5) == data
        writer.close()


async def test_a_cut_resets_the_living_connections() -> None:
    async with line() as (link, port):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"x")
        assert await reader.readexactly(1) == b"x"
        link.cut()
        with pytest.raises(ConnectionResetError):
            await asyncio.wait_for(reader.read(1), 5)
        writer.close()


async def test_while_cut_new_connections_are_reset_at_once() -> None:
    async with line() as (link, port):
        link.cut()
        with pytest.raises(ConnectionError):
            await hello(port)


async def test_after_healing_new_connections_pass() -> None:
    async with line() as (link, port):
        link.cut()
        with pytest.raises(ConnectionError):
            await hello(port)
        link.heal()
        assert await hello(port) == b"hello"


async def test_a_line_to_nobody_is_reset() -> None:
    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    free = server.sockets[0].getsockname()[1]
    server.close()
    link = Link(free)
    port = await link.start()
    with pytest.raises(ConnectionError):
        await hello(port)
    await link.stop()
