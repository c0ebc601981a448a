"""Non-controllable load of cables, transformers and substations, from what was measured and what CSOs reported."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gridroom.dso import lessons
from gridroom.dso.cables import Cable
from gridroom.dso.readings.measurements import means
from gridroom.dso.readings.quality import trusted, usable
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Spans, Store
from gridroom.dso.tables import ALLOTMENTS, LOADS, USAGES
from gridroom.dso.usage import counted, missing, non_controllable, remainder
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints

PHASES = 3


@dataclass(frozen=True)
class Load:
    """Non-controllable load of a cable, transformer or substation.

    Attributes:
        measured: With the use of electric vehicles, shape (3, n), `NOT_MEASURED` where unknown. [0.01 A]
        load: As measured less reported use, shape (3, n), `NOT_MEASURED` where unknown. [0.01 A]
        trusted: The same without values that cannot be trusted.
        learnable: Which blocks can be learned from, shape (n,).
    """

    measured: Ints
    load: Ints
    trusted: Ints
    learnable: NDArray[np.bool_]


def load_of(store: Store, office: Office, place: str, start: datetime, n: int) -> Load:
    """Load of one cable, transformer or substation; arguments as of `loads_of`."""
    return loads_of(store, office, (place,), start, n)[place]


def loads_of(store: Store, office: Office, places: Iterable[str], start: datetime, n: int) -> dict[str, Load]:
    """Loads of cables, transformers and substations, read together.

    Args:
        store: The memory.
        office: Cables and rules.
        places: Their ids.
        start: Start of the first block. [UTC]
        n: Number of blocks.

    Returns:
        By id.
    """
    ids = list(places)
    cables = {one: (office.register[one],) if one in office.register else office.register.below(one) for one in ids}
    below = list({cable.id: cable for some in cables.values() for cable in some}.values())
    measured = store.read_all(LOADS, {*ids, *(cable.id for cable in below)}, start, n)
    books, since = (
        _Books(store, office.rules, below, start, n),
        lessons.below(store, office.register.nodes.keys() & ids),
    )
    result = {}
    for one in ids:
        current, flags = means(measured[one,]["sums"], measured[one,]["masks"]), measured[one,]["flags"][0]
        if one in office.register:
            load, learnable = non_controllable(current, *books.of(office.register[one]))
        else:
            used, absent = [], []
            for cable in cables[one]:
                came = since.get(one, {}).get(cable.id)  # before it hung elsewhere
                reported, entitled, expected = books.of(cable, came)
                own = means(measured[cable.id,]["sums"], measured[cable.id,]["masks"])
                used.append(counted(own, reported, entitled))
                absent.append(missing(reported, expected))
            all_used = np.array(used, dtype=np.int64).reshape(-1, PHASES, n)
            load, learnable = remainder(current, all_used, np.array(absent, dtype=bool).reshape(-1, n))
        result[one] = Load(current, load, trusted(load, flags), learnable.astype(bool) & usable(flags))
    return result


def reported_use(store: Store, cable: str, party: str, start: datetime, n: int) -> Ints:
    """Use that a CSO reported, over all its EMSPs, shape (3, n) [0.01 A]; `UNKNOWN` where it reported none."""
    return _total(_by_contract(store.read_all(USAGES, (cable,), start, n)).get((cable, party), []), n)


class _Books:
    """What the CSOs of some cables reported and were entitled to."""

    def __init__(self, store: Store, rules: Rules, cables: list[Cable], start: datetime, n: int) -> None:
        self.n, self.start, self.block = n, start, rules.block
        due = {cable.id for cable in cables if any(self._due(one.since).any() for one in cable.contracts)}
        self.entitled = store.read_all(ALLOTMENTS, due, start, n)
        self.used = _by_contract(store.read_all(USAGES, due, start, n))

    def of(self, cable: Cable, since: datetime | None = None) -> tuple[Ints, Ints, Ints]:
        """Reported and entitled to, (p, 3, n) [0.01 A], and whether a report was due, (p, n); none before `since`."""
        shape = (len(cable.contracts), PHASES, self.n)
        reported, entitled = np.full(shape, UNKNOWN), np.zeros(shape, dtype=np.int64)
        expected = np.zeros((len(cable.contracts), self.n), dtype=np.int64)
        for p, contract in enumerate(cable.contracts):
            expected[p] = self._due(contract.since)
            if expected[p].any():
                reported[p] = _total(self.used.get((cable.id, contract.party), []), self.n)
                entitled[p] = self.entitled[cable.id, contract.party]["entitled"]
        here = self._due(since)
        return np.where(here, reported, UNKNOWN), np.where(here, entitled, 0), np.where(here, expected, 0)

    def _due(self, since: datetime | None) -> NDArray[np.bool_]:
        """Blocks for which a report is due under a contract, shape (n,)."""
        first = 0 if since is None else (since - self.start) // self.block
        return np.arange(self.n) >= first


def _by_contract(used: Spans) -> Mapping[tuple[str, str], list[Ints]]:
    """Reported use of each EMSP, by cable and party."""
    found: dict[tuple[str, str], list[Ints]] = {}
    for (cable, party, _emsp), cells in sorted(used.items()):
        found.setdefault((cable, party), []).append(cells["used"])
    return found


def _total(used: Iterable[Ints], n: int) -> Ints:
    """Use over all EMSPs, `UNKNOWN` where none was reported."""
    total = np.full((PHASES, n), UNKNOWN, dtype=np.int64)
    for one in used:
        total = np.where(one == UNKNOWN, total, np.maximum(total, 0) + one)
    return total
