"""Is the other side's forecasting algorithm alive? Source: OSCP 1.0 section 3.2.7."""

from dataclasses import dataclass, replace
from datetime import datetime

MISSED = 2
"""Intervals without a heartbeat after which a DSO counts as silent."""


@dataclass(frozen=True, slots=True)
class HeartbeatWatch:
    """When a DSO was heard last. It says nothing about forecasts: a heartbeat never prolongs one.

    Attributes:
        last: The last heartbeat; before the first one, the moment the watch began. [UTC]
        interval_s: HeartBeatTimeInterval that it announced. [s]
        cap_s: Longest silence that we tolerate, whatever it announced. [s]

    >>> from datetime import UTC, timedelta
    >>> noon = datetime(2026, 1, 1, 12, tzinfo=UTC)
    >>> watch = HeartbeatWatch(noon, interval_s=300, cap_s=1800)
    >>> watch.silent(noon + timedelta(minutes=10)), watch.silent(noon + timedelta(minutes=11))
    (False, True)
    """

    last: datetime
    interval_s: int
    cap_s: int

    def silent(self, now: datetime) -> bool:
        """Whether more than two intervals, or more than the cap, went by without a heartbeat."""
        return (now - self.last).total_seconds() > min(MISSED * self.interval_s, self.cap_s)

    def heard(self, now: datetime, interval_s: int) -> "HeartbeatWatch":
        """The watch after a heartbeat that announced an interval; one that arrives out of order changes nothing."""
        return self if now < self.last else replace(self, last=now, interval_s=interval_s)
