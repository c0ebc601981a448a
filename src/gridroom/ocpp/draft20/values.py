"""What the messages of chapter 4 hold. Source: OSCP 1.0 sections 4.2.1 and 4.2.2.

The values hold anything; `rules.findings` tells what a message may not hold. Times are aware UTC.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from gridroom.ocpp.draft20.enums import (
    ConnectorType,
    GenericStatus,
    Location,
    Measurand,
    ReadingContext,
    UnitOfMeasure,
    ValueFormat,
)
from gridroom.ocpp.profiles import Kind, Purpose, Recurrency


@dataclass(frozen=True)
class Evse:
    """An EVSE of a charge point, 0 for the charge point as a whole; `connector_type` one of its connectors."""

    id: int
    connector_type: ConnectorType | None = None


@dataclass(frozen=True)
class ChargingSchedulePeriod:
    """A part of a schedule; it lasts until the next one starts. At least one limit stands; of both the lower holds.

    Attributes:
        start_period_s: startPeriod, from the start of the schedule. [s]
        max_power_kw: maxPower, of all phases together. [kW]
        max_current_a: maxCurrent, in each phase. [A]
        number_phases: numberPhases; None means 3.
    """

    start_period_s: int
    max_power_kw: int | None = None
    max_current_a: Decimal | None = None
    number_phases: int | None = None


@dataclass(frozen=True)
class ChargingSchedule:
    """Limits over time.

    Attributes:
        id: chargingScheduleId.
        periods: chargingSchedulePeriod, at least one.
        duration_s: duration; None: the last period lasts until the transaction ends, or for ever. [s]
        start_schedule: startSchedule; None counts from the start of charging. [UTC]
    """

    id: int
    periods: tuple[ChargingSchedulePeriod, ...]
    duration_s: int | None = None
    start_schedule: datetime | None = None


@dataclass(frozen=True)
class TariffPeriod:
    """A price level from `start_period_s` after the start of the schedule on [s]; level 0 is not to be compared."""

    start_period_s: int
    e_price_level: int
    description: str = ""


@dataclass(frozen=True)
class SalesTariffTable:
    """What energy is worth over time; OSCP does not use it. `max_e_price_level` counts the levels of all tables."""

    id: int
    max_e_price_level: int
    periods: tuple[TariffPeriod, ...]
    description: str = ""


@dataclass(frozen=True)
class ChargingProfile:
    """A charging profile.

    Attributes:
        id: chargingProfileId.
        stack_level: Higher goes before lower; the lowest is 0.
        purpose: chargingProfilePurpose.
        kind: chargingProfileKind.
        schedule: chargingSchedule.
        primary: Whether it is the primary schedule (True) or an alternative for ISO 15118 (False); None: not told.
        recurrency: recurrencyKind.
        valid_from: None: as soon as received. [UTC]
        valid_to: None: until replaced. [UTC]
        sales_tariff: Needed by an alternative.
    """

    id: int
    stack_level: int
    purpose: Purpose
    kind: Kind
    schedule: ChargingSchedule
    primary: bool | None = None
    recurrency: Recurrency | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    sales_tariff: SalesTariffTable | None = None


@dataclass(frozen=True)
class SetChargingProfileRequest:
    """SetChargingProfile.req, from the CSO to the local controller."""

    evse: Evse
    profiles: tuple[ChargingProfile, ...]

    def primary(self) -> ChargingProfile:
        """The profile that bounds; a single one that does not tell is it.

        Raises:
            LookupError: There is none; `rules.findings` says so too.
        """
        for profile in self.profiles:
            if profile.primary or (profile.primary is None and len(self.profiles) == 1):
                return profile
        raise LookupError("no profile is primary")


@dataclass(frozen=True)
class SetChargingProfileResponse:
    """SetChargingProfile.conf: whether it was processed, not whether the EV follows."""

    status: GenericStatus


@dataclass(frozen=True)
class MeasuredValue:
    """One value of a MeterValue with its attributes; defaults are the document's.

    Attributes:
        text: A decimal number, or a signed record in hexadecimal digits; at most 250 characters.
        context: Why it was taken.
        format: Which of the two the text is.
        measurand: What was measured.
        location: Where.
        unit: None where the message has none, which means Wh for active energy and nothing otherwise.
    """

    text: str
    context: ReadingContext = ReadingContext.SAMPLE_PERIODIC
    format: ValueFormat = ValueFormat.RAW
    measurand: Measurand = Measurand.ENERGY_ACTIVE_IMPORT_REGISTER
    location: Location = Location.OUTLET
    unit: UnitOfMeasure | None = None

    def unit_meant(self) -> UnitOfMeasure | None:
        """The unit that the value has, by itself or by default."""
        if self.unit is None and self.measurand.startswith("Energy.Active."):
            return UnitOfMeasure.WH
        return self.unit


@dataclass(frozen=True)
class MeterValue:
    """Values of one moment. [UTC]"""

    timestamp: datetime
    values: tuple[MeasuredValue, ...]


@dataclass(frozen=True)
class MeterValuesRequest:
    """MeterValues.req, from the local controller to the CSO; EVSE 0 is the main meter, a connector type means nothing.

    The document does not define TransactionId: a text of 1 to 36 characters here, a number with most.
    """

    evse: Evse
    values: tuple[MeterValue, ...] = ()
    transaction_id: str | None = None


@dataclass(frozen=True)
class MeterValuesResponse:
    """MeterValues.conf; it has no fields."""


Request = SetChargingProfileRequest | MeterValuesRequest
"""Either request of chapter 4."""

Response = SetChargingProfileResponse | MeterValuesResponse
"""The answer to either."""

Message = Request | Response
"""Whatever may stand in a body."""
