"""What a message loses on its way from one version of OCPP to another, named.

Source: ours; docs/ocpp.md tells how versions differ from OSCP 1.0 chapter 4.
"""

from dataclasses import dataclass
from enum import StrEnum


class Lost(StrEnum):
    """The kinds of loss; docs/ocpp.md tells each."""

    ALTERNATIVE = "alternative schedule"
    BOTH_LIMITS = "power beside current"
    CONNECTOR_TYPE = "connectorType"
    CONTEXT = "context"
    CUSTOM_DATA = "customData"
    EVENT = "transaction event"
    EVSE = "EVSE or connector"
    IDENTITY = "chargePointIdentity"
    LOCATION = "location"
    MEASURAND = "measurand"
    MIN_RATE = "minChargingRate"
    PHASE = "phase"
    PHASE_TO_USE = "phaseToUse"
    RECURRENCE = "start of the recurrence"
    ROUNDED = "limit rounded down"
    SALES_TARIFF = "salesTariff"
    SCHEDULE_ID = "chargingScheduleId"
    SIGNED = "signed value"
    TRANSACTION = "transactionId"
    UNIT = "unit"
    VALUE = "digits of a value"


@dataclass(frozen=True)
class Loss:
    """Something that the other version cannot say.

    Attributes:
        what: Its kind.
        path: The field of the message that it was read from, or is written to.
        text: What became of it.
    """

    what: Lost
    path: str
    text: str

    def __str__(self) -> str:
        """One line."""
        return f"[{self.what}] {self.path}: {self.text}"
