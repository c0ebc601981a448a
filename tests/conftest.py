"""What all tests share."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import structlog
from hypothesis import HealthCheck, settings

import databases
import postgres_server

settings.register_profile("gridroom", derandomize=True, deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gridroom")


@pytest.fixture(params=databases.KINDS)
def database_kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The test runs once on each kind of database: what it opens by `databases.fresh` is of this kind."""
    with databases.of(request.param, tmp_path):
        yield request.param


@pytest.fixture
def new_database(database_kind: str) -> Callable[[str], str]:
    """Gives URLs of databases that outlast who opens them: with the tables of an actor's migrations, or empty."""
    return databases.current.lasting


@pytest.fixture
def database_url(new_database: Callable[[str], str]) -> str:
    """URL of an empty database that outlasts who opens it."""
    return new_database("")


@pytest.fixture
def logging_as_it_was() -> Iterator[None]:
    """A command sets logging up for its process, which is not this one."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def pytest_sessionfinish() -> None:
    """Leave no database and no server behind."""
    databases.close()
    postgres_server.close()
