"""PostgreSQL for tests: a server that lets us in on 127.0.0.1, else one of our own for as long as the tests run."""

import getpass
import os
import pwd
import secrets
import shutil
import subprocess
import tempfile
import time
from functools import cache
from pathlib import Path

import psycopg

from ports import free_ports

CHOICE = "GRIDROOM_TEST_POSTGRES"
"""Names the server: a URL whose user may make databases, or "own" for one that the tests start."""

PATIENCE_S = 60.0
MISSING = "these tests need PostgreSQL and found neither a server on 127.0.0.1:5432 nor one to start: " + (
    f"apt-get install postgresql, or name a server in {CHOICE}"
)

ATTENDED = """
"$@" </dev/null & pid=$!
read end
kill -INT $pid 2>/dev/null
wait $pid
[ "$end" = stop ] || rm -rf "$PWD"
"""
"""Runs a program until our end of the pipe says stop or closes; it closes also when we are killed."""


def there() -> str | None:
    """A server that is there and lets us make databases; None when there is none."""
    chosen = os.environ.get(CHOICE, "")
    if chosen:
        return None if chosen == "own" else chosen
    for user in dict.fromkeys(("root", "postgres", getpass.getuser())):
        url = f"postgresql://{user}@127.0.0.1:5432/postgres"
        try:
            with psycopg.connect(url, connect_timeout=2) as connection:
                row = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
                if row.fetchone() == (True,):
                    return url
        except psycopg.OperationalError:
            continue
    return None


class Server:
    """A server of our own: on a free port of loopback, in a temporary folder, behind a password in libpq's passfile."""

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="gridroom-postgres-"))
        (self.port,) = free_ports(1)
        self._user = _unprivileged()
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self.password = secrets.token_urlsafe(16)
        file = self.folder / "password"
        file.write_text(self.password)
        if self._user is not None:
            shutil.chown(file, self._user)
        self._run(_program("initdb"), "-D", "data", "-U", "gridroom", "--auth=scram-sha-256", "--pwfile=password",
                  "-E", "UTF8", "--locale=C", "--no-sync")  # fmt: skip
        file.unlink()
        with _passfile().open("a") as lines:
            lines.write(f"127.0.0.1:{self.port}:*:gridroom:{self.password}\n")
        self._attended: subprocess.Popen[bytes] | None = None
        self.start()

    def url(self, database: str = "postgres", password: str = "") -> str:
        """URL of a database in it; the password comes from the passfile unless given."""
        return f"postgresql://gridroom{password and ':' + password}@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        """Start it if it does not run, and wait until it answers."""
        if self._attended is not None:
            return
        settings = ("listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=", "fsync=off")
        words = [_program("postgres"), "-D", "data", *(word for one in settings for word in ("-c", one))]
        log = (self.folder / "log").open("ab")
        with log:
            self._attended = subprocess.Popen(
                ["/bin/sh", "-c", ATTENDED, "sh", *words],
                cwd=self.folder,
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                user=self._user,
                group=self._user,
                extra_groups=None if self._user is None else [],
                env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
                start_new_session=True,
            )
        end = time.monotonic() + PATIENCE_S
        while not self._answers():
            if time.monotonic() > end or self._attended.poll() is not None:
                raise RuntimeError(f"PostgreSQL did not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.05)

    def stop(self) -> None:
        """End it, as an operator would: who is connected is thrown out."""
        if self._attended is not None:
            self._attended.communicate(b"stop\n", PATIENCE_S)
            self._attended = None

    def remove(self) -> None:
        """End it and leave nothing behind."""
        self.stop()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    def _run(self, *words: str) -> None:
        extra = None if self._user is None else ()
        done = subprocess.run(
            words, cwd=self.folder, capture_output=True, text=True, timeout=PATIENCE_S, env={"PATH": "/usr/bin:/bin"},
            user=self._user, group=self._user, extra_groups=extra,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr


def _unprivileged() -> str | None:
    """Who runs the server: PostgreSQL refuses to run as root."""
    if os.getuid() != 0:
        return None
    known = {one.pw_name for one in pwd.getpwall()}
    return "postgres" if "postgres" in known else "nobody"


def _program(name: str) -> str:
    """Where a program of the server is; Debian keeps them out of the path."""
    found = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda file: int(file.parts[4]))
    place = str(found[-1]) if found else shutil.which(name)
    if place is None:
        raise RuntimeError(MISSING)
    return place


@cache
def _passfile() -> Path:
    """A passfile for this process and those that it starts."""
    handle, name = tempfile.mkstemp(prefix="gridroom-pgpass-")
    os.close(handle)
    os.environ["PGPASSFILE"] = name
    return Path(name)


def close() -> None:
    """Remove what the servers of this process shared."""
    if _passfile.cache_info().currsize:
        _passfile().unlink()
        _passfile.cache_clear()
        del os.environ["PGPASSFILE"]
