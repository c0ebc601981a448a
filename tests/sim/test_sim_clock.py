"""The lockstep clock and its driver, back to back over a socket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridroom.clock import Duty
from gridroom.sim.clock import Driver, LockstepClock, LockstepError

START = datetime(2026, 1, 1, 6, tzinfo=UTC)
STEP = timedelta(minutes=5)


@contextlib.asynccontextmanager
async def street(
    path: Path, deadline_s: float = 5.0
) -> AsyncIterator[tuple[Driver, LockstepClock, asyncio.Task[None]]]:
    clock = LockstepClock(path, START)

    async def tell(now: datetime) -> object:
        return {"now": now.isoformat(), "clock": clock.now().isoformat()}

    async def fail(now: datetime) -> object:
        raise ValueError("no cable")

    async def dawdle(now: datetime) -> object:
        await asyncio.sleep(30)
        return None

    duties = {name: Duty(STEP, call) for name, call in (("tell", tell), ("fail", fail), ("dawdle", dawdle))}
    task = asyncio.create_task(clock.run(duties))
    driver = Driver({"dso": path}, deadline_s)
    await driver.connect("dso")
    try:
        yield driver, clock, task
    finally:
        await driver.stop()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def test_the_clock_shows_its_start_until_the_first_command(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (_, clock, _):
        assert clock.now() == START


async def test_a_duty_sees_the_time_it_was_told_and_its_answer_comes_back(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (driver, clock, _):
        for step in range(3):
            now = START + step * STEP
            assert await driver.ask("dso", "tell", now) == {"now": now.isoformat(), "clock": now.isoformat()}
            assert clock.now() == now


async def test_questions_to_one_actor_wait_for_each_other(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (driver, _, _):
        moments = [START + n * STEP for n in range(20)]
        answers = await asyncio.gather(*(driver.ask("dso", "tell", now) for now in moments))
        assert [a["now"] for a in answers if isinstance(a, dict)] == [now.isoformat() for now in moments]


async def test_a_failing_duty_is_named_and_the_actor_goes_on(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (driver, _, _):
        with pytest.raises(LockstepError, match="dso could not do 'fail': ValueError: no cable"):
            await driver.ask("dso", "fail", START)
        assert await driver.ask("dso", "tell", START)


async def test_an_unknown_duty_is_answered_with_the_known_ones(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (driver, _, _):
        with pytest.raises(LockstepError, match="no such duty; there are dawdle, fail, tell"):
            await driver.ask("dso", "dance", START)


async def test_an_answer_that_takes_too_long_is_an_error(tmp_path: Path) -> None:
    async with street(tmp_path / "c", deadline_s=0.05) as (driver, _, _):
        with pytest.raises(LockstepError, match="no answer within"):
            await driver.ask("dso", "dawdle", START)


async def test_stop_ends_the_run_and_removes_the_socket(tmp_path: Path) -> None:
    async with street(tmp_path / "c") as (driver, _, task):
        await driver.stop()
        await asyncio.wait_for(task, 5)
        assert not (tmp_path / "c").exists()


async def test_an_actor_ends_when_its_driver_dies(tmp_path: Path) -> None:
    clock = LockstepClock(tmp_path / "c", START)
    task = asyncio.create_task(clock.run({}))
    await asyncio.sleep(0.05)
    _, writer = await asyncio.open_unix_connection(tmp_path / "c")
    writer.transport.abort()
    await asyncio.wait_for(task, 5)


async def test_an_actor_that_never_listens_is_named(tmp_path: Path) -> None:
    with pytest.raises(LockstepError, match="cso-a could not do 'connect'"):
        await Driver({"cso-a": tmp_path / "nobody"}).connect("cso-a", 0.1)


def test_a_socket_path_that_no_kernel_takes_is_refused_early() -> None:
    with pytest.raises(ValueError, match="choose a shorter folder"):
        LockstepClock(Path("/" + "x" * 120), START)
