"""What an OCPP message states, as it stands there: units not converted, identifiers and texts kept.

Between the versions, so that a conversion changes only what it must. What a limit becomes that cannot be kept is in
`narrowing.py`, what our own stations and CSOs make of a message in `understood.py`. Sources: OCPP 1.6 (edition 2)
chapters 6 and 7, the JSON schemas of OCPP 2.0.1, OSCP 1.0 section 4.2.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gridroom.ocpp.profiles import Kind, Purpose, Recurrency

ALL_PHASES = 3
"""numberPhases where a message gives none."""

LONGEST_S = 366 * 86_400
"""Longest time inside a schedule that is read. [s]"""

DEFAULT_MEASURAND = "Energy.Active.Import.Register"
"""What a sample measures that does not say so. Source: OCPP 1.6 chapter 7."""

DEFAULT_CONTEXT = "Sample.Periodic"
"""Why a sample was taken that does not say so. Source: OCPP 1.6 chapter 7."""

DEFAULT_LOCATION = "Outlet"
"""Where a sample was taken that does not say so. Source: OCPP 1.6 chapter 7."""

CONTEXTS = frozenset(
    {
        *("Interruption.Begin", "Interruption.End", "Sample.Clock", "Sample.Periodic"),
        *("Transaction.Begin", "Transaction.End", "Trigger", "Other"),
    }
)
"""Why a sample may have been taken."""

LOCATIONS = frozenset({"Body", "Cable", "EV", "Inlet", "Outlet"})
"""Where a sample may have been taken."""

PHASES = frozenset({"L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"})
"""Values that OCPP 1.6 and 2.0.1 have in common."""


class RateUnit(StrEnum):
    """What a limit counts: ampere in each phase, or watt of all phases together."""

    AMPERE = "A"
    WATT = "W"


@dataclass(frozen=True)
class StatedPeriod:
    """A part of a schedule.

    Attributes:
        start_s: Seconds after the start of the schedule. [s]
        limit: In the schedule's unit.
        phases: numberPhases; None where the message gives none, which means 3.
        phase: phaseToUse of OCPP 2.0.1.
    """

    start_s: int
    limit: Decimal
    phases: int | None = None
    phase: int | None = None


@dataclass(frozen=True)
class TariffEntry:
    """A price level from `start_s` on. [s]"""

    start_s: int
    level: int


@dataclass(frozen=True)
class Tariff:
    """Price levels over time.

    Attributes:
        id: Its number.
        levels: How many different ones there may be.
        entries: The levels, in order.
        text: A description.
        from_start: Whether they count from startSchedule, as in chapter 4; in OCPP 2.0.1 they count from now.
    """

    id: int
    levels: int
    entries: tuple[TariffEntry, ...]
    text: str = ""
    from_start: bool = False


@dataclass(frozen=True)
class StatedSchedule:
    """Limits over time.

    Attributes:
        unit: What the limits count.
        periods: At least one.
        id: chargingScheduleId; OCPP 1.6 has none.
        start: startSchedule. [UTC]
        duration_s: How long it constrains; None for ever. [s]
        least: minChargingRate, in the schedule's unit.
        tariff: salesTariff.
    """

    unit: RateUnit
    periods: tuple[StatedPeriod, ...]
    id: int | None = None
    start: datetime | None = None
    duration_s: int | None = None
    least: Decimal | None = None
    tariff: Tariff | None = None


@dataclass(frozen=True)
class StatedProfile:
    """A charging profile; more than one schedule is OCPP 2.0.1's choice for ISO 15118."""

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedules: tuple[StatedSchedule, ...]
    transaction_id: str | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    recurrency: Recurrency | None = None


@dataclass(frozen=True)
class StatedCharging:
    """A SetChargingProfile request; `evse` is 1.6's connectorId, and 0 the whole station."""

    evse: int
    profile: StatedProfile


@dataclass(frozen=True)
class StatedSample:
    """One sampled value: a decimal text, or, where `signed`, a signed record that holds the number inside."""

    value: str
    measurand: str = DEFAULT_MEASURAND
    unit: str = ""
    context: str = DEFAULT_CONTEXT
    location: str = DEFAULT_LOCATION
    phase: str = ""
    signed: bool = False


@dataclass(frozen=True)
class StatedReading:
    """Values sampled at one moment. [UTC]"""

    timestamp: datetime
    samples: tuple[StatedSample, ...]


@dataclass(frozen=True)
class StatedReadings:
    """A MeterValues request; 0 is the main meter."""

    evse: int
    transaction_id: str | None
    readings: tuple[StatedReading, ...]


Stated = StatedCharging | StatedReadings
"""What a message of either kind states."""
