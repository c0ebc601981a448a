"""The register of charge stations: where each one hangs on which cable.

A station has one EVSE (connector 1). Its register is a CSV file with the header
`identity,dso,cable,rotation,max_a,password_sha256`.
"""

import csv
import hashlib
import hmac
import io
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

HEADER = ("identity", "dso", "cable", "rotation", "max_a", "password_sha256")
ROTATIONS = ("123", "231", "312", "132", "213", "321")

Mask = tuple[bool, bool, bool]


class StationError(Exception):
    """A register that cannot be used; the text names file, line and column."""


@dataclass(frozen=True)
class CableKey:
    """A cable is the pair of a DSO's party and its CableId."""

    dso: str
    cable: str


@dataclass(frozen=True)
class Station:
    """A charge station with one EVSE.

    Attributes:
        identity: Its OCPP identity.
        key: The cable that feeds it.
        rotation: Cable phase (1, 2, 3) at the station's L1, L2, L3.
        max_ca: The most that it can carry per phase. [0.01 A]
        password_sha256: SHA-256 of its password, as hex digits.
    """

    identity: str
    key: CableKey
    rotation: tuple[int, int, int] = (1, 2, 3)
    max_ca: int = 3200
    password_sha256: str = ""

    def on_cable(self, phases: Mask) -> NDArray[np.bool_]:
        """Phases of the cable for phases of the station, shape (3,).

        >>> Station("a", CableKey("d", "c"), rotation=(2, 3, 1)).on_cable((True, False, False)).tolist()
        [False, True, False]
        """
        found = np.zeros(3, dtype=np.bool_)
        for used, phase in zip(phases, self.rotation, strict=True):
            found[phase - 1] |= used
        return found

    def turned(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Values of L1, L2, L3 as values of the cable's phases, shape (3, n)."""
        result = np.empty_like(values)
        for row, phase in enumerate(self.rotation):
            result[phase - 1] = values[row]
        return result


@dataclass(frozen=True)
class Register:
    """All stations by identity."""

    stations: Mapping[str, Station]

    def __iter__(self) -> Iterator[Station]:
        return iter(self.stations.values())

    def get(self, identity: str) -> Station | None:
        """The station of that identity, if it is ours."""
        return self.stations.get(identity)

    def on(self, key: CableKey) -> list[Station]:
        """The stations of one cable."""
        return [s for s in self.stations.values() if s.key == key]

    def cables(self) -> list[CableKey]:
        """The cables that feed a station, in a stable order."""
        return sorted({s.key for s in self.stations.values()}, key=lambda k: (k.dso, k.cable))

    def password_fits(self, identity: str, password: str) -> bool:
        """Whether a station gave its password."""
        station = self.get(identity)
        expected = station.password_sha256 if station else ""
        given = hashlib.sha256(password.encode()).hexdigest()
        return bool(expected) and hmac.compare_digest(expected.lower(), given)


def read_csv(path: Path) -> Register:
    """Read a register.

    Raises:
        StationError: The file is missing, or a row is broken; nothing is taken then.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise StationError(f"{path}: {error}") from error
    return parse_csv(text, str(path))


def parse_csv(text: str, name: str = "stations.csv") -> Register:
    r"""Read a register out of a text.

    >>> row = "s1,dso,c1,231,16," + "0" * 64
    >>> parse_csv("identity,dso,cable,rotation,max_a,password_sha256\n" + row).get("s1").max_ca
    1600
    """
    rows = csv.reader(io.StringIO(text))
    head = next(rows, [])
    if tuple(h.strip() for h in head) != HEADER:
        raise StationError(f"{name}, line 1: the header must be {','.join(HEADER)}")
    found: dict[str, Station] = {}
    for row in rows:
        if not row or row[0].startswith("#"):
            continue
        place = f"{name}, line {rows.line_num}"
        if len(row) != len(HEADER):
            raise StationError(f"{place}: {len(row)} columns, {len(HEADER)} are needed")
        station = _station([cell.strip() for cell in row], place)
        if station.identity in found:
            raise StationError(f"{place}: identity {station.identity} stands there twice")
        found[station.identity] = station
    return Register(found)


def _station(row: list[str], place: str) -> Station:
    identity, dso, cable, rotation, max_a, password = row
    for column, value in zip(HEADER[:3], row, strict=False):
        if not value:
            raise StationError(f"{place}: {column} is empty")
    if rotation not in ROTATIONS:
        raise StationError(f"{place}: rotation {rotation!r} is none of {', '.join(ROTATIONS)}")
    try:
        max_ca = int(Decimal(max_a) * 100)
    except (InvalidOperation, ValueError, OverflowError):
        raise StationError(f"{place}: max_a {max_a!r} is not a number") from None
    if not 600 <= max_ca <= 100_000:
        raise StationError(f"{place}: max_a {max_a} is not between 6 and 1000")
    if len(password) != 64 or not set(password.lower()) <= set("0123456789abcdef"):
        raise StationError(f"{place}: password_sha256 is not 64 hex digits")
    first, second, third = (int(c) for c in rotation)
    return Station(identity, CableKey(dso, cable), (first, second, third), max_ca, password)
