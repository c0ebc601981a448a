"""SOAP Faults of chapter 4's binding. Source: OSCP 1.0 sections 4.2.1.1 and 5.3; OCPP 1.5 chapter 8."""

from gridroom import xml
from gridroom.ocpp.draft20.names import SOAP, SOAP11
from gridroom.ocpp.errors import CallRefusedError, PayloadError

PROTOCOL_ERROR = "ProtocolError"
"""Subcode of a message that cannot be read."""

IDENTITY_MISMATCH = "IdentityMismatch"
"""Subcode for a chargePointIdentity that is not the caller's."""

NOT_SUPPORTED = "NotSupported"
"""Subcode for a message that is none of this service."""

OF_SOAP = frozenset({"VersionMismatch", "MustUnderstand"})
"""Codes of SOAP itself."""

LONGEST_REASON = 1000
"""Longest Reason that is written. [characters]"""


def write_fault(error: PayloadError, namespace: str) -> str:
    """The element in the body that tells the sender what was wrong.

    Args:
        error: Its `code` is the subcode, ProtocolError without one.
        namespace: Of the service that answers.
    """
    if error.code in OF_SOAP:
        code = f"<soap:Value>soap:{error.code}</soap:Value>"
    else:
        subcode = error.code or PROTOCOL_ERROR
        code = (
            f"<soap:Value>soap:Sender</soap:Value>"
            f'<soap:Subcode><soap:Value xmlns:c="{namespace}">c:{subcode}</soap:Value></soap:Subcode>'
        )
    reason = xml.escape(xml.sayable(str(error))[:LONGEST_REASON])
    return (
        f"<soap:Fault><soap:Code>{code}</soap:Code>"
        f'<soap:Reason><soap:Text xml:lang="en">{reason}</soap:Text></soap:Reason></soap:Fault>'
    )


def is_fault(body: xml.Element) -> bool:
    """Whether the element in a body is a Fault of SOAP 1.2 or 1.1."""
    return body.tag in (f"{{{SOAP}}}Fault", f"{{{SOAP11}}}Fault")


def read_fault(fault: xml.Element) -> CallRefusedError:
    """What a Fault says: its innermost code without prefix, and its reason."""
    codes = [(one.text or "").strip(xml.SPACE) for one in fault.iter() if _local(one) in ("Value", "faultcode")]
    reasons = [(one.text or "").strip(xml.SPACE) for one in fault.iter() if _local(one) in ("Text", "faultstring")]
    code = codes[-1].rpartition(":")[2] if codes else ""
    return CallRefusedError(code[:64] or "Fault", " ".join("".join(reasons[:1])[:LONGEST_REASON].split()))


def _local(element: xml.Element) -> str:
    return xml.split(element.tag)[1]
