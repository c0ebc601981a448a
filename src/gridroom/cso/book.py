"""The capacity book of one cable: what we may use, never above what any rule allows.

A cable is the pair of the DSO's party and its CableId. Rules: order of forecasts by DateTime, unknown time, offline
value, grants and give-backs. Source: OSCP 1.0 sections 3.2.3 and 3.2.5; docs/deviations.md, decisions 3, 14 and 16.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import Enum

import numpy as np

from gridroom.cso.steps import NOTHING, Ints, Steps, least, micros, of, union
from gridroom.oscp.v10.blocks import UNKNOWN, Span
from gridroom.timegrid import QUARTER

LATE = timedelta(minutes=5)
"""A forecast made at most this long before the one in force may still lower it."""

FINE = timedelta(hours=2)
"""After so long the offline forecast begins. Source: OSCP 1.0 footnote 1."""

KEPT = timedelta(days=1)
"""How long our own changes, and what older forecasts stated, are remembered after they are over: clocks step back."""

MOST = np.iinfo(np.int64).max


class Outcome(Enum):
    """What a forecast did to the book."""

    APPLIED = "replaces the one in force"
    LOWERED = "not clearly newer: the smaller value holds"
    SUPERSEDED = "older: no effect"


@dataclass(frozen=True, eq=False)
class Asked:
    """A change of capacity that we asked for.

    Attributes:
        message_id: Of the request.
        sent_at: When it was first sent. [UTC]
        heard: The book's count of forecasts at that moment.
        spans: The signed changes as the message says them. [0.01 A]
        give: What we give back, counted at once; positive. [0.01 A]
        want: What we ask for; positive. [0.01 A]
        granted: What the answer granted, nothing before it.
        answered_at: The answer's DateTime, at least `sent_at`; None without an answer. [UTC]
        settled: Whether no answer can come any more.
    """

    message_id: str
    sent_at: datetime
    heard: int
    spans: tuple[Span, ...]
    give: Steps
    want: Steps
    granted: Steps = NOTHING
    answered_at: datetime | None = None
    settled: bool = False

    @property
    def end(self) -> datetime:
        """End of its last block. [UTC]"""
        return max(e for e in (self.give.end, self.want.end, self.sent_at) if e is not None)


@dataclass(frozen=True, eq=False)
class Book:
    """What is known about one cable.

    Attributes:
        made_at: Highest DateTime of all forecasts that counted; None before the first. [UTC]
        first: First block of the forecast in force. [UTC]
        stated: The forecast in force.
        older: What held before it, for time that it leaves unknown.
        lowered: Smaller values out of forecasts that are not clearly newer.
        doubted: A forecast was refused since: nothing counts above the offline value.
        offline_ca: Offline value per phase, holds until the end of `stated`. [0.01 A]
        remaining: Backup capacity that the DSO announced; nobody's, never planned with.
        heard: Number of forecasts that came for this cable, whatever they did.
        heard_at: When the last one came. [UTC]
        asked: Our own changes that the forecast in force does not contain.
    """

    made_at: datetime | None = None
    first: datetime | None = None
    stated: Steps = NOTHING
    older: Steps = NOTHING
    lowered: Steps = NOTHING
    doubted: bool = False
    offline_ca: tuple[int, int, int] = (0, 0, 0)
    remaining: Steps = NOTHING
    heard: int = 0
    heard_at: datetime | None = None
    asked: tuple[Asked, ...] = field(default=())

    def accept(
        self, made_at: datetime, capacity: Sequence[Span], remaining: Iterable[Span], now: datetime
    ) -> tuple["Book", Outcome]:
        """The book after a forecast that could be read.

        Args:
            made_at: DateTime of its message. [UTC]
            capacity: Its spans, sorted, without overlap.
            remaining: Backup capacity.
            now: The present moment. [UTC]
        """
        if not capacity:
            return self.refuse(made_at, now)
        heard = replace(self, heard=self.heard + 1, heard_at=now)
        if self.made_at is not None and made_at < self.made_at - LATE:
            return heard, Outcome.SUPERSEDED
        new = of(capacity)
        clearly_newer = self.made_at is None or (
            made_at > self.made_at and (self.first is None or capacity[0].start >= self.first)
        )
        if not clearly_newer:
            return heard._lower(made_at, new), Outcome.LOWERED
        return (
            replace(
                heard,
                made_at=made_at,
                first=capacity[0].start,
                stated=new,
                older=self._past(min(now, made_at) - KEPT),
                lowered=NOTHING,
                doubted=False,
                offline_ca=_offline(new, capacity[0].start),
                remaining=of(remaining),
                asked=tuple(replace(a, granted=NOTHING) for a in self.asked if not _contained(a, made_at)),
            ),
            Outcome.APPLIED,
        )

    def refuse(self, made_at: datetime, now: datetime) -> tuple["Book", Outcome]:
        """The book after a forecast that we had to refuse: it lowers to the offline value, and never raises."""
        heard = replace(self, heard=self.heard + 1, heard_at=now)
        if self.made_at is not None and made_at < self.made_at - LATE:
            return heard, Outcome.SUPERSEDED
        made = made_at if self.made_at is None else max(made_at, self.made_at)
        return replace(heard, made_at=made, doubted=True, asked=_without_grants(self.asked)), Outcome.LOWERED

    def ask(self, message_id: str, spans: Iterable[Span], now: datetime) -> "Book":
        """The book after a request for signed changes was written: what is given back counts from now on."""
        listed = tuple(spans)
        new = Asked(message_id, now, self.heard, listed, _positive(listed, -1), _positive(listed, 1))
        return replace(self, asked=(*self.asked, new))

    def answer(self, message_id: str, granted: Iterable[Span], answered_at: datetime) -> "Book":
        """The book after an answer; the grant counts only if no forecast has come since the request.

        Args:
            message_id: Of our request.
            granted: What was granted, per `blocks.answer_spans`.
            answered_at: DateTime of the answer. [UTC]
        """

        def settle(asked: Asked) -> Asked:
            if asked.message_id != message_id or asked.settled:
                return asked
            good = asked.heard == self.heard and not self.doubted
            return replace(
                asked,
                granted=_positive(granted, 1) if good else NOTHING,
                answered_at=max(answered_at, asked.sent_at),
                settled=True,
            )

        return replace(self, asked=tuple(settle(a) for a in self.asked))

    def give_up(self, message_id: str) -> "Book":
        """The book when a request was given up: nothing is granted, what was given back stays given back."""
        asked = tuple(replace(a, settled=True) if a.message_id == message_id else a for a in self.asked)
        return replace(self, asked=asked)

    def limits(self, now: datetime, start: datetime, n: int, block: timedelta = QUARTER) -> Ints:
        """What we may use, shape (3, n) [0.01 A]: the least of each cell, of the first one from `now` on.

        Args:
            now: The present moment. [UTC]
            start: Start of the first cell. [UTC]
            n: Number of cells.
            block: Length of a cell.
        """
        cells = micros(start) + np.arange(n + 1, dtype=np.int64) * (block // timedelta(microseconds=1))
        cells[0] = min(max(cells[0], micros(now)), cells[1] - 1)
        parts = [self.stated, self.older, self.lowered]
        parts += [s for a in self.asked for s in (a.give, a.granted)]
        points = union([cells, *(s.edges for s in parts)])
        points = points[(points >= cells[0]) & (points < cells[-1])]
        values = self._at(points)
        return np.minimum.reduceat(values, np.searchsorted(points, cells[:-1]), axis=1)

    def remaining_at(self, start: datetime, n: int, block: timedelta = QUARTER) -> Ints:
        """Backup capacity that may still be there, less what we asked for since, shape (3, n). [0.01 A]"""
        at = micros(start) + np.arange(n, dtype=np.int64) * (block // timedelta(microseconds=1))
        left = np.maximum(self.remaining.sample(at), 0)
        for asked in self.asked:
            if asked.heard == self.heard:
                left = left - np.maximum(asked.want.sample(at), 0)
        return np.maximum(left, 0)

    def offline(self, now: datetime) -> tuple[int, int, int]:
        """Offline value per phase: 0 past the last block. [0.01 A]"""
        end = self.stated.end
        return self.offline_ca if end is not None and now < end else (0, 0, 0)

    def pending(self, now: datetime) -> bool:
        """Whether an answer that matters is still to come."""
        return any(not a.settled and a.end > now for a in self.asked)

    def tidy(self, now: datetime) -> "Book":
        """The book without changes that are long over; what was given back survives a clock that ran ahead."""
        return replace(self, asked=tuple(a for a in self.asked if a.end + KEPT > now))

    def _at(self, points: Ints) -> Ints:
        """Amounts at moments, shape (3, moments)."""
        end = self.stated.edges[-1] if self.stated.edges.size else 0
        offline = np.where(points < end, np.array(self.offline_ca, dtype=np.int64)[:, None], 0)
        stated = self.stated.sample(points)
        known = stated != UNKNOWN
        values = np.where(known, stated, least(self.older.sample(points), offline))
        values = least(values, self.lowered.sample(points))
        if self.doubted:
            values = np.minimum(values, offline)
        for asked in self.asked:
            values = values + np.where(known, np.maximum(asked.granted.sample(points), 0), 0)
            values = values - np.maximum(asked.give.sample(points), 0)
        return np.maximum(values, 0)

    def _past(self, since: datetime) -> Steps:
        """What holds where a forecast says so (its unknown time included), without grants; for later gaps.

        It begins well before the present moment: if our clock ran ahead and is set back, the time between counts again.
        """
        sources = [
            s.edges for s in (self.stated, self.older, self.lowered, *(a.give for a in self.asked)) if s.edges.size
        ]
        covered = [s.edges[-1] for s in (self.stated, self.older) if s.edges.size]
        if not covered:
            return NOTHING
        edges = union(sources)
        edges = union([np.array([micros(since)]), edges[(edges > micros(since)) & (edges <= max(covered))]])
        if edges.size < 2:
            return NOTHING
        bare = replace(self, asked=_without_grants(self.asked))
        return Steps(edges, bare._at(edges[:-1]))

    def _lower(self, made_at: datetime, new: Steps) -> "Book":
        edges = union([new.edges, self.lowered.edges])
        both = Steps(edges, least(new.sample(edges[:-1]), self.lowered.sample(edges[:-1])))
        other = _offline(new, new.start or made_at)
        made = made_at if self.made_at is None else max(made_at, self.made_at)
        lowest = tuple(min(a, b) for a, b in zip(self.offline_ca, other, strict=True))
        return replace(
            self,
            made_at=made,
            lowered=both,
            offline_ca=(lowest[0], lowest[1], lowest[2]),
            asked=_without_grants(self.asked),
        )


def _offline(stated: Steps, first: datetime) -> tuple[int, int, int]:
    """The least that a forecast states for later than two hours after its first block; 0 where it states nothing."""
    later = stated.values[:, stated.edges[1:] > micros(first + FINE)]
    lows = np.where(later == UNKNOWN, MOST, later).min(axis=1, initial=MOST)
    a, b, c = (0 if v == MOST else int(v) for v in lows)
    return (a, b, c)


def _contained(asked: Asked, made_at: datetime) -> bool:
    """Whether a forecast made then contains what became of a request."""
    return asked.answered_at is not None and made_at > asked.answered_at


def _without_grants(asked: tuple[Asked, ...]) -> tuple[Asked, ...]:
    return tuple(replace(a, granted=NOTHING) for a in asked)


def _positive(spans: Iterable[Span], sign: int) -> Steps:
    """The changes of one sign, as positive amounts."""
    kept = []
    for span in spans:
        amounts = tuple(max(0, sign * (v or 0)) for v in span.amounts)
        if any(amounts):
            kept.append(Span(span.start, span.end, (amounts[0], amounts[1], amounts[2])))
    return of(kept)
