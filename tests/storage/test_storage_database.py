"""Databases: migrations, transactions, arrays in cells."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from gridroom.storage import database
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


def test_a_new_database_gets_all_migrations(package: Path) -> None:
    (package / "v0002_second.py").write_text(SECOND)
    db = database.open("sqlite://", package.name)
    assert columns(db) == ["number", "name"]
    db.close()


def test_an_older_database_gets_the_migrations_it_misses_and_keeps_its_rows(package: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    db = database.open(url, package.name)
    with db.transact() as tx:
        tx.execute(sa.text("insert into things values (7)"))
    db.close()
    (package / "v0002_second.py").write_text(SECOND)
    db = database.open(url, package.name)
    assert columns(db) == ["number", "name"]
    with db.transact() as tx:
        assert tx.execute(sa.text("select * from things")).all() == [(7, None)]
    db.close()


def test_a_database_of_a_newer_version_is_refused_with_what_to_do(package: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/a.db"
    (package / "v0002_second.py").write_text(SECOND)
    database.open(url, package.name).close()
    (package / "v0002_second.py").unlink()
    with pytest.raises(database.DatabaseError, match=r"a\.db: written by a newer version .*t0002.*upgrade"):
        database.open(url, package.name)


def test_a_file_that_is_no_database_is_refused_with_its_name(package: Path, tmp_path: Path) -> None:
    (tmp_path / "b.db").write_text("this is a letter to my aunt, and certainly no database at all" * 20)
    with pytest.raises(database.DatabaseError, match=r"b\.db: cannot be used as database"):
        database.open(f"sqlite:///{tmp_path}/b.db", package.name)


def test_what_raises_leaves_nothing_behind(package: Path, tmp_path: Path) -> None:
    db = database.open(f"sqlite:///{tmp_path}/a.db", package.name)

    def fail() -> None:
        with db.transact() as tx:
            tx.execute(sa.text("insert into things values (1)"))
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    with db.transact() as tx:
        assert tx.scalar(sa.text("select count(*) from things")) == 0
        assert tx.scalar(sa.text("pragma journal_mode")) == "wal"
        assert tx.scalar(sa.text("pragma foreign_keys")) == 1
        assert tx.scalar(sa.text("pragma synchronous")) == 2
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
