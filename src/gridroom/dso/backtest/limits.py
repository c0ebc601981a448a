"""What each series may reach: from a file, or a multiple of its peak in the warm-up."""

import csv
import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import Loads, counted
from gridroom.dso.cables import Finding
from gridroom.dso.register.rows import shown
from gridroom.dso.register.strange import strange

HEAD = ["series", "limit_a"]
HEAD_BYTES = 10_000
"""So much of a file tells what it is. [bytes]"""

Reals = NDArray[np.float64]


def from_file(path: Path, names: tuple[str, ...]) -> tuple[Reals, tuple[Finding, ...]]:
    """Limits from a CSV file with the columns `series,limit_a`, shape (series,) [A]; other series in it are told.

    Raises:
        BacktestError: A row is broken, or a series has no limit.
    """
    found = dict[str, float]()
    try:
        with path.open("rb") as stream:
            if why := strange(stream.read(HEAD_BYTES)):
                raise BacktestError(why)
        with path.open(newline="", encoding="utf-8-sig") as file:
            lines = csv.reader(file)
            if (head := [cell.strip() for cell in next(lines, [])]) != HEAD:
                raise BacktestError(f"row 1: the columns must be {','.join(HEAD)}, not {shown(','.join(head))}")
            for line in filter(None, lines):
                name, limit = _limit(line, lines.line_num)
                if name in found:
                    raise BacktestError(f"row {lines.line_num}: {name!r} stands there twice")
                found[name] = limit
    except OSError as error:
        raise BacktestError(f"{path}: {error.strerror or error}") from error
    except (BacktestError, UnicodeDecodeError, csv.Error) as error:
        raise BacktestError(f"{path}: {error}") from error
    others = sorted(found.keys() - set(names))
    if missing := [name for name in names if name not in found]:
        slip = (
            f"; {counted(len(others), 'limit')} of no load, the first for {others[0]!r}: is it a slip?"
            if others
            else ""
        )
        raise BacktestError(f"{path}: {len(missing)} series without a limit, the first is {missing[0]!r}{slip}")
    return np.array([found[name] for name in names]), tuple(_loadless(others))


def _loadless(others: list[str]) -> Iterator[Finding]:
    if len(others) == 1:
        yield Finding(others[0], "has a limit, but no load")
    elif others:
        yield Finding(others[0], f"and {len(others) - 1} more have a limit, but no load")


def _limit(line: list[str], row: int) -> tuple[str, float]:
    if len(line) != len(HEAD):
        raise BacktestError(f"row {row}: {len(line)} cells, not {len(HEAD)}")
    name, text = (cell.strip() for cell in line)
    where = f"row {row}, column limit_a of {shown(name)}"
    try:
        limit = float(text) if text.isascii() and "_" not in text else None
    except ValueError:
        limit = None
    if limit is None:
        raise BacktestError(f"{where}: {shown(text)} is not a number")
    if not 0 < limit < math.inf:
        raise BacktestError(f"{where}: {text} A is no limit; it must be above 0")
    return name, limit


def from_peaks(loads: Loads, first: int, factor: float) -> Reals:
    """A multiple of the highest load before block `first`, shape (series,) [A]; NaN where there is none above 0."""
    past = loads.amps[:first]
    peak = np.where(np.isnan(past), -np.inf, past).max(axis=0).astype(np.float64)
    return np.where(peak > 0, factor * peak, np.nan)
