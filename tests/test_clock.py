"""Duties on the wall clock."""

import asyncio
from datetime import UTC, datetime, timedelta
from unittest.mock import patch

import pytest
from structlog.testing import capture_logs

from gridroom.clock import Duty, WallClock

T0 = datetime(2026, 1, 5, 10, 0, 30, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


class Wall(WallClock):
    """A wall clock that sleeping moves on, and that somebody may set."""

    def __init__(self) -> None:
        super().__init__(OSError)
        self.moment = T0

    def now(self) -> datetime:
        return self.moment

    async def sleep(self, seconds: float) -> None:
        self.moment += timedelta(seconds=seconds)


async def live(wall: Wall, duties: dict[str, Duty]) -> None:
    with patch.object(asyncio, "sleep", wall.sleep), pytest.raises(asyncio.CancelledError):
        await wall.run(duties)


async def test_a_duty_comes_at_its_times() -> None:
    wall, called = Wall(), list[datetime]()

    async def call(now: datetime) -> None:
        called.append(now)
        if len(called) == 3:
            raise asyncio.CancelledError

    await live(wall, {"one": Duty(MINUTE, call, timedelta(seconds=20))})
    assert [moment.isoformat()[14:19] for moment in called] == ["00:30", "01:20", "02:20"]


async def test_a_duty_that_fails_comes_again() -> None:
    wall, called = Wall(), list[datetime]()

    async def call(now: datetime) -> None:
        called.append(now)
        raise asyncio.CancelledError if len(called) == 2 else ValueError("no")

    await live(wall, {"one": Duty(MINUTE, call)})
    assert len(called) == 2


async def test_a_failure_that_says_what_to_do_is_told_in_a_line_and_a_fault_of_ours_with_its_place() -> None:
    wall, failures = Wall(), [OSError("the disk is full: make room"), ValueError("no"), asyncio.CancelledError()]

    async def call(now: datetime) -> None:
        raise failures.pop(0)

    with capture_logs() as logs:
        await live(wall, {"one": Duty(MINUTE, call)})
    full, ours = logs
    assert full["event"] == ours["event"] == "duty failed, it is tried again at its next time"
    assert (full["reason"], "exc_info" in full) == ("the disk is full: make room", False)
    assert ours["exc_info"] is True


async def test_a_clock_set_back_does_not_stop_the_duties() -> None:
    wall, called = Wall(), list[datetime]()

    async def call(now: datetime) -> None:
        called.append(now)
        if len(called) == 1:
            wall.moment -= timedelta(hours=3)
        else:
            raise asyncio.CancelledError

    await live(wall, {"one": Duty(MINUTE, call)})
    assert called[1] - called[0] <= timedelta(minutes=1) - timedelta(hours=3)
