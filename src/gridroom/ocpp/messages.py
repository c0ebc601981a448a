"""The messages between a charge station and its CSO, as values. Source: OCPP 1.6 (edition 2) chapter 6."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from gridroom.ocpp.metering import MeterValues
from gridroom.ocpp.profiles import ClearChargingProfile, SetChargingProfile


class Status(StrEnum):
    """ChargePointStatus (section 7.7)."""

    AVAILABLE = "Available"
    PREPARING = "Preparing"
    CHARGING = "Charging"
    SUSPENDED_EVSE = "SuspendedEVSE"
    SUSPENDED_EV = "SuspendedEV"
    FINISHING = "Finishing"
    RESERVED = "Reserved"
    UNAVAILABLE = "Unavailable"
    FAULTED = "Faulted"


@dataclass(frozen=True)
class BootNotification:
    """A station reports itself after a start or a reconnection."""

    vendor: str
    model: str
    serial: str = ""
    firmware: str = ""


@dataclass(frozen=True)
class Authorize:
    """A station asks whether a driver may charge."""

    id_tag: str


@dataclass(frozen=True)
class Heartbeat:
    """A station is alive and asks for the time."""


@dataclass(frozen=True)
class StatusNotification:
    """The state of a connector; `at` None where the station gives no time."""

    connector: int
    status: Status
    at: datetime | None = None
    error: str = "NoError"


@dataclass(frozen=True)
class StartTransaction:
    """A transaction began with the register at `meter_start_wh`. [Wh]"""

    connector: int
    id_tag: str
    meter_start_wh: int
    at: datetime


@dataclass(frozen=True)
class StopTransaction:
    """A transaction ended with the register at `meter_stop_wh`. [Wh]"""

    transaction_id: int
    meter_stop_wh: int
    at: datetime
    reason: str = "Local"


Request = (
    BootNotification
    | Authorize
    | Heartbeat
    | StatusNotification
    | StartTransaction
    | StopTransaction
    | MeterValues
    | SetChargingProfile
    | ClearChargingProfile
)
"""Whatever a station or a CSO may ask of the other."""

__all__ = [
    "Authorize",
    "BootNotification",
    "ClearChargingProfile",
    "Heartbeat",
    "MeterValues",
    "Request",
    "SetChargingProfile",
    "StartTransaction",
    "Status",
    "StatusNotification",
    "StopTransaction",
]
