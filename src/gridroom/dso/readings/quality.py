"""What of the measurements may be believed: impossible and stuck values, and which blocks may be learned from.

Pure functions on arrays (3, n) of one cable. In doubt a value is not learned from, and a forecast made meanwhile counts
it as not measured, so that the cable wins.
"""

from datetime import timedelta

import numpy as np

from gridroom.dso.readings.measurements import LARGEST_CA, NOT_MEASURED, Bools, Flag
from gridroom.storage.columns import Ints

BEYOND = 3
"""A current above this multiple of the limit has long blown the fuse: it is no measurement."""

STUCK = timedelta(hours=12)
"""How long a phase repeats a value exactly until its meter is taken to be stuck.

Half a day, for a meter with steps of 1 A honestly repeats itself through a quiet night.
"""

DEAD = timedelta(hours=4)
"""The same for zero, on a phase that carries a load otherwise."""

USUAL = timedelta(days=1)
"""How long before, that tells whether a phase carries a load otherwise."""

CARRIES = 0.9
"""Share of them in which it must be more than zero."""

STUCK_ON = (Flag.STUCK_L1, Flag.STUCK_L2, Flag.STUCK_L3)
"""Flags of a stuck phase, in the order of the phases."""

SUSPECT = Flag.LATE | Flag.CONTRADICTED | Flag.IMPOSSIBLE | Flag.STUCK_L1 | Flag.STUCK_L2 | Flag.STUCK_L3 | Flag.COARSE
"""Flags of blocks that are not learned from."""

UNHEARD = Flag.LATE | Flag.COARSE
"""Of these, those of blocks that count as not measured at all."""


def impossible(current_ca: Ints, limit_ca: tuple[int, int, int] | None) -> Bools:
    """Which readings state more than can flow, shape (m,).

    Args:
        current_ca: Shape (3, m). [0.01 A]
        limit_ca: Per phase; None is unlimited. [0.01 A]

    >>> impossible(np.array([[30001, -30001, 0], [0, 0, 30000], [0, 0, 0]]), (10000, 10000, 0)).tolist()
    [True, True, False]
    """
    most = LARGEST_CA if limit_ca is None else min(BEYOND * max(limit_ca), LARGEST_CA)
    largest: Ints = np.abs(current_ca).max(axis=0)
    return largest > most


def stuck(load_ca: Ints, flags: Ints, block: timedelta) -> Bools:
    """Where a phase repeats itself: the whole run of equal blocks, once it lasts `STUCK`, or `DEAD` at zero.

    A run that goes on from a block that is flagged already is stuck whatever its length.

    Args:
        load_ca: Mean current, shape (3, n), `NOT_MEASURED` where unknown. [0.01 A]
        flags: Flags known so far, shape (n,).
        block: Length of a block.

    Returns:
        Shape (3, n).

    >>> load = np.array([[5, 7, 7, 7, 7, 6], [0, 0, 0, 0, 0, 0], [1, 2, 3, 4, 5, 6]])
    >>> stuck(load, np.zeros(6, dtype=int), timedelta(hours=3)).astype(int)[0].tolist()
    [0, 1, 1, 1, 1, 0]
    """
    found = np.zeros(load_ca.shape, dtype=bool)
    for phase, row in enumerate(load_ca):
        starts = np.flatnonzero(np.concatenate([[True], row[1:] != row[:-1]])[: len(row)])
        length = np.append(starts[1:], len(row)) - starts
        value, flagged = row[starts], flags & int(STUCK_ON[phase])
        if not flagged.any() and not ((length >= -(-DEAD // block)) & (value != NOT_MEASURED)).any():
            continue  # so it is nearly always
        dead = (length >= -(-DEAD // block)) & _carried(row, starts, USUAL // block)
        long: Bools = np.where(value == 0, dead, length >= -(-STUCK // block))
        before = np.maximum.reduceat(flagged, starts) > 0
        found[phase] = np.repeat((value != NOT_MEASURED) & (long | before), length)
    return found


def _carried(row: Ints, starts: Ints, day: int) -> Bools:
    """Whether a phase carried a load in nearly all of so many blocks before each start, shape as `starts`."""
    known = np.concatenate([[0], np.cumsum(row != NOT_MEASURED)])
    loaded = np.concatenate([[0], np.cumsum((row != NOT_MEASURED) & (row != 0))])
    since = np.maximum(starts - day, 0)
    seen = known[starts] - known[since]
    carried: Bools = (seen * 2 >= day) & (loaded[starts] - loaded[since] >= CARRIES * seen)
    return carried


def usable(flags: Ints) -> Bools:
    """Which blocks may be learned from, shape as `flags`.

    >>> usable(np.array([0, Flag.REPEATED | Flag.GAP, Flag.LATE, Flag.STUCK_L2])).tolist()
    [True, True, False, False]
    """
    may: Bools = (flags & int(SUSPECT)) == 0
    return may


def trusted(load_ca: Ints, flags: Ints) -> Ints:
    """The load as it may be followed: `NOT_MEASURED` on stuck phases, and whole where it came late or is coarse.

    What came late was not known when it mattered; whoever rebuilds the state from history must not know it either. The
    mean of more than a block says nothing of the highest block in it: whoever followed it would be sure of too much.

    Args:
        load_ca: Shape (3, n). [0.01 A]
        flags: Shape (n,).
    """
    off = np.array([(flags & int(flag | UNHEARD)) != 0 for flag in STUCK_ON])
    return np.where(off, NOT_MEASURED, load_ca)
