"""Readings become sums per block. What was measured first stays, and no slice counts twice.

A meter may repeat itself; who tells something else of the same time is told so. (A value can be compared where nothing
else of its block was measured before, or where it comes in the same delivery; elsewhere a difference goes unnoticed.)
"""

from dataclasses import dataclass
from enum import IntEnum

import numpy as np

from gridroom.dso.readings.measurements import ENOUGH, SLICES, Bools, Series
from gridroom.storage.columns import Ints


class Verdict(IntEnum):
    """What becomes of a reading."""

    STORED = 0
    REPEATED = 1
    CONTRADICTED = 2
    OVERLAPPING = 3
    """With a part of what was measured before."""
    LATE = 4
    """Its block counts already and was learned."""


@dataclass(frozen=True)
class Pieces:
    """Readings cut at the borders of blocks, shape (p,) each.

    Attributes:
        owner: Number of the reading.
        cell: Number of the block.
        bits: Which slices of the block.
        number: How many they are.
    """

    owner: Ints
    cell: Ints
    bits: Ints
    number: Ints


def pieces(first: Ints, count: Ints) -> Pieces:
    """Cut runs of slices at the borders of blocks.

    Args:
        first: First slice, counted from the start of block 0, shape (m,).
        count: Number of slices, at least 1, shape (m,).

    >>> cut = pieces(np.array([14]), np.array([3]))
    >>> cut.cell.tolist(), [bin(bits) for bits in cut.bits], cut.number.tolist()
    ([0, 1], ['0b100000000000000', '0b11'], [1, 2])
    """
    end = first + count
    one, last = first // SLICES, (end - 1) // SLICES
    each = last - one + 1
    owner = np.repeat(np.arange(len(first)), each)
    cell = np.arange(len(owner)) - np.repeat(np.cumsum(each) - each, each) + one[owner]
    a = np.maximum(first[owner] - cell * SLICES, 0)
    b = np.minimum(end[owner] - cell * SLICES, SLICES)
    return Pieces(owner, cell, ((1 << (b - a)) - 1) << a, b - a)


def merge(series: Series, start: int, sums: Ints, masks: Ints, closed: int = 0) -> Ints:
    """Add readings to sums per block, in place, as if they came one after the other.

    Args:
        series: All within the blocks given, all possible currents.
        start: Number of the first block, counted from 1970.
        sums: Sum of current over measured slices, shape (3, n). [0.01 A]
        masks: A bit per slice that was measured, shape (1, n).
        closed: So many blocks were learned or given up: where they count already, nothing is added any more.

    Returns:
        What became of each reading, a `Verdict`, shape (m,).
    """
    first, count, current = series.first - start * SLICES, series.count, series.current_ca
    if not len(first):
        return np.empty(0, dtype=np.int64)
    _, lead, twin_of = np.unique(first * (count.max() + 1) + count, return_index=True, return_inverse=True)
    tangled = _tangled(first[lead], count[lead])[twin_of]
    verdict = _judge(pieces(first, count), current, sums, masks, closed)
    stored = np.zeros(len(first), dtype=bool)
    stored[lead] = (verdict[lead] == Verdict.STORED) & ~tangled[lead]
    twins = ~tangled & ~stored & stored[lead[twin_of]]
    same = (current == current[:, lead[twin_of]]).all(axis=0)
    verdict[twins] = np.where(same, Verdict.REPEATED, Verdict.CONTRADICTED)[twins]
    _add(first[stored], count[stored], current[:, stored], sums, masks)
    if tangled.any():
        where = np.flatnonzero(tangled)
        verdict[where] = _one_by_one(first[where], count[where], current[:, where], sums, masks, closed)
    return verdict


def _tangled(first: Ints, count: Ints) -> Bools:
    """Which of several different runs, sorted by their first slice, overlap with another one."""
    reach = np.maximum.accumulate(first + count)
    fresh = np.ones(len(first), dtype=bool)
    fresh[1:] = first[1:] >= reach[:-1]
    group = np.cumsum(fresh) - 1
    several: Bools = np.bincount(group)[group] > 1
    return several


def _judge(cut: Pieces, current: Ints, sums: Ints, masks: Ints, closed: int) -> Ints:
    """What becomes of each reading by what was measured before it."""
    m = current.shape[1]
    known = masks[0, cut.cell]
    hit = known & cut.bits

    def any_of(which: Bools) -> Bools:
        found: Bools = np.bincount(cut.owner[which], minlength=m) > 0
        return found

    apart = np.abs(sums[:, cut.cell] - current[:, cut.owner] * cut.number) > cut.number  # beyond rounding
    verdict = np.zeros(m, dtype=np.int64)
    verdict[any_of((cut.cell < closed) & (np.bitwise_count(known) >= ENOUGH))] = Verdict.LATE
    verdict[any_of(hit != 0)] = Verdict.REPEATED
    touched = verdict == Verdict.REPEATED
    verdict[touched & any_of((known == cut.bits) & apart.any(axis=0))] = Verdict.CONTRADICTED
    verdict[touched & any_of(hit != cut.bits)] = Verdict.OVERLAPPING
    return verdict


def _add(first: Ints, count: Ints, current: Ints, sums: Ints, masks: Ints) -> None:
    cut = pieces(first, count)
    for phase in range(3):
        np.add.at(sums[phase], cut.cell, current[phase, cut.owner] * cut.number)
    np.bitwise_or.at(masks[0], cut.cell, cut.bits)


def _one_by_one(first: Ints, count: Ints, current: Ints, sums: Ints, masks: Ints, closed: int) -> Ints:
    """The same for readings that overlap with each other: in the order in which they came."""
    verdict, taken = np.empty(len(first), dtype=np.int64), dict[tuple[int, int], int]()
    cut = pieces(first, count)
    ends = np.searchsorted(cut.owner, np.arange(len(first) + 1)).tolist()
    for i, span in enumerate(zip(first.tolist(), count.tolist(), strict=True)):
        part = slice(ends[i], ends[i + 1])
        own = Pieces(np.zeros(ends[i + 1] - ends[i], dtype=np.int64), cut.cell[part], cut.bits[part], cut.number[part])
        found = Verdict(int(_judge(own, current[:, i : i + 1], sums, masks, closed)[0]))
        if found is Verdict.STORED:
            taken[span] = i
            _add(first[i : i + 1], count[i : i + 1], current[:, i : i + 1], sums, masks)
        elif found is Verdict.REPEATED and (current[:, taken.get(span, i)] != current[:, i]).any():
            found = Verdict.CONTRADICTED
        verdict[i] = found
    return verdict
