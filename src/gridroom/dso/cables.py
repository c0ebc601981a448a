"""The DSO's grid as values: cables under transformers under substations, and who has a contract on a cable.

A cable is known by its id; the DSO is always ourselves. Source: OSCP 1.0 section 3.2.3 (Cable).
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal
from types import MappingProxyType
from typing import Literal

from gridroom import xml
from gridroom.oscp.v10.blocks import CableTerms

LONGEST_ID = 200
"""Longest id of anything in the register. [characters]"""

Phases = tuple[int, int, int]
NodeKind = Literal["substation", "transformer"]


@dataclass(frozen=True, slots=True)
class Contract:
    """What a CSO has contracted on a cable.

    Attributes:
        party: The CSO.
        contracted_ca: Contracted capacity per phase, the weight in the division; 0 when the contract has ended and the
            CSO may still hold a forecast. [0.01 A]
        connections: References of its connections; information only.
        since: Its charge stations draw nothing before this moment, so no usage report is missed. [UTC]
    """

    party: str
    contracted_ca: int
    connections: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """A substation, or a transformer in one.

    Attributes:
        id: Unique in the whole register.
        kind: Which of the two.
        limit_ca: What each phase may carry; None is unlimited. [0.01 A]
        parent: The transformer's substation, or nothing.
    """

    id: str
    kind: NodeKind
    limit_ca: Phases | None = None
    parent: str = ""


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable and its contracts.

    Attributes:
        id: CableId, compared exactly.
        limit_ca: What each phase may carry; 0 where it has no such phase. [0.01 A]
        contracts: Who may use it, ordered by party.
        voltage_v: Nominal voltage from phase to neutral. [V]
        parent: The transformer that feeds it, or nothing.
        risk_class: Name of a risk class in the configuration; nothing is the default.
    """

    id: str
    limit_ca: Phases
    contracts: tuple[Contract, ...] = ()
    voltage_v: Decimal = Decimal(230)
    parent: str = ""
    risk_class: str = ""

    @property
    def phases(self) -> tuple[int, ...]:
        """The phases that it has.

        >>> Cable("c", (6300, 0, 0)).phases
        (1,)
        """
        return tuple(phase for phase, limit in enumerate(self.limit_ca, 1) if limit > 0)

    @property
    def terms(self) -> CableTerms:
        """What is needed to read amounts for this cable."""
        return CableTerms(max(self.limit_ca), self.voltage_v, phases=3)

    @property
    def parties(self) -> tuple[str, ...]:
        """The CSOs with a contract, or that may hold something from one that has ended."""
        return tuple(contract.party for contract in self.contracts)

    def open_to(self, party: str) -> bool:
        """Whether a CSO has a contract on it that has not ended."""
        return any(one.party == party and one.contracted_ca > 0 for one in self.contracts)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and where: the id of a cable or the number of a row.

    Attributes:
        where: The place.
        text: What is wrong and what to do.
        severity: A warning does not keep anything out.
    """

    where: str
    text: str
    severity: Literal["error", "warning"] = "error"

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class Register(Mapping[str, Cable]):
    """All cables by id, and the tree above them.

    Attributes:
        nodes: Substations and transformers by id.

    >>> register = Register([Cable("c", (1, 1, 1), parent="t")], [Node("t", "transformer", parent="s"),
    ...                                                           Node("s", "substation")])
    >>> register.children("s"), [cable.id for cable in register.below("s")], "t" in register, "t" in register.nodes
    (('t',), ['c'], False, True)
    """

    def __init__(self, cables: Iterable[Cable], nodes: Iterable[Node] = ()) -> None:
        self._cables = {cable.id: cable for cable in cables}
        self.nodes: Mapping[str, Node] = MappingProxyType({node.id: node for node in nodes})
        children = defaultdict[str, list[str]](list)
        everything: tuple[Node | Cable, ...] = (*self.nodes.values(), *self._cables.values())
        for one in everything:
            children[one.parent].append(one.id)
        self._children = {parent: tuple(ids) for parent, ids in children.items()}

    def __getitem__(self, cable_id: str) -> Cable:
        return self._cables[cable_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cables)

    def __len__(self) -> int:
        return len(self._cables)

    def children(self, node_id: str) -> tuple[str, ...]:
        """Ids of what hangs directly below a node; of "" what hangs below nothing."""
        return self._children.get(node_id, ())

    def below(self, node_id: str) -> tuple[Cable, ...]:
        """The cables below a node, at any depth."""
        found, waiting = list[Cable](), list(reversed(self.children(node_id)))
        while waiting:
            one = waiting.pop()
            if one in self._cables:
                found.append(self._cables[one])
            else:
                waiting += reversed(self.children(one))
        return tuple(found)

    def above(self, cable_id: str) -> tuple[str, ...]:
        """Ids of the nodes above a cable, the nearest first."""
        found, parent = list[str](), self._cables[cable_id].parent
        while parent in self.nodes and parent not in found:
            found.append(parent)
            parent = self.nodes[parent].parent
        return tuple(found)

    def open_to(self, party: str, cable_id: str) -> Cable | None:
        """The cable if the party has a contract on it; None alike for a foreign and for an unknown one."""
        cable = self._cables.get(cable_id.strip(xml.SPACE))
        return cable if cable is not None and cable.open_to(party) else None

    def of(self, party: str) -> list[Cable]:
        """The cables on which a party has a contract."""
        return [cable for cable in self._cables.values() if cable.open_to(party)]


def centiampere(ampere: float | Decimal) -> int:
    """Ampere as configured to hundredths, rounded towards less.

    >>> centiampere(16.55)
    1655
    """
    return int((Decimal(str(ampere)) * 100).to_integral_value(rounding=ROUND_FLOOR))
