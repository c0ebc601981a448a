"""The register of cables: what each may carry, and who has a contract on it.

A cable is known by its id; the DSO is always ourselves. Source: OSCP 1.0 section 3.2.3 (Cable).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_FLOOR, Decimal

from gridroom import xml
from gridroom.oscp.v10.blocks import CableTerms

LONGEST_ID = 200
"""Longest CableId. [characters]"""


@dataclass(frozen=True, slots=True)
class Contract:
    """What a CSO has contracted on a cable.

    Attributes:
        party: The CSO.
        contracted_ca: Contracted capacity per phase, the weight in the division. [0.01 A]
        connections: References of its connections; information only.
        since: Its charge stations draw nothing before this moment, so no usage report is missed. [UTC]
    """

    party: str
    contracted_ca: int
    connections: tuple[str, ...] = ()
    since: datetime | None = None


@dataclass(frozen=True, slots=True)
class Cable:
    """A cable and its contracts.

    Attributes:
        id: CableId, compared exactly.
        limit_ca: What each phase may carry. [0.01 A]
        contracts: Who may use it, in the order of the configuration.
        voltage_v: Nominal voltage from phase to neutral. [V]
    """

    id: str
    limit_ca: tuple[int, int, int]
    contracts: tuple[Contract, ...] = ()
    voltage_v: Decimal = Decimal(230)

    @property
    def terms(self) -> CableTerms:
        """What is needed to read amounts for this cable."""
        return CableTerms(max(self.limit_ca), self.voltage_v, phases=3)

    @property
    def parties(self) -> tuple[str, ...]:
        """The CSOs with a contract."""
        return tuple(contract.party for contract in self.contracts)


@dataclass(frozen=True, slots=True)
class Finding:
    """Something wrong, and where: the id of a cable or the number of a row."""

    where: str
    text: str

    def __str__(self) -> str:
        return f"{self.where}: {self.text}"


class Register(Mapping[str, Cable]):
    """All cables by id."""

    def __init__(self, cables: Iterable[Cable]) -> None:
        self._cables = {cable.id: cable for cable in cables}

    def __getitem__(self, cable_id: str) -> Cable:
        return self._cables[cable_id]

    def __iter__(self) -> Iterator[str]:
        return iter(self._cables)

    def __len__(self) -> int:
        return len(self._cables)

    def open_to(self, party: str, cable_id: str) -> Cable | None:
        """The cable if the party has a contract on it; None alike for a foreign and for an unknown one."""
        cable = self._cables.get(cable_id.strip(xml.SPACE))
        return cable if cable is not None and party in cable.parties else None

    def of(self, party: str) -> list[Cable]:
        """The cables on which a party has a contract."""
        return [cable for cable in self._cables.values() if party in cable.parties]


def centiampere(ampere: float | Decimal) -> int:
    """Ampere as configured to hundredths, rounded towards less.

    >>> centiampere(16.55)
    1655
    """
    return int((Decimal(str(ampere)) * 100).to_integral_value(rounding=ROUND_FLOOR))


def check(cables: Iterable[Cable], parties: Iterable[str]) -> list[Finding]:
    """Everything that is wrong with a set of cables, not only the first.

    Args:
        cables: The cables as configured.
        parties: The CSOs that are known as peers.
    """
    known, seen, findings = set(parties), set[str](), list[Finding]()
    for cable in cables:
        where = f"cable {cable.id!r}"
        if cable.id in seen:
            findings.append(Finding(where, "is there twice; cable ids are unique"))
        seen.add(cable.id)
        findings.extend(Finding(where, text) for text in _faults(cable, known))
    return findings


def _faults(cable: Cable, known: set[str]) -> Iterator[str]:
    if not cable.id.strip() or cable.id != cable.id.strip() or len(cable.id) > LONGEST_ID:
        yield f"its id must have 1 to {LONGEST_ID} characters, without white space around"
    if min(cable.limit_ca) <= 0:
        yield "its limit must be above 0 A on each phase"
    if cable.voltage_v <= 0:
        yield "its voltage must be above 0 V"
    if len(set(cable.parties)) < len(cable.parties):
        yield "a party has two contracts on it; join them"
    for contract in cable.contracts:
        if contract.contracted_ca <= 0:
            yield f"the contract of {contract.party!r} must be above 0 A"
        if contract.party not in known:
            yield f"the contract names {contract.party!r}, which is no [[peer]]"
