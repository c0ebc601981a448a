"""The form that a message has as JSON: which names stand where, and what each may hold. Read by `compose`.

Everything that the writer would refuse is refused here already, so that the place can be told. `render` writes the same
form.
"""

from collections.abc import Sequence
from typing import Annotated, Any

import msgspec
from msgspec import Meta, Struct, field

from gridroom.oscp.v10 import messages as oscp
from gridroom.oscp.v10._words import (
    Address,
    Blamed,
    CapacityUnit,
    Choice,
    Code,
    LevelWord,
    Moment,
    Name,
    Number,
    PartyId,
    Phase,
    Reason,
    Reference,
    Text,
    TypeWord,
    UsageUnit,
    Words,
)
from gridroom.oscp.v10.strict import check_phases, each_once


class Closed(Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An object with these names and no others."""


# -- header ------------------------------------------------------------------------------------------------------------


class Parties(Closed, frozen=True, kw_only=True):
    sender: PartyId = field(name="senderID")
    receiver: PartyId = field(name="receiverID")


class Header(Closed, frozen=True, kw_only=True):
    parties: Parties = field(name="Parties")
    message_id: Text | None = field(name="MessageID", default=None)
    action: str | None = field(name="Action", default=None)
    to: Address | None = field(name="To", default=None)
    relates_to: Text | None = field(name="RelatesTo", default=None)
    priority: Annotated[int, Meta(gt=-(10**9), lt=10**9)] | None = field(name="Priority", default=None)
    date_time: Moment | None = field(name="DateTime", default=None)


HEADER = tuple(one.encode_name for one in msgspec.structs.fields(Header))
"""What may stand in the header of a message."""


# -- parts of a body ---------------------------------------------------------------------------------------------------


class Capacity(Closed, frozen=True, kw_only=True):
    value: Number
    unit: CapacityUnit = field(name="Unit")
    phase: Phase | None = field(name="Phase", default=None)


class Usage(Closed, frozen=True, kw_only=True):
    value: Number
    unit: UsageUnit = field(name="Unit")
    phase: Phase | None = field(name="Phase", default=None)


def amounts(stated: Sequence[Capacity | Usage]) -> tuple[oscp.ValueType, ...]:
    return tuple(
        oscp.ValueType(one.value.value, one.unit.value, one.phase.value if one.phase else None) for one in stated
    )


def check_named(name: str, stated: Sequence[Capacity | Usage]) -> None:
    check_phases(name, [one.phase.value if one.phase else None for one in stated])


class Times(Closed, frozen=True, kw_only=True):
    start: Moment = field(name="StartTime")
    end: Moment = field(name="EndTime")

    def __post_init__(self) -> None:
        if self.start.value.microsecond or self.end.value.microsecond:
            raise ValueError("StartTime and EndTime are whole seconds")
        if self.end.value <= self.start.value:
            raise ValueError("EndTime is not after StartTime; it is the first moment after the block")
        if self.end.value.second == 59:
            raise ValueError("EndTime is the first moment after the block; write the full minute")


Capacities = Annotated[list[Capacity], Meta(min_length=1, max_length=3)]
Remaining = Annotated[list[Capacity], Meta(max_length=3)]


class CapacityBlock(Times, frozen=True, kw_only=True):
    capacity: Capacities = field(name="Capacity")
    remaining: Remaining = field(name="RemainingCapacity", default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_named("Capacity", self.capacity)
        check_named("RemainingCapacity", self.remaining)


class UsageBlock(Times, frozen=True, kw_only=True):
    usage: Annotated[list[Usage], Meta(min_length=1)] = field(name="Usage")

    def __post_init__(self) -> None:
        super().__post_init__()
        for unit in {one.unit.value for one in self.usage}:
            check_named("Usage", [one for one in self.usage if one.unit.value == unit])


class Cable(Closed, frozen=True, kw_only=True):
    cable_id: Name = field(name="CableId")


class Connection(Closed, frozen=True, kw_only=True):
    reference: Reference = field(name="ConnectionReferenceId")


class ForecastCable(Cable, frozen=True, kw_only=True):
    connections: list[Connection] = field(name="Connection", default_factory=list)


class Forecast(Closed, frozen=True, kw_only=True):
    cable: ForecastCable = field(name="Cable")
    blocks: Annotated[list[CapacityBlock], Meta(min_length=1)] = field(name="ForecastedBlock")

    def __post_init__(self) -> None:
        each_once(self.value().blocks)

    def value(self) -> oscp.Forecast:
        blocks = tuple(
            oscp.ForecastedBlock(one.start.value, one.end.value, amounts(one.capacity), amounts(one.remaining))
            for one in self.blocks
        )
        return oscp.Forecast(
            self.cable.cable_id.value, blocks, tuple(one.reference.value for one in self.cable.connections)
        )


class AskedBlock(Times, frozen=True, kw_only=True):
    capacity: Capacities = field(name="Capacity")
    remaining: Annotated[list[Capacity], Meta(max_length=0)] = field(name="RemainingCapacity", default_factory=list)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_named("Capacity", self.capacity)


class Adjustment(Closed, frozen=True, kw_only=True):
    cable: Cable = field(name="Cable")
    blocks: Annotated[list[CapacityBlock], Meta(min_length=1)] = field(name="CapacityBlock")

    def __post_init__(self) -> None:
        each_once(self.value().blocks, apart=False)

    def value(self) -> oscp.Adjustment:
        blocks = tuple(
            oscp.CapacityBlock(one.start.value, one.end.value, amounts(one.capacity), amounts(one.remaining))
            for one in self.blocks
        )
        return oscp.Adjustment(self.cable.cable_id.value, blocks)


class Asked(Closed, frozen=True, kw_only=True):
    cable: Cable = field(name="Cable")
    blocks: Annotated[list[AskedBlock], Meta(min_length=1)] = field(name="CapacityBlock")

    def __post_init__(self) -> None:
        each_once(self.value().blocks)

    def value(self) -> oscp.Adjustment:
        blocks = tuple(oscp.CapacityBlock(one.start.value, one.end.value, amounts(one.capacity)) for one in self.blocks)
        return oscp.Adjustment(self.cable.cable_id.value, blocks)


class CableUsage(Closed, frozen=True, kw_only=True):
    cable: Cable = field(name="Cable")
    blocks: Annotated[list[UsageBlock], Meta(min_length=1)] = field(name="UsageBlock")
    emsp: Name | None = field(name="EMSP", default=None)

    def __post_init__(self) -> None:
        each_once(self.value().blocks)

    def value(self) -> oscp.CableUsage:
        blocks = tuple(oscp.UsageBlock(one.start.value, one.end.value, amounts(one.usage)) for one in self.blocks)
        return oscp.CableUsage(self.cable.cable_id.value, blocks, self.emsp.value if self.emsp else None)


class Detail(Closed, frozen=True, kw_only=True):
    code: Code = field(name="Code")
    level: LevelWord = field(name="Level", default=LevelWord("INFO"))
    message: Words = field(name="Message", default=Words(""))

    def value(self) -> oscp.Detail:
        return oscp.Detail(self.code.value, self.message.value, oscp.Level(self.level.value))


class Result(Closed, frozen=True, kw_only=True):
    type: TypeWord = field(name="Type")
    details: list[Detail] = field(name="Details", default_factory=list)

    def value(self) -> oscp.Result:
        return oscp.Result(oscp.ResultType(self.type.value), tuple(one.value() for one in self.details))


# -- bodies ------------------------------------------------------------------------------------------------------------


class Partial(Closed, frozen=True, kw_only=True):
    """A body of several cables; `refused` holds those that could not be taken when it was read."""

    refused: list[Any] = []

    def __post_init__(self) -> None:
        if self.refused:
            raise ValueError("cables that were refused cannot be written; correct them, or empty the list `refused`")


class ForecastRequest(Partial, frozen=True, kw_only=True):
    forecasts: Annotated[list[Forecast], Meta(min_length=1)] = field(name="Forecast")

    def value(self) -> oscp.UpdateCableCapacityForecastRequest:
        return oscp.UpdateCableCapacityForecastRequest(tuple(one.value() for one in self.forecasts))


class AdjustedRequest(Partial, frozen=True, kw_only=True):
    adjustments: Annotated[list[Asked], Meta(min_length=1)] = field(name="Adjustment")

    def value(self) -> oscp.RequestAdjustedCapacityRequest:
        return oscp.RequestAdjustedCapacityRequest(tuple(one.value() for one in self.adjustments))


class AdjustedResponse(Partial, frozen=True, kw_only=True):
    result: Result = field(name="Result")
    adjustments: list[Adjustment] = field(name="Adjustment", default_factory=list)

    def value(self) -> oscp.RequestAdjustedCapacityResponse:
        return oscp.RequestAdjustedCapacityResponse(tuple(one.value() for one in self.adjustments), self.result.value())


class UsageRequest(Partial, frozen=True, kw_only=True):
    usages: Annotated[list[CableUsage], Meta(min_length=1)] = field(name="Usage")

    def value(self) -> oscp.UpdateAggregatedUsageRequest:
        return oscp.UpdateAggregatedUsageRequest(tuple(one.value() for one in self.usages))


class ForecastWanted(Closed, frozen=True, kw_only=True):
    cables: list[Cable] = field(name="Cable", default_factory=list)

    def value(self) -> oscp.GetCapacityForecastRequest:
        return oscp.GetCapacityForecastRequest(tuple(one.cable_id.value for one in self.cables))


Seconds = Annotated[int, Meta(gt=0, lt=10**9)]


class HeartbeatRequest(Closed, frozen=True, kw_only=True):
    heartbeat: Seconds = field(name="HeartBeatTimeInterval")
    forecast: Seconds = field(name="ForecastTimeInterval")

    def value(self) -> oscp.HeartbeatRequest:
        return oscp.HeartbeatRequest(self.heartbeat, self.forecast)


class HeartbeatResponse(Closed, frozen=True, kw_only=True):
    current_time: Moment = field(name="CurrentTime")
    result: Result = field(name="Result")

    def value(self) -> oscp.HeartbeatResponse:
        return oscp.HeartbeatResponse(self.current_time.value, self.result.value())


class Answer(Closed, frozen=True, kw_only=True):
    result: Result = field(name="Result")


class ForecastResponse(Answer, frozen=True, kw_only=True):
    def value(self) -> oscp.UpdateCableCapacityForecastResponse:
        return oscp.UpdateCableCapacityForecastResponse(self.result.value())


class WantedResponse(Answer, frozen=True, kw_only=True):
    def value(self) -> oscp.GetCapacityForecastResponse:
        return oscp.GetCapacityForecastResponse(self.result.value())


class UsageResponse(Answer, frozen=True, kw_only=True):
    def value(self) -> oscp.UpdateAggregatedUsageResponse:
        return oscp.UpdateAggregatedUsageResponse(self.result.value())


Body = (
    ForecastRequest
    | ForecastResponse
    | ForecastWanted
    | WantedResponse
    | AdjustedRequest
    | AdjustedResponse
    | UsageRequest
    | UsageResponse
    | HeartbeatRequest
    | HeartbeatResponse
)
BODIES: dict[str, type[Body]] = {
    "UpdateCableCapacityForecastRequest": ForecastRequest,
    "UpdateCableCapacityForecastResponse": ForecastResponse,
    "GetCapacityForecastRequest": ForecastWanted,
    "GetCapacityForecastResponse": WantedResponse,
    "RequestAdjustedCapacityRequest": AdjustedRequest,
    "RequestAdjustedCapacityResponse": AdjustedResponse,
    "UpdateAggregatedUsageRequest": UsageRequest,
    "UpdateAggregatedUsageResponse": UsageResponse,
    "HeartbeatRequest": HeartbeatRequest,
    "HeartbeatResponse": HeartbeatResponse,
}
"""Name of a message to the form of its body."""

FAULT = "Fault"


class FaultHeader(Closed, frozen=True, kw_only=True):
    relates_to: Text | None = field(name="RelatesTo", default=None)


class Fault(Closed, frozen=True, kw_only=True):
    code: Blamed = field(name="Code")
    reason: Reason = field(name="Reason")
    subcode: str | None = field(name="Subcode", default=None)


class Message(Choice):
    choices = (*BODIES, FAULT)


class Document(Closed, frozen=True, kw_only=True):
    message: Message
    header: msgspec.Raw
    body: msgspec.Raw
    deviations: list[Any] = []
