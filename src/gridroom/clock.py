"""The time that an actor lives on: the wall clock here, a lockstep clock in the simulated street.

An actor hands its clock a table of duties; the clock calls them. So the same lines run on the wall clock and in a
simulated day.
"""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

import structlog

from gridroom.timegrid import floor

log = structlog.get_logger()

FAILED = "duty failed, it is tried again at its next time"
NAP_S = 5.0
"""Longest sleep: the clock on the wall may be set while we sleep. [s]"""


@dataclass(frozen=True)
class Duty:
    """Something an actor does again and again.

    Attributes:
        every: How often, aligned to the full period in UTC.
        call: What to do; gets the moment, may return a JSON-able answer (used by the lockstep clock only).
        offset: How long after the full period.
    """

    every: timedelta
    call: Callable[[datetime], Awaitable[object]]
    offset: timedelta = timedelta(0)


class Clock(Protocol):
    """What an actor needs of time."""

    def now(self) -> datetime:
        """The present moment. [UTC]"""
        ...

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Call the duties until cancelled or told to stop."""
        ...


class WallClock:
    """The clock on the wall.

    Args:
        told: Failures that say themselves what to do, such as a disk that is full: logged in one line. All others are
            faults of ours, and logged with where they come from.
    """

    def __init__(self, *told: type[Exception]) -> None:
        self._told = told

    def now(self) -> datetime:
        """The present moment. [UTC]"""
        return datetime.now(UTC)

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Call each duty at its times, one after the other; a duty that fails is logged and comes again.

        When the clock is set back, a duty waits for its next time by the new clock, not by the old one.
        """
        due = {name: self._next(duty, self.now() - duty.every) for name, duty in duties.items()}
        while True:
            moment = self.now()
            due = {name: min(due[name], self._next(duty, moment)) for name, duty in duties.items()}
            name = min(due, key=lambda n: due[n])
            if due[name] > moment:
                await asyncio.sleep(min(NAP_S, (due[name] - moment).total_seconds()))
                continue
            due[name] = self._next(duties[name], moment)
            try:
                await duties[name].call(moment)
            except self._told as error:
                log.error(FAILED, duty=name, reason=str(error))
            except Exception:
                log.exception(FAILED, duty=name)

    @staticmethod
    def _next(duty: Duty, after: datetime) -> datetime:
        return floor(after - duty.offset, duty.every) + duty.every + duty.offset
