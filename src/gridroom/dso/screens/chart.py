"""Figure 6 in a terminal: the same curves, in characters.

Lines are drawn with braille dots, two by four in each character; areas are shaded. Nothing depends on colour.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.screens.curves import Amps, Curves, local
from gridroom.dso.screens.status import named

HIGHEST = 18
"""Most rows of a panel. [characters]"""

EACH = 3
"""Rows from one label of the axis to the next."""

LEAST, MOST = 60, 160
"""Narrowest and widest chart. [characters]"""

MARGIN, SHARES, BACKUP, LIMIT, NOW = "░", "▒", "▓", "━", "│"
DOTS = np.array([[0x01, 0x08], [0x02, 0x10], [0x04, 0x20], [0x40, 0x80]])
"""Bits of a braille character, row by row from the top."""

LEFT = 7
"""Columns left of the chart: amperes and the axis. [characters]"""


def chart(curves: Curves, width: int) -> str:
    """A cable as text, a panel per phase.

    Args:
        curves: What to show.
        width: Columns of the terminal. [characters]
    """
    columns = min(max(width, LEAST), MOST) - LEFT - 1
    lines = []
    for phase in curves.phases:
        lines += [f"L{phase} [A]", *_panel(curves, phase - 1, columns)]
    lines += _axis(curves, columns)
    legend = [
        f"{local(curves.times[0], curves.zone)} to {local(curves.times[-1], curves.zone)}",
        curves.zone.key,
        f"⠒ measured until now {NOW}, forecast from then on",
        f"{MARGIN} safety margin",
        f"{SHARES} capacity of {named(list(curves.allotments)) or 'CSOs'}",
        f"{BACKUP} backup",
        f"{LIMIT} limit",
        *filter(None, [curves.held]),
    ]
    return "\n".join([*lines, *_wrapped(legend, columns + LEFT)])


def _panel(curves: Curves, row: int, columns: int) -> Iterator[str]:
    limit, forecast, measured = float(curves.limit[row]), curves.forecast[row], curves.measured[row]
    now = curves.over
    line = np.where(np.arange(curves.blocks) < now, measured, forecast)
    bound = forecast + curves.margin[row]
    own = np.sum([share[row] for share in curves.allotments.values()], axis=0) + 0.0 * forecast
    low = np.maximum(bound, 0.0)  # back-feed is not sold
    edges = [_columns(one, columns) for one in (forecast, bound, low, low + own, low + own + curves.backup[row])]
    lines = _columns(line, 2 * columns)
    known = [one[~np.isnan(one)] for one in (lines, edges[1])]
    bottom, step, rows = _scale(min([0.0, *known[0]]), max([limit, *known[0], *known[1]]))
    dots = _dots(lines, bottom - step / 2, step, rows)
    for up in range(rows - 1, -1, -1):
        middle = bottom + up * step
        cells = [_cell(middle, [float(edge[c]) for edge in edges]) for c in range(columns)]
        if abs(middle - limit) <= step / 2:
            cells = [LIMIT] * columns
        if 0 < now < curves.blocks:
            cells[now * columns // curves.blocks] = NOW
        cells = [chr(0x2800 + int(bits)) if bits else cell for cell, bits in zip(cells, dots[up], strict=True)]
        label = " " * (LEFT - 1) + "│" if round(middle / step) % EACH else f"{middle:{LEFT - 2}.4g} ┤"
        yield (label + "".join(cells)).rstrip()


def _scale(lowest: float, highest: float) -> tuple[float, float, int]:
    """Height of the lowest row, what a row is worth, and how many there are: labels are round numbers.

    >>> _scale(0, 200), _scale(-60, 160)
    ((0.0, 16.666666666666668, 13), (-66.66666666666667, 16.666666666666668, 15))
    """
    for tick in (base * 10.0**power for power in range(-2, 7) for base in (1, 2, 5)):
        step = tick / EACH
        bottom = np.floor(lowest / step) * step
        rows = int(np.ceil(round((highest - bottom) / step, 6))) + 1
        if rows <= HIGHEST:
            break
    return float(bottom), step, rows


def _cell(ampere: float, edges: list[float]) -> str:
    """The shade at a height: what lies between the forecast, its bound, the shares and the backup."""
    forecast, bound, low, own, all_of_it = edges
    if forecast < ampere <= bound:
        return MARGIN
    if low < ampere <= own:
        return SHARES
    return BACKUP if own < ampere <= all_of_it else " "


def _columns(values: Amps, columns: int) -> Amps:
    """A value for each column: the highest of the blocks that it touches, NaN where one is unknown."""
    n = len(values)
    spans = [(i * n // columns, max(i * n // columns + 1, -(-(i + 1) * n // columns))) for i in range(columns)]
    return np.array([values[first:last].max() for first, last in spans])


def _dots(values: Amps, bottom: float, step: float, rows: int) -> NDArray[np.int64]:
    """Braille bits of a line with a value for each column of dots, shape (rows, columns)."""
    bits = np.zeros((rows, len(values) // 2), dtype=np.int64)
    levels = np.clip((values - bottom) / step * 4, 0, 4 * rows - 1)
    for x in np.flatnonzero(~np.isnan(levels)):
        level = before = int(levels[x])
        if x and not np.isnan(levels[x - 1]):
            before = int(levels[x - 1])
        for one in range(min(level, before + 1), max(level, before - 1) + 1):  # joined to its neighbour
            bits[one // 4, x // 2] |= DOTS[3 - one % 4, x % 2]
    return bits


def _axis(curves: Curves, columns: int) -> list[str]:
    """The local time axis: a mark at each third hour that has room."""
    ticks, labels = ["─"] * columns, [" "] * (columns + LEFT)
    free = 0
    for block, moment in enumerate(curves.times[:-1]):
        column = block * columns // curves.blocks
        if moment.hour % 3 == 0 and moment.minute == 0 and column >= free and column + 5 <= columns:
            ticks[column] = "┬"
            labels[LEFT + column : LEFT + column + 5] = f"{moment:%H:%M}"
            free = column + 7
    return [" " * (LEFT - 1) + "└" + "".join(ticks), "".join(labels).rstrip()]


def _wrapped(words: list[str], width: int) -> Iterator[str]:
    line = ""
    for word in words:
        if line and len(line) + 3 + len(word) > width:
            yield line
            line = ""
        line = f"{line}   {word}" if line else word
    yield line
