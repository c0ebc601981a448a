"""How often readings were odd, and why: by cable, day and reason, for the operator."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import numpy as np
import sqlalchemy as sa

from gridroom.dso.cables import Finding
from gridroom.dso.readings.measurements import SLICES, Bools, Reason, Received, Series
from gridroom.dso.store import Store
from gridroom.dso.tables import READING_COUNTS
from gridroom.storage.columns import Ints
from gridroom.timegrid import DAY, EPOCH

Days = Counter[tuple[date, Reason]]
"""How often each reason held, by day. [UTC]"""


class Tally:
    """What was odd of a delivery of one cable: told, and counted by day.

    Args:
        block: Length of a block.
        operator_zone: Whose clock the times are told on that the operator reads, who is told once what is alike; None
            for a meter, who is told all in UTC.

    Attributes:
        received: What became of the delivery.
        once: How often each reason held of readings that were kept and of blocks, by day. [UTC]
        again: The same of readings that were not kept; they are odd again when they come again.
    """

    def __init__(self, block: timedelta, operator_zone: ZoneInfo | None = None) -> None:
        self.received, self.once, self.again = Received(), Days(), Days()
        self._per_day, self._zone = DAY // block, operator_zone

    def refuse(self, series: Series, which: Bools, reason: Reason, text: str, at: datetime | None = None) -> None:
        """Readings that are not kept: each is a finding, counted on the day that it speaks of, or `at` a moment."""
        if not which.any():
            return
        where = np.flatnonzero(which)
        told = (Finding(series.where(int(i), self._zone or UTC), text) for i in where)
        self.received.refuse(reason, told, len(where), alike=self._zone is not None)
        if at is not None:
            self.again[at.date(), reason] += len(where)
        else:
            self._on(self.again, reason, series.first[where] // SLICES, 1)

    def repeat(self, series: Series, which: Bools, counted: Bools) -> None:
        """Readings that say again what was measured; those that are `counted` are so by day."""
        self.received.counts[Reason.REPEATED] += int(which.sum())
        self._on(self.again, Reason.REPEATED, series.first[which & counted] // SLICES, 1)

    def count(self, series: Series, which: Bools, reason: Reason, *, again: bool = False) -> None:
        """Readings that are odd and kept; `again` where they may take the place of such that were counted."""
        if which.any():
            self.received.counts[reason] += int(which.sum())
            self._on(self.again if again else self.once, reason, series.first[which] // SLICES, 1)

    def count_blocks(self, reason: Reason, now: Bools, before: Bools, start: int) -> None:
        """Blocks that are odd now and were not before, less those that are so no more.

        Args:
            reason: What is odd about them.
            now: Shape (n,).
            before: Shape (n,).
            start: Number of the first one.
        """
        changed = np.flatnonzero(now != before)
        if len(changed):
            new = now[changed]
            self.received.counts[reason] += int(new.sum())
            self._on(self.once, reason, start + changed[new], 1)
            self._on(self.once, reason, start + changed[~new], -1)

    def _on(self, counts: Days, reason: Reason, numbers: Ints, sign: int) -> None:
        for day, number in Counter((numbers // self._per_day).tolist()).items():
            counts[(EPOCH + day * DAY).date(), reason] += sign * number


def keep_counts(store: Store, cable: str, counts: Days, *, at_least: bool = False) -> None:
    """Add to what was counted.

    Args:
        store: The memory.
        cable: Cable, transformer or substation; "" where none is known.
        counts: By day and reason; below 0 for what turned out not to be odd.
        at_least: Of a file, which may come again and may have grown: it adds what it has more than was counted.
    """
    table = READING_COUNTS
    for (day, reason), number in counts.items():
        if not number:
            continue
        row = {"cable": cable, "day": day, "reason": reason.value}
        same = [table.c[name] == value for name, value in row.items()]
        grown = sa.case((table.c.count < number, number), else_=table.c.count) if at_least else table.c.count + number
        if store.tx.execute(table.update().where(*same).values(count=grown)).rowcount == 0:
            store.tx.execute(table.insert().values(**row, count=number))


def counted(store: Store, since: date) -> dict[Reason, dict[str, int]]:
    """What was odd from a day on: how many, by reason and cable; under "" what no cable is known of."""
    table = READING_COUNTS.c
    query = sa.select(table.reason, table.cable, sa.func.sum(table.count)).where(table.day >= since)
    found = defaultdict[Reason, dict[str, int]](dict)
    query = query.group_by(table.reason, table.cable).having(sa.func.sum(table.count) > 0).order_by(table.cable)
    for reason, cable, number in store.tx.execute(query):
        found[Reason(reason)][cable] = int(number)
    return dict(found)
