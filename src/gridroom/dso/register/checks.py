"""Is a register right? All findings at once, each with the id that it is about."""

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from typing import Any

from gridroom.dso.cables import LONGEST_ID, Cable, Finding, Node, NodeKind, Phases
from gridroom.dso.register.entries import KINDS, Batch, Entries, Kind, named

LARGEST_CABLE_CA = 1_000_000
"""No low-voltage cable carries more. [0.01 A]"""

LARGEST_CA = 10_000_000
"""No transformer or substation carries more, and nobody contracts more. [0.01 A]"""

LOWEST_V, HIGHEST_V = Decimal(50), Decimal(1000)
"""Nominal voltages of low-voltage cables, from phase to neutral. [V]"""

BETWEEN_PHASES_V = Decimal(350), Decimal(450)
"""What looks like the voltage between two phases of a grid of 230 V. [V]"""

SHORTENED = re.compile(r"\d(?:[.,]\d+)?[eE]\+\d+")
"""How a spreadsheet writes a number of many digits."""

ADD_IT = "dso.toml; add it there"
"""How it ends when something is missing in the configuration."""

Fault = tuple[str, bool]
"""What is wrong, and whether that is only a warning."""


def check(
    entries: Entries,
    parties: Collection[str],
    risk_classes: Collection[str],
    batch: Batch | None = None,
) -> list[Finding]:
    """Everything that is wrong with a register, not only the first thing.

    Args:
        entries: All of it.
        parties: The CSOs that are known as peers.
        risk_classes: The classes that are configured.
        batch: Where entries were read, for the findings about them; what it refused is not told again by what
            misses it.
    """
    read = batch or Batch()
    known = read.places
    check_one: dict[Kind, Callable[[Any, Any], Iterator[Fault]]] = {
        "substations": lambda _, one: _node(one, entries, read),
        "transformers": lambda _, one: _node(one, entries, read),
        "cables": lambda _, one: _cable(one, entries, risk_classes, read),
        "connections": lambda _, one: _connection(one, entries, parties, read),
        "contracts": lambda key, one: _contract(key[0], one, entries, parties, read),
    }
    findings, refused = list[Finding](), set[Any]()
    for kind in KINDS:
        for key, one in entries.of(kind).items():
            where = ", ".join(filter(None, (known.get((kind, key)), named(kind, key))))
            for text, warns in check_one[kind](key, one):
                findings.append(Finding(where, text, "warning" if warns else "error"))
                if kind == "contracts" and not warns:
                    refused.add(key)
    kept = {key: one for key, one in entries.contracts.items() if key not in refused}
    return [*_grouped(findings), *_twice(entries, known), *_too_much(replace(entries, contracts=kept), known)]


def _grouped(findings: list[Finding]) -> Iterator[Finding]:
    """What is missing in dso.toml is told once, however many entries name it."""
    counts, told = Counter(one.text for one in findings), set[str]()
    for one in findings:
        if not one.text.endswith(ADD_IT) or counts[one.text] == 1:
            yield one
        elif one.text not in told:
            told.add(one.text)
            yield Finding(one.where, f"{one.text} ({counts[one.text] - 1} more like this)")


def _node(node: Node, entries: Entries, read: Batch) -> Iterator[Fault]:
    yield from _name(node.id)
    if node.limit_ca is not None:
        yield from _limit(node.limit_ca, LARGEST_CA)
    if node.kind == "transformer":
        yield from _parent(node.parent, node.limit_ca, "substation", entries, read)


def _cable(cable: Cable, entries: Entries, risk_classes: Collection[str], read: Batch) -> Iterator[Fault]:
    yield from _name(cable.id)
    yield from _limit(cable.limit_ca, LARGEST_CABLE_CA)
    yield from _parent(cable.parent, cable.limit_ca, "transformer", entries, read)
    if not LOWEST_V <= cable.voltage_v <= HIGHEST_V:
        yield f"its voltage must be from {LOWEST_V} to {HIGHEST_V} V, from phase to neutral", False
    elif BETWEEN_PHASES_V[0] <= cable.voltage_v <= BETWEEN_PHASES_V[1]:
        shown = f"{cable.voltage_v.normalize():f} V"
        yield f"{shown} looks like the voltage between phases; from phase to neutral it may be 230 V", True
    if cable.risk_class and cable.risk_class not in risk_classes:
        yield f"there is no [[risk_class]] {cable.risk_class!r} in {ADD_IT}", False


