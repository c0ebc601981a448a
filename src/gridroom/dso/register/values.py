"""Cells of a stranger's tables: the number, the index or the name that they hold, or none."""

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any

from gridroom.dso.cables import LONGEST_ID

LARGEST = 1e12
"""Beyond this a number is nonsense, whatever it stands for."""

LONGEST_INTEGER = 18
"""Digits of a whole number that is still read."""

Row = Mapping[str, Any]


def integer(text: str) -> Any:
    """A whole number of JSON; one longer than any that is meant is no number."""
    return int(text) if len(text) <= LONGEST_INTEGER else math.nan


def number(row: Row, column: str, *, least: float) -> float | None:
    """A finite number above the least, or None.

    >>> number({"a": 2, "b": "2", "c": 0.0}, "a", least=0.0)
    2.0
    """
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if math.isfinite(value) and least < value <= LARGEST else None


def whole(row: Row, column: str) -> int | None:
    """A whole number, also one written as 3.0, or None."""
    value = row.get(column)
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        return None
    return int(value) if value == int(value) and abs(value) <= LARGEST else None


def unique_names(stem: str, names: Mapping[str, Mapping[int, Any]]) -> dict[tuple[str, int], str]:
    """Of each element an id that no other has: its name, or its file, kind and number.

    >>> unique_names("grid", {"line": {0: "a", 1: "b", 2: None}, "load": {0: "b"}})
    {('line', 0): 'a', ('line', 1): 'grid line 1', ('line', 2): 'grid line 2', ('load', 0): 'grid load 0'}
    """
    every = {(kind, i): name for kind, column in names.items() for i, name in column.items()}
    texts = {key: name.strip() if isinstance(name, str) else "" for key, name in every.items()}
    counts = Counter(texts.values())
    good = {key for key, name in texts.items() if name and counts[name] == 1 and len(name) <= LONGEST_ID}
    return {key: texts[key] if key in good else f"{stem} {key[0]} {key[1]}" for key in every}
