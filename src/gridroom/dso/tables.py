"""The DSO's tables. Histories, forecasts and allotments are one array per cable and day, never a row per value."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import sqlalchemy as sa

from gridroom.dso.forecasting.layout import CLASSES
from gridroom.dso.forecasting.scores import BINS, CRITERIA
from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Cells, UtcTime
from gridroom.storage.columns import Counts as CountsColumn
from gridroom.storage.columns import Reals as RealsColumn

METADATA = sa.MetaData()
NOTHING = NOT_MEASURED
"""Blank of energies."""


@dataclass(frozen=True)
class Sheet:
    """A table with one row of arrays per key and day.

    Attributes:
        table: Its columns: keys, day, arrays.
        keys: Names of the key columns.
        blanks: Name of each array column, and what an unwritten cell reads as.
    """

    table: sa.Table
    keys: tuple[str, ...]
    blanks: Mapping[str, int]

    @cached_property
    def span(self) -> sa.Select[Any]:
        """Rows of one key over days, with parameters named as the key columns, `first` and `last`."""
        same = [self.table.c[key] == sa.bindparam(key) for key in self.keys]
        between = self.table.c.day.between(sa.bindparam("first"), sa.bindparam("last"))
        return sa.select(self.table).where(*same, between)

    @cached_property
    def all(self) -> sa.Select[Any]:
        """The same of all keys that begin with one of `cables`."""
        some = self.table.c[self.keys[0]].in_(sa.bindparam("cables", expanding=True))
        return sa.select(self.table).where(some, self.table.c.day.between(sa.bindparam("first"), sa.bindparam("last")))

    def rows(self, name: str) -> int:
        """Rows of an array column."""
        kind = self.table.c[name].type
        return kind.rows if isinstance(kind, Cells) else 0


def _sheet(name: str, keys: tuple[str, ...], blanks: Mapping[str, int], rows: Mapping[str, int] | None = None) -> Sheet:
    table = sa.Table(
        name,
        METADATA,
        *(sa.Column(key, sa.String(255), primary_key=True) for key in keys),
        sa.Column("day", sa.Date, primary_key=True),
        *(sa.Column(cells, Cells((rows or {}).get(cells, 3)), nullable=False) for cells in blanks),
    )
    return Sheet(table, keys, blanks)


LOADS = _sheet("loads", ("cable",), {"sums": 0, "masks": 0, "flags": 0}, {"masks": 1, "flags": 1})
"""Measured current: sum over slices and a bit per slice; and what is odd about the block, `measurements.Flag`.
`cable` is any node of the register."""

READING_COUNTS = sa.Table(
    "reading_counts",
    METADATA,
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("reason", sa.String(32), primary_key=True),
    sa.Column("count", sa.BigInteger, nullable=False),
)
"""What was odd about readings, `measurements.Reason`, by the day that they speak of; under cable "" what no cable is
known of, by the day that it came."""

USAGES = _sheet("usages", ("cable", "party", "emsp"), {"used": UNKNOWN, "current": UNKNOWN, "energy": NOTHING})
"""Reported use: what may be subtracted and current as stated [0.01 A], and energy [Wh]."""

PLANS = _sheet("plans", ("cable",), {"forecast": 0, "margin": 0, "available": UNKNOWN, "reserve": 0, "pool": 0})
"""What was issued last for each block [0.01 A]; of a past block, what was in force."""

ALLOTMENTS = _sheet("allotments", ("cable", "party"), {"allotment": 0, "adjusted": 0, "entitled": 0, "denied": 0})
"""Per CSO [0.01 A]: allotment; grants less give-backs; most it was entitled to; asked for and not granted."""

STANDINGS = sa.Table(
    "cables",
    METADATA,
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("learned_until", UtcTime),
    sa.Column("issued", UtcTime),
    sa.Column("latest_end", UtcTime),
    sa.Column("latest", sa.JSON),
    sa.Column("watched", UtcTime),
    sa.Column("braked_at", UtcTime),
    sa.Column("brake", sa.JSON),
)
"""Where each cable stands: what was learned, the last issue, the newest reading, a brake after an overload."""

SENT = sa.Table(
    "sent",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.String(255), nullable=False),
    sa.Column("cable", sa.String(255), nullable=False),
    sa.Column("party", sa.String(255), nullable=False),
    sa.Column("date_time", UtcTime, nullable=False),
    sa.Column("start", UtcTime, nullable=False),
    sa.Column("ends", UtcTime, nullable=False),
    sa.Column("limits", Cells, nullable=False),
    sa.Column("acknowledged", sa.Boolean, nullable=False),
    sa.UniqueConstraint("message_id", "cable"),
    sa.Index("sent_cable", "cable", "party"),
)
"""Forecasts that a CSO may hold: the last one acknowledged, and later ones whose fate is not known."""

JOURNAL = sa.Table(
    "journal",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("at", UtcTime, nullable=False),
    sa.Column("kind", sa.String(32), nullable=False),
    sa.Column("party", sa.String(255), nullable=False),
    sa.Column("cable", sa.String(255), nullable=False),
    sa.Column("record", sa.JSON, nullable=False),
    sa.Index("journal_at", "at"),
)
"""Why: an explanation of every division, grant and brake, and every usage report as it came."""

LEARNERS = sa.Table(
    "learners",
    METADATA,
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("state", RealsColumn((-1, 3), "<f4"), nullable=False),
)
"""What was learned of each cable or transformer up to its `learned_until`, shape (rows, 3 phases)."""

BELOW = sa.Table(
    "below",
    METADATA,
    sa.Column("node", sa.String(255), primary_key=True),
    sa.Column("cable", sa.String(255), primary_key=True),
    sa.Column("since", UtcTime),
)
"""The cables below each transformer or substation that is learned; since when, if they came after that began.

A row without a cable tells that it was learned, though there may be none.
"""

SCORES = CountsColumn((len(CRITERIA), CLASSES, BINS))
POOLS = sa.Table(
    "pools",
    METADATA,
    sa.Column("day", sa.Date, primary_key=True),
    sa.Column("total", RealsColumn(), nullable=False),
    sa.Column("today", RealsColumn(), nullable=False),
    sa.Column("counts", SCORES, nullable=False),
    sa.Column("scored", SCORES, nullable=False),
    sa.Column("pace", RealsColumn((len(CRITERIA), CLASSES)), nullable=False),
)
"""What all series share, as `gridroom.dso.forecasting.pool` has it: the last day is open."""

FACTS = sa.Table(
    "facts",
    METADATA,
    sa.Column("name", sa.String(300), primary_key=True),
    sa.Column("moment", UtcTime, nullable=False),
)
"""Moments to remember, such as the last publish that succeeded."""
