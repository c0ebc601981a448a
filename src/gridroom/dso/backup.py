"""Backup capacity: granted first come, first served, and filled by what is given back.

Never more is granted than there is beside what the others may still hold, and never more given back than was assigned.
One CSO does not take more than its share of the reserve long before it is needed; what is left shortly before use is
for whoever asks. Source: OSCP 1.0 section 3.2.5.
"""

from dataclasses import dataclass

import numpy as np

from gridroom.dso.allocation import MILLION, Division
from gridroom.oscp.v10.blocks import Span
from gridroom.storage.columns import Ints


@dataclass(frozen=True)
class Room:
    """What one CSO's wishes are held against; its arrays are changed as grants are made.

    Attributes:
        own: Its allotment, shape (3, n). [0.01 A]
        free: What can be granted to it, shape (3, n). [0.01 A]
        pool: Backup that is there, shown as what remains, shape (3, n). [0.01 A]
    """

    own: Ints
    free: Ints
    pool: Ints


def room(available_ca: Ints, division: Division, held_ca: Ints, index: int, cap_ppm: int, near: int) -> Room:
    """What can be granted to one CSO.

    Args:
        available_ca: Shape (3, n). [0.01 A]
        division: The division in force.
        held_ca: The most that each CSO may hold, shape (p, 3, n). [0.01 A]
        index: Which CSO.
        cap_ppm: Share of the reserve that one CSO may take, in millionths; others' give-backs come on top.
        near: Number of first blocks for which that share does not count.
    """
    most = np.maximum(held_ca, division.allotment)
    left = np.maximum(available_ca - most.sum(axis=0), 0)
    returned = np.maximum(division.base - division.allotment, 0)
    cap = division.reserve * (cap_ppm if len(held_ca) > 1 else MILLION) // MILLION
    cap = cap + returned.sum(axis=0) - returned[index]
    taken = np.maximum(division.allotment[index] - division.base[index], 0)
    own_back = np.maximum(division.base[index] - division.allotment[index], 0)
    allowed = np.maximum(cap - taken + own_back, 0)
    allowed[:, :near] = left[:, :near]
    return Room(division.allotment[index].copy(), np.minimum(left, allowed), division.pool.copy())


def serve(room: Room, asked: Span, cells: slice, whole: slice, *, uniform: bool) -> tuple[tuple[int, ...], Ints]:
    """Grant, or take back, one block of a request, changing the room in place.

    Args:
        room: What the CSO has and may get.
        asked: The signed change asked for; None on a phase is no change.
        cells: Blocks of the grid that the span touches and that are not over.
        whole: Blocks that lie wholly in the span: only those are given back.
        uniform: One value was asked for all phases, so one value is answered.

    Returns:
        What was assigned per phase [0.01 A], and what remains of the backup then, shape (3,). [0.01 A]
    """
    wish = np.array([0 if value is None else value for value in asked.amounts], dtype=np.int64)
    nothing = cells.stop <= cells.start
    more = np.zeros(3, dtype=np.int64) if nothing else np.minimum(np.maximum(wish, 0), room.free[:, cells].min(axis=1))
    empty = whole.stop <= whole.start
    less = np.zeros(3, dtype=np.int64) if empty else np.minimum(np.maximum(-wish, 0), room.own[:, whole].min(axis=1))
    if uniform:
        more, less = np.full(3, more.min()), np.full(3, less.min())
    room.own[:, cells] += more[:, None]
    room.free[:, cells] -= more[:, None]
    room.pool[:, cells] -= more[:, None]
    room.own[:, whole] -= less[:, None]
    room.pool[:, whole] += less[:, None]
    remaining = np.zeros(3, dtype=np.int64) if nothing else np.maximum(room.pool[:, cells].min(axis=1), 0)
    return tuple(int(value) for value in more - less), remaining
