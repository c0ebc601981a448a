"""What section 3 of docs/deviations.md lets a CSO believe of one cable, in the plainest words that a program can have.

Time is cut into quarters of an hour, counted from an arbitrary noon; amounts are hundredths of an ampere. No library is
used here and nothing of the CSO: it is the judge of `cso/book.py`, so it must not share its mistakes.
"""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

LATE = timedelta(minutes=5)
FINE = 9
"""Quarters after which a forecast counts for the offline value, in the looser of two readings (2 h after its first)."""

Says = dict[int, tuple[int | None, int | None, int | None]]
"""Quarter to amount per phase; None is unknown."""


@dataclass
class Change:
    """Something asked for: positive more, negative given back."""

    wish: dict[int, tuple[int, int, int]]
    came: int
    answered_at: datetime | None = None
    granted: dict[int, tuple[int, int, int]] = field(default_factory=dict)


def lowest(says: Says) -> tuple[int, ...]:
    """The least that a forecast states per phase for later than two hours; 0 where it states nothing."""
    later = [says[quarter] for quarter in says if quarter >= min(says) + FINE]
    stated = [[value for value in phase if value is not None] for phase in zip(*later, strict=True)]
    return tuple(min(phase, default=0) for phase in stated) or (0, 0, 0)


class Paper:
    """One cable, as the text says it."""

    def __init__(self) -> None:
        self.made: datetime | None = None
        self.first = 0
        self.says: Says = {}
        self.past: dict[tuple[int, int], int] = {}
        self.low: dict[tuple[int, int], int] = {}
        self.least: tuple[int, ...] = (0, 0, 0)
        self.doubted = False
        self.came = 0
        self.changes: dict[str, Change] = {}

    def forecast(self, made: datetime, says: Says | None) -> None:
        """A forecast comes; None is one that had to be refused."""
        self.came += 1
        if self.made is not None and made < self.made - LATE:
            return
        for change in self.changes.values():
            change.granted = {}
        newer = self.made is None or made > self.made
        if says is None:
            self.doubted = True
        elif newer and (not self.says or min(says) >= self.first):
            for quarter in self.says:
                for phase in range(3):
                    if self.says[quarter][phase] is not None:
                        self.past[quarter, phase] = self.at(quarter, phase, bare=True)
            self.first, self.says, self.least = min(says), says, lowest(says)
            self.low, self.doubted = {}, False
            kept = {
                name: one for name, one in self.changes.items() if one.answered_at is None or made <= one.answered_at
            }
            self.changes = kept
        else:
            self.least = tuple(map(min, self.least, lowest(says)))
            for quarter, values in says.items():
                for phase, value in enumerate(values):
                    if value is not None:
                        self.low[quarter, phase] = min(value, self.low.get((quarter, phase), value))
        if newer:
            self.made = made

    def asks(self, name: str, wish: dict[int, tuple[int, int, int]]) -> None:
        """A request leaves; what it gives back is not used any more."""
        self.changes[name] = Change(wish, self.came)

    def hears(self, name: str, granted: dict[int, tuple[int, int, int]], answered_at: datetime) -> None:
        """The first answer to a request."""
        change = self.changes.get(name)
        if change is not None and change.answered_at is None:
            change.answered_at = answered_at
            change.granted = granted if change.came == self.came else {}

    def stated(self, quarter: int, phase: int) -> int | None:
        """What the forecast in force says."""
        return self.says[quarter][phase] if quarter in self.says else None

    def offline(self, quarter: int, phase: int) -> int:
        """The offline value, of the last forecast that was accepted and never above the one in force."""
        return 0 if not self.says or quarter > max(self.says) else self.least[phase]

    def at(self, quarter: int, phase: int, *, bare: bool = False) -> int:
        """The most that may be used in a quarter on a phase; `bare` without what was granted or given back."""
        found = self.stated(quarter, phase)
        known = found is not None
        offline = self.offline(quarter, phase)
        value = offline if found is None else found
        if not known and (quarter, phase) in self.past:
            value = min(value, self.past[quarter, phase])
        value = min(value, self.low.get((quarter, phase), value))
        if self.doubted:
            value = min(value, offline)
        for change in () if bare else self.changes.values():
            value += change.granted.get(quarter, (0, 0, 0))[phase] if known else 0
            value -= max(0, -change.wish.get(quarter, (0, 0, 0))[phase])
        return max(0, value)
