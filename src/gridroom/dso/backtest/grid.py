"""Rows of a file laid on a grid of blocks: what is missing, doubled or beside the grid is told, and never counted."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.cables import Finding
from gridroom.timegrid import EPOCH

Amps = NDArray[np.float32]
Ints = NDArray[np.int64]
Bools = NDArray[np.bool_]

MICROSECOND = timedelta(microseconds=1)
HOUR_US = timedelta(hours=1) // MICROSECOND
MINUTE_US = timedelta(minutes=1) // MICROSECOND

LARGEST_A = 100_000.0
"""Beyond this a current is no current of a cable. [A]"""

THINNEST = 20
"""Most blocks per row of the file; more, and a time in it must be wrong."""


@dataclass(frozen=True)
class Loads:
    """Series of loads, all over the same blocks.

    Attributes:
        names: Their names.
        start: Start of the first block. [UTC]
        block: Length of a block.
        amps: Mean current, shape (blocks, series); NaN where it was not measured; negative is back-feed. [A]
        findings: What was odd in the file.
    """

    names: tuple[str, ...]
    start: datetime
    block: timedelta
    amps: Amps
    findings: tuple[Finding, ...] = ()

    @property
    def blocks(self) -> int:
        """Number of blocks."""
        return len(self.amps)

    def time(self, index: int) -> datetime:
        """Start of a block. [UTC]"""
        return self.start + index * self.block

    def columns(self, kept: Bools, findings: tuple[Finding, ...]) -> "Loads":
        """Only some of the series, and why."""
        names = tuple(name for name, keep in zip(self.names, kept, strict=True) if keep)
        return Loads(names, self.start, self.block, self.amps[:, kept], (*self.findings, *findings))


def lay(names: tuple[str, ...], times: Ints, values: Amps, rows: Ints) -> Loads:
    """Put rows on the grid that most of them lie on.

    Args:
        names: Of the series.
        times: Start of each row, shape (rows,). [microseconds since 1970, UTC]
        values: Shape (rows, series). [A]
        rows: Where each row stands in its file, shape (rows,).

    Raises:
        BacktestError: There is no such grid.
    """
    findings = list[Finding]()
    block = _block(times)
    beside = times % block != 0
    if beside.any():
        if beside.mean() > 0.5:
            raise BacktestError(f"row {rows[beside][0]}: {_at(times[beside][0])} is on no multiple of {_text(block)}")
        findings.append(many(rows[beside], "begin", f"on no multiple of {_text(block)}; left out"))
        times, values, rows = times[~beside], values[~beside], rows[~beside]
    if len(back := np.flatnonzero(np.diff(times) < 0)):
        findings.append(many(rows[back + 1], "come", "before an earlier row; put in order"))
        order = np.argsort(times, kind="stable")
        times, values, rows = times[order], values[order], rows[order]
    again = np.concatenate([[False], np.diff(times) == 0])
    if again.any():
        findings += _doubled(again, values, rows)
        times, values = times[~again], values[~again]
    total = int((times[-1] - times[0]) // block) + 1
    if total > THINNEST * len(times) + 1000:
        raise BacktestError(
            f"column time: from {_at(times[0])} to {_at(times[-1])}, but only {counted(len(times), 'row')}"
        )
    places = (times - times[0]) // block
    grid = np.full((total, len(names)), np.nan, dtype=np.float32)
    grid[places] = values
    if total > len(times):
        gone = np.setdiff1d(np.arange(total), places)
        first = _at(times[0] + gone[0] * block)
        missing = f"1 is missing, at {first}" if len(gone) == 1 else f"{len(gone)} are missing, the first at {first}"
        findings.append(Finding("rows", missing))
    findings += _not_measured(names, values)
    grid[~(np.abs(grid) <= LARGEST_A)] = np.nan
    return Loads(names, EPOCH + int(times[0]) * MICROSECOND, int(block) * MICROSECOND, grid, tuple(findings))


def _block(times: Ints) -> int:
    """Distance of most rows. [microseconds]"""
    steps, counts = np.unique(np.diff(np.unique(times)), return_counts=True)
    if not len(steps):
        raise BacktestError("column time: at least two different times are needed")
    step = int(steps[counts.argmax()])
    if step < MINUTE_US or HOUR_US % step:
        raise BacktestError(f"column time: rows are {_text(step)} apart; blocks must divide an hour, such as 15 min")
    return step


def _doubled(again: Bools, values: Amps, rows: Ints) -> list[Finding]:
    """Rows whose time stood there before: the first one stays."""
    first = np.maximum.accumulate(np.where(again, 0, np.arange(len(again))))
    same = (values == values[first]) | (np.isnan(values) & np.isnan(values[first]))
    differs = again & ~same.all(axis=1)
    equal = again & ~differs
    found = []
    if equal.any():
        found.append(many(rows[equal], "repeat", "a row of the same time"))
    if differs.any():
        found.append(many(rows[differs], "state", "something else for a time that was there before; the first stays"))
    return found


def _not_measured(names: tuple[str, ...], values: Amps) -> list[Finding]:
    found = []
    for what, bad in (("missing", np.isnan(values)), ("no current", np.abs(values) > LARGEST_A)):
        count = bad.sum(axis=0)
        if total := int(count.sum()):
            most = int(count.argmax())
            here = f"{counted(int(count[most]), 'value')} {'is' if count[most] == 1 else 'are'} {what}"
            whole = f"{total} in {np.count_nonzero(count)} series in all"
            found.append(Finding(f"column {names[most]}", f"{here}; {whole}"))
    return found


def many(rows: Ints, verb: str, text: str) -> Finding:
    """What rows do, in one sentence.

    >>> print(many(np.array([7]), "come", "late"), many(np.array([7, 9, 11]), "come", "late"), sep="; ")
    row 7: comes late; row 7 and 2 more rows: come late
    """
    if len(rows) == 1:
        return Finding(f"row {rows[0]}", f"{verb}s {text}")
    return Finding(f"row {rows[0]} and {counted(len(rows) - 1, 'more row')}", f"{verb} {text}")


def counted(number: int, noun: str) -> str:
    """A number of things.

    >>> counted(1, "row"), counted(2_000, "row")
    ('1 row', '2000 rows')
    """
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _at(moment: int) -> str:
    return (EPOCH + int(moment) * MICROSECOND).isoformat()


def _text(step: int) -> str:
    """A length of time in words.

    >>> _text(15 * MINUTE_US), _text(90_000_000)
    ('15 min', '90 s')
    """
    return f"{step // MINUTE_US} min" if step % MINUTE_US == 0 else f"{step / 1e6:g} s"
