"""Simulated stations as a configuration: one TOML file for many of them."""

from collections import defaultdict
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from typing import Annotated

import msgspec

ROTATIONS = ("123", "231", "312", "132", "213", "321")
Amps = Annotated[float, msgspec.Meta(ge=0, le=1000)]
Count = Annotated[int, msgspec.Meta(gt=0)]


def ca(amps: float) -> int:
    """Hundredths of an ampere, rounded down.

    >>> ca(16.1)
    1610
    """
    return int(Decimal(str(amps)) * 100)


class StationConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A station with one EVSE.

    Attributes:
        identity: Its OCPP identity.
        password: For HTTP Basic authentication.
        url: Where its CSO is, wss://…; empty takes the file's `url`.
        rotation: Cable phase at the station's L1, L2, L3: "231" has L1 on phase 2.
        max_current_a: What it carries per phase. [A]
        safe_current_a: What it allows as long as it knows no profile, 0 or at least 6. [A]
        id_tag: What it names its drivers by.
    """

    identity: Annotated[str, msgspec.Meta(min_length=1, max_length=48, pattern=r"^[A-Za-z0-9._-]+$")]
    password: Annotated[str, msgspec.Meta(min_length=16, max_length=40)]
    url: str = ""
    rotation: str = "123"
    max_current_a: Amps = 16.0
    safe_current_a: Amps = 6.0
    id_tag: Annotated[str, msgspec.Meta(min_length=1, max_length=20)] = "driver"

    def __post_init__(self) -> None:
        if self.rotation not in ROTATIONS:
            raise ValueError(f"rotation {self.rotation!r} is none of {', '.join(ROTATIONS)}")
        if self.max_current_a < 6:
            raise ValueError(f"max_current_a {self.max_current_a:g} is below 6, no car can charge")
        if 0 < self.safe_current_a < 6 or self.safe_current_a > self.max_current_a:
            raise ValueError(f"safe_current_a {self.safe_current_a:g} is neither 0 nor between 6 and max_current_a")


class Arrival(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A car that comes to a station.

    Attributes:
        station: Identity of the station.
        plug_in: When. [UTC]
        plug_out: When it leaves. [UTC]
        energy_wh: What it needs. [Wh]
        max_current_a: The most that it draws per phase. [A]
        phases: How many phases it charges on.
    """

    station: str
    plug_in: Annotated[datetime, msgspec.Meta(tz=True)]
    plug_out: Annotated[datetime, msgspec.Meta(tz=True)]
    energy_wh: Count
    max_current_a: Annotated[float, msgspec.Meta(ge=6, le=1000)] = 16.0
    phases: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3

    def __post_init__(self) -> None:
        if self.plug_out <= self.plug_in:
            raise ValueError("plug_out is not after plug_in")


class Visitor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A car that comes some time after the start, for trying things out.

    Attributes:
        station: Identity of the station.
        after_s: Seconds after the start. [s]
        stay_s: How long it stays. [s]
        energy_wh: What it needs. [Wh]
        max_current_a: The most that it draws per phase. [A]
        phases: How many phases it charges on.
    """

    station: str
    after_s: Annotated[int, msgspec.Meta(ge=0)]
    stay_s: Count
    energy_wh: Count
    max_current_a: Annotated[float, msgspec.Meta(ge=6, le=1000)] = 16.0
    phases: Annotated[int, msgspec.Meta(ge=1, le=3)] = 3

    def arrival(self, start: datetime) -> Arrival:
        """The arrival, counted from a start."""
        plug_in = start + timedelta(seconds=self.after_s)
        return Arrival(
            station=self.station,
            plug_in=plug_in,
            plug_out=plug_in + timedelta(seconds=self.stay_s),
            energy_wh=self.energy_wh,
            max_current_a=self.max_current_a,
            phases=self.phases,
        )


class StationsConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Many stations in one process.

    Attributes:
        url: Where the CSO is, for stations without a `url` of their own.
        ca: File with the certificates that the stations trust, beside this file.
        station: The stations.
        arrival: Cars that come at known times.
        visitor: Cars that come some time after the start.
        advance_every_s: How often the simulation goes on, on the wall clock. [s]
        meter_every_s: How often a station reports what it drew. [s]
    """

    url: str = ""
    ca: str = "ca.pem"
    station: Annotated[tuple[StationConfig, ...], msgspec.Meta(min_length=1)]
    arrival: tuple[Arrival, ...] = ()
    visitor: tuple[Visitor, ...] = ()
    advance_every_s: Count = 5
    meter_every_s: Count = 60

    def __post_init__(self) -> None:
        identities = [station.identity for station in self.station]
        twice = {identity for identity in identities if identities.count(identity) > 1}
        if twice:
            raise ValueError(f"station {', '.join(sorted(twice))} stands there twice")
        for station in self.station:
            if not (station.url or self.url).startswith("wss://"):
                raise ValueError(f"url of station {station.identity} does not start with wss://")
        cars: tuple[Arrival | Visitor, ...] = (*self.arrival, *self.visitor)
        for one in cars:
            if one.station not in identities:
                raise ValueError(f"station {one.station!r} of a car is not in this file")
        check_arrivals(self.arrival)


def check_arrivals(arrivals: tuple[Arrival, ...]) -> None:
    """See that no two cars are at one station at a time.

    Raises:
        ValueError: They are.
    """
    of: dict[str, list[Arrival]] = defaultdict(list)
    for arrival in sorted(arrivals, key=lambda a: a.plug_in):
        of[arrival.station].append(arrival)
    for station, found in of.items():
        for first, second in pairwise(found):
            if second.plug_in < first.plug_out:
                raise ValueError(f"station {station} has two cars at {second.plug_in.isoformat()}")
