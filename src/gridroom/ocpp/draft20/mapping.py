"""Messages of chapter 4 to and from what OCPP 1.6 and 2.0.1 state, with what is lost named.

A limit is never raised: where the other side cannot say it exactly it is rounded down, and where no lower limit would
be the same limit the message is refused. Source: OSCP 1.0 section 4.2.
"""

from gridroom.ocpp import understood
from gridroom.ocpp.draft20 import rules
from gridroom.ocpp.draft20.mapping_charging import charging_from, charging_to
from gridroom.ocpp.draft20.mapping_metering import metering_from, metering_to
from gridroom.ocpp.draft20.values import Request, SetChargingProfileRequest
from gridroom.ocpp.losses import Loss
from gridroom.ocpp.stated import Stated, StatedCharging


def to_stated(message: Request, lost: list[Loss]) -> Stated:
    """What a message of chapter 4 states, for OCPP 1.6 or 2.0.1.

    Args:
        message: It keeps all rules.
        lost: Gets what cannot be kept.

    Raises:
        RulesError: It breaks rules.
        PayloadError: It can be read in ways that differ in their limits.
    """
    rules.check(message)
    if isinstance(message, SetChargingProfileRequest):
        return charging_to(message, lost)
    return metering_to(message)


def from_stated(stated: Stated, lost: list[Loss]) -> Request:
    """The message of chapter 4 that says it.

    Args:
        stated: What OCPP 1.6 or 2.0.1 states.
        lost: Gets what cannot be kept.

    Raises:
        RulesError: Chapter 4 forbids it.
        PayloadError: Chapter 4 cannot say it, and nothing near it is safe.
    """
    understood.check(stated)
    message = charging_from(stated, lost) if isinstance(stated, StatedCharging) else metering_from(stated, lost)
    rules.check(message)
    return message
