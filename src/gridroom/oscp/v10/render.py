"""A message as plain values with the specification's names, for people and for `gridroom decode`."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from gridroom.oscp.v10.adjustments import request_spans
from gridroom.oscp.v10.forecasts import forecast_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Deviation,
    Envelope,
    Fault,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.names import body_name
from gridroom.oscp.v10.spans import CableRefused, CableTerms, gather
from gridroom.oscp.v10.usage import usage_spans

Json = dict[str, Any]
"""A JSON object."""

MAX_KINDS = 200
"""Most kinds of deviation that are shown; of each row's others only the number is."""


def as_json(envelope: Envelope | Fault) -> Json:
    """What `gridroom decode` prints: `message`, `header`, `body` and `deviations`.

    Amounts are strings, so that they stay exact; times are UTC with `Z`, and an EndTime is the first moment after its
    block. Cables that were refused stand in the body's list `refused`. What the blocks mean is judged as for a cable
    of which nothing is known: three phases at 230 V, no maximum. What is odd in several blocks of a cable is told once,
    with the place where it was met first. That a message came in SOAP 1.1 is a deviation of row 32.

    Args:
        envelope: What `soap.read_any` gave.
    """
    if isinstance(envelope, Fault):
        return {
            "message": "Fault",
            "header": {"RelatesTo": envelope.relates_to or None},
            "body": {
                "Code": "Sender" if envelope.sender else "Receiver",
                "Subcode": envelope.subcode or None,
                "Reason": envelope.reason,
            },
            "deviations": [],
        }
    body = _body(envelope.body)
    notes, refused = _meaning(envelope.body)
    if refused:
        body["refused"].extend(map(_refusal, refused))
    return {
        "message": body_name(envelope.body),
        "header": _header(envelope.header),
        "body": body,
        "deviations": [_deviation(one) for one in (*_version(envelope), *envelope.deviations, *_merged(notes))],
    }


def _meaning(body: Message) -> tuple[list[Deviation], list[Refusal]]:
    """What turns out to be odd, or to be refused, only when a cable's blocks are understood together."""
    cables: Iterable[Forecast | Adjustment | CableUsage] = ()
    if isinstance(body, UpdateCableCapacityForecastRequest):
        cables = gather(body.forecasts)
    elif isinstance(body, RequestAdjustedCapacityRequest):
        cables = gather(body.adjustments)
    elif isinstance(body, UpdateAggregatedUsageRequest):
        cables = gather(body.usages)
    notes: list[Deviation] = []
    refused: list[Refusal] = []
    for cable in cables:
        try:
            notes.extend(_understood(cable))
        except CableRefused as error:
            refused.append(error.refusal)
    return notes, refused


def _understood(cable: Forecast | Adjustment | CableUsage) -> list[Deviation]:
    terms = CableTerms(voltage_v=Decimal(230), phases=3)
    if isinstance(cable, Forecast):
        return forecast_spans(cable, terms)[2]
    if isinstance(cable, Adjustment):
        return request_spans(cable, terms)[1]
    return usage_spans(cable, terms)[1]


def _version(envelope: Envelope) -> Iterator[Deviation]:
    if envelope.soap11:
        yield Deviation(32, "Envelope", "SOAP 1.1, refused from a peer whose profile does not say soap 1.1")


def _merged(notes: Iterable[Deviation]) -> Iterator[Deviation]:
    """Each kind once, as the reader has it: where it was met first, and how often."""
    kinds: dict[tuple[int, str], tuple[str, int]] = {}
    more = Counter[int]()
    for one in notes:
        path, times = kinds.get((one.row, one.text), (one.path, 0))
        if times or len(kinds) < MAX_KINDS:
            kinds[one.row, one.text] = path, times + 1
        else:
            more[one.row] += 1
    for (row, text), (path, times) in kinds.items():
        yield Deviation(row, path, text if times == 1 else f"{text} ({times} times)")
    for row, times in more.items():
        yield Deviation(row, "Envelope/Body", f"{times} more of this row are not shown")


def _deviation(deviation: Deviation) -> Json:
    return {"row": deviation.row, "path": deviation.path, "text": deviation.text}


def _header(header: Header) -> Json:
    return {
        "MessageID": header.message_id,
        "Action": header.action or None,
        "To": header.to or None,
        "RelatesTo": header.relates_to or None,
        "Parties": {"senderID": header.sender_id, "receiverID": header.receiver_id},
        "Priority": header.priority,
        "DateTime": None if header.date_time is None else _time(header.date_time),
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().removesuffix("+00:00") + "Z"


def _body(body: Message) -> Json:
    if isinstance(body, UpdateCableCapacityForecastRequest):
        return {"Forecast": [_forecast(one) for one in body.forecasts], **_refused(body.refused)}
    if isinstance(body, RequestAdjustedCapacityRequest):
        return {"Adjustment": [_adjustment(one) for one in body.adjustments], **_refused(body.refused)}
    if isinstance(body, UpdateAggregatedUsageRequest):
        return {"Usage": [_usage(one) for one in body.usages], **_refused(body.refused)}
    if isinstance(body, GetCapacityForecastRequest):
        return {"Cable": [{"CableId": cable_id} for cable_id in body.cable_ids]}
    if isinstance(body, HeartbeatRequest):
        return {"HeartBeatTimeInterval": body.heartbeat_interval_s, "ForecastTimeInterval": body.forecast_interval_s}
    if isinstance(body, HeartbeatResponse):
        return {"CurrentTime": _time(body.current_time), "Result": _result(body.result)}
    if isinstance(body, RequestAdjustedCapacityResponse):
        granted = [_adjustment(one) for one in body.adjustments]
        return {"Adjustment": granted, "Result": _result(body.result), **_refused(body.refused)}
    return {"Result": _result(body.result)}


def _refused(refused: Iterable[Refusal]) -> Json:
    return {"refused": [_refusal(refusal) for refusal in refused]}


def _refusal(refusal: Refusal) -> Json:
    return {"CableId": refusal.cable_id, "Code": refusal.code, "Message": refusal.message, "path": refusal.path}


def _result(result: Result) -> Json:
    details = [{"Code": one.code, "Level": str(one.level), "Message": one.message} for one in result.details]
    return {"Type": str(result.type), "Details": details}


def _forecast(forecast: Forecast) -> Json:
    connections = [{"ConnectionReferenceId": reference} for reference in forecast.connections]
    return {
        "Cable": {"CableId": forecast.cable_id, "Connection": connections},
        "ForecastedBlock": [_block(block) for block in forecast.blocks],
    }


def _adjustment(adjustment: Adjustment) -> Json:
    return {
        "Cable": {"CableId": adjustment.cable_id},
        "CapacityBlock": [_block(block) for block in adjustment.blocks],
    }


def _block(block: ForecastedBlock | CapacityBlock) -> Json:
    return {
        "Capacity": _amounts(block.capacity),
        "StartTime": _time(block.start),
        "EndTime": _time(block.end),
        "RemainingCapacity": _amounts(block.remaining),
    }


def _usage(usage: CableUsage) -> Json:
    return {
        "Cable": {"CableId": usage.cable_id},
        "EMSP": usage.emsp,
        "UsageBlock": [_usage_block(block) for block in usage.blocks],
    }


def _usage_block(block: UsageBlock) -> Json:
    return {"Usage": _amounts(block.usage), "StartTime": _time(block.start), "EndTime": _time(block.end)}


def _amounts(stated: Iterable[ValueType]) -> list[Json]:
    return [{"value": format(one.value, "f"), "Unit": one.unit, "Phase": one.phase} for one in stated]
