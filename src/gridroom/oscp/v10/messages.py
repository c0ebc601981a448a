"""The five exchanges of OSCP 1.0 as values.

Names are the specification's; each class quotes its section. Amounts keep the unit and phase that the wire states
(`ValueType`); what they mean in ampere per phase is decided in `blocks.py`. Times are aware UTC, blocks half open.
"""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from gridroom.oscp.errors import LocalError

DSO_NAMESPACE = "http://OSCP/DSO/2013/06/"
"""Namespace of the service that the DSO hosts. Source: OSCP 1.0 section 6.2."""

CSP_NAMESPACE = "http://OSCP/CSP/2013/06/"
"""Namespace of the service that the CSO hosts. Source: OSCP 1.0 section 6.1."""


class ResultType(StrEnum):
    """Outcome of a request. Source: OSCP 1.0 section 3.2.8."""

    SUCCESS = "SUCCESS"
    FAILED = "FAILED"
    NOT_ALLOWED = "NOT ALLOWED"
    NOT_IMPLEMENTED = "NOT IMPLEMENTED"
    ERROR = "ERROR"


class Level(StrEnum):
    """Log level of a detail. Source: OSCP 1.0 section 3.2.8."""

    INFO = "INFO"
    WARN = "WARN"
    ERROR = "ERROR"
    DEBUG = "DEBUG"


@dataclass(frozen=True, slots=True)
class Detail:
    """One remark on the outcome. Source: OSCP 1.0 section 3.2.8."""

    code: str
    message: str
    level: Level = Level.INFO


@dataclass(frozen=True, slots=True)
class Result:
    """Outcome of a request. Source: OSCP 1.0 section 3.2.8."""

    type: ResultType
    details: tuple[Detail, ...] = ()

    @classmethod
    def success(cls) -> "Result":
        """The everyday answer."""
        return cls(ResultType.SUCCESS, (Detail("MESSAGE_PROCESSED", "Processed."),))


@dataclass(frozen=True, slots=True)
class Deviation:
    """A reading that had to be tolerant.

    Attributes:
        row: Number of the decision in docs/deviations.md.
        path: The element.
        text: What was read, and as what.
    """

    row: int
    path: str
    text: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """One cable of a good message that could not be taken: its values break a rule, the other cables stand.

    Attributes:
        cable_id: The cable, empty when even that could not be read.
        code: ResultCode for the answer, at most 15 characters.
        message: What is wrong, for the answer.
        path: The element.
    """

    cable_id: str
    code: str
    message: str
    path: str


@dataclass(frozen=True, slots=True)
class ValueType:
    """An amount as the wire states it. Source: OSCP 1.0 section 3.2.3.

    Attributes:
        value: The exact decimal.
        unit: Unit as in UnitOfMeasure ("A", "W", "kW", "Wh", "kWh"), canonical case.
        phase: 1, 2, 3, or None where the wire names none.
    """

    value: Decimal
    unit: str = "A"
    phase: int | None = None


@dataclass(frozen=True, slots=True)
class ForecastedBlock:
    """A time slot and what may be used in it. Source: OSCP 1.0 section 3.2.3."""

    start: datetime
    end: datetime
    capacity: tuple[ValueType, ...]
    remaining: tuple[ValueType, ...] = ()


