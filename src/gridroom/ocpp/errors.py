"""What can go wrong between a CSO and a charge station.

OcppError
 ├─ PayloadError       theirs: a message that we cannot take; names the field
 │   └─ RulesError     theirs: a message that breaks rules of chapter 4; names each of them
 ├─ NotConnectedError  the line is dead, nothing was sent or the answer can no longer come
 ├─ NoAnswerError      sent, and not answered in time
 ├─ CallRefusedError   answered with a CALLERROR or a SOAP Fault; carries its code
 └─ BrokenAnswerError  answered with something that is not the OCPP we speak
"""

from collections.abc import Sequence


class OcppError(Exception):
    """Base of all errors of the OCPP room."""


class PayloadError(OcppError):
    """A field of a message breaks a rule.

    Attributes:
        path: The field.
        reason: What is wrong with it.
        code: What the answer calls it, such as IdentityMismatch; empty for the usual.
    """

    def __init__(self, path: str, reason: str, code: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason
        self.code = code


class RulesError(PayloadError):
    """A message that can be read and breaks rules; `findings` are all of them, as (path, reason)."""

    def __init__(self, findings: Sequence[tuple[str, str]]) -> None:
        first, *others = findings
        more = "".join(f"; {path}: {reason}" for path, reason in others)
        super().__init__(first[0], first[1] + more)
        self.findings = tuple(findings)


class NotConnectedError(OcppError):
    """There is no connection, or it was lost before the answer came."""


class NoAnswerError(OcppError):
    """The other side did not answer in time."""


class CallRefusedError(OcppError):
    """The other side answered with a CALLERROR or a SOAP Fault."""

    def __init__(self, code: str, description: str) -> None:
        super().__init__(f"{code}: {description}" if description else code)
        self.code = code
        self.description = description


class BrokenAnswerError(OcppError):
    """The answer cannot be read: it breaks its schema, or is no answer to this request."""
