"""What was learned of each series: a phase of a cable or transformer.

The load of a time of day is a mix of three exponentially weighted averages: a fast and a slow one per time of day, and
one per time of week. They are read through a small kernel into rows per time of day (`mix`) that are made once a day,
an hour and a half after the block before, with what the kernel took from the last one and the error of the last day. So
every forecast of a block rests on the same rows, whatever its lead, and the errors by which margins are calibrated are
those that were made.
"""

from dataclasses import dataclass, fields

import numpy as np

from gridroom.dso.forecasting.layout import CLASSES, RECENT, WEEKDAYS, Layout, Mask, Reals

AVERAGES = 3
"""Averages of the load in the mix: fast, slow, weekly."""

PARTS = AVERAGES + 2
"""Rows of the mix: the averages, what the kernel took from the weekly one, and the average error of a day."""

HIGHS = 28
"""Days whose highest errors are remembered."""

CRITERIA = 3


@dataclass(frozen=True)
class State:
    """What was learned of S series, in the unit of their load; what was never seen is NaN.

    Attributes:
        fast: Average load per time of day, shape (slots, S).
        slow: The same, remembered longer.
        week: Average load per day of the week and time of day, shape (7, slots, S).
        mix: The three as read for the next block at that time of day, how far the time of the week itself is above the
            third, and the average error of the last day, shape (5, slots, S).
        day: Average squared error of a forecast of the day ahead, shape (slots, S).
        near: The same of a forecast of the block in force.
        day_long: As `day`, remembered longer.
        near_long: As `near`, remembered longer.
        scale_day: Scale of the error of the next block at that time of day, forecast the day ahead, shape (slots, S).
        scale_near: The same of the block in force.
        peak: Slowly forgotten highest load per time of day, shape (slots, S).
        ring: What was recent after each of the last blocks: average errors, average squared error,
            shape (ring, RECENT, S).
        highs: Highest error of each of the last days, shape (28, S).
        top: Mean of the three highest of them, shape (S,).
        level: Mean of the series, shape (S,).
        square: Mean of its square, shape (S,).
        learned: Blocks learned, shape (S,).
        gap: Blocks since one was measured, shape (S,).
        start: Load learned on the first day, and what the shape of the others made expect, shape (2, S).
        theta: Logarithm of the series' own factor of the margin, shape (3 criteria, 5 classes, S).
        errors: Errors of the last hour by lead, shape (hour, near + 1, S).
        scales: Their scales, shape (hour, near + 1, S).
    """

    fast: Reals
    slow: Reals
    week: Reals
    mix: Reals
    day: Reals
    near: Reals
    day_long: Reals
    near_long: Reals
    scale_day: Reals
    scale_near: Reals
    peak: Reals
    ring: Reals
    highs: Reals
    top: Reals
    level: Reals
    square: Reals
    learned: Reals
    gap: Reals
    start: Reals
    theta: Reals
    errors: Reals
    scales: Reals

    @staticmethod
    def shapes(layout: Layout) -> dict[str, tuple[int, ...]]:
        """Shape of each part for one series."""
        n = layout.slots
        return {
            "week": (WEEKDAYS, n),
            "mix": (PARTS, n),
            "ring": (layout.ring, RECENT),
            "highs": (HIGHS,),
            "start": (2,),
            "theta": (CRITERIA, CLASSES),
            "errors": (layout.hour, layout.near + 1),
            "scales": (layout.hour, layout.near + 1),
            **dict.fromkeys(("top", "level", "square", "learned", "gap"), ()),
            **dict.fromkeys(("fast", "slow", "day", "near", "day_long", "near_long"), (n,)),
            **dict.fromkeys(("scale_day", "scale_near", "peak"), (n,)),
        }

    @classmethod
    def empty(cls, layout: Layout, series: int) -> "State":
        """Nothing learned yet."""
        zero = ("ring", "highs", "top", "level", "square", "learned", "gap", "start", "theta")
        return cls(
            **{
                name: np.full((*shape, series), 0.0 if name in zero else np.nan, dtype=np.float32)
                for name, shape in cls.shapes(layout).items()
            }
        )

    @property
    def series(self) -> int:
        """How many series."""
        return int(self.level.shape[0])

    @property
    def sigma(self) -> Reals:
        """Standard deviation of each series, shape (S,)."""
        sigma: Reals = np.sqrt(np.maximum(self.square - self.level**2, 0.0))
        return sigma

    @property
    def days(self) -> Reals:
        """Days learned, shape (S,)."""
        return self.learned / np.float32(self.fast.shape[0])

    def take(self, which: Mask) -> "State":
        """A copy of some of the series."""
        return State(**{one.name: getattr(self, one.name)[..., which] for one in fields(self)})

    def put(self, which: Mask, other: "State") -> None:
        """Write some of the series back, in place."""
        for one in fields(self):
            getattr(self, one.name)[..., which] = getattr(other, one.name)

    def pack(self) -> Reals:
        """All of it as one array, shape (rows, S)."""
        return np.concatenate([getattr(self, one.name).reshape(-1, self.series) for one in fields(self)])

    @classmethod
    def unpack(cls, layout: Layout, rows: Reals) -> "State":
        """The opposite of `pack`.

        Raises:
            ValueError: It was packed for another length of block.
        """
        shapes, parts, at, series = cls.shapes(layout), {}, 0, rows.shape[1]
        for one in fields(cls):
            shape = shapes[one.name]
            size = int(np.prod(shape))
            parts[one.name] = rows[at : at + size].reshape(*shape, series).astype(np.float32)
            at += size
        if at != rows.shape[0]:
            raise ValueError(f"a state of {rows.shape[0]} rows, not {at}, as blocks of {layout.block} have")
        return cls(**parts)
