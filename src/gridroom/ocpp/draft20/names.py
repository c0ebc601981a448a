"""Namespaces and names of the SOAP binding of chapter 4.

The document leaves the binding to an OCPP 2.0 that never came so; this is OCPP 1.5's, with namespaces of ours.
Source: OSCP 1.0 sections 4.2.1.1 and 5.1; OCPP 1.5 chapter 8.
"""

from gridroom.ocpp.draft20.values import (
    Message,
    MeterValuesRequest,
    MeterValuesResponse,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
)

SOAP = "http://www.w3.org/2003/05/soap-envelope"
"""Namespace of a SOAP 1.2 envelope."""

SOAP11 = "http://schemas.xmlsoap.org/soap/envelope/"
"""Namespace of a SOAP 1.1 envelope."""

WSA = "http://www.w3.org/2005/08/addressing"
"""Namespace of WS-Addressing 1.0."""

XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""Namespace of XML Schema's attributes for instances."""

ANONYMOUS = f"{WSA}/anonymous"
"""Address of whoever holds the other end of the connection."""

CP = "urn://Ocpp/Cp/2014/08/"
"""The service that a local controller hosts: SetChargingProfile."""

CS = "urn://Ocpp/Cs/2014/08/"
"""The service that a CSO hosts: MeterValues."""

IDENTITY = "chargePointIdentity"
"""Header that names the charge point, as OCPP 1.5 has it."""

CONTENT_TYPE = "application/soap+xml; charset=utf-8"
"""Media type of a message."""

BODIES: dict[str, tuple[str, type[Message]]] = {
    "setChargingProfileRequest": (CP, SetChargingProfileRequest),
    "setChargingProfileResponse": (CP, SetChargingProfileResponse),
    "meterValuesRequest": (CS, MeterValuesRequest),
    "meterValuesResponse": (CS, MeterValuesResponse),
}
"""Element in the body to its namespace and message."""

TAGS = {message: (name, namespace) for name, (namespace, message) in BODIES.items()}
"""Class of a message to its body's name and namespace."""


def action_of(name: str) -> str:
    """WS-Addressing's Action of an element in the body, as OCPP 1.5 has it.

    >>> action_of("meterValuesRequest"), action_of("meterValuesResponse")
    ('/MeterValues', '/MeterValuesResponse')
    """
    return f"/{name[0].upper()}{name[1:].removesuffix('Request')}"
