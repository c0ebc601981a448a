"""Amounts per phase that change in steps over time: exact arithmetic under the capacity book."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.oscp.v10.blocks import UNKNOWN, Span
from gridroom.timegrid import EPOCH

Ints = NDArray[np.int64]
MICRO = timedelta(microseconds=1)


def micros(moment: datetime) -> int:
    """Whole microseconds since 1970."""
    return (moment - EPOCH) // MICRO


@dataclass(frozen=True, eq=False)
class Steps:
    """A step function of time.

    Attributes:
        edges: Rising moments, shape (m + 1,). [µs since 1970]
        values: Amount between two edges, shape (3, m), `UNKNOWN` where nothing is said. [0.01 A]
    """

    edges: Ints
    values: Ints

    @property
    def end(self) -> datetime | None:
        """The last edge. [UTC]"""
        return EPOCH + int(self.edges[-1]) * MICRO if self.edges.size else None

    @property
    def start(self) -> datetime | None:
        """The first edge. [UTC]"""
        return EPOCH + int(self.edges[0]) * MICRO if self.edges.size else None

    def sample(self, at: Ints) -> Ints:
        """Amounts at moments, shape (3, moments); `UNKNOWN` outside.

        >>> from gridroom.oscp.v10.blocks import Span
        >>> noon = datetime.fromisoformat("2026-01-01T12:00Z")
        >>> one = of([Span(noon, noon + timedelta(minutes=1), (5, None, 7))])
        >>> one.sample(np.array([micros(noon), micros(noon) + 60_000_000])).tolist()
        [[5, -1], [-1, -1], [7, -1]]
        """
        m = self.values.shape[1]
        if m == 0:
            return np.full((3, at.size), UNKNOWN, dtype=np.int64)
        found = np.searchsorted(self.edges, at, side="right") - 1
        inside = (found >= 0) & (found < m)
        return np.where(inside, self.values[:, np.clip(found, 0, m - 1)], UNKNOWN)


def of(spans: Iterable[Span]) -> Steps:
    """Steps out of spans without overlap; gaps and None become `UNKNOWN`."""
    edges: list[int] = []
    values: list[tuple[int, ...]] = []
    for span in sorted(spans, key=lambda s: s.start):
        start, end = micros(span.start), micros(span.end)
        if edges and start > edges[-1]:
            values.append((UNKNOWN,) * 3)
            edges.append(start)
        elif not edges:
            edges.append(start)
        values.append(tuple(UNKNOWN if v is None else v for v in span.amounts))
        edges.append(end)
    return Steps(np.array(edges, dtype=np.int64), np.array(values, dtype=np.int64).reshape(-1, 3).T.copy())


NOTHING = Steps(np.empty(0, dtype=np.int64), np.empty((3, 0), dtype=np.int64))
"""Says nothing at any time."""


def union(edges: Iterable[Ints]) -> Ints:
    """All edges in order, once."""
    return np.unique(np.concatenate([np.asarray(e, dtype=np.int64) for e in edges]))


def least(a: Ints, b: Ints) -> Ints:
    """The smaller where both are known, the known one where one is."""
    return np.where(a == UNKNOWN, b, np.where(b == UNKNOWN, a, np.minimum(a, b)))
