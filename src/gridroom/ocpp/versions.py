"""What a message can be said in, and the payloads of the versions in JSON: between the wire and what they state.

Source: OSCP 1.0 section 4.2; OCPP 1.6 (edition 2) chapter 6; OCPP 2.0.1 part 2.
"""

from collections.abc import Callable
from enum import StrEnum

from gridroom.ocpp import v16_charging, v16_metering, v201_charging, v201_metering
from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.fields import Body, Payload
from gridroom.ocpp.losses import Loss
from gridroom.ocpp.stated import Stated, StatedCharging, StatedReadings


class Version(StrEnum):
    """What a message can be said in."""

    DRAFT20 = "draft20"
    OCPP16 = "1.6"
    OCPP201 = "2.0.1"


def _whole(reader: Callable[[Body], Stated]) -> Callable[[Body, list[Loss]], Stated]:
    """A reader of a version of which everything can be kept."""
    return lambda payload, _: reader(payload)


READERS: dict[Version, dict[str, Callable[[Body, list[Loss]], Stated]]] = {
    Version.OCPP16: {
        "SetChargingProfile": _whole(v16_charging.read_charging),
        "MeterValues": _whole(v16_metering.read_readings),
    },
    Version.OCPP201: {
        "SetChargingProfile": v201_charging.read_charging,
        "MeterValues": v201_metering.read_readings,
        "TransactionEvent": v201_metering.read_event,
    },
}
"""What a payload in JSON states, by version and action; the list gets what cannot be kept."""

_Writers = tuple[Callable[[StatedCharging, list[Loss]], Payload], Callable[[StatedReadings, list[Loss]], Payload]]

WRITERS: dict[Version, _Writers] = {
    Version.OCPP16: (v16_charging.write_charging, v16_metering.write_readings),
    Version.OCPP201: (v201_charging.write_charging, v201_metering.write_readings),
}
"""How a version says a SetChargingProfile, and a MeterValues."""


def read(version: Version, action: str, payload: Body, lost: list[Loss]) -> Stated:
    """What a payload in JSON states.

    Args:
        version: OCPP 1.6 or 2.0.1.
        action: Its action.
        payload: The payload.
        lost: Gets what cannot be kept.

    Raises:
        PayloadError: It cannot be read, or is another action.
    """
    readers = READERS[version]
    if action not in readers:
        raise PayloadError(action[:40], f"is not converted, of OCPP {version} only {', '.join(readers)}")
    return readers[action](payload, lost)


def write(stated: Stated, version: Version, lost: list[Loss]) -> tuple[str, Payload]:
    """Action and payload that state it in JSON.

    Args:
        stated: What to say.
        version: OCPP 1.6 or 2.0.1.
        lost: Gets what cannot be kept.

    Raises:
        PayloadError: The version cannot say it, and nothing near it is safe.
    """
    charging, metering = WRITERS[version]
    if isinstance(stated, StatedCharging):
        return "SetChargingProfile", charging(stated, lost)
    return "MeterValues", metering(stated, lost)
