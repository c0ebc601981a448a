"""What all series share: how forecasts are mixed, the shape of a day, and scores. Sums of a day, kept day by day.

A day's sums come from every series that could be learned; what is used on a day comes from the days before it.
"""

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.forecasting import hours, lean
from gridroom.dso.forecasting.calendar import Cell
from gridroom.dso.forecasting.layout import CLASSES, MEMORIES, Layout, Mask, Reals
from gridroom.dso.forecasting.learn import USUAL, Mixing
from gridroom.dso.forecasting.scores import BINS, CRITERIA, Counts, Factors, paced
from gridroom.dso.forecasting.state import PARTS, State

Doubles = NDArray[np.float64]

WARM_DAYS = 7
"""Days after which a series tells something of the others."""

HALF_LIFE = 60
"""Days after which a day's sums count half."""

QUICK = ("lean", "hours")
"""Sums that count half after half of that: they tell of the scale."""

FLAT = 0.2
"""Least spread of a series, as a share of its level, where mixing is learned: a flat one says little of it."""

ODD = 30.0
"""Spreads from the level of a series, from which on a load says nothing of the others: an idle cable is switched on."""

RIDGE, RIDGE_BLOCKS = 0.001, 300.0
"""How strongly the weights are drawn to the usual ones: a share of the blocks seen, and so many blocks."""

LEAST_SEEN = 100
"""Series and days per time of day from which the shape of a day is known."""

PANEL = 1000
"""Series, spread evenly, whose sums are taken."""


@dataclass(frozen=True)
class Sums:
    """What the series of a fleet added to what they share; additive.

    Attributes:
        blocks: Blocks times series that were summed.
        mixed: Products of the parts of the mix with each other, over the variance of the series, shape (5, 5).
        mixed_load: Products of the parts of the mix with the load, shape (5,).
        late: Products of recent errors with each other, per near lead, shape (near, 4, 4).
        late_error: Products of recent errors with the error, shape (near, 4).
        seen: Series seen per time of day, shape (slots,).
        share: Sum of load / limit per time of day, shape (slots,).
        square: Sum of its square, shape (slots,).
        related: Series seen per time of day since their shape is known, shape (slots,).
        relative: Sum of the squared difference from the series' own level times the shape, over that level.
        lean: What the scale leans on, see `lean.SHAPE`.
        hours: How high scores are spread over the day, see `hours.shape`.
    """

    blocks: Doubles
    mixed: Doubles
    mixed_load: Doubles
    late: Doubles
    late_error: Doubles
    seen: Doubles
    share: Doubles
    square: Doubles
    related: Doubles
    relative: Doubles
    lean: Doubles
    hours: Doubles

    @classmethod
    def zero(cls, layout: Layout) -> "Sums":
        """Nothing yet."""
        near, memories = layout.near, len(MEMORIES)
        seen, share, square, related, relative = np.zeros((5, layout.slots))
        return cls(
            np.zeros(()),
            np.zeros((PARTS, PARTS)),
            np.zeros(PARTS),
            np.zeros((near, memories, memories)),
            np.zeros((near, memories)),
            *(seen, share, square, related, relative),
            np.zeros(lean.SHAPE),
            np.zeros(hours.shape(layout)),
        )

    def blank(self) -> "Sums":
        """Nothing yet, for blocks of the same length."""
        return Sums(*(np.zeros_like(getattr(self, one.name)) for one in fields(self)))

    def then(self, day: "Sums") -> "Sums":
        """These sums, faded by a day, and those of the day after."""
        keep = 0.5 ** (1 / HALF_LIFE)
        keeps = {one.name: keep**2 if one.name in QUICK else keep for one in fields(self)}
        return Sums(**{name: share * getattr(self, name) + getattr(day, name) for name, share in keeps.items()})

    def pack(self) -> Doubles:
        """All of it as one row."""
        return np.concatenate([np.ravel(getattr(self, one.name)) for one in fields(self)])

    @classmethod
    def unpack(cls, row: Doubles, layout: Layout) -> "Sums":
        """The opposite of `pack`."""
        blank, parts, at = cls.zero(layout), [], 0
        for one in fields(cls):
            shape = getattr(blank, one.name).shape
            size = int(np.prod(shape))
            parts.append(row[at : at + size].reshape(shape).copy())
            at += size
        return cls(*parts)


@dataclass(frozen=True)
class Shape:
    """How the load of a cable usually goes through the day, as a share of its limit; all of shape (slots,).

    Attributes:
        mean: Average.
        variance: Average squared difference from it, over all series and days.
        relative: The same where the level of the series is known, as a share of the level.
    """

    mean: Reals
    variance: Reals
    relative: Reals


