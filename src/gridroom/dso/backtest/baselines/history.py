"""Everything that was observed, block by block."""

import numpy as np

from gridroom.dso.backtest.grid import Amps
from gridroom.dso.backtest.method import Reals


class History:
    """A table that grows by a row per block.

    >>> history = History(2)
    >>> history.append(np.array([1.0, 2.0]))
    >>> history.span(-1, 1).tolist()
    [[nan, nan], [1.0, 2.0]]
    """

    def __init__(self, series: int) -> None:
        self._rows = np.empty((4096, series), dtype=np.float32)
        self.blocks = 0

    def append(self, load: Reals) -> None:
        """Take in a block, shape (series,). [A]"""
        if self.blocks == len(self._rows):
            self._rows = np.concatenate([self._rows, np.empty_like(self._rows)])
        self._rows[self.blocks] = load
        self.blocks += 1

    def span(self, first: int, end: int) -> Amps:
        """Blocks from `first` up to `end`, shape (end - first, series); NaN before the beginning. [A]

        Raises:
            IndexError: A block was not observed yet.
        """
        if end > self.blocks:
            raise IndexError(f"block {end - 1} of {self.blocks} was not observed yet")
        rows = self._rows[max(0, first) : max(0, end)]
        if first >= 0:
            return rows
        before = np.full((min(end, 0) - first, rows.shape[1]), np.nan, dtype=np.float32)
        return np.concatenate([before, rows])
