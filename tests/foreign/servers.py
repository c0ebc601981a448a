"""Services of OSCP 1.0 that other SOAP toolkits host, reached over mutual TLS."""

import asyncio
import contextlib
import os
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from foreign.programs import HERE, present
from gridroom.oscp.v10 import wsdl
from gridroom.security import tls
from ports import free_ports

SECONDS = 20

Host = Callable[[Path, str], AbstractAsyncContextManager[int]]
"""Hosts both services at `/csp` and `/dso`: a folder of certificates, and the name of ours there; gives the port."""


def describe(folder: Path) -> Path:
    """Both WSDLs with their schemas, as `gridroom wsdl --out` writes them."""
    place = folder / "wsdl"
    place.mkdir()
    for namespace in wsdl.FILES:
        for name, data in wsdl.documents(namespace, "https://localhost/oscp").items():
            (place / name).write_bytes(data)
    return place


@asynccontextmanager
async def node_soap(folder: Path, name: str) -> AsyncIterator[int]:
    """Node soap, TLS and all."""
    files = {"OSCP_CERT": f"{name}.pem", "OSCP_KEY": f"{name}.key", "OSCP_CA": "ca.pem"}
    environment = {key: str(folder / file) for key, file in files.items()} | {"OSCP_WSDL": str(describe(folder))}
    async with _running("node", str(HERE / "node" / "server.js"), environment=environment) as process:
        assert process.stdout is not None
        async with asyncio.timeout(SECONDS):
            yield int(await process.stdout.readline())


@asynccontextmanager
async def php_soap(folder: Path, name: str) -> AsyncIterator[int]:
    """PHP's SoapServer in PHP's own web server, with TLS in front of it."""
    (port,) = free_ports(1)
    script = str(HERE / "php" / "server.php")
    environment = {"OSCP_WSDL": str(describe(folder))}
    async with _running("php", "-q", "-S", f"127.0.0.1:{port}", script, environment=environment):
        await _listening(port)
        context = tls.server_context(folder / f"{name}.pem", folder / f"{name}.key", folder / "ca.pem")
        async with _tls_front(port, context) as front:
            yield front


@asynccontextmanager
async def _running(*command: str, environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    present(command[0])
    process = await asyncio.create_subprocess_exec(
        *command,
        env={"PATH": os.environ["PATH"], **environment},
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        yield process
    finally:
        process.kill()
        await process.communicate()


async def _listening(port: int) -> None:
    async with asyncio.timeout(SECONDS):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


@asynccontextmanager
async def _tls_front(port: int, context: ssl.SSLContext) -> AsyncIterator[int]:
    """Takes TLS off, for a server that knows none; gives the port."""
    connections = set[asyncio.Task[None]]()

    async def pass_on(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def connect(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        behind = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(pass_on(reader, behind[1]), pass_on(behind[0], writer))
        finally:
            for one in (writer, behind[1]):
                one.transport.abort()

    def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.add(asyncio.ensure_future(connect(reader, writer)))

    server = await asyncio.start_server(accept, "127.0.0.1", 0, ssl=context)
    try:
        yield int(server.sockets[0].getsockname()[1])
    finally:
        server.close()
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
