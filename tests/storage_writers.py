"""Processes that work on one database at once, for the tests of storage: `python -m storage_writers WHAT URL ...`."""

import os
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import sqlalchemy as sa

from gridroom.oscp.v10.messages import CSP_NAMESPACE, HeartbeatRequest, HeartbeatResponse, Response, Result
from gridroom.oscp.v10.peer import Incoming, Peer, letter
from gridroom.storage import database, inbox
from gridroom.storage.letters import CLOCKS, TALLIES
from gridroom.storage.outbox import Outbox

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
MIGRATIONS = "gridroom.dso.migrations"
TO_CSO = Peer("cso", frozenset({"C1"}), "C1", "D1", frozenset({"D1"}), "https://cso")
TO_DSO = Peer("dso", frozenset({"D1"}), "D1", "C1", frozenset({"C1"}), "https://dso")
TIMES = 40


def begin(*words: str) -> subprocess.Popen[str]:
    """Start a process."""
    return subprocess.Popen(
        [sys.executable, "-m", "storage_writers", *words],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parent), *sys.path])},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def together(what: str, url: str, processes: int = 2) -> list[list[str]]:
    """Have several processes do the same at once; gives the lines that each printed."""
    started = [begin(what, url, str(number)) for number in range(processes)]
    for one in started:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in started:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    told = [one.communicate(timeout=120)[0].splitlines() for one in started]
    assert [one.returncode for one in started] == [0] * processes
    return told


def openers(url: str, _number: str) -> None:
    """Open it, and see that all migrations are there."""
    ready()
    db = database.open(url, MIGRATIONS)
    with db.transact() as tx:
        print(tx.scalar(sa.text("SELECT version_num FROM alembic_version")))
    db.close()


def counters(url: str, _number: str) -> None:
    """Read a number and write the next one, again and again."""
    db, mine = database.open(url, MIGRATIONS), CLOCKS.c.party == "counter"
    ready()
    for _ in range(TIMES):
        with db.transact() as tx:
            seen = tx.scalar(sa.select(CLOCKS.c.ahead_ms).where(mine)) or 0
            if seen == 0:
                tx.execute(CLOCKS.insert().values(party="counter", ahead_ms=1, at=NOON))
            else:
                tx.execute(CLOCKS.update().where(mine).values(ahead_ms=seen + 1))
    db.close()


def receivers(url: str, number: str) -> None:
    """Hear the same letters; each owes one of its own."""
    db = database.open(url, MIGRATIONS)
    ready()
    for i in range(TIMES):
        one = letter(TO_CSO, HeartbeatRequest(300, 900), now=NOON, message_id=uuid(0, i))
        new_id = partial(uuid, 2 + int(number), i)
        reply = inbox.receive(db, TO_DSO, CSP_NAMESPACE, one.data, NOON, partial(owe, new_id(), i), new_id)
        print(reply.status, reply.data.hex())
    db.close()


def owe(message_id: str, i: int, tx: sa.Connection, _incoming: Incoming) -> Response:
    """The effect of a letter: one of our own."""
    owed = letter(TO_DSO, HeartbeatRequest(300, 900), now=NOON, message_id=message_id, subject=f"effect {i}")
    Outbox(tx).put(owed)
    return HeartbeatResponse(NOON, Result.success())


def pairs(url: str, _number: str) -> None:
    """Write in two tables, always both, until killed."""
    db = database.open(url, MIGRATIONS)
    ready()
    for i in range(10**9):
        with db.transact() as tx:
            tx.execute(TALLIES.insert().values(operation=str(i), sent=0, acknowledged=0, refused=0))
            tx.execute(CLOCKS.insert().values(party=str(i), ahead_ms=0, at=NOON))
        print(i, flush=True)


def holders(url: str, _number: str) -> None:
    """Hold the lock with something written, until killed."""
    db = database.open(url, MIGRATIONS)
    with db.transact() as tx:
        tx.execute(CLOCKS.insert().values(party="holder", ahead_ms=0, at=NOON))
        ready()
        sys.stdin.readline()


def ready() -> None:
    """Wait until told to go."""
    print("ready", flush=True)
    sys.stdin.readline()


def uuid(kind: int, number: int) -> str:
    return f"00000000-0000-4000-{8000 + kind:04d}-{number:012d}"


if __name__ == "__main__":
    WHAT: dict[str, Callable[[str, str], None]] = {
        one.__name__: one for one in (openers, counters, receivers, pairs, holders)
    }
    WHAT[sys.argv[1]](*sys.argv[2:])
