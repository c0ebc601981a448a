"""Readings come in: checked against the register and the clock, added to what was measured, and what is odd is flagged.

A block that was learned, or waited for in vain, is closed: where it counts already, nothing is added to it any more.
What fills it later is kept and flagged LATE. So the state of the forecast can be rebuilt from the history to the same
values. Only when the operator brings a history that begins before all that is known, it is learned anew; and when the
operator puts other values in place of what was learned, all is.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

import numpy as np

from gridroom.dso import lessons
from gridroom.dso.cables import Finding, Phases, Register
from gridroom.dso.reading_counts import Days, Tally, keep_counts
from gridroom.dso.readings import quality
from gridroom.dso.readings.measurements import (
    ENOUGH,
    NOT_MEASURED,
    SLICES,
    Bools,
    Flag,
    Reason,
    Received,
    Series,
    means,
)
from gridroom.dso.readings.merging import Pieces, Verdict, merge, pieces
from gridroom.dso.rules import Office
from gridroom.dso.store import Standing, Store
from gridroom.dso.tables import LOADS
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH

AHEAD = timedelta(minutes=5)
"""How far another clock may be ahead of ours."""

REACH = timedelta(days=7)
"""How far back a meter may reach where nothing older is known: a clock that starts anew shows any time."""

CONTEXT = 2 * quality.USUAL
"""How long before a delivery is looked at to see whether a phase is stuck."""

FAR = 3
"""So many times as much, or so much less, as in the days before is worth a second look."""

News = defaultdict[tuple[datetime, int], dict[tuple[str, ...], dict[str, Ints]]]
"""Cells to be written: by start and number of blocks, then by cable, so that many are written at once."""

OTHERWISE = {
    Verdict.CONTRADICTED: (Reason.CONTRADICTED, "states another value than was measured before; the first one stays"),
    Verdict.OVERLAPPING: (
        Reason.OVERLAPPING,
        "overlaps with a part of what was measured before; what was measured stays",
    ),
    Verdict.LATE: (Reason.LATE, "comes too late: its block was learned already; what was measured stays"),
}


def measurable(register: Register, node: str) -> bool:
    """Whether there is a cable, transformer or substation of that name."""
    return node in register or node in register.nodes


@dataclass(frozen=True)
class Meter:
    """Who speaks, when it is not the operator.

    Attributes:
        cables: Those that it may speak for; None is all.
    """

    cables: frozenset[str] | None = None


def record_series(
    store: Store,
    office: Office,
    series: Mapping[str, Series],
    now: datetime,
    meter: Meter | None = None,
    *,
    replace: bool = False,
) -> Received:
    """Keep readings; those that cannot be kept are findings, the others stay.

    Args:
        store: The memory.
        office: Cables and rules.
        series: By cable, in any order.
        now: The present moment. [UTC]
        meter: Whose they are; None: the operator's, who may speak for all and is told what is wrong at once, so that
            unknown cables are not counted.
        replace: The operator's take the place of what is stored: a block of which they tell anything then holds what
            they tell, and nothing else.
    """
    received, its = Received(), None if meter is None else meter.cables
    known = {name for name in series if measurable(office.register, name) and (its is None or name in its)}
    text = "no such cable in the register" if meter is None else "no such cable for this meter"
    strange = [one for name, one in series.items() if name not in known]
    zone = office.rules.zone if meter is None else UTC
    for one in strange:
        told = (Finding(one.where(i, zone), text) for i in range(len(one)))
        received.refuse(Reason.UNKNOWN, told, len(one), alike=meter is None)
    if strange and meter is not None:
        keep_counts(store, "", Days({(now.date(), Reason.UNKNOWN): sum(map(len, strange))}))
    standings, news = store.standings(known), News(dict)
    for name in (one for one in series if one in known):
        standing = standings.get(name, Standing())
        received.add(_Recording(store, office, series[name], now, standing, meter is not None, replace).run(news))
    for (start, _), values in news.items():
        store.write_all(LOADS, start, values)
    return received


def record_unreadable(store: Store, number: int, now: datetime) -> None:
    """Count what a meter said and could not be read: rows or messages."""
    keep_counts(store, "", Days({(now.date(), Reason.UNREADABLE): number}))


class _Recording:
    """One delivery of one cable on its way into the store."""

    def __init__(
        self,
        store: Store,
        office: Office,
        series: Series,
        now: datetime,
        standing: Standing,
        by_meter: bool,
        replaces: bool = False,
    ) -> None:
        self.store, self.office, self.now, self.cable = store, office, now, series.cable
        self.series, self.standing, self.by_meter, self.replaces = series, standing, by_meter, replaces
        self.zone = None if by_meter else office.rules.zone
        self.tally = Tally(series.block, self.zone)
        heard = standing.latest_end
        self.heard = None if heard is None or heard > now + AHEAD else heard  # what a clock ahead once said is no end

    def run(self, news: News) -> Received:
        """All of it; what is to be written is added to the news."""
        self._drop_out_of_time()
        self._drop_incomplete()
        if len(self.series):
            self._open()
            self._merge()
            self._flag()
            if self.replaces:
                self._unlearn()
            self._add_to(news)
            self._stand()
            if not self.by_meter:
                self._doubt()
        keep_counts(self.store, self.cable, self.tally.again, at_least=not self.by_meter)
        keep_counts(self.store, self.cable, self.tally.once)
        return self.tally.received

    # -- what is refused ---------------------------------------------------------------------------------------------

    def _drop_out_of_time(self) -> None:
        future = self.series.last > (self.now + AHEAD - EPOCH) // (self.series.block // SLICES)
        self.tally.refuse(self.series, future, Reason.FUTURE, f"ends after now ({self._clock(self.now)})", self.now)
        self.series = self.series.only(~future)
        oldest = self.now - self.office.rules.history
        self._drop_older(oldest, f"is older than measurements are kept ({self._clock(oldest)})")
        if self.by_meter and self._older(self.now - REACH).any():
            oldest = min(self.now - REACH, self.store.first_measured(self.cable) or self.now)
            text = f"reaches further back than a meter may ({self._clock(oldest)}); import it by file"
            self._drop_older(oldest, text)

    def _clock(self, moment: datetime) -> str:
        return moment.astimezone(self.zone or UTC).isoformat(timespec="seconds")

    def _older(self, moment: datetime) -> Bools:
        found: Bools = self.series.first < -((EPOCH - moment) // (self.series.block // SLICES))
        return found

    def _drop_older(self, oldest: datetime, text: str) -> None:
        old = self._older(oldest)
        self.tally.refuse(self.series, old, Reason.OLD, text, self.now)
        self.series = self.series.only(~old)

    def _drop_incomplete(self) -> None:
        """A phase that the cable has must be told; one that it has not counts as 0."""
        limit = self._limit
        absent = np.array([limit is not None and one <= 0 for one in limit or (0, 0, 0)])
        missing = self.series.current_ca == NOT_MEASURED
        incomplete = (missing & ~absent[:, None]).any(axis=0)
        self.tally.refuse(self.series, incomplete, Reason.INCOMPLETE, "tells only some of the cable's phases")
        current = np.where(missing, 0, self.series.current_ca)
        odd = self.series.odd | quality.impossible(current, limit)
        text = f"states no possible current{self._allowed}; it is left out"
        self.tally.refuse(self.series, odd & ~incomplete, Reason.IMPOSSIBLE, text)
        self.series = replace(self.series, current_ca=current, odd=odd).only(~incomplete)

    @property
    def _limit(self) -> Phases | None:
        register = self.office.register
        return register[self.cable].limit_ca if self.cable in register else register.nodes[self.cable].limit_ca

    @property
    def _allowed(self) -> str:
        limit = self._limit
        return "" if limit is None else f" where the limit is {max(limit) / 100:g} A"

    # -- what is added -----------------------------------------------------------------------------------------------

    def _open(self) -> None:
        """Read what is known of the blocks around, and find out which are closed."""
        first, end = int(self.series.first.min()) // SLICES, -int(-self.series.last.max() // SLICES)
        newest, learned = self._number(self.heard), self._number(self.standing.learned_until)
        self.anew, earliest = self.replaces, None
        if first < max(newest or 0, learned or 0):
            earliest = self._earliest()
            end = max(end, earliest if earliest is not None and first < earliest else end)
        if learned is not None and first < learned and not (self.by_meter or self.replaces):
            self.anew = self._reaches_back(learned if earliest is None else earliest)
            if self.anew:
                self._learn_anew(learned)
        self.touched = first if newest is None else min(first, newest)  # from here on there may be new gaps
        self.start = min(first - CONTEXT // self.series.block, self.touched)
        cells = self.store.read(LOADS, (self.cable,), self._moment(self.start), end - self.start)
        self.sums, self.masks, self.flags = cells["sums"], cells["masks"], cells["flags"]
        self.before = {name: cells[name].copy() for name in ("sums", "masks", "flags")}
        self.closed = 0 if learned is None or self.anew else min(max(0, learned - self.start), end - self.start)

    def _earliest(self) -> int | None:
        """Number of the first block with a measurement."""
        day = self.store.first_measured(self.cable)
        if day is None:
            return None
        masks = self.store.read(LOADS, (self.cable,), day, self.store.per_day)["masks"][0]
        return (self._number(day) or 0) + int(np.argmax(masks != 0))

    def _reaches_back(self, boundary: int) -> bool:
        """Whether there is something new before the first block that was ever measured: an older history."""
        early = self.series.only(~self.series.odd & (self.series.first // SLICES < boundary))
        if not len(early):
            return False
        cut = pieces(early.first, early.count)
        start, end = int(cut.cell.min()), int(cut.cell.max()) + 1
        masks = self.store.read(LOADS, (self.cable,), self._moment(start), end - start)["masks"][0]
        hit = masks[cut.cell - start] & cut.bits
        return bool((np.bincount(cut.owner[hit != 0], minlength=len(early)) == 0).any())

    def _learn_anew(self, learned: int) -> None:
        """Nothing of this cable is learned yet, and so nothing is late."""
        self.store.stand(self.cable, learned_until=None)
        first = self._earliest() or learned
        start, n = self._moment(first), max(1, learned - first)
        flags = self.store.read(LOADS, (self.cable,), start, n)["flags"]
        if (flags & Flag.LATE).any():
            self.store.write(LOADS, (self.cable,), start, {"flags": flags & ~int(Flag.LATE)})

    def _merge(self) -> None:
        self.good = self.series.only(~self.series.odd)
        self.told = np.unique(self._cut(self.good).cell)
        if self.replaces:
            for name in (self.sums, self.masks, self.flags):
                name[:, self.told] = 0
        self.verdict = merge(self.good, self.start, self.sums, self.masks, self.closed)
        for verdict, (reason, text) in OTHERWISE.items():
            self.tally.refuse(self.good, self.verdict == verdict, reason, text)
        self.tally.repeat(self.good, self.verdict == Verdict.REPEATED, self._new())
        self.stored = self.good.only(self.verdict == Verdict.STORED)
        self.tally.received.stored += len(self.stored)
        if self.replaces:
            self._compare()

    def _compare(self) -> None:
        """Of what is stored in place of something: how many readings tell the same, and how many something else."""
        cut, there = self._cut(self.stored), self.before["masks"][0] != 0
        other = (self.sums != self.before["sums"]).any(axis=0) | (self.masks != self.before["masks"])[0]
        replaced, new = (
            np.bincount(cut.owner[which[cut.cell]], minlength=len(self.stored)) > 0 for which in (there & other, ~there)
        )
        received, same = self.tally.received, int((~replaced & ~new).sum())
        received.replaced += int(replaced.sum())
        received.stored -= same
        received.counts[Reason.REPEATED] += same

    def _unlearn(self) -> None:
        """Where it changes what was learned, all is learned anew: what cables tell each other of a day rests on all.

        Blocks that were learned, and of which the file tells nothing, stay as suspect as they were.
        """
        above = self.office.register.above(self.cable) if self.cable in self.office.register else ()
        stands = self.store.standings((self.cable, *above))
        learned = max((one.learned_until for one in stands.values() if one.learned_until is not None), default=None)
        n = max(0, (self._number(learned) or 0) - self.start)
        untold = np.arange(self.flags.shape[1]) < n
        untold[self.told] = False
        suspect = int(quality.SUSPECT)
        as_before = self.flags & ~suspect | self.before["flags"] & suspect
        self.flags = np.where(untold, as_before, self.flags)
        before = self.before
        changed = (self.sums != before["sums"]).any(axis=0) | (self.masks != before["masks"])[0]
        changed |= ((self.flags ^ before["flags"]) & suspect != 0)[0]
        known = changed & (before["masks"][0] != 0)
        forgotten = (
            self.cable in stands and stands[self.cable].learned_until is None and lessons.pool(self.store) is not None
        )
        if changed[:n].any() or (forgotten and known.any()):  # of what it forgot, the others may still know
            lessons.unlearn(self.store)

    def _cut(self, series: Series) -> Pieces:
        """Readings cut at the borders of blocks, numbered as they were read."""
        return pieces(series.first - self.start * SLICES, series.count)

    def _new(self) -> Bools:
        """Which readings tell of something that was not measured before; a meter has all it says counted."""
        if self.by_meter:
            return np.ones(len(self.good), dtype=bool)
        cut = self._cut(self.good)
        new = (cut.bits & ~self.before["masks"][0, cut.cell]) != 0
        found: Bools = np.bincount(cut.owner[new], minlength=len(self.good)) > 0
        return found

    # -- what is odd -------------------------------------------------------------------------------------------------

    def _flag(self) -> None:
        stored, good = self.stored, self.good
        disordered, coarse = self._disordered(), stored.count > SLICES
        cut = self._cut(stored)
        late = np.bincount(cut.owner[cut.cell < self.closed], minlength=len(stored)) > 0
        for reason, which in (
            (Reason.LATE, late),
            (Reason.DISORDERED, disordered),
            (Reason.CLOCK, stored.guessed),
            (Reason.COARSE, coarse),
        ):
            self.tally.count(stored, which, reason, again=self.replaces)
        otherwise = np.isin(self.verdict, (Verdict.CONTRADICTED, Verdict.OVERLAPPING))
        closed, ever = slice(0, self.closed), slice(0, self.flags.shape[1])
        still_open = slice(self.closed, self.flags.shape[1])
        for flag, series, which, where in (
            (Flag.LATE, stored, late, closed),
            (Flag.COARSE, stored, coarse, ever),
            (Flag.DISORDERED, stored, disordered, still_open),
            (Flag.CLOCK, stored, stored.guessed, still_open),
            (Flag.REPEATED, good, self.verdict == Verdict.REPEATED, still_open),
            (Flag.CONTRADICTED, good, otherwise, still_open),
            (Flag.DISPUTED, good, otherwise, closed),
            (Flag.IMPOSSIBLE, self.series, self.series.odd, still_open),
        ):
            self._mark(flag, series, which, where)
        self._flag_gaps()
        self._flag_stuck()

    def _mark(self, flag: Flag, series: Series, which: Bools, where: slice) -> None:
        """Set a flag on the blocks of some readings, within a part of those that were read."""
        if which.any():
            cells = self._cut(series.only(which)).cell
            self.flags[0, cells[(cells >= where.start) & (cells < where.stop)]] |= flag

    def _disordered(self) -> Bools:
        """Which readings came after a later one."""
        last = self._slice(self.heard)
        reach = np.concatenate([[last if last is not None and not self.anew else 0], self.stored.last])
        found: Bools = self.stored.first < np.maximum.accumulate(reach)[:-1]
        return found

    def _flag_gaps(self) -> None:
        newest = max(int(self.series.last.max()), self._slice(self.heard) or 0) // SLICES
        numbers = np.arange(self.start, self.start + self.flags.shape[1])
        gap = (numbers < newest) & (np.bitwise_count(self.masks[0]) < ENOUGH)
        self._set(Flag.GAP, gap, numbers >= self.touched)
        self._count_blocks(Flag.GAP, Reason.GAP)

    def _flag_stuck(self) -> None:
        stuck = quality.stuck(means(self.sums, self.masks), self.flags[0], self.series.block)
        for flag, row in zip(quality.STUCK_ON, stuck, strict=True):
            self._set(flag, row, np.arange(len(row)) >= self.closed)
        self._count_blocks(Flag.STUCK_L1 | Flag.STUCK_L2 | Flag.STUCK_L3, Reason.STUCK)

    def _count_blocks(self, flag: Flag, reason: Reason) -> None:
        now, before = ((flags[0] & int(flag)) != 0 for flags in (self.flags, self.before["flags"]))
        self.tally.count_blocks(reason, now, before, self.start)

    def _set(self, flag: Flag, on: Bools, where: Bools) -> None:
        value = np.where(on, self.flags[0] | int(flag), self.flags[0] & ~int(flag))
        self.flags[0] = np.where(where, value, self.flags[0])

    # -- what is kept ------------------------------------------------------------------------------------------------

    def _doubt(self) -> None:
        """A day or more far above or below the days before may be of another unit, or of another cable."""
        until = int(self.series.first.min()) // SLICES - self.start
        levels = []
        for sums, masks, where in (
            (self.before["sums"], self.before["masks"], slice(0, until)),
            (self.sums, self.masks, slice(until, None)),
        ):
            load = means(sums[:, where], masks[:, where])
            known = np.abs(load[:, load[0] != NOT_MEASURED]).sum(axis=0)
            levels.append(float(np.median(known)) if len(known) >= self.store.per_day else 0.0)
        usual, now = levels
        if usual and now and not 1 / FAR <= now / usual <= FAR:
            text = (
                f"carries {now / 300:.3g} A as a rule, {usual / 300:.3g} A in the days before: are these amperes of it?"
            )
            self.tally.received.doubts.append(Finding(self.cable, text))

    def _add_to(self, news: News) -> None:
        now = {"sums": self.sums, "masks": self.masks, "flags": self.flags}
        changed = np.flatnonzero(np.any([(now[name] != self.before[name]).any(axis=0) for name in now], axis=0))
        if len(changed):
            first, end = int(changed[0]), int(changed[-1]) + 1
            values = {name: cells[:, first:end] for name, cells in now.items()}
            news[self._moment(self.start + first), end - first][self.cable,] = values

    def _stand(self) -> None:
        """The newest reading, for the brake: of each phase the most in the last block that it has not looked at yet."""
        known, end = self._slice(self.heard), int(self.series.last.max())
        unseen = known is not None and self.heard != self.standing.watched
        newest = max(end, known or 0)
        recent = self.series.only(self.series.last > newest - SLICES)
        if not len(recent) or (end != newest and not unseen):
            return
        most = np.where(recent.odd, np.maximum(recent.current_ca, 0), recent.current_ca).max(axis=1)
        if unseen and known is not None and known > newest - SLICES and self.standing.latest is not None:
            most = np.maximum(most, self.standing.latest)
        latest = tuple(int(value) for value in most)
        self.store.stand(self.cable, latest_end=self.series.moment(newest), latest=latest)
        if self.replaces and newest == known and latest != self.standing.latest:
            self.store.stand(self.cable, watched=None)  # the brake has not seen this one

    def _number(self, moment: datetime | None) -> int | None:
        """Number of a block, counted from 1970."""
        return None if moment is None else (moment - EPOCH) // self.series.block

    def _slice(self, moment: datetime | None) -> int | None:
        return None if moment is None else -((EPOCH - moment) // (self.series.block // SLICES))

    def _moment(self, number: int) -> datetime:
        return EPOCH + number * self.series.block
