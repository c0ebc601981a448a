"""OSCP 1.0 (9 April 2015) as a library: values, bytes and one side of a conversation; no network, disk or clock.

Bytes to values with `read`, values to bytes with `write`. A `Conversation` keeps ids, retries and replays for one peer;
`gridroom.oscp.io` carries it over the network. What a message means in hundredths of an ampere per phase tell
`forecast_spans`, `request_spans`, `answer_spans` and `usage_spans`. Names are the specification's.

Source: OSCP 1.0 chapters 3, 5 and 6; decisions by number in docs/deviations.md (`explain`).

>>> from datetime import UTC, datetime
>>> header = Header("1", "dso", "cso", datetime(2026, 1, 1, tzinfo=UTC), to="https://cso.example")
>>> read(write(header, HeartbeatRequest(300, 900))).body
HeartbeatRequest(heartbeat_interval_s=300, forecast_interval_s=900)
"""

from gridroom.oscp.errors import AnswerError, LocalError, OscpError, RemoteError
from gridroom.oscp.v10.adjustments import answer_spans, deltas_count, granted_spans, request_spans
from gridroom.oscp.v10.compose import encode, from_json
from gridroom.oscp.v10.forecasts import forecast_spans
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Detail,
    Deviation,
    Envelope,
    Fault,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    Level,
    Message,
    Refusal,
    Request,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Response,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import (
    Again,
    Conversation,
    Delivered,
    GivenUp,
    HeaderError,
    HeartbeatWatch,
    Incoming,
    Letter,
    Memory,
    Peer,
    Reply,
)
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM, PeerProfile
from gridroom.oscp.v10.render import as_json
from gridroom.oscp.v10.rows import Row, explain
from gridroom.oscp.v10.soap import content_type, read, read_any, read_reply, write, write_fault
from gridroom.oscp.v10.spans import CableRefused, CableTerms, Span, gather
from gridroom.oscp.v10.usage import UsageSpan, usage_spans

__all__ = [
    "CSP_NAMESPACE",
    "DEFAULT",
    "DSO_NAMESPACE",
    "GRIDROOM",
    "Adjustment",
    "Again",
    "AnswerError",
    "CableRefused",
    "CableTerms",
    "CableUsage",
    "CapacityBlock",
    "Conversation",
    "Delivered",
    "Detail",
    "Deviation",
    "Envelope",
    "Fault",
    "Forecast",
    "ForecastedBlock",
    "GetCapacityForecastRequest",
    "GetCapacityForecastResponse",
    "GivenUp",
    "Header",
    "HeaderError",
    "HeartbeatRequest",
    "HeartbeatResponse",
    "HeartbeatWatch",
    "Incoming",
    "Letter",
    "Level",
    "LocalError",
    "Memory",
    "Message",
    "OscpError",
    "Peer",
    "PeerProfile",
    "Refusal",
    "RemoteError",
    "Reply",
    "Request",
    "RequestAdjustedCapacityRequest",
    "RequestAdjustedCapacityResponse",
    "Response",
    "Result",
    "ResultType",
    "Row",
    "Span",
    "UpdateAggregatedUsageRequest",
    "UpdateAggregatedUsageResponse",
    "UpdateCableCapacityForecastRequest",
    "UpdateCableCapacityForecastResponse",
    "UsageBlock",
    "UsageSpan",
    "ValueType",
    "answer_spans",
    "as_json",
    "content_type",
    "deltas_count",
    "encode",
    "explain",
    "forecast_spans",
    "from_json",
    "gather",
    "granted_spans",
    "read",
    "read_any",
    "read_reply",
    "request_spans",
    "usage_spans",
    "write",
    "write_fault",
]
