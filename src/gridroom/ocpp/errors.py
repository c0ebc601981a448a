"""What can go wrong between a CSO and a charge station.

OcppError
 ├─ PayloadError       theirs: a payload that we cannot take; names the field
 ├─ NotConnectedError  the line is dead, nothing was sent or the answer can no longer come
 ├─ NoAnswerError      sent, and not answered in time
 ├─ CallRefusedError   answered with a CALLERROR; carries its code
 └─ BrokenAnswerError  answered with something that is not OCPP 1.6
"""


class OcppError(Exception):
    """Base of all errors of the OCPP room."""


class PayloadError(OcppError):
    """A field of a payload breaks a rule; `path` names it."""

    def __init__(self, path: str, reason: str) -> None:
        super().__init__(f"{path}: {reason}")
        self.path = path
        self.reason = reason


class NotConnectedError(OcppError):
    """There is no connection, or it was lost before the answer came."""


class NoAnswerError(OcppError):
    """The other side did not answer in time."""


class CallRefusedError(OcppError):
    """The other side answered with a CALLERROR."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description


class BrokenAnswerError(OcppError):
    """The answer breaks the schema of OCPP 1.6."""
