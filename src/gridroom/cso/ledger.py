"""What each station may draw by the profiles that it acknowledged, or that may have reached it.

A station that cannot be reached keeps what it was given; so its share of the cable stays reserved.
"""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import numpy as np

from gridroom.cso.stations import Mask, Station
from gridroom.cso.steps import MICRO, Ints, micros
from gridroom.timegrid import QUARTER

UNBOUNDED_CA = 1_000_000
"""More than any station takes: what may have been allowed where nothing is certain."""


@dataclass(frozen=True)
class Given:
    """A profile as we sent it.

    Attributes:
        number: Counts what we sent to this station.
        periods: From when on (rising) how much per phase. [UTC, 0.01 A]
        end: First moment after it; None holds for ever. [UTC]
        transaction: For a plan: the transaction that it belongs to; None for the fallback.
    """

    number: int
    periods: tuple[tuple[datetime, int], ...]
    end: datetime | None = None
    transaction: int | None = None

    def cells(self, start: datetime, n: int, block: timedelta = QUARTER) -> tuple[Ints, Ints]:
        """The most it allows in each cell (0 where it does not hold) and whether it holds all through, shapes (n,)."""
        width = block // MICRO
        edges = micros(start) + np.arange(n + 1, dtype=np.int64) * width
        highest = np.zeros(n, dtype=np.int64)
        last = np.iinfo(np.int64).max if self.end is None else micros(self.end)
        starts = [micros(at) for at, _ in self.periods]
        for number, (_, limit) in enumerate(self.periods):
            until = starts[number + 1] if number + 1 < len(starts) else last
            touched = (edges[:-1] < min(until, last)) & (edges[1:] > starts[number])
            highest[touched] = np.maximum(highest[touched], limit)
        whole = (edges[:-1] >= starts[0]) & (edges[1:] <= last)
        return highest, whole.astype(np.int64)

    def at(self, moment: datetime) -> int | None:
        """What it allows at a moment, None where it does not hold. [0.01 A]"""
        if self.end is not None and moment >= self.end:
            return None
        found = [limit for since, limit in self.periods if since <= moment]
        return found[-1] if found else None

    def most(self, since: datetime, until: datetime) -> int:
        """The most it allows at any time within [since, until); 0 where it does not hold. [0.01 A]"""
        last = until if self.end is None else min(until, self.end)
        starts = [at for at, _ in self.periods]
        ends = [*starts[1:], last]
        touched = zip(starts, ends, self.periods, strict=True)
        return max((limit for at, end, (_, limit) in touched if at < last and min(end, last) > since), default=0)