@dataclass(frozen=True)
class Pool:
    """What was summed so far.

    Attributes:
        total: Sums of the days before, faded.
        today: Sums of the day that is open.
        counts: Scores of the last 28 days before, shape (3 criteria, 5 classes, BINS).
        scored: Scores of the day that is open, same shape.
        pace: Logarithm of what the asked risk is multiplied by, since what was realised differs, shape (3, 5).
    """

    total: Sums
    today: Sums
    counts: Counts
    scored: Counts
    pace: Doubles

    @classmethod
    def empty(cls, layout: Layout) -> "Pool":
        """Nothing yet."""
        shape = (len(CRITERIA), CLASSES)
        zero = np.zeros((*shape, BINS), dtype=np.int64)
        return cls(Sums.zero(layout), Sums.zero(layout), zero, zero.copy(), np.zeros(shape))

    def turn(self, oldest: Counts | None) -> "Pool":
        """The next day begins.

        Args:
            oldest: Scores of the day that lies 28 days back, which are forgotten.
        """
        counts = self.counts + self.scored - (0 if oldest is None else oldest)
        pace = paced(self.pace, self.counts, self.scored)
        return Pool(self.total.then(self.today), self.today.blank(), counts, np.zeros_like(counts), pace)

    def common(self) -> "Common":
        """What follows from it for the day that is open."""
        factors = Factors.of(self.counts, self.pace)
        return Common(self._mixing(), self._shape(), factors, hours.factors(self.total.hours))

    def _mixing(self) -> Mixing:
        sums = self.total
        pull = RIDGE * sums.blocks + RIDGE_BLOCKS
        day = np.linalg.solve(sums.mixed + pull * np.eye(PARTS), sums.mixed_load + pull * USUAL)
        eye = pull * np.eye(len(MEMORIES))
        late = [np.linalg.solve(a + eye, b) for a, b in zip(sums.late, sums.late_error, strict=True)]
        return Mixing(day.astype(np.float32), np.array(late, dtype=np.float32), lean.weights(self.total.lean))

    def _shape(self) -> Shape | None:
        sums = self.total
        if (sums.seen < LEAST_SEEN).any():
            return None
        mean = sums.share / sums.seen
        variance = np.maximum(sums.square / sums.seen - mean**2, 0)
        relative = sums.relative / np.maximum(sums.related, 1)
        if (sums.related < LEAST_SEEN).any():  # not known yet: as wide as all series together
            relative = np.maximum(relative, variance / max(float(mean.mean()) ** 2, 1e-9))
        return Shape(*(one.astype(np.float32) for one in (mean, variance, relative)))


@dataclass(frozen=True)
class Common:
    """What all series share on a day.

    Attributes:
        mixing: How forecasts are mixed.
        shape: That of a day; None until others were seen for a while.
        factors: Those of the margin.
        hours: Logarithms of factors on the scale by time of day, see `hours.factors`, shape (4, slots).
    """

    mixing: Mixing
    shape: Shape | None
    factors: Factors
    hours: Reals


def panel(series: int) -> Mask:
    """The series whose sums are taken, spread evenly, shape (series,)."""
    every = -(-series // PANEL)
    return np.arange(series) % every == 0 if series else np.zeros(0, dtype=bool)


def gather(
    layout: Layout, state: State, common: Common, cell: Cell, load: Reals, limit: Reals, heard: Mask, into: Sums
) -> None:
    """Add a block to the sums, in place, before it is taken in.

    Args:
        layout: The length of block.
        state: What was learned before it.
        common: What is shared.
        cell: The block.
        load: Shape (S,); NaN where not measured.
        limit: Limit of each series, shape (S,).
        heard: Series whose sums are taken, shape (S,); see `panel`.
        into: The sums of the day.
    """
    known = heard & ~np.isnan(load) & (state.learned > WARM_DAYS * layout.slots) & (state.level > 0) & (limit > 0)
    spread = np.maximum(state.sigma, np.float32(FLAT) * state.level)
    known &= np.abs(load - state.level) < ODD * spread
    mix = state.mix[:, cell.slot]
    known &= ~np.isnan(mix).any(axis=0)
    if not known.any():
        return
    scale = 1 / spread[known]
    parts, load_ = mix[:, known] * scale, load[known] * scale
    error = load_ - common.mixing.day @ parts
    into.blocks[...] += parts.shape[1]
    into.mixed[...] += parts @ parts.T
    into.mixed_load[...] += parts @ load_
    late = (cell.number - np.arange(1, layout.near + 1)) % layout.ring
    then = state.ring[late, :-1][:, :, known] * scale
    into.late[...] += then @ then.transpose(0, 2, 1)
    into.late_error[...] += then @ error
    share = load[known] / limit[known]
    into.seen[cell.slot] += share.size
    into.share[cell.slot] += share.sum(dtype=np.float64)
    into.square[cell.slot] += (share**2).sum(dtype=np.float64)
    if common.shape is not None:
        level = state.level[known]
        usual = level * common.shape.mean[cell.slot] / common.shape.mean.mean()
        into.related[cell.slot] += share.size
        into.relative[cell.slot] += (((load[known] - usual) / level) ** 2).sum(dtype=np.float64)
