"""Databases: migrations, transactions, arrays in cells."""

import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from threading import Timer

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import databases
from gridroom.storage import database
from gridroom.storage.address import parse, shown
from gridroom.storage.columns import Cells, UtcTime

FIRST = """
import sqlalchemy as sa
from alembic import op

revision = "t0001"
down_revision = None

def upgrade():
    op.create_table("things", sa.Column("number", sa.Integer, primary_key=True))
"""
SECOND = """
import sqlalchemy as sa
from alembic import op

revision = "t0002"
down_revision = "t0001"

def upgrade():
    op.add_column("things", sa.Column("name", sa.Text))
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> Path:
    folder = tmp_path / f"migrations_{abs(hash(request.node.name))}"
    folder.mkdir()
    (folder / "__init__.py").write_text("")
    (folder / "v0001_first.py").write_text(FIRST)
    monkeypatch.syspath_prepend(tmp_path)
    return folder


def columns(db: database.Database) -> list[str]:
    with db.transact() as tx:
        return [column["name"] for column in sa.inspect(tx).get_columns("things")]


def test_a_file_and_what_is_beside_it_may_be_read_by_its_owner_alone(package: Path, tmp_path: Path) -> None:
    umask = os.umask(0)
    try:
        db = database.open(f"sqlite:///{tmp_path}/things.db", package.name)
        with db.transact() as tx:
            tx.execute(sa.text("INSERT INTO things VALUES (1)"))
        modes = {file.name: file.stat().st_mode & 0o777 for file in tmp_path.glob("things.db*")}
    finally:
        os.umask(umask)
    db.close()
    assert modes == dict.fromkeys(("things.db", "things.db-wal", "things.db-shm"), 0o600)


def test_a_folder_that_is_not_there_is_told_as_before(package: Path, tmp_path: Path) -> None:
    with pytest.raises(database.DatabaseError, match="things"):
        database.open(f"sqlite:///{tmp_path}/nowhere/things.db", package.name)
    assert not (tmp_path / "nowhere").exists()


def test_a_new_database_gets_all_migrations(package: Path, database_kind: str) -> None:
    (package / "v0002_second.py").write_text(SECOND)
    db = database.open(databases.fresh(), package.name)
    assert columns(db) == ["number", "name"]
    db.close()


def test_an_older_database_gets_the_migrations_it_misses_and_keeps_its_rows(package: Path, database_url: str) -> None:
    db = database.open(database_url, package.name)
    with db.transact() as tx:
        tx.execute(sa.text("insert into things values (7)"))
    db.close()
    (package / "v0002_second.py").write_text(SECOND)
    db = database.open(database_url, package.name)
    assert columns(db) == ["number", "name"]
    with db.transact() as tx:
        assert tx.execute(sa.text("select * from things")).all() == [(7, None)]
    db.close()


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(package: Path, database_url: str) -> None:
    (package / "v0002_second.py").write_text(SECOND)
    database.open(database_url, package.name).close()
    (package / "v0002_second.py").unlink()
    name = re.escape(shown(parse(database_url)))
    with pytest.raises(database.DatabaseError, match=rf"^{name}: written by a newer version .*t0002.*upgrade"):
        database.open(database_url, package.name)


def test_a_database_of_another_actor_is_refused_and_left_alone(package: Path, database_url: str) -> None:
    (package / "v0001_first.py").write_text(FIRST.replace("t0001", "other_0009"))
    database.open(database_url, package.name).close()
    (package / "v0001_first.py").write_text(FIRST)
    with pytest.raises(database.DatabaseError, match=r"another actor \(migration other_0009\).* of its own$"):
        database.open(database_url, package.name)


def test_a_database_of_another_program_is_refused_and_left_alone(package: Path, database_url: str) -> None:
    engine = sa.create_engine(parse(database_url))
    with engine.begin() as tx:
        tx.execute(sa.text("create table things (theirs integer)"))
    with pytest.raises(database.DatabaseError, match="holds tables of another program"):
        database.open(database_url, package.name)
    assert sa.inspect(engine).get_table_names() == ["things"]
    engine.dispose()


def test_a_file_that_is_no_database_is_refused_with_its_name(package: Path, tmp_path: Path) -> None:
    (tmp_path / "b.db").write_text("this is a letter to my aunt, and certainly no database at all" * 20)
    with pytest.raises(database.DatabaseError, match=r"b\.db: cannot be used as database \(file is not a database\)"):
        database.open(f"sqlite:///{tmp_path}/b.db", package.name)


def test_who_only_looks_at_a_file_that_is_not_there_is_told_and_makes_none(package: Path, tmp_path: Path) -> None:
    (tmp_path / "empty.db").touch()
    for name in ("none.db", "empty.db"):
        with pytest.raises(database.DatabaseError, match=rf"{name}: nothing is there yet: import or run first$"):
            database.look(f"sqlite:///{tmp_path}/{name}", package.name)
    assert [one.name for one in tmp_path.iterdir() if "db" in one.name] == ["empty.db"]
    assert (tmp_path / "empty.db").stat().st_size == 0
    with pytest.raises(database.DatabaseError, match="nothing is there yet"):
        database.look(database.MEMORY, package.name)


def test_who_only_looks_at_an_empty_database_makes_no_table(package: Path, database_kind: str, tmp_path: Path) -> None:
    url = databases.lasting()
    if database_kind == "sqlite":
        with sqlite3.connect(parse(url).database or "") as file:
            file.execute("PRAGMA user_version = 1")
        file.close()
    with pytest.raises(database.DatabaseError, match=r"nothing is there yet: import or run first$"):
        database.look(url, package.name)
    engine = sa.create_engine(parse(url))
    assert sa.inspect(engine).get_table_names() == []
    engine.dispose()


def test_who_only_looks_sees_the_latest_version_and_is_told_of_any_other(package: Path, database_url: str) -> None:
    db = database.open(database_url, package.name)
    with db.transact() as tx:
        tx.execute(sa.text("insert into things values (7)"))
    db.close()
    db = database.look(database_url, package.name)
    with db.transact() as tx:
        assert tx.execute(sa.text("select * from things")).all() == [(7,)]
    db.close()
    (package / "v0002_second.py").write_text(SECOND)
    with pytest.raises(database.DatabaseError, match=r"older version \(migration t0001\): run or import brings it up"):
        database.look(database_url, package.name)
    engine = sa.create_engine(parse(database_url))
    assert [one["name"] for one in sa.inspect(engine).get_columns("things")] == ["number"]
    engine.dispose()
    database.open(database_url, package.name).close()
    (package / "v0002_second.py").unlink()
    with pytest.raises(database.DatabaseError, match=r"newer version .*t0002"):
        database.look(database_url, package.name)


def test_who_only_looks_waits_for_nobody_and_changes_nothing(package: Path, database_url: str) -> None:
    writing = database.open(database_url, package.name)
    with writing.transact() as tx:
        tx.execute(sa.text("insert into things values (7)"))
        looking = database.look(database_url, package.name)  # while another one writes
        with looking.transact() as view:
            assert view.execute(sa.text("select * from things")).all() == []
            with pytest.raises(database.DatabaseError), looking.transact() as other:
                other.execute(sa.text("insert into things values (8)"))
    with looking.transact() as view:
        assert view.execute(sa.text("select * from things")).all() == [(7,)]
        with writing.transact() as tx:
            tx.execute(sa.text("insert into things values (9)"))
        assert view.execute(sa.text("select * from things")).all() == [(7,)]
    looking.close()
    writing.close()


# -- who looks leaves nothing that is in the way of who runs -----------------------------------------------------------


def beside(file: Path) -> list[str]:
    """What is in the folder of a database."""
    return sorted(one.name for one in file.parent.iterdir())


def as_another(user: int, group: int, act: Callable[[], object]) -> str:
    """Do something in a process of another user; gives what it told."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(group)
            os.setuid(user)
            told = str(act())
        except BaseException as error:
            told = f"{type(error).__name__}: {error}"
        os.write(writing, told.encode())
        os._exit(0)
    os.close(writing)
    os.waitpid(child, 0)
    with os.fdopen(reading) as stream:
        return stream.read()


