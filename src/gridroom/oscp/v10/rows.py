"""The decisions by number: what OSCP 1.0 says, what we read, what we write, and why.

The words are those of docs/deviations.md, which lies beside this file; a `Deviation` names its row by number.
"""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files

from gridroom.oscp.errors import LocalError

_ROW = re.compile(r"^### Row (\d+): (.+)\n((?:.*\n)*?)(?=^##|\Z)", re.MULTILINE)
_POINT = re.compile(r"^- \*\*(.+?)\*\*(.*?): ((?:.+\n?)+?)(?=^- |\Z|^$)", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Row:
    """One decision. Source: docs/deviations.md.

    Attributes:
        number: 1 to 36.
        title: What it is about.
        says: What the document says.
        read: What is read, and as what; more than one line where it differs from place to place.
        written: What is written.
        why: Why it was decided so.
    """

    number: int
    title: str
    says: str
    read: tuple[str, ...]
    written: str
    why: str


def explain(number: int) -> Row:
    """The decision with a number.

    Args:
        number: `Deviation.row`.

    Raises:
        LocalError: There is no such row.

    >>> explain(30).title
    'which priority'
    """
    row = _rows().get(number)
    if row is None:
        raise LocalError(f"there is no row {number}; rows go from 1 to {len(_rows())}")
    return row


@cache
def _rows() -> dict[int, Row]:
    text = files(__package__).joinpath("deviations.md").read_text(encoding="utf-8")
    return {int(number): _row(int(number), title, points) for number, title, points in _ROW.findall(text)}


def _row(number: int, title: str, text: str) -> Row:
    said: dict[str, str] = {}
    read: list[str] = []
    for word, more, lines in _POINT.findall(text):
        words = " ".join(lines.split())
        if word in ("Says", "Written", "Why"):
            said[word] = words
        else:
            where = f"{word.removeprefix('Read').strip()}{more}".strip()
            read.append(f"{where}: {words}" if where else words)
    return Row(number, title, said["Says"], tuple(read), said["Written"], said["Why"])
