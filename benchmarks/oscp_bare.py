"""The peer to beat: what somebody writes who knows the exact spelling and checks nothing. lxml and a loop, no more."""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import ROUND_FLOOR, ROUND_HALF_EVEN, Decimal

from lxml import etree

from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    Header,
    HeartbeatRequest,
    RequestAdjustedCapacityRequest,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)

SOAP = "{http://www.w3.org/2003/05/soap-envelope}"
WSA = "{http://www.w3.org/2005/08/addressing}"
ANONYMOUS = f"{WSA[1:-1]}/anonymous"
CSP, DSO = f"{{{CSP_NAMESPACE}}}", f"{{{DSO_NAMESPACE}}}"
SECOND = timedelta(seconds=1)
CENT = Decimal("0.01")

Body = (
    UpdateCableCapacityForecastRequest
    | RequestAdjustedCapacityRequest
    | UpdateAggregatedUsageRequest
    | HeartbeatRequest
)


def read(data: bytes) -> tuple[Header, Body]:
    """Header and body, found by name, as the values that Gridroom gives."""
    root = etree.fromstring(data)
    header, body = root[0], root[1][0]
    space, _, operation = body.tag.rpartition("}")
    oscp = f"{space}}}"
    parties = header.find(f"{oscp}Parties")
    read_header = Header(
        message_id=header.findtext(f"{WSA}MessageID"),
        sender_id=parties.findtext(f"{oscp}senderID"),
        receiver_id=parties.findtext(f"{oscp}receiverID"),
        date_time=datetime.fromisoformat(header.findtext(f"{oscp}DateTime")),
        priority=int(header.findtext(f"{oscp}Priority")),
        to=header.findtext(f"{WSA}To"),
        action=header.findtext(f"{WSA}Action"),
        relates_to=header.findtext(f"{WSA}RelatesTo") or "",
    )
    return read_header, READERS[operation](body, oscp)


def _heartbeat(body: etree._Element, oscp: str) -> HeartbeatRequest:
    return HeartbeatRequest(
        int(body.findtext(f"{oscp}HeartBeatTimeInterval")), int(body.findtext(f"{oscp}ForecastTimeInterval"))
    )


def _forecasts(body: etree._Element, oscp: str) -> UpdateCableCapacityForecastRequest:
    return UpdateCableCapacityForecastRequest(
        tuple(
            Forecast(
                forecast.findtext(f"{oscp}Cable/{oscp}CableId"),
                tuple(
                    ForecastedBlock(*_block(block, oscp, "Capacity"))
                    for block in forecast.iterfind(f"{oscp}ForecastedBlock")
                ),
            )
            for forecast in body
        )
    )


def _adjustments(body: etree._Element, oscp: str) -> RequestAdjustedCapacityRequest:
    return RequestAdjustedCapacityRequest(
        tuple(
            Adjustment(
                adjustment.findtext(f"{oscp}Cable/{oscp}CableId"),
                tuple(
                    CapacityBlock(*_block(block, oscp, "Capacity"))
                    for block in adjustment.iterfind(f"{oscp}CapacityBlock")
                ),
            )
            for adjustment in body
        )
    )


def _usages(body: etree._Element, oscp: str) -> UpdateAggregatedUsageRequest:
    return UpdateAggregatedUsageRequest(
        tuple(
            CableUsage(
                usage.findtext(f"{oscp}Cable/{oscp}CableId"),
                tuple(UsageBlock(*_block(block, oscp, "Usage")[:3]) for block in usage.iterfind(f"{oscp}UsageBlock")),
            )
            for usage in body
        )
    )


READERS: dict[str, Callable[[etree._Element, str], Body]] = {
    "HeartbeatRequest": _heartbeat,
    "UpdateCableCapacityForecastRequest": _forecasts,
    "RequestAdjustedCapacityRequest": _adjustments,
    "UpdateAggregatedUsageRequest": _usages,
}


