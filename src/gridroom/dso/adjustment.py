"""A CSO asks for more, or gives back: what it gets of the backup, first come first served.

OSCP 1.0 section 3.2.5; decision 6.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gridroom.dso import backup, planning, promises
from gridroom.dso.cables import Cable
from gridroom.dso.planning import Plan
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Spans, Store
from gridroom.dso.tables import ALLOTMENTS, PLANS
from gridroom.oscp.v10.answers import Ask
from gridroom.oscp.v10.blocks import Span
from gridroom.storage.columns import Ints
from gridroom.timegrid import ceil, floor, index

MOST_DENIED = 2**31 - 1
"""Where the count of what was denied stops. [0.01 A]"""


@dataclass(frozen=True)
class Assigned:
    """What came of one block of a request: the change assigned, and the backup that remains, per phase. [0.01 A]"""

    asked: Span
    amounts: tuple[int, ...]
    remaining: tuple[int, ...]


@dataclass(frozen=True)
class _Served:
    """What came of a cable; plan, room and the CSO's allotment before are None where there is no plan in force."""

    cable: Cable
    result: list[Assigned]
    plan: Plan | None = None
    room: backup.Room | None = None
    before: Ints | None = None


class Hearing:
    """A message in which a CSO asks for more or gives back on some cables; what is assigned is written at its end.

    What is in force and what the CSOs may hold is looked up once. A cable's grants come out of what that cable has been
    given, and a give-back beside it only makes room: so what is known of one cable stays true, or too little, whatever
    is assigned on the others.

    Args:
        store: The memory.
        office: Cables and rules.
        party: Who asks; has a contract on the cables.
        cables: Those that the message names.
        now: The present moment. [UTC]

    Source: OSCP 1.0 section 3.2.5; decision 6.
    """

    def __init__(self, store: Store, office: Office, party: str, cables: Iterable[Cable], now: datetime) -> None:
        self._store, self._office, self._party, self._cables, self._now = store, office, party, list(cables), now
        self._open()

    def _open(self) -> None:
        self._plans = planning.calm_in_force(self._store, self._office, self._cables, self._now)
        asked = {cable.id: self._plans[cable.id] for cable in self._cables if cable.id in self._plans}
        self._most = planning.held(self._store, asked)
        self._served = dict[str, _Served]()

    def assign(self, cable: Cable, asked: Sequence[Ask]) -> list[Assigned]:
        """What is assigned on a cable, block by block, in the order asked.

        Args:
            cable: Which cable.
            asked: Signed changes, without overlap on one phase.
        """
        if cable.id in self._served:  # named twice, with other spaces around it
            self.keep()
            self._open()
        rules, plan = self._office.rules, self._plans.get(cable.id)
        if plan is None:
            result = [Assigned(one.span, (0, 0, 0), (0, 0, 0)) for one in asked]
            self._served[cable.id] = _Served(cable, result)
            return result
        i, n, near = cable.parties.index(self._party), plan.available.shape[1], rules.backup_near // rules.block
        room = backup.room(plan.available, plan.division, self._most[cable.id], i, rules.backup_cap_ppm, near)
        before = room.own.copy()
        result = []
        for one in asked:
            cells, whole = _cells(one.span, plan.start, n, rules)
            amounts, remaining = backup.serve(room, one.span, cells, whole, uniform=one.uniform)
            result.append(Assigned(one.span, amounts, tuple(int(value) for value in remaining)))
        self._served[cable.id] = _Served(cable, result, plan, room, before)
        return result

    def keep(self) -> None:
        """Write what was assigned, what was denied, and why."""
        served, rules = self._served, self._office.rules
        start = floor(self._now, rules.block)
        sheets = self._store.read_all(ALLOTMENTS, served, start, rules.horizon)
        _keep_adjustment(self._store, self._party, served.values(), start, sheets)
        denied = dict[tuple[str, ...], dict[str, Ints]]()
        for one, each in served.items():
            old = sheets[one, self._party]["denied"]
            new = _denied(old, each.result, start, rules)
            if (new != old).any():
                denied[one, self._party] = {"denied": new}
        self._store.write_all(ALLOTMENTS, start, denied)
        why = {one: _explanation(each.result) for one, each in served.items()}
        self._store.note_all(self._now, "adjustment", self._party, why)


def _cells(span: Span, start: datetime, n: int, rules: Rules) -> tuple[slice, slice]:
    """Blocks that a span touches and that are not over, and those that it covers."""
    first, last = index(span.start, start, rules.block), index(ceil(span.end, rules.block), start, rules.block)
    touched = slice(max(0, first), max(0, last)) if last <= n else slice(0, 0)
    inner = index(ceil(span.start, rules.block), start, rules.block), index(span.end, start, rules.block)
    return touched, slice(max(0, inner[0]), max(0, min(n, inner[1])))


def _denied(before: Ints, result: Iterable[Assigned], start: datetime, rules: Rules) -> Ints:
    """Backup asked for and not granted, for whoever plans the grid, shape (3, n). [0.01 A]

    Source: OSCP 1.0 section 3.2.3.
    """
    denied = before.copy()
    for one in result:
        first, last = (
            index(one.asked.start, start, rules.block),
            index(ceil(one.asked.end, rules.block), start, rules.block),
        )
        cells = slice(max(0, first), max(0, min(before.shape[1], last)))
        for phase, (wish, got) in enumerate(zip(one.asked.amounts, one.amounts, strict=True)):
            denied[phase, cells] += min(max(0, (wish or 0) - max(got, 0)), MOST_DENIED)
    return np.minimum(denied, MOST_DENIED)


def _keep_adjustment(store: Store, party: str, served: Iterable[_Served], start: datetime, sheets: Spans) -> None:
    """Write allotments and backup of the cables with a plan; what the CSO holds changes with them."""
    allotted = defaultdict[int, dict[tuple[str, ...], dict[str, Ints]]](dict)
    pools, changes = defaultdict[int, dict[tuple[str, ...], dict[str, Ints]]](dict), dict[str, Ints]()
    for one in served:
        if one.plan is None or one.room is None or one.before is None:
            continue
        i, n, own = one.cable.parties.index(party), one.before.shape[1], one.room.own
        sheet, change = sheets[one.cable.id, party], own - one.before
        allotted[n][one.cable.id, party] = {
            "allotment": own,
            "adjusted": np.where(change != 0, own - one.plan.division.base[i], sheet["adjusted"][:, :n]),
            "entitled": np.maximum(sheet["entitled"][:, :n], own),
        }
        pools[n][one.cable.id,] = {"pool": one.room.pool}
        changes[one.cable.id] = change
    for n, some in allotted.items():
        store.write_all(ALLOTMENTS, start, some)
        store.write_all(PLANS, start, pools[n])
    promises.adjust_held(store, party, start, changes)


def _explanation(result: Sequence[Assigned]) -> dict[str, object]:
    blocks = [
        {
            "start": one.asked.start.isoformat(),
            "end": one.asked.end.isoformat(),
            "asked_ca": list(one.asked.amounts),
            "assigned_ca": list(one.amounts),
            "remaining_ca": list(one.remaining),
        }
        for one in result
    ]
    return {"rule": "first come, first served, within what the others may not hold", "blocks": blocks}