@dataclass(frozen=True)
class Held:
    """The profiles that a station holds or may hold.

    Attributes:
        number: Highest number given.
        plans: TxProfiles that may be in force.
        fallbacks: TxDefaultProfiles that may be in force.
        plan_taken: Number of the last plan that was acknowledged.
        fallback_taken: Number of the last fallback that was acknowledged; 0 while none was since it came up.
        changed_at: When the last one was sent, a session changed or the station came up; None for a station that
            never was on the line. [UTC]
        peak_ca: The most that it may have been allowed since its last sample by profiles that are gone. [0.01 A]
    """

    number: int = 0
    plans: tuple[Given, ...] = ()
    fallbacks: tuple[Given, ...] = ()
    plan_taken: int = 0
    fallback_taken: int = 0
    changed_at: datetime | None = None
    peak_ca: int = 0

    def offer(self, given: Given, now: datetime) -> "Held":
        """Before a profile is sent: from now on it may be in force, beside what was."""
        peak = max(self.peak_ca, self.most(self.changed_at or now, now))
        held = replace(self, number=max(self.number, given.number), changed_at=now, peak_ca=peak)
        if given.transaction is None:
            return replace(held, fallbacks=(*self.fallbacks, given))
        return replace(held, plans=(*self.plans, given))

    def accepted(self, given: Given) -> "Held":
        """The station took it: what was before is gone."""
        if given.transaction is None:
            kept = tuple(g for g in self.fallbacks if g.number >= given.number)
            return replace(self, fallbacks=kept, fallback_taken=max(self.fallback_taken, given.number))
        kept = tuple(g for g in self.plans if g.number >= given.number)
        return replace(self, plans=kept, plan_taken=max(self.plan_taken, given.number))

    def refused(self, given: Given) -> "Held":
        """The station did not take it: what was before stays."""
        return replace(
            self,
            plans=tuple(g for g in self.plans if g.number != given.number),
            fallbacks=tuple(g for g in self.fallbacks if g.number != given.number),
        )

    def ended(self, now: datetime) -> "Held":
        """The transaction is over, and its plans with it."""
        return replace(self, plans=(), changed_at=now, peak_ca=0)

    def restarted(self, now: datetime) -> "Held":
        """The station came up: which of its profiles it still has is not known."""
        return replace(self, fallback_taken=0, changed_at=now)

    def sampled(self, at: datetime) -> "Held":
        """After a sample: what was allowed before it does not matter any more."""
        return replace(self, peak_ca=0) if self.changed_at is None or at >= self.changed_at else self

    def tidy(self, now: datetime) -> "Held":
        """Without plans whose time is over."""
        return replace(self, plans=tuple(g for g in self.plans if g.end is None or g.end > now))

    def fallback(self, start: datetime, n: int, otherwise_ca: int, block: timedelta = QUARTER) -> Ints:
        """The most that the fallback allows per cell; `otherwise_ca` while none was acknowledged, shape (n,)."""
        result = np.zeros(n, dtype=np.int64)
        if not self.fallback_taken:
            result[:] = otherwise_ca
        for given in self.fallbacks:
            result = np.maximum(result, given.cells(start, n, block)[0])
        return result

    def plan(self, start: datetime, n: int, fallback: Ints, block: timedelta = QUARTER) -> Ints:
        """The most that a running transaction may draw per cell, shape (n,)."""
        if not self.plans:
            return fallback
        result = np.zeros(n, dtype=np.int64)
        for given in self.plans:
            highest, whole = given.cells(start, n, block)
            result = np.maximum(result, np.where(whole == 1, highest, np.maximum(highest, fallback)))
        return result

    def allowed(self, since: datetime, now: datetime) -> int | None:
        """The least allowed within (since, now); None when it changed meanwhile or is not clear. [0.01 A]"""
        if self.changed_at is not None and self.changed_at > since:
            return None
        if not self.settled() or not self.fallbacks:
            return None
        moments = {since, now - MICRO}
        for given in (*self.plans, *self.fallbacks):
            moments |= {at for at, _ in given.periods if since < at < now}
            if given.end is not None and since < given.end < now:
                moments.add(given.end)
        limits = [self.now(moment) for moment in moments]
        return None if any(v is None for v in limits) else min(v for v in limits if v is not None)

    def most(self, since: datetime, until: datetime) -> int:
        """The most that may have been allowed within [since, until), also by a profile without answer. [0.01 A]"""
        if not self.fallback_taken:
            return UNBOUNDED_CA
        given = (*self.plans, *self.fallbacks)
        return max((self.peak_ca, *(one.most(since, until) for one in given)))

    def settled(self) -> bool:
        """Whether it is certain what the station holds."""
        plans = not self.plans or (len(self.plans) == 1 and self.plans[0].number == self.plan_taken)
        return plans and len(self.fallbacks) == 1 and self.fallbacks[0].number == self.fallback_taken

    def now(self, moment: datetime) -> int | None:
        """What a running transaction may draw at a moment; None when that is not certain. [0.01 A]"""
        if not self.settled():
            return None
        plan = self.plans[0].at(moment) if self.plans else None
        return self.fallbacks[0].at(moment) if plan is None else plan


def reserved(
    station: Station, held: Held, phases: Mask | None, start: datetime, n: int, block: timedelta = QUARTER
) -> Ints:
    """What must be kept for a station on its cable, shape (3, n). [0.01 A]

    Its plan on the phases of the running car, and its fallback on all three: another car may come any moment. While
    it is not known which fallback it has, that is its maximum; but a station that never was on the line is not in
    service, and counts nothing.

    Args:
        station: The station.
        held: Its profiles.
        phases: Phases of the station that the running car uses; None without a transaction.
        start: Start of the first cell. [UTC]
        n: Number of cells.
        block: Length of a cell.
    """
    in_service = phases is not None or held.changed_at is not None
    fallback = held.fallback(start, n, station.max_ca if in_service else 0, block)
    result = np.broadcast_to(fallback, (3, n))
    if phases is None:
        return result.copy()
    plan = held.plan(start, n, fallback, block)
    return np.maximum(result, plan * station.on_cable(phases)[:, None])
