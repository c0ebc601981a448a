"""What stands in the register, kind by kind, and how files change it."""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from typing import Any, Literal

from gridroom.dso.cables import Cable, Contract, Finding, Node, Register

Kind = Literal["substations", "transformers", "cables", "connections", "contracts"]
KINDS: tuple[Kind, ...] = ("substations", "transformers", "cables", "connections", "contracts")


@dataclass(frozen=True, slots=True)
class Connection:
    """A place where a customer is tied to a cable.

    Attributes:
        id: Unique in the whole register; what a CSO's forecast names.
        cable: The cable.
        party: The CSO whose connection it is, or nothing.
    """

    id: str
    cable: str
    party: str = ""


@dataclass(frozen=True)
class Entries:
    """All entries by kind and id; a contract by its cable and its CSO.

    Cables here have no contracts, and contracts no connections: `register` brings them together.
    """

    substations: Mapping[str, Node] = field(default_factory=dict)
    transformers: Mapping[str, Node] = field(default_factory=dict)
    cables: Mapping[str, Cable] = field(default_factory=dict)
    connections: Mapping[str, Connection] = field(default_factory=dict)
    contracts: Mapping[tuple[str, str], Contract] = field(default_factory=dict)

    def of(self, kind: Kind) -> Mapping[Any, Any]:
        """The entries of a kind."""
        found: Mapping[Any, Any] = getattr(self, kind)
        return found


@dataclass
class Batch:
    """What was read from files, before it is checked against the rest.

    Attributes:
        entries: By kind and key.
        kinds: The kinds that the files are about, also those of which they hold none.
        places: Where each entry was read.
        models: Entries out of the model of a grid: it knows no risk classes and no CSOs, so these stay as they are.
        refused: Entries that are there and cannot be used, told already: that they are missed is not told too.
        unread: Kinds of which entries could not even be read so far that they have a name.
        findings: What could not be read, or was left out.
    """

    entries: dict[Kind, dict[Any, Any]] = field(default_factory=lambda: {kind: {} for kind in KINDS})
    kinds: set[Kind] = field(default_factory=set)
    places: dict[tuple[Kind, Any], str] = field(default_factory=dict)
    models: set[tuple[Kind, Any]] = field(default_factory=set)
    refused: set[tuple[Kind, Any]] = field(default_factory=set)
    unread: set[Kind] = field(default_factory=set)
    findings: list[Finding] = field(default_factory=list)

    def add(self, kind: Kind, key: Any, entry: Any, place: str) -> None:
        """Take an entry; one that is there already is a finding."""
        self.kinds.add(kind)
        if key in self.entries[kind]:
            self.fault(place, f"{named(kind, key)} is there already, in {self.places[kind, key]}")
            return
        self.entries[kind][key] = entry
        self.places[kind, key] = place

    def misses(self, kind: Kind, key: Any) -> bool:
        """Whether an entry may be missing only because of what was refused."""
        return kind in self.unread or (kind, key) in self.refused

    def fault(self, place: str, text: str) -> None:
        """Something is wrong, so nothing of the import can be kept."""
        self.findings.append(Finding(place, text))

    def remark(self, place: str, text: str) -> None:
        """Something that the operator should know."""
        self.findings.append(Finding(place, text, "warning"))


def named(kind: Kind, key: Any) -> str:
    """An entry as findings call it.

    >>> named("cables", "c1"), named("contracts", ("c1", "north"))
    ("cable 'c1'", "contract of 'north' on 'c1'")
    """
    if kind == "contracts":
        return f"contract of {key[1]!r} on {key[0]!r}"
    return f"{kind.removesuffix('s')} {key!r}"


def merged(old: Entries, batch: Batch, *, replace_kinds: bool = False) -> Entries:
    """The register after an import: entries of the same id are replaced.

    Args:
        old: What is there.
        batch: What was read.
        replace_kinds: The files are the whole of the kinds that they are about: what they do not name goes.
    """
    kept: dict[str, Any] = {}
    for kind in KINDS:
        fresh = {key: _completed(kind, key, one, old, batch) for key, one in batch.entries[kind].items()}
        kept[kind] = fresh if replace_kinds and kind in batch.kinds else {**old.of(kind), **fresh}
    return Entries(**kept)


def _completed(kind: Kind, key: Any, one: Any, old: Entries, batch: Batch) -> Any:
    """An entry out of a model with what only the register knows."""
    if (kind, key) not in batch.models:
        return one
    if kind == "cables" and key in old.cables:
        return replace(one, risk_class=old.cables[key].risk_class)
    if kind == "connections" and key in old.connections:
        return replace(one, party=old.connections[key].party)
    return one


def register(entries: Entries, ended: Iterable[tuple[str, str]] = ()) -> Register:
    """The register as the use cases take it.

    Args:
        entries: All of it.
        ended: Cables and CSOs whose contract has ended while the CSO may still hold a forecast. They keep their place,
            with no weight, so that nobody else is given what they hold before they are told.
    """
    references, contracts = defaultdict[tuple[str, str], list[str]](list), defaultdict[str, dict[str, Contract]](dict)
    for one in entries.connections.values():
        references[one.cable, one.party].append(one.id)
    for cable, party in ended:
        contracts[cable][party] = Contract(party, 0)
    for (cable, party), contract in entries.contracts.items():
        connections = tuple(sorted(references[cable, party]))
        contracts[cable][party] = replace(contract, connections=connections)
    cables = (
        replace(cable, contracts=tuple(contract for _, contract in sorted(contracts[cable.id].items())))
        for cable in entries.cables.values()
    )
    return Register(cables, (*entries.substations.values(), *entries.transformers.values()))


def entries_of(
    cables: Collection[Cable], nodes: Iterable[Node] = (), connections: Iterable[Connection] = ()
) -> Entries:
    """The entries that make these cables, with their contracts.

    >>> cables = [Cable("c", (1, 1, 1), (Contract("north", 5, ("r1",)),))]
    >>> list(register(entries_of(cables)).values()) == cables
    True
    """
    nodes = tuple(nodes)
    references = {
        one: Connection(one, cable.id, contract.party)
        for cable in cables
        for contract in cable.contracts
        for one in contract.connections
    }
    return Entries(
        {node.id: node for node in nodes if node.kind == "substation"},
        {node.id: node for node in nodes if node.kind == "transformer"},
        {cable.id: replace(cable, contracts=()) for cable in cables},
        {**references, **{one.id: one for one in connections}},
        {(cable.id, one.party): replace(one, connections=()) for cable in cables for one in cable.contracts},
    )


assert tuple(each.name for each in fields(Entries)) == KINDS  # noqa: S101 - one list of kinds, said twice
