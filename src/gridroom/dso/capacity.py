"""Capacity for controllable load: the limit less the forecast less the margin.

Back-feed is never sold: a negative load counts as none, so nothing above the limit is ever offered.
"""

import numpy as np
from numpy.typing import NDArray

from gridroom.storage.columns import Ints

Reals = NDArray[np.float64]


def available(limit_ca: Ints, forecast_ca: Reals, margin_ca: Reals) -> Ints:
    """Capacity left for controllable load, rounded down, within [0, limit].

    Args:
        limit_ca: Limit of the cable, shape (3,). [0.01 A]
        forecast_ca: Non-controllable load, shape (3, n). [0.01 A]
        margin_ca: Safety margin, shape (3, n). [0.01 A]

    Returns:
        Shape (3, n). [0.01 A]

    >>> available(np.array([100, 100, 100]), np.array([[30.], [-50.], [99.]]), np.array([[0.5], [10.], [5.]])).tolist()
    [[69], [100], [0]]
    """
    limit = np.asarray(limit_ca, dtype=np.int64)[:, None]
    load = np.ceil(np.maximum(forecast_ca + margin_ca, 0.0))
    left = np.where(np.isfinite(load), limit - np.where(np.isfinite(load), load, 0), 0)
    return np.clip(left, 0, limit).astype(np.int64)


def released(available_ca: Ints, brake_ca: Ints, share: Reals) -> Ints:
    """Capacity after a measured overload: held at the brake's value, then released in a straight line.

    Args:
        available_ca: Capacity without the brake, shape (3, n). [0.01 A]
        brake_ca: What all CSOs together may use at first, shape (3,). [0.01 A]
        share: Share released per block, in [0, 1], shape (n,).

    >>> released(np.array([[100, 100, 100]] * 3), np.array([0, 40, 200]), np.array([0.0, 0.5, 1.0]))[:2].tolist()
    [[0, 50, 100], [40, 70, 100]]
    """
    low = np.minimum(available_ca, np.asarray(brake_ca, dtype=np.int64)[:, None])
    return low + np.floor((available_ca - low) * np.clip(share, 0.0, 1.0)).astype(np.int64)
