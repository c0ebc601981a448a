"""One side of a conversation, without sockets: ids, priority, retry, replay answers, heartbeat watch.

The door to the rooms behind it: `letters` (what we send), `receiving` (what comes in), `replying` (what goes back),
`judge` (what an answer means), `watch` (is the DSO alive) and `conversation` (all of it in memory).
"""

from gridroom.oscp.v10.conversation import Conversation, Memory, Remembered
from gridroom.oscp.v10.judge import (
    BACKOFF,
    BACKOFF_CAP,
    CERTIFICATE_REFUSED,
    MAX_TRIES,
    Again,
    Delivered,
    GivenUp,
    Verdict,
    judge,
)
from gridroom.oscp.v10.letters import DEFAULT_PRIORITY, LIFETIME, Letter, Peer, in_order, letter
from gridroom.oscp.v10.receiving import (
    CLOCK_AHEAD,
    OLDEST,
    HeaderError,
    Incoming,
    Trace,
    check_replay,
    digest_of,
    family_of,
    read_request,
    replay_deviation,
    trace_of,
)
from gridroom.oscp.v10.replying import (
    Reply,
    answer_type,
    fault_status,
    fault_type,
    is_remembered,
    readdress,
    refuse_stranger,
    result_of,
    write_answer,
    write_fault,
)
from gridroom.oscp.v10.watch import HeartbeatWatch

__all__ = [
    "BACKOFF",
    "BACKOFF_CAP",
    "CERTIFICATE_REFUSED",
    "CLOCK_AHEAD",
    "DEFAULT_PRIORITY",
    "LIFETIME",
    "MAX_TRIES",
    "OLDEST",
    "Again",
    "Conversation",
    "Delivered",
    "GivenUp",
    "HeaderError",
    "HeartbeatWatch",
    "Incoming",
    "Letter",
    "Memory",
    "Peer",
    "Remembered",
    "Reply",
    "Trace",
    "Verdict",
    "answer_type",
    "check_replay",
    "digest_of",
    "family_of",
    "fault_status",
    "fault_type",
    "in_order",
    "is_remembered",
    "judge",
    "letter",
    "read_request",
    "readdress",
    "refuse_stranger",
    "replay_deviation",
    "result_of",
    "trace_of",
    "write_answer",
    "write_fault",
]
