"""How often readings were odd, and why: by cable, day and reason, for the operator."""

from collections import Counter
from collections.abc import Mapping
from datetime import date, datetime, timedelta

import numpy as np
import sqlalchemy as sa

from gridroom.dso.cables import Finding
from gridroom.dso.readings.measurements import SLICES, Bools, Reason, Received, Series
from gridroom.dso.store import Store
from gridroom.dso.tables import READING_COUNTS
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH


class Tally:
    """What was odd of a delivery of one cable: told, and counted by day.

    Args:
        block: Length of a block.

    Attributes:
        received: What became of the delivery.
        days: How often each reason held, by day. [UTC]
    """

    def __init__(self, block: timedelta) -> None:
        self.received, self.days = Received(), Counter[tuple[date, Reason]]()
        self._per_day = timedelta(days=1) // block

    def refuse(self, series: Series, which: Bools, reason: Reason, text: str, at: datetime | None = None) -> None:
        """Readings that are not kept: each is a finding, counted on the day that it speaks of, or `at` a moment."""
        if not which.any():
            return
        where = np.flatnonzero(which)
        self.received.refuse(reason, (Finding(series.where(int(i)), text) for i in where), len(where))
        if at is not None:
            self.days[at.date(), reason] += len(where)
        else:
            self._on(reason, series.first[where] // SLICES, 1)

    def count(self, series: Series, which: Bools, reason: Reason) -> None:
        """Readings that are odd and kept."""
        if which.any():
            self.received.counts[reason] += int(which.sum())
            self._on(reason, series.first[which] // SLICES, 1)

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
            self._on(reason, start + changed[new], 1)
            self._on(reason, start + changed[~new], -1)

    def _on(self, reason: Reason, numbers: Ints, sign: int) -> None:
        for day, number in Counter((numbers // self._per_day).tolist()).items():
            self.days[(EPOCH + timedelta(days=day)).date(), reason] += sign * number


def keep_counts(store: Store, cable: str, counts: Mapping[tuple[date, Reason], int]) -> None:
    """Add to what was counted.

    Args:
        store: The memory.
        cable: Cable, transformer or substation; "" where none is known.
        counts: By day and reason; below 0 for what turned out not to be odd.
    """
    table = READING_COUNTS
    for (day, reason), number in counts.items():
        if not number:
            continue
        row = {"cable": cable, "day": day, "reason": reason.value}
        same = [table.c[name] == value for name, value in row.items()]
        changed = table.update().where(*same).values(count=table.c.count + number)
        if store.tx.execute(changed).rowcount == 0:
            store.tx.execute(table.insert().values(**row, count=number))


def counted(store: Store, first: date, last: date) -> dict[str, Counter[Reason]]:
    """What was odd, by cable and reason, over days, both included; under "" what no cable is known of."""
    table = READING_COUNTS
    query = sa.select(table.c.cable, table.c.reason, table.c.count).where(table.c.day.between(first, last))
    found = dict[str, Counter[Reason]]()
    for cable, reason, number in store.tx.execute(query):
        found.setdefault(cable, Counter())[Reason(reason)] += number
    return found