def _connection(one: Any, entries: Entries, parties: Collection[str], read: Batch) -> Iterator[Fault]:
    contract = one.cable, one.party
    yield from _name(one.id)
    if one.cable not in entries.cables and not read.misses("cables", one.cable):
        yield f"there is no cable {one.cable!r}", False
    if one.party and one.party not in parties:
        yield f"its CSO {one.party!r} is no [[peer]] in {ADD_IT}", False
    elif one.party and not (contract in entries.contracts or read.misses("contracts", contract)):
        yield f"its CSO {one.party!r} has no contract on {one.cable!r}", True


def _contract(cable: str, one: Any, entries: Entries, parties: Collection[str], read: Batch) -> Iterator[Fault]:
    if not 0 < one.contracted_ca <= LARGEST_CA:
        yield f"must be above 0 A and at most {LARGEST_CA / 100:g} A", False
    if one.party not in parties:
        yield f"names {one.party!r}, which is no [[peer]] in {ADD_IT}", False
    if cable not in entries.cables and not read.misses("cables", cable):
        yield f"there is no cable {cable!r}", False


def _name(name: str) -> Iterator[Fault]:
    if not name.strip() or name != name.strip() or len(name) > LONGEST_ID or not name.isprintable():
        yield f"an id must have 1 to {LONGEST_ID} printable characters, without white space around", False
    if SHORTENED.fullmatch(name):
        yield "its id looks like a number that a spreadsheet has shortened: export the column as text", True


def _limit(limit: Phases, largest: int) -> Iterator[Fault]:
    if min(limit) < 0 or max(limit) <= 0:
        yield "its limit must be above 0 A on each phase that it has", False
    if max(limit) > largest:
        yield f"its limit is above {largest / 100:g} A, so something is wrong; is it in ampere?", False


def _parent(parent: str, limit: Phases | None, kind: NodeKind, entries: Entries, read: Batch) -> Iterator[Fault]:
    kinds: Kind = "substations" if kind == "substation" else "transformers"
    known = entries.of(kinds)
    if not parent:
        return
    if parent not in known:
        if read.misses(kinds, parent):
            return
        other = next((each for each in KINDS if parent in entries.of(each)), None)
        yield (
            (
                f"{parent!r} is no {kind}, but a {other.removesuffix('s')}"
                if other
                else f"there is no {kind} {parent!r}"
            ),
            False,
        )
        return
    above = known[parent].limit_ca
    if above is not None and limit is not None and any(a > b for a, b in zip(limit, above, strict=True)):
        yield f"its limit is above that of its {kind} {parent!r}, which holds", True


def _twice(entries: Entries, places: Mapping[tuple[Kind, Any], str]) -> Iterator[Finding]:
    """Ids that things of several kinds have."""
    kinds = KINDS[:-1]
    counts = Counter(key for kind in kinds for key in entries.of(kind))
    for key, count in counts.items():
        if count > 1:
            having = [kind for kind in kinds if key in entries.of(kind)]
            place = next((places[kind, key] for kind in reversed(having) if (kind, key) in places), "")
            where = ", ".join(filter(None, (place, repr(key))))
            names = " and ".join(f"a {kind.removesuffix('s')}" for kind in having)
            yield Finding(where, f"is {names}; ids are unique in the whole register")


def _too_much(entries: Entries, places: Mapping[tuple[Kind, Any], str]) -> Iterator[Finding]:
    """Cables on which more is contracted than they may carry: allowed, for what is there is divided."""
    sums, where = defaultdict[str, int](int), dict[str, str]()
    for (cable, party), contract in entries.contracts.items():
        sums[cable] += contract.contracted_ca
        place = places.get(("contracts", (cable, party)), places.get(("cables", cable)))
        where[cable] = place or where.get(cable, "")
    for cable, total in sums.items():
        limit = max(entries.cables[cable].limit_ca) if cable in entries.cables else total
        if total > limit:
            text = f"{total / 100:g} A is contracted, more than its limit of {limit / 100:g} A"
            yield Finding(", ".join(filter(None, (where[cable], named("cables", cable)))), text, "warning")
