"""The tree of OSCP errors, each beneath the one it is a kind of.

- `OscpError`
    - `LocalError`: we asked for something the protocol cannot say.
    - `CableRefused` (in `v10.spans`, since it holds the refusal): values of one cable that break a rule.
    - `RemoteError`: the other side sent something we refuse; names the element.
        - `AnswerError`: the answer to our request cannot be used.
        - `HeaderError` (in `v10.receiving`, since it holds the request): its header breaks a rule.

Source: OSCP 1.0 section 5.3; row 32 of the deviations.
"""


class OscpError(Exception):
    """Any error of the OSCP library."""


class LocalError(OscpError):
    """Our own mistake: a message that cannot be written."""


class RemoteError(OscpError):
    """The other side's mistake; maps to one SOAP Fault.

    Attributes:
        path: Element that is at fault, as `Envelope/Body/...`, or empty when the bytes are not XML.
        subcode: WS-Addressing or OSCP subcode of the Fault, such as `InvalidAddressingHeader`, or empty.
        sender: True when the sender is to blame (`env:Sender`), False for `env:Receiver`.
        relates_to: MessageID of what they sent, where it could be read although the rest could not.
        soap: SOAP version in which it came, `1.1` or `1.2`, so that its Fault goes back in the same; empty if unknown.
    """

    def __init__(self, reason: str, *, path: str = "", subcode: str = "", sender: bool = True) -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.reason = reason
        self.path = path
        self.subcode = subcode
        self.sender = sender
        self.relates_to = ""
        self.soap = ""


class AnswerError(RemoteError):
    """An answer that does not belong to our request or cannot be read: as if none had come."""
