"""What differs from peer to peer, as data."""

from dataclasses import dataclass
from typing import Literal, get_args, get_origin, get_type_hints

from gridroom.oscp.errors import LocalError


@dataclass(frozen=True, slots=True)
class PeerProfile:
    """How we write to one peer; reading is the same for all. Decisions by number in docs/deviations.md.

    Attributes:
        soap: SOAP version; 1.1 only where set so.
        phases: One value without Phase (the smallest of the three), or Phase 1, 2, 3 where they differ.
        shape: Every block, equal neighbours joined, or two fine hours and a coarse tail of minima.
        ends: EndTime as the last second (`:59`) or as the first moment after.
        success_code: Code of the detail that accompanies SUCCESS.
        description: Whether a Description repeats the Code.
        adjustment_first: Whether Adjustment stands before Result in answers.
        emsp: Whether a set EMSP is written.
        sender_fault_status: HTTP status of a Sender fault.
        to_url: wsa:To of our requests; empty means the URL we post to.
        max_cables_per_message: Most cables in one message.
        heartbeat: Whether the peer gets heartbeats.
    """

    soap: Literal["1.2", "1.1"] = "1.2"
    phases: Literal["smallest", "per-phase"] = "smallest"
    shape: Literal["full", "merged", "tail"] = "full"
    ends: Literal["inclusive", "exclusive"] = "inclusive"
    success_code: Literal["MESSAGE_PROCESSED", "PROCESSED"] = "MESSAGE_PROCESSED"
    description: bool = True
    adjustment_first: bool = True
    emsp: Literal["after-cable", "never"] = "after-cable"
    sender_fault_status: Literal[400, 500] = 400
    to_url: str = ""
    max_cables_per_message: int = 500
    heartbeat: bool = True

    def __post_init__(self) -> None:
        for name, hint in get_type_hints(PeerProfile).items():
            value = getattr(self, name)
            if get_origin(hint) is Literal and value not in get_args(hint):
                raise LocalError(f"{name} {value!r} is none of {', '.join(map(str, get_args(hint)))}")
            if get_origin(hint) is None and type(value) is not hint:
                raise LocalError(f"{name} {value!r} is no {hint.__name__}")
        if self.max_cables_per_message < 1:
            raise LocalError("max_cables_per_message must be at least 1")


DEFAULT = PeerProfile()
"""A peer built from chapter 6 of the specification."""

GRIDROOM = PeerProfile(phases="per-phase")
"""Our own kind."""
