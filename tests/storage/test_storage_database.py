"""Databases: migrations, transactions, arrays in cells."""

import os
import re
import sqlite3
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