@pytest.fixture
def shared(package: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A database of user 61001 that its group 61010 may read, with one row, where every user may go."""
    public = Path(tempfile.mkdtemp(prefix="gridroom-look-"))
    public.chmod(0o755)
    shutil.copytree(package, public / package.name)
    monkeypatch.syspath_prepend(public)
    folder = public / "office"
    folder.mkdir()
    file = folder / "things.db"
    with closing(database.open(f"sqlite:///{file}", package.name)) as db, db.transact() as tx:
        tx.execute(sa.text("INSERT INTO things VALUES (7)"))
    for one in (folder, file):
        os.chown(one, 61001, 61010)
    folder.chmod(0o2750)
    file.chmod(0o640)
    yield file
    shutil.rmtree(public)


def rows(file: Path, package: Path) -> list[int]:
    with closing(database.look(f"sqlite:///{file}", package.name)) as db, db.transact() as tx:
        return list(tx.scalars(sa.text("SELECT number FROM things ORDER BY number")))


ROOT = pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")


def test_a_look_at_a_file_that_may_not_be_written_makes_none_beside_it(package: Path, tmp_path: Path) -> None:
    file = tmp_path / "office" / "things.db"
    file.parent.mkdir()
    database.open(f"sqlite:///{file}", package.name).close()
    file.chmod(0o440)
    with pytest.raises(database.DatabaseError, match=r"things\.db: nobody has it open, so only its owner \(.+\) may"):
        rows(file, package)
    assert beside(file) == ["things.db"]
    file.chmod(0o600)
    with closing(database.open(f"sqlite:///{file}", package.name)) as db, db.transact() as tx:
        tx.execute(sa.text("INSERT INTO things VALUES (8)"))
    assert rows(file, package) == [8]
    assert beside(file) == ["things.db"]


def test_who_looks_at_a_copy_changes_nothing_of_it(package: Path, tmp_path: Path) -> None:
    file = tmp_path / "office" / "things.db"
    file.parent.mkdir()
    with closing(database.open(f"sqlite:///{tmp_path}/things.db", package.name)) as db, db.transact() as tx:
        tx.execute(sa.text("INSERT INTO things VALUES (7)"))
    with closing(sqlite3.connect(tmp_path / "things.db")) as made:
        made.execute(f"VACUUM INTO '{file}'")
    before = file.read_bytes()
    for mode in (0o600, 0o440):
        file.chmod(mode)
        assert rows(file, package) == [7]
        assert beside(file) == ["things.db"]
        assert file.read_bytes() == before


@ROOT
def test_another_user_looks_while_the_office_runs_and_leaves_it_alone(package: Path, shared: Path) -> None:
    def look() -> str:
        return as_another(61002, 61010, lambda: rows(shared, package))

    with closing(database.open(f"sqlite:///{shared}", package.name)) as db:
        assert look() == "[7]"
        with db.transact() as tx:
            tx.execute(sa.text("INSERT INTO things VALUES (8)"))
            assert look() == "[7]"
        assert look() == "[7, 8]"
        modes = {file.name: (file.stat().st_mode & 0o777, file.stat().st_uid) for file in shared.parent.iterdir()}
        assert modes == dict.fromkeys(("things.db", "things.db-shm", "things.db-wal"), (0o640, 61001))
        with db.transact() as tx:
            tx.execute(sa.text("INSERT INTO things VALUES (9)"))
    assert as_another(61001, 61010, lambda: rows(shared, package)) == "[7, 8, 9]"


@ROOT
@pytest.mark.parametrize("mode", [0o2750, 0o2770])
def test_another_user_is_told_when_it_may_look_and_makes_nothing(package: Path, shared: Path, mode: int) -> None:
    shared.parent.chmod(mode)  # where others of the group may write the folder, they could leave what is theirs
    shared.chmod(0o660)
    told = as_another(61002, 61010, lambda: rows(shared, package))
    assert told.endswith(
        "things.db: nobody has it open, so only its owner (61001) may look, where the file and its folder may be "
        "written: look as 61001, or while it is run"
    )
    assert beside(shared) == ["things.db"]


@ROOT
def test_another_user_looks_at_what_an_office_left_that_was_killed(package: Path, shared: Path) -> None:
    with closing(database.open(f"sqlite:///{shared}", package.name)) as db:
        with db.transact() as tx:
            tx.execute(sa.text("INSERT INTO things VALUES (8)"))
        left = {file.name: file.read_bytes() for file in shared.parent.iterdir()}
    for name, data in left.items():
        (shared.parent / name).write_bytes(data)
        (shared.parent / name).chmod(0o640)
        os.chown(shared.parent / name, 61001, 61010)
    assert as_another(61002, 61010, lambda: rows(shared, package)) == "[7, 8]"
    assert {file.name: file.read_bytes() for file in shared.parent.iterdir() if "shm" not in file.name} == {
        name: data for name, data in left.items() if "shm" not in name
    }
    assert as_another(61001, 61010, lambda: rows(shared, package)) == "[7, 8]"


@ROOT
def test_who_may_not_open_a_database_is_told_in_a_line(package: Path, shared: Path) -> None:
    shared.chmod(0o600)
    told = as_another(61002, 61010, lambda: rows(shared, package))
    assert "things.db: its folder is not there, or this user may not open it, or -wal and -shm beside it" in told

    def write() -> None:
        with closing(database.open(f"sqlite:///{shared}", package.name)) as db, db.transact() as tx:
            tx.execute(sa.text("INSERT INTO things VALUES (8)"))

    shared.chmod(0o640)
    assert "this user may not write it, its folder, or -wal and -shm beside it" in as_another(61002, 61010, write)


@ROOT
def test_what_root_makes_beside_a_database_is_its_owners(package: Path, shared: Path) -> None:
    with closing(database.open(f"sqlite:///{shared}", package.name, alone=True)):
        assert {file.stat().st_uid for file in shared.parent.iterdir()} == {61001}
    told = as_another(61001, 61010, lambda: database.open(f"sqlite:///{shared}", package.name, alone=True).close())
    assert told == "None"


# -- one office on a database ------------------------------------------------------------------------------------------

RUNNING = """
import sys, time
from gridroom.storage import database
sys.path.insert(0, sys.argv[3])
db = database.open(sys.argv[1], sys.argv[2], alone=True)
print("runs", flush=True)
time.sleep(60)
"""


def test_a_second_office_is_refused_while_others_read_and_write(package: Path, database_url: str) -> None:
    with closing(database.open(database_url, package.name, alone=True)):
        name = re.escape(shown(parse(database_url)))
        with pytest.raises(database.DatabaseError, match=f"^{name}: an office runs on it already: end that one first"):
            database.open(database_url, package.name, alone=True)
        with closing(database.open(database_url, package.name)) as beside, beside.transact() as tx:
            tx.execute(sa.text("insert into things values (7)"))
        with closing(database.look(database_url, package.name)) as looking, looking.transact() as tx:
            assert tx.scalar(sa.text("select number from things")) == 7
    database.open(database_url, package.name, alone=True).close()


def test_an_office_that_was_killed_lets_the_next_one_run(package: Path, database_url: str) -> None:
    words = [sys.executable, "-c", RUNNING, database_url, package.name, str(package.parent)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == "runs\n"
        with pytest.raises(database.DatabaseError, match="an office runs on it already"):
            database.open(database_url, package.name, alone=True)
        first.send_signal(signal.SIGKILL)
        first.wait()
    begin = time.monotonic()
    database.open(database_url, package.name, alone=True).close()
    assert time.monotonic() - begin < 3


def test_an_office_that_could_not_be_opened_does_not_keep_the_next_one_out(package: Path, database_url: str) -> None:
    (package / "v0002_second.py").write_text(SECOND.replace("op.add_column", "op.no_such_thing"))
    with pytest.raises(AttributeError):
        database.open(database_url, package.name, alone=True)
    (package / "v0002_second.py").write_text(SECOND)
    database.open(database_url, package.name, alone=True).close()


def test_offices_in_memory_are_never_the_same(package: Path) -> None:
    with closing(database.open(database.MEMORY, package.name, alone=True)):
        database.open(database.MEMORY, package.name, alone=True).close()


def test_a_full_disk_is_told_with_what_to_do_and_stores_nothing(package: Path, tmp_path: Path) -> None:
    with closing(database.open(f"sqlite:///{tmp_path}/things.db", package.name)) as db:

        def fill() -> None:
            with db.transact() as tx:
                tx.execute(sa.text("PRAGMA max_page_count = 1"))
                for number in range(10_000):
                    tx.execute(sa.text("INSERT INTO things VALUES (:n)"), {"n": number})

        with pytest.raises(database.DatabaseError, match=r"things\.db: the disk is full: make room \(database or disk"):
            fill()
        with db.transact() as tx:
            assert tx.scalar(sa.text("select count(*) from things")) == 0


def test_what_raises_leaves_nothing_behind(package: Path, database_url: str) -> None:
    db = database.open(database_url, package.name)

    def fail() -> None:
        with db.transact() as tx:
            tx.execute(sa.text("insert into things values (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with db.transact() as tx:
        assert tx.scalar(sa.text("select count(*) from things")) == 0
    db.close()


def test_sqlite_writes_ahead_and_to_the_disk(package: Path, tmp_path: Path) -> None:
    db = database.open(f"sqlite:///{tmp_path}/a.db", package.name)
    with db.transact() as tx:
        assert tx.scalar(sa.text("pragma journal_mode")) == "wal"
        assert tx.scalar(sa.text("pragma foreign_keys")) == 1
        assert tx.scalar(sa.text("pragma synchronous")) == 2
    db.close()


def test_who_opens_a_new_file_while_another_does_waits_for_it(package: Path, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    end = Timer(0.5, lambda: other.execute("COMMIT"))
    end.start()
    db = database.open(f"sqlite:///{tmp_path}/a.db", package.name)
    assert columns(db) == ["number"]
    end.join()
    other.close()
    db.close()


@given(arrays(np.int64, st.tuples(st.just(3), st.integers(0, 9)), elements=st.integers(-(2**31), 2**31 - 1)))
def test_an_array_comes_back_as_it_went(cells: np.ndarray) -> None:
    kind = Cells()
    packed = kind.process_bind_param(cells, sa.dialects.registry.load("sqlite")())
    assert packed is not None
    assert len(packed) == cells.size * 4
    back = kind.process_result_value(packed, sa.dialects.registry.load("sqlite")())
    assert back is not None
    assert np.array_equal(back, cells)


def test_a_value_beyond_32_bits_or_a_wrong_shape_is_refused() -> None:
    dialect = sa.dialects.registry.load("sqlite")()
    with pytest.raises(ValueError, match="int32"):
        Cells(1).process_bind_param(np.array([[2**31]]), dialect)
    with pytest.raises(ValueError, match=r"shape \(3, n\)"):
        Cells(3).process_bind_param(np.zeros((2, 4)), dialect)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_a_moment_comes_back_to_the_microsecond(moment: datetime) -> None:
    dialect = sa.dialects.registry.load("sqlite")()
    kind = UtcTime()
    assert kind.process_result_value(kind.process_bind_param(moment, dialect), dialect) == moment