@dataclass(frozen=True, slots=True)
class Forecast:
    """The forecast of one cable. Source: OSCP 1.0 section 3.2.3."""

    cable_id: str
    blocks: tuple[ForecastedBlock, ...]
    connections: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateCableCapacityForecastRequest:
    """DSO to CSO: what each cable leaves you. Source: OSCP 1.0 section 3.2.3."""

    forecasts: tuple[Forecast, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateCableCapacityForecastResponse:
    """The CSO's answer. Source: OSCP 1.0 sections 3.2.8 and 6.1.2."""

    result: Result


@dataclass(frozen=True, slots=True)
class GetCapacityForecastRequest:
    """CSO to DSO: send me the forecast again; no cable named means all. Source: OSCP 1.0 section 3.2.4."""

    cable_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class GetCapacityForecastResponse:
    """The DSO's answer; the forecast follows by itself. Source: OSCP 1.0 section 3.2.4."""

    result: Result


@dataclass(frozen=True, slots=True)
class CapacityBlock:
    """A signed change of capacity in a time slot. Source: OSCP 1.0 section 3.2.5.

    Attributes:
        start: First moment. [UTC]
        end: First moment after. [UTC]
        capacity: Requested (or, in the answer, assigned) delta; negative gives back.
        remaining: Backup capacity left, in answers.
    """

    start: datetime
    end: datetime
    capacity: tuple[ValueType, ...]
    remaining: tuple[ValueType, ...] = ()


@dataclass(frozen=True, slots=True)
class Adjustment:
    """The changes of one cable. Source: OSCP 1.0 section 3.2.5."""

    cable_id: str
    blocks: tuple[CapacityBlock, ...]


@dataclass(frozen=True, slots=True)
class RequestAdjustedCapacityRequest:
    """CSO to DSO: more, or less, than forecast. Source: OSCP 1.0 section 3.2.5."""

    adjustments: tuple[Adjustment, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class RequestAdjustedCapacityResponse:
    """The DSO's answer: the delta it assigns. Source: OSCP 1.0 section 3.2.5.2."""

    adjustments: tuple[Adjustment, ...]
    result: Result
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class UsageBlock:
    """What was used in a time slot. Source: OSCP 1.0 section 3.2.6."""

    start: datetime
    end: datetime
    usage: tuple[ValueType, ...]


@dataclass(frozen=True, slots=True)
class CableUsage:
    """Usage of one cable (the container `Usage`). Source: OSCP 1.0 section 3.2.6."""

    cable_id: str
    blocks: tuple[UsageBlock, ...]
    emsp: str | None = None


@dataclass(frozen=True, slots=True)
class UpdateAggregatedUsageRequest:
    """CSO to DSO: the total used per cable and block. Source: OSCP 1.0 section 3.2.6."""

    usages: tuple[CableUsage, ...]
    refused: tuple[Refusal, ...] = ()


@dataclass(frozen=True, slots=True)
class UpdateAggregatedUsageResponse:
    """The DSO's answer. Source: OSCP 1.0 section 3.2.8."""

    result: Result


@dataclass(frozen=True, slots=True)
class HeartbeatRequest:
    """DSO to CSO: the forecasting algorithm runs. Source: OSCP 1.0 section 3.2.7."""

    heartbeat_interval_s: int
    forecast_interval_s: int


@dataclass(frozen=True, slots=True)
class HeartbeatResponse:
    """The CSO's answer with its clock. Source: OSCP 1.0 section 3.2.7.2."""

    current_time: datetime
    result: Result


Request = (
    UpdateCableCapacityForecastRequest
    | HeartbeatRequest
    | GetCapacityForecastRequest
    | RequestAdjustedCapacityRequest
    | UpdateAggregatedUsageRequest
)
"""Any of the five requests."""

Response = (
    UpdateCableCapacityForecastResponse
    | HeartbeatResponse
    | GetCapacityForecastResponse
    | RequestAdjustedCapacityResponse
    | UpdateAggregatedUsageResponse
)
"""Any of the five answers."""

Message = Request | Response
"""Whatever may stand in a body, but for a Fault."""


@dataclass(frozen=True, slots=True)
class Header:
    """What every envelope says about itself. Source: OSCP 1.0 section 3.2.1, WS-Addressing 1.0.

    Attributes:
        message_id: Opaque, 1 to 255 characters.
        sender_id: senderID of Parties.
        receiver_id: receiverID of Parties.
        date_time: When the message was made; None only in a foreign answer without it. [UTC]
        priority: 0 normal, above urgent, below less critical.
        to: Address of the receiving service, empty in answers.
        action: wsa:Action as read; ignored when writing.
        relates_to: In answers the MessageID of the request.
    """

    message_id: str
    sender_id: str
    receiver_id: str
    date_time: datetime | None
    priority: int = 0
    to: str = ""
    action: str = ""
    relates_to: str = ""


@dataclass(frozen=True, slots=True)
class Envelope:
    """A message with its header, and the deviations met while reading it.

    Attributes:
        header: Who, to whom, when.
        body: What is said.
        deviations: What had to be read with tolerance.
        soap11: Whether it came in SOAP 1.1; its answer goes back in the same version.
    """

    header: Header
    body: Message
    deviations: tuple[Deviation, ...] = ()
    soap11: bool = False


@dataclass(frozen=True, slots=True)
class Fault:
    """A SOAP Fault as read. Source: OSCP 1.0 section 5.3.

    Attributes:
        sender: True when it blames the sender of the request (never retried), False for the receiver (may be).
        reason: Text for people.
        subcode: Subcode's local name, or empty.
        relates_to: MessageID of the request, or empty.
    """

    sender: bool
    reason: str
    subcode: str = ""
    relates_to: str = ""


OPERATIONS: dict[str, tuple[str, type[Request], type[Response]]] = {
    "UpdateCableCapacityForecast": (
        CSP_NAMESPACE,
        UpdateCableCapacityForecastRequest,
        UpdateCableCapacityForecastResponse,
    ),
    "Heartbeat": (CSP_NAMESPACE, HeartbeatRequest, HeartbeatResponse),
    "GetCapacityForecast": (DSO_NAMESPACE, GetCapacityForecastRequest, GetCapacityForecastResponse),
    "RequestAdjustedCapacity": (
        DSO_NAMESPACE,
        RequestAdjustedCapacityRequest,
        RequestAdjustedCapacityResponse,
    ),
    "UpdateAggregatedUsage": (DSO_NAMESPACE, UpdateAggregatedUsageRequest, UpdateAggregatedUsageResponse),
}
"""Operation name to the namespace of the service that offers it, its request and its response."""


def operation_of(message: Message) -> str:
    """Name of the operation a message belongs to.

    Raises:
        LocalError: It is no message.

    >>> operation_of(HeartbeatRequest(300, 900))
    'Heartbeat'
    """
    for name, (_, request, response) in OPERATIONS.items():
        if isinstance(message, request | response):
            return name
    raise LocalError(f"{type(message).__name__} is no message of OSCP 1.0")
