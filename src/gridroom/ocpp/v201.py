"""OCPP 2.0.1: charging profiles and meter values, between payloads and what they state.

Names are written out one by one. A TransactionEvent is read for its meter values; they are written as MeterValues.
Source: OCPP 2.0.1 part 2 and its JSON schemas.
"""

from gridroom.ocpp import v201_charging, v201_metering
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Body, Payload
from gridroom.ocpp.losses import Loss
from gridroom.ocpp.stated import Stated, StatedCharging


def read(action: str, payload: Body, lost: list[Loss]) -> Stated:
    """What a SetChargingProfile, MeterValues or TransactionEvent states.

    Args:
        action: Its action.
        payload: Its payload.
        lost: Gets what cannot be kept.

    Raises:
        PayloadError: It cannot be read, or is another action.
    """
    match action:
        case "SetChargingProfile":
            return v201_charging.read_charging(payload, lost)
        case "MeterValues":
            return v201_metering.read_readings(payload, lost)
        case "TransactionEvent":
            return v201_metering.read_event(payload, lost)
        case _:
            known = "SetChargingProfile, MeterValues and TransactionEvent"
            raise PayloadError(action[:40], f"is not converted, only {known} are")


def write(stated: Stated, lost: list[Loss]) -> tuple[str, Payload]:
    """Action and payload that state it, in the words of OCPP 2.0.1.

    Raises:
        PayloadError: OCPP 2.0.1 cannot say it.
    """
    if isinstance(stated, StatedCharging):
        return "SetChargingProfile", v201_charging.write_charging(stated, lost)
    return "MeterValues", v201_metering.write_readings(stated, lost)