def _block(
    block: etree._Element, oscp: str, amount: str
) -> tuple[datetime, datetime, tuple[ValueType, ...], tuple[ValueType, ...]]:
    amounts: list[ValueType] = []
    remaining: list[ValueType] = []
    amount_tag, left_tag, start_tag, end_tag = (
        oscp + name for name in (amount, "RemainingCapacity", "StartTime", "EndTime")
    )
    for child in block:
        tag = child.tag
        if tag == amount_tag:
            amounts.append(_value(child))
        elif tag == left_tag:
            remaining.append(_value(child))
        elif tag == start_tag:
            start = datetime.fromisoformat(child.text)
        elif tag == end_tag:
            end = datetime.fromisoformat(child.text)
    return start, end + SECOND, tuple(amounts), tuple(remaining)


def _value(element: etree._Element) -> ValueType:
    return ValueType(Decimal(element.text), element.get("Unit"), int(element.get("Phase")))


def write(header: Header, body: Body) -> bytes:
    """The envelope, element by element, with the spelling of chapter 6."""
    oscp = CSP if isinstance(body, UpdateCableCapacityForecastRequest | HeartbeatRequest) else DSO
    ours, addressing = {None: oscp[1:-1]}, {None: WSA[1:-1]}
    operation = type(body).__name__
    add = etree.SubElement
    envelope = etree.Element(f"{SOAP}Envelope", nsmap={"soap": SOAP[1:-1]})
    head = add(envelope, f"{SOAP}Header")
    for name, text in (
        ("Action", f"/{operation.removesuffix('Request')}"),
        ("MessageID", header.message_id),
        ("To", header.to),
    ):
        add(head, f"{WSA}{name}", nsmap=addressing).text = text
    add(add(head, f"{WSA}ReplyTo", nsmap=addressing), f"{WSA}Address").text = ANONYMOUS
    parties = add(head, f"{oscp}Parties", nsmap=ours)
    add(parties, f"{oscp}senderID").text = header.sender_id
    add(parties, f"{oscp}receiverID").text = header.receiver_id
    add(head, f"{oscp}Priority", nsmap=ours).text = str(header.priority)
    add(head, f"{oscp}DateTime", nsmap=ours).text = f"{header.date_time:%Y-%m-%dT%H:%M:%S}.000Z"
    root = add(add(envelope, f"{SOAP}Body"), f"{oscp}{operation}", nsmap=ours)
    match body:
        case HeartbeatRequest(heartbeat, forecast):
            add(root, f"{oscp}HeartBeatTimeInterval").text = str(heartbeat)
            add(root, f"{oscp}ForecastTimeInterval").text = str(forecast)
        case UpdateCableCapacityForecastRequest(forecasts):
            for one in forecasts:
                _write_cable(add(root, f"{oscp}Forecast"), oscp, one.cable_id, one.blocks)
        case RequestAdjustedCapacityRequest(adjustments):
            for one in adjustments:
                _write_cable(add(root, f"{oscp}Adjustment"), oscp, one.cable_id, one.blocks)
        case UpdateAggregatedUsageRequest(usages):
            for one in usages:
                _write_cable(add(root, f"{oscp}Usage"), oscp, one.cable_id, one.blocks)
    return etree.tostring(envelope)


def _write_cable(
    into: etree._Element, oscp: str, cable_id: str, blocks: tuple[ForecastedBlock | CapacityBlock | UsageBlock, ...]
) -> None:
    add = etree.SubElement
    add(add(into, f"{oscp}Cable"), f"{oscp}CableId").text = cable_id
    for block in blocks:
        element = add(into, f"{oscp}{type(block).__name__}")
        if isinstance(block, UsageBlock):
            _write_values(element, f"{oscp}Usage", block.usage, ROUND_HALF_EVEN)
        else:
            _write_values(element, f"{oscp}Capacity", block.capacity, ROUND_FLOOR)
        add(element, f"{oscp}StartTime").text = f"{block.start:%Y-%m-%dT%H:%M:%SZ}"
        add(element, f"{oscp}EndTime").text = f"{block.end - SECOND:%Y-%m-%dT%H:%M:%SZ}"
        if isinstance(block, ForecastedBlock):
            _write_values(element, f"{oscp}RemainingCapacity", block.remaining, ROUND_FLOOR)


def _write_values(into: etree._Element, tag: str, values: tuple[ValueType, ...], rounding: str) -> None:
    for value in values:
        attributes = {"Unit": value.unit, "Phase": str(value.phase)}
        etree.SubElement(into, tag, attributes).text = str(value.value.quantize(CENT, rounding))
