"""What every command shares: one line for an error, logging, and how a program runs until it is told to end."""

import asyncio
import logging
import signal
import sys
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import structlog
import typer

LONGEST = 1_000
"""Longest line that an error may have. [characters]"""


@contextmanager
def plainly() -> Iterator[None]:
    """Tell an expected error in one line, without a traceback."""
    try:
        yield
    except Exception as error:
        if not isinstance(error, _expected()):
            raise
        typer.echo(f"gridroom: {words(error)}", err=True)
        raise typer.Exit(1) from error


def refuse(text: str) -> NoReturn:
    """End with one line that says what to do, and exit code 1."""
    typer.echo(f"gridroom: {text}", err=True)
    raise typer.Exit(1)


def _expected() -> tuple[type[Exception], ...]:
    """Errors that the user can do something about; only when there is one, all that can raise them is loaded."""
    from gridroom.config import ConfigError
    from gridroom.dso.readings.measurements import DeliveryError
    from gridroom.ocpp.errors import OcppError
    from gridroom.oscp.errors import OscpError
    from gridroom.security.pki import PkiError
    from gridroom.sim.errors import SimError
    from gridroom.storage.database import DatabaseError
    from gridroom.xml import XmlError

    return ConfigError, DeliveryError, OcppError, OscpError, PkiError, SimError, DatabaseError, XmlError, OSError


def words(error: Exception) -> str:
    """What went wrong in one line, with the file's name."""
    if isinstance(error, OSError) and error.filename:
        return f"{error.filename}: {error.strerror}"
    return "\n".join(map(_bearable, str(error).split("\n")))


def _bearable(line: str) -> str:
    """A line without its middle, when it is so long that something of a file must stand in it."""
    return line if len(line) <= LONGEST else f"{line[: LONGEST // 2]} … {line[-LONGEST // 2 :]}"


def log(level: str) -> None:
    """Log to stderr, from a level on."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=lambda *_: structlog.PrintLogger(sys.stderr),  # whatever it is when something is said
    )


def live(work: Coroutine[Any, Any, None]) -> None:
    """Run an actor until it ends, or until Ctrl-C or SIGTERM asks it to; it then closes what it opened."""

    async def until_told() -> None:
        task = asyncio.ensure_future(work)
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, task.cancel)
        with suppress(asyncio.CancelledError):
            await task

    with plainly():
        asyncio.run(until_told())


def read(file: Path) -> bytes:
    """Bytes of a file; `-` is standard input."""
    return sys.stdin.buffer.read() if str(file) == "-" else file.read_bytes()


def write(file: Path | None, data: bytes) -> None:
    """Write bytes to a file, or to standard output."""
    if file is None:
        typer.echo(data)
    else:
        file.write_bytes(data)
