"""Division of what is available over the CSOs with a contract, and what may be sent while others still hold more.

All arrays are whole hundredths of an ampere, rounded down, so what is divided plus the backup never exceeds what there
is. The rule is open: shares by contracted capacity, less what was given back, plus what was granted.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridroom.storage.columns import Ints

MILLION = 1_000_000


@dataclass(frozen=True)
class Division:
    """What each CSO may use, and what nobody has.

    Attributes:
        base: Share by contract, shape (p, 3, n). [0.01 A]
        allotment: After give-backs and grants, shape (p, 3, n). [0.01 A]
        reserve: Backup set aside before the division, shape (3, n). [0.01 A]
        pool: Backup that is there now: reserve and rounding, plus given back, less granted, shape (3, n). [0.01 A]
    """

    base: Ints
    allotment: Ints
    reserve: Ints
    pool: Ints


def reserve_of(available_ca: Ints, backup_ppm: int, lowered_ca: Ints) -> Ints:
    """What is set aside as backup; what a brake takes comes out of it first.

    Args:
        available_ca: Without a brake, shape (3, n). [0.01 A]
        backup_ppm: Share kept as backup, in millionths.
        lowered_ca: With the brake, shape (3, n). [0.01 A]

    >>> reserve_of(np.array([100, 100]), 200_000, np.array([100, 90])).tolist()
    [20, 10]
    """
    return np.maximum(available_ca * backup_ppm // MILLION - (available_ca - lowered_ca), 0)


def divide(available_ca: Ints, weights: Sequence[int], adjustments_ca: Ints, reserve_ca: Ints) -> Division:
    """Divide what is available.

    Args:
        available_ca: Shape (3, n). [0.01 A]
        weights: Contracted capacity per CSO.
        adjustments_ca: Sum of grants (positive) and give-backs (negative) per CSO, shape (p, 3, n). [0.01 A]
        reserve_ca: What is kept as backup, at most what is available, shape (3, n). [0.01 A]

    Where the grants no longer fit they are cut in proportion.
    """
    total = sum(weights)
    reserve = np.minimum(reserve_ca, available_ca)
    shares = np.array(weights, dtype=np.int64).reshape(-1, 1, 1)
    base = (available_ca - reserve) * shares // max(total, 1)
    kept = base + np.maximum(np.minimum(adjustments_ca, 0), -base)
    extra = np.maximum(adjustments_ca, 0)
    room, wanted = available_ca - kept.sum(axis=0), extra.sum(axis=0)
    granted = np.where(wanted > room, extra * room // np.maximum(wanted, 1), extra)
    allotment = kept + granted
    return Division(base, allotment, reserve, available_ca - allotment.sum(axis=0))


def sendable(available_ca: Ints, target_ca: Ints, held_ca: Ints, doubtful: NDArray[np.bool_]) -> Ints:
    """What each CSO may be told now: reductions at once, raises only once they are paid for.

    A raise must fit beside what the others may still hold. A CSO in doubt (a forecast without answer) is reckoned to
    hold what it may have got, even against a reduction of the others; and since it may as well hold less, whatever it
    is told counts as a raise.

    Args:
        available_ca: Shape (3, n). [0.01 A]
        target_ca: The allotments, shape (p, 3, n). [0.01 A]
        held_ca: The most that each may hold by what was sent and acknowledged, shape (p, 3, n). [0.01 A]
        doubtful: Shape (p,).
    """
    most = np.maximum(held_ca, target_ca)
    certain = np.where(doubtful[:, None, None], most, target_ca)
    beside_certain = np.maximum(available_ca - (certain.sum(axis=0) - certain), 0)
    beside_most = np.maximum(available_ca - (most.sum(axis=0) - most), 0)
    wanted = np.minimum(target_ca, beside_certain)
    surely = np.where(doubtful[:, None, None], 0, held_ca)
    told: Ints = np.where(wanted > surely, np.maximum(surely, np.minimum(wanted, beside_most)), wanted)
    return told


def explain(weights: dict[str, int], backup_ppm: int, division: Division) -> dict[str, object]:
    """Why each got what it got, for the records: the rule, the weights, and what the first block came to."""
    parties = list(weights)
    return {
        "rule": "by contracted capacity, less given back, plus granted",
        "weights": weights,
        "backup_share": backup_ppm / MILLION,
        "first_block": {
            "backup_ca": division.pool[:, 0].tolist(),
            **{party: division.allotment[i, :, 0].tolist() for i, party in enumerate(parties)},
        },
        "adjusted_blocks": {
            party: int((division.allotment[i] != division.base[i]).any(axis=0).sum()) for i, party in enumerate(parties)
        },
    }
