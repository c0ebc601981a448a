"""From a model of a grid to the register: what leaves a busbar of low voltage is a cable, with all that hangs on it.

The models of several packages come down to the same few things, which stand here; limits are reckoned per phase.
"""

import math
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from gridroom.dso.cables import Cable, Node, Phases
from gridroom.dso.register.entries import Batch, Connection, Kind

LOW_VOLTAGE_V = 1000.0
"""Up to here a bus is one of a low-voltage grid, between phases. [V]"""

SAME_VOLTAGE = 1.2
"""Rated voltages that differ by a larger factor are not of one line."""

ROUNDING = 1e-6
"""What arithmetic in binary may have taken from a whole number of hundredths."""

MODELLED: frozenset[Kind] = frozenset({"substations", "transformers", "cables", "connections"})
"""Kinds that a model is about."""

NAMED = 5
"""So many of a kind are named in a finding; the rest is counted."""


@dataclass(frozen=True, slots=True)
class Winding:
    """A transformer between two buses; rated current on its low side. [A]"""

    id: str
    high: int
    low: int
    rated_a: float | None


@dataclass(frozen=True, slots=True)
class Line:
    """A line between two buses that it is connected to, or only to the first; rated current. [A]"""

    id: str
    begin: int
    end: int | None
    rated_a: float | None


@dataclass
class Model:
    """A grid: buses by number.

    Attributes:
        name: Its file, for findings.
        volts: Rated voltage of each bus, between phases. [V]
        names: What a bus is called.
        windings: Transformers in service.
        lines: Lines in service.
        joined: Pairs of buses that are one.
        loads: What draws current, and at which bus.
        sources: Where the grid is fed from above.
        refused: Buses that are there and cannot be used, told already.
        left_out: What a file holds and the register does not, by the reason.
    """

    name: str
    volts: dict[int, float] = field(default_factory=dict)
    names: dict[int, str] = field(default_factory=dict)
    windings: list[Winding] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    joined: list[tuple[int, int]] = field(default_factory=list)
    loads: list[tuple[str, int]] = field(default_factory=list)
    sources: list[tuple[str, int]] = field(default_factory=list)
    refused: set[int] = field(default_factory=set)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


def take(model: Model, batch: Batch) -> None:
    """Put a grid into a batch; what is not understood is a finding with its id.

    Args:
        model: The grid.
        batch: Gets substations, transformers, cables, connections and findings.
    """
    batch.kinds |= MODELLED
    _Taking(model, batch).all()


