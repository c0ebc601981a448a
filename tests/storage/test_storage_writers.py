"""Several processes on one database: they take turns, and one that is killed leaves nothing half done."""

import time
from collections import Counter
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from gridroom.storage import database
from gridroom.storage.database import Database
from gridroom.storage.letters import CLOCKS, INBOX, OUTBOX, TALLIES
from storage_writers import MIGRATIONS, TIMES, begin, together


@pytest.fixture
def url(new_database: Callable[[str], str]) -> str:
    url = new_database(MIGRATIONS)
    database.open(url, MIGRATIONS).close()
    return url


@pytest.fixture
def db(url: str) -> Iterator[Database]:
    db = database.open(url, MIGRATIONS)
    yield db
    db.close()


def test_processes_that_open_a_new_database_at_once_all_find_it_migrated(database_url: str) -> None:
    told = together("openers", database_url, 4)
    assert len({tuple(one) for one in told}) == 1
    assert told[0][0].startswith("dso")


def test_what_is_read_in_a_transaction_stays_true_until_its_end(url: str, db: Database) -> None:
    together("counters", url, 3)
    with db.transact() as tx:
        assert tx.scalars(sa.select(CLOCKS.c.ahead_ms)).all() == [3 * TIMES]


def test_a_letter_that_two_processes_hear_has_one_effect_and_one_answer(url: str, db: Database) -> None:
    one, other = together("receivers", url)
    assert one == other
    assert [line.split()[0] for line in one] == ["200"] * TIMES
    with db.transact() as tx:
        effects = Counter(tx.scalars(sa.select(OUTBOX.c.subject)))
        assert effects == Counter(f"effect {i}" for i in range(TIMES))
        assert tx.scalar(sa.select(sa.func.count()).select_from(INBOX)) == TIMES


def test_a_process_that_is_killed_leaves_all_of_a_transaction_or_nothing(url: str, db: Database) -> None:
    with begin("pairs", url, "0") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
        told = [process.stdout.readline() for _ in range(60)]
        process.kill()
    with db.transact() as tx:
        first = set(tx.scalars(sa.select(TALLIES.c.operation)))
        second = set(tx.scalars(sa.select(CLOCKS.c.party)))
    assert first == second
    assert {line.strip() for line in told[1:]} <= first


def test_a_process_that_is_killed_while_it_writes_lets_the_others_go_on(url: str, db: Database) -> None:
    with begin("holders", url, "0") as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.kill()
    began = time.monotonic()
    with db.transact() as tx:
        assert tx.scalars(sa.select(CLOCKS.c.party)).all() == []
    assert time.monotonic() - began < 10


def test_a_process_waits_for_the_transaction_of_another(url: str, db: Database) -> None:
    with begin("holders", url, "0") as process:
        assert process.stdout is not None
        assert process.stdin is not None
        assert process.stdout.readline() == "ready\n"
        late = begin("counters", url, "1")
        assert late.stdin is not None
        late.stdin.write("go\n")
        late.stdin.flush()
        time.sleep(1)
        assert late.poll() is None
        process.stdin.write("go\n")
        process.stdin.flush()
    late.communicate(timeout=60)
    with db.transact() as tx:
        assert sorted(tx.scalars(sa.select(CLOCKS.c.party))) == ["counter", "holder"]
