"""OCPP 1.6J over WebSockets: a thin shell, the only importer of `ocpp` and `websockets`.

Of the package `ocpp` we take the message types and the schemas. Its ChargePoint class waits for its time-out when a
line is dead and computes the wire names; here a call fails at once when the line is lost, and names are written out
in v16.py.

Security profile 2: TLS, and HTTP Basic authentication with the station's identity. Source: OCPP-J 1.6 specification,
OCPP 1.6 security whitepaper (edition 2) chapter 2.
"""

from gridroom.ocpp.io.csms import Csms
from gridroom.ocpp.io.dial import dial_tls
from gridroom.ocpp.io.line import LARGEST_MESSAGE, OCPP16, TIMEOUT_S, Line

__all__ = ["LARGEST_MESSAGE", "OCPP16", "TIMEOUT_S", "Csms", "Line", "dial_tls"]
