"""Where a database is: files, URLs, and passwords that nobody sees."""

from pathlib import Path

import pytest

from gridroom.storage import address, database
from gridroom.storage.address import AddressError, parse, shown


def test_a_file_is_taken_from_the_folder_and_a_url_stays() -> None:
    assert address.url(address.within("dso.db", Path("/grid"))) == "sqlite:////grid/dso.db"
    assert address.url(address.within("/elsewhere/dso.db", Path("/grid"))) == "sqlite:////elsewhere/dso.db"
    for text in ("postgresql://dso@db/dso", "postgresql+psycopg://dso@db/dso"):
        assert address.url(address.within(text, Path("/grid"))) == text
        assert parse(text).drivername == "postgresql+psycopg"


@pytest.mark.parametrize(
    "text",
    [
        "postgresql://dso:hush@hush@db/dso",
        "postgresql://dso:hush@db:hush/dso",
        "postgresql://dso:hush@/hush@db/dso",
        "postgresql://dso:hush@db",
        "postgresql+asyncpg://dso:hush@db/dso",
        "postgres://dso:hush@db/dso",
        "mysql://dso:hush@db/dso",
        "://hush",
    ],
)
def test_a_url_that_names_no_database_of_ours_is_refused_without_being_told(text: str) -> None:
    with pytest.raises(AddressError, match="write postgresql://user@host/database"):
        parse(text)
    with pytest.raises(database.DatabaseError, match=r"^`database`: ") as caught:
        database.open(text, "gridroom.dso.migrations")
    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("postgresql://dso:hush@db/dso", "postgresql://dso:***@db/dso"),
        ("postgresql://dso:hu%40%25sh@db/dso", "postgresql://dso:***@db/dso"),
        ("postgresql://db/dso?user=dso&password=hush", "postgresql://db/dso?password=***&user=dso"),
        ("postgresql://dso@db:5433/dso?sslmode=require", "postgresql://dso@db:5433/dso?sslmode=require"),
        ("sqlite:////grid/dso.db", "sqlite:////grid/dso.db"),
    ],
)
def test_a_password_is_masked(text: str, told: str) -> None:
    assert shown(parse(text)) == told


@pytest.mark.parametrize("host", ["", "localhost", "127.0.0.1", "[::1]"])
def test_on_this_machine_no_tls_is_asked_for(host: str) -> None:
    assert not address.remote(parse(f"postgresql://dso@{host}/dso"))


@pytest.mark.parametrize("rest", ["db/dso", "10.0.0.1/dso", "/dso?host=db", "/dso?host=localhost:1&host=db:2"])
def test_on_the_way_to_another_machine_tls_is_asked_for(rest: str) -> None:
    assert address.remote(parse(f"postgresql://dso@{rest}"))
