"""From whole numbers on a planning grid to the blocks of a message, as the peer wants them."""

import itertools
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
from numpy.typing import NDArray

from gridroom.oscp.v10.messages import ForecastedBlock, ValueType
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.spans import PHASES

FINE = timedelta(hours=2)
"""How long a forecast of shape `tail` states every block. Source: OSCP 1.0 footnote 1."""

COARSE = timedelta(hours=2)
"""Length of the blocks after that."""

Grid = NDArray[np.int64]
"""Whole numbers, shape (3, blocks). [0.01 A]"""


def amounts(values_ca: Sequence[int], profile: PeerProfile) -> tuple[ValueType, ...]:
    """Write one amount per phase as the peer wants it.

    >>> [str(v.value) for v in amounts((2400, 1650, 2400), PeerProfile())]
    ['16.50']
    >>> [(v.phase, str(v.value)) for v in amounts((2400, 1650, 2400), PeerProfile(phases="per-phase"))]
    [(1, '24.00'), (2, '16.50'), (3, '24.00')]

    Source: decisions 5 and 34.
    """
    values = [int(v) for v in values_ca]
    if profile.phases == "smallest" or len(set(values)) == 1:
        return (ValueType(_decimal(min(values))),)
    return tuple(ValueType(_decimal(v), "A", p) for p, v in zip(PHASES, values, strict=True))


def forecast_blocks(
    start: datetime, block: timedelta, limits_ca: Grid, remaining_ca: Grid, profile: PeerProfile
) -> tuple[ForecastedBlock, ...]:
    """Write a grid of limits as forecast blocks in the peer's shape.

    Args:
        start: Start of the first cell. [UTC]
        block: Length of a cell.
        limits_ca: Allotment, shape (3, n). [0.01 A]
        remaining_ca: Backup capacity, shape (3, n). [0.01 A]
        profile: `full` writes every block, `merged` joins equal neighbours, `tail` writes two fine hours and then
            coarse blocks, each the minimum of what it covers.

    Source: OSCP 1.0 section 3.2.3 and footnote 1; decision 14.
    """
    n = limits_ca.shape[1]
    if profile.shape == "tail":
        fine, coarse = min(n, FINE // block), max(1, COARSE // block)
        edges = [*range(fine), *range(fine, n, coarse), n]
    elif profile.shape == "merged":
        both = np.concatenate([limits_ca, remaining_ca])
        changes = np.flatnonzero(np.any(both[:, 1:] != both[:, :-1], axis=0)) + 1
        edges = [0, *(int(c) for c in changes), n]
    else:
        edges = list(range(n + 1))
    return tuple(
        ForecastedBlock(
            start + a * block,
            start + b * block,
            amounts(limits_ca[:, a:b].min(axis=1).tolist(), profile),
            amounts(remaining_ca[:, a:b].min(axis=1).tolist(), profile),
        )
        for a, b in itertools.pairwise(edges)
    )


def _decimal(value_ca: int) -> Decimal:
    return Decimal(value_ca).scaleb(-2)