class _Taking:
    """A walk over the grid, from each low-voltage busbar down its feeders."""

    def __init__(self, model: Model, batch: Batch) -> None:
        self._model, self._batch = model, batch
        self._bus = _joined(model)
        self._at = defaultdict[int, list[Line]](list)
        for line in model.lines:
            self._at[self._bus[line.begin]].append(line)
            if line.end is not None:
                self._at[self._bus[line.end]].append(line)
        self._loads = defaultdict[int, list[str]](list)
        for load, bus in model.loads:
            self._loads[self._bus[bus]].append(load)
        self._feeders: dict[int, list[Winding]] = defaultdict(list)
        self._taken, self._stations = set[str](), set[str]()

    def all(self) -> None:
        """Take everything."""
        self._check_lines()
        for winding in self._model.windings:
            if self._model.volts[winding.low] > LOW_VOLTAGE_V:
                self._model.left_out["transformers that feed no low-voltage grid"].append(winding.id)
            else:
                self._feeders[self._bus[winding.low]].append(winding)
        for busbar, windings in self._feeders.items():
            self._busbar(busbar, windings)
        untaken = [load for load, _ in self._model.loads if load not in self._taken]
        if untaken:
            self._model.left_out["loads that no cable of a transformer feeds"] += untaken
        for reason, ids in self._model.left_out.items():
            more = f" and {len(ids) - NAMED} more" if len(ids) > NAMED else ""
            self._batch.remark(self._model.name, f"left out, {reason}: {', '.join(ids[:NAMED])}{more}")
        if not self._feeders:
            self._batch.fault(self._model.name, "holds no transformer with a low-voltage side: nothing to import")

    def _check_lines(self) -> None:
        for line in self._model.lines:
            volts = [self._model.volts[bus] for bus in (line.begin, line.end) if bus is not None]
            if max(volts) > SAME_VOLTAGE * min(volts):
                where = f"{self._model.name}, line {line.id!r}"
                self._batch.fault(where, f"joins buses of {volts[0]:g} V and {volts[-1]:g} V: one of them is wrong")

    def _busbar(self, busbar: int, windings: list[Winding]) -> None:
        """The transformers on a busbar and the cables that leave it; several in parallel count as the smallest."""
        first = windings[0]
        for other in windings[1:]:
            where = f"{self._model.name}, transformer {other.id!r}"
            self._batch.remark(where, f"works beside {first.id!r} on one busbar: taken as one, with the smallest limit")
        rated = [one.rated_a for one in windings]
        limit = _smallest(rated)
        if limit is None:
            self._batch.fault(f"{self._model.name}, transformer {first.id!r}", "has no rated power and voltage")
        substation = self._substation(first)
        self._batch.add("transformers", first.id, Node(first.id, "transformer", limit, substation), self._model.name)
        if self._loads[busbar]:
            self._model.left_out["loads on a busbar, on no cable"] += self._loads[busbar]
            self._taken.update(self._loads[busbar])
        self._cables(busbar, first.id)

    def _substation(self, winding: Winding) -> str:
        """The station of a transformer, named after the source at its high side, else after its bus."""
        bus = self._bus[winding.high]
        sources = [source for source, where in self._model.sources if self._bus[where] == bus]
        name = sources[0] if sources else self._model.names[bus]
        if name not in self._stations:
            self._stations.add(name)
            self._batch.add("substations", name, Node(name, "substation"), self._model.name)
        return name

    def _cables(self, busbar: int, transformer: str) -> None:
        """One cable for each line that leaves a busbar; those that meet again are one."""
        done = set[str]()
        for line in self._at[busbar]:
            if line.id in done or (line.end is not None and self._bus[line.begin] == self._bus[line.end]):
                continue
            buses, leaving, inner = self._downstream(busbar, line)
            done.update(one.id for one in leaving)
            where = f"{self._model.name}, line {line.id!r}"
            others = [one.id for bus in buses if bus != busbar for one in self._feeders.get(bus, ())]
            if others:
                self._batch.fault(where, f"leads from transformer {transformer!r} to {', '.join(others)}: open it")
                self._batch.refused.add(("cables", line.id))
                self._taken.update(load for bus in buses for load in self._loads[bus])
                continue
            if len(leaving) > 1:
                ring = ", ".join(one.id for one in leaving[1:])
                self._batch.remark(where, f"meets {ring} again: taken as one cable, with the smallest limit")
            self._cable(line, leaving, inner, transformer)
            for load in (load for bus in sorted(buses) for load in self._loads[bus]):
                self._batch.add("connections", load, Connection(load, line.id), self._model.name)
                self._taken.add(load)

    def _cable(self, line: Line, leaving: list[Line], inner: list[Line], transformer: str) -> None:
        where = f"{self._model.name}, line {line.id!r}"
        rated = [one.rated_a for one in leaving]
        limit = _smallest(rated)
        if limit is None:
            self._batch.fault(where, "leaves a busbar and has no rated current that can be used")
            self._batch.refused |= {("cables", one.id) for one in leaving}
            return
        thin = [one.id for one in inner if one.rated_a is not None and one.rated_a * 100 < limit[0]]
        if thin:
            more = f" and {len(thin) - NAMED} more" if len(thin) > NAMED else ""
            self._batch.remark(where, f"carries more than lines further on: {', '.join(thin[:NAMED])}{more}")
        volts = Decimal(math.floor(self._model.volts[line.begin] / math.sqrt(3)))
        self._batch.add("cables", line.id, Cable(line.id, limit, voltage_v=volts, parent=transformer), self._model.name)

    def _downstream(self, busbar: int, first: Line) -> tuple[set[int], list[Line], list[Line]]:
        """Buses behind a line, seen from a busbar; the lines by which they leave it; the lines among them."""
        buses, leaving, inner = set[int](), dict[str, Line](), dict[str, Line]()
        waiting = [bus for bus in self._ends(first) if bus != busbar]
        leaving[first.id] = first
        while waiting:
            bus = waiting.pop()
            if bus in buses:
                continue
            buses.add(bus)
            for line in self._at[bus]:
                ends = set(self._ends(line))
                (leaving if busbar in ends else inner)[line.id] = line
                waiting += ends - {busbar, bus}
        return buses, list(leaving.values()), list(inner.values())

    def _ends(self, line: Line) -> Iterator[int]:
        yield self._bus[line.begin]
        if line.end is not None:
            yield self._bus[line.end]


def _joined(model: Model) -> dict[int, int]:
    """Of each bus the one that stands for all that are joined with it."""
    above = {bus: bus for bus in model.volts}

    def top(bus: int) -> int:
        while above[bus] != bus:
            above[bus] = above[above[bus]]
            bus = above[bus]
        return bus

    for one, other in model.joined:
        above[top(one)] = top(other)
    return {bus: top(bus) for bus in model.volts}


def _smallest(rated_a: Sequence[float | None]) -> Phases | None:
    """The smallest rated current as limit of three phases, rounded down; None where one is not known. [0.01 A]"""
    known = [each for each in rated_a if each is not None]
    if len(known) < len(rated_a):
        return None
    limit = math.floor(min(known) * 100 + ROUNDING)
    return (limit, limit, limit) if limit > 0 else None
