"""Messages to bytes: names and order as in the examples of chapter 6. Decisions by number: docs/deviations.md."""

from collections.abc import Callable, Sequence
from datetime import datetime
from decimal import Decimal
from typing import TypeVar

from gridroom import xml
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.headers import LONGEST_PRIORITY
from gridroom.oscp.v10.messages import (
    OPERATIONS,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
    operation_of,
)
from gridroom.oscp.v10.names import ANONYMOUS, SOAP11, SOAP12, WSA, action_of, body_name
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.oscp.v10.results import write_result
from gridroom.oscp.v10.strict import B, check_phases, each_once

T = TypeVar("T")
NOTHING_LEFT = (ValueType(Decimal("0.00")),)
"""What a forecast block says where nothing remains. Source: decision 3."""


def write(header: Header, body: Message, profile: PeerProfile = DEFAULT) -> bytes:
    """An envelope as the peer wants it.

    Args:
        header: Its `action` is ignored; `to` gives way to the profile's URL and is not written in answers.
        body: The message; whole seconds in blocks, at most milliseconds in clocks.
        profile: How this peer reads.

    Raises:
        LocalError: Something that the protocol cannot say, such as a time without zone.

    Source: OSCP 1.0 sections 3.2.1 and chapter 6.
    """
    namespace = OPERATIONS[operation_of(body)][0]
    name = body_name(body)
    inside = _body(body, profile)
    tag = f'<{name} xmlns="{namespace}">{inside}</{name}>' if inside else f'<{name} xmlns="{namespace}"/>'
    return wrap(_header(header, body, namespace, profile), tag, profile)


def wrap(header: str, body: str, profile: PeerProfile) -> bytes:
    """Envelope bytes around written header blocks and body."""
    soap = SOAP11 if profile.soap == "1.1" else SOAP12
    return (
        f'<soap:Envelope xmlns:soap="{soap}"><soap:Header>{header}</soap:Header>'
        f"<soap:Body>{body}</soap:Body></soap:Envelope>"
    ).encode()


def addressing(name: str, text: str) -> str:
    """A header block of WS-Addressing."""
    return f'<{name} xmlns="{WSA}">{_text(text, name)}</{name}>'


def _header(header: Header, body: Message, namespace: str, profile: PeerProfile) -> str:
    answer = body_name(body).endswith("Response")
    made = _check_header(header, answer)
    to = ANONYMOUS if answer else profile.to_url or header.to
    return "".join(
        (
            addressing("Action", action_of(body)),
            addressing("MessageID", header.message_id),
            addressing("RelatesTo", header.relates_to) if header.relates_to else "",
            addressing("To", to) if to else "",
            "" if answer else f'<ReplyTo xmlns="{WSA}"><Address>{ANONYMOUS}</Address></ReplyTo>',
            f'<Parties xmlns="{namespace}"><senderID>{_text(header.sender_id, "senderID")}</senderID>',
            f"<receiverID>{_text(header.receiver_id, 'receiverID')}</receiverID></Parties>",
            f'<Priority xmlns="{namespace}">{header.priority:d}</Priority>',
            f'<DateTime xmlns="{namespace}">{values.write_instant(made)}</DateTime>',
        )
    )


def _check_header(header: Header, answer: bool) -> datetime:
    if header.date_time is None:
        raise LocalError("a header needs its DateTime")
    if answer and not header.relates_to:
        raise LocalError("an answer needs the MessageID that it relates to")
    longest = (("message_id", header.message_id, 255), ("relates_to", header.relates_to or "-", 255))
    ids = (("sender_id", header.sender_id, 64), ("receiver_id", header.receiver_id, 64))
    for name, text, most in (*longest, *ids):
        if not 0 < len(text) <= most:
            raise LocalError(f"{name} must have 1 to {most} characters")
    if abs(header.priority) >= 10**LONGEST_PRIORITY:
        raise LocalError("priority is out of range")
    return header.date_time


def _text(text: str, name: str) -> str:
    if text != text.strip(xml.SPACE):
        raise LocalError(f"{name} {text!r}: outer white space would be lost")
    try:
        return xml.escape(text)
    except ValueError as error:
        raise LocalError(f"{name} {text!r}: {error}") from error


def _body(body: Message, profile: PeerProfile) -> str:
    if getattr(body, "refused", ()):
        raise LocalError("refused cables cannot be written")
    if isinstance(body, UpdateCableCapacityForecastRequest):
        return _each(body.forecasts, _forecast, profile, "Forecast")
    if isinstance(body, RequestAdjustedCapacityRequest):
        return _each(body.adjustments, _request, profile, "Adjustment")
    if isinstance(body, UpdateAggregatedUsageRequest):
        return _each(body.usages, _usage, profile, "Usage")
    if isinstance(body, GetCapacityForecastRequest):
        return "".join(_cable(cable_id) for cable_id in body.cable_ids)
    if isinstance(body, HeartbeatRequest):
        return (
            f"<HeartBeatTimeInterval>{_seconds(body.heartbeat_interval_s)}</HeartBeatTimeInterval>"
            f"<ForecastTimeInterval>{_seconds(body.forecast_interval_s)}</ForecastTimeInterval>"
        )
    result = write_result(body.result, profile)
    if isinstance(body, HeartbeatResponse):
        return f"<CurrentTime>{values.write_instant(body.current_time)}</CurrentTime>{result}"
    if isinstance(body, RequestAdjustedCapacityResponse):
        granted = "".join(_adjustment(adjustment, profile, answer=True) for adjustment in body.adjustments)
        return granted + result if profile.adjustment_first else result + granted
    return result


def _each(items: Sequence[T], write_one: Callable[[T, PeerProfile], str], profile: PeerProfile, name: str) -> str:
    if not items:
        raise LocalError(f"a message needs at least one {name}")
    return "".join(_at(f"{name}[{n}]", write_one, item, profile) for n, item in enumerate(items, 1))


def _at(place: str, write_one: Callable[[T, PeerProfile], str], item: T, profile: PeerProfile) -> str:
    """What an item reads as; a mistake in it names its place."""
    try:
        return write_one(item, profile)
    except LocalError as error:
        raise LocalError(f"{place}: {error}") from error


def _seconds(seconds: int) -> str:
    if not 0 < seconds < 10**9:
        raise LocalError(f"an interval of {seconds} s cannot be written, only one above 0")
    return f"{seconds:d}"


def _cable(cable_id: str, connections: Sequence[str] = ()) -> str:
    if not 0 < len(cable_id) <= 200:
        raise LocalError(f"CableId {cable_id!r}: 1 to 200 characters")
    references = "".join(
        f"<Connection><ConnectionReferenceId>{_text(_named(one), 'Connection')}</ConnectionReferenceId></Connection>"
        for one in connections
    )
    return f"<Cable><CableId>{_text(cable_id, 'CableId')}</CableId>{references}</Cable>"


def _named(reference: str) -> str:
    if not reference:
        raise LocalError("a ConnectionReferenceId must not be empty")
    return reference


def _forecast(forecast: Forecast, profile: PeerProfile) -> str:
    blocks = _blocks(forecast.blocks, _forecasted_block, profile)
    return f"<Forecast>{_cable(forecast.cable_id, forecast.connections)}{blocks}</Forecast>"


def _blocks(
    blocks: Sequence[B], write_one: Callable[[B, PeerProfile], str], profile: PeerProfile, *, apart: bool = True
) -> str:
    """The blocks of a cable, each once; `apart` refuses one over another. An answer repeats what was asked. Row 15."""
    if not isinstance(blocks, Sequence) or not blocks:
        raise LocalError("a cable needs at least one block, in a tuple")
    try:
        each = each_once(blocks, apart=apart)
    except ValueError as error:
        raise LocalError(str(error)) from error
    name = type(blocks[0]).__name__
    return "".join(_at(f"{name}[{n}]", write_one, block, profile) for n, block in enumerate(each, 1))


def _forecasted_block(block: ForecastedBlock, profile: PeerProfile) -> str:
    capacity = _amounts("Capacity", block.capacity)
    remaining = _amounts("RemainingCapacity", block.remaining or NOTHING_LEFT)
    return f"<ForecastedBlock>{capacity}{_times(block, profile)}{remaining}</ForecastedBlock>"


def _request(adjustment: Adjustment, profile: PeerProfile) -> str:
    return _adjustment(adjustment, profile, answer=False)


def _adjustment(adjustment: Adjustment, profile: PeerProfile, *, answer: bool) -> str:
    def write_one(block: CapacityBlock, profile: PeerProfile) -> str:
        left = _amounts("RemainingCapacity", block.remaining) if answer and block.remaining else ""
        return f"<CapacityBlock>{_amounts('Capacity', block.capacity)}{_times(block, profile)}{left}</CapacityBlock>"

    blocks = _blocks(adjustment.blocks, write_one, profile, apart=not answer)
    return f"<Adjustment>{_cable(adjustment.cable_id)}{blocks}</Adjustment>"


def _usage(usage: CableUsage, profile: PeerProfile) -> str:
    emsp = f"<EMSP>{_text(usage.emsp, 'EMSP')}</EMSP>" if usage.emsp and profile.emsp != "never" else ""
    return f"<Usage>{_cable(usage.cable_id)}{emsp}{_blocks(usage.blocks, _usage_block, profile)}</Usage>"


def _usage_block(block: UsageBlock, profile: PeerProfile) -> str:
    for unit in {value.unit for value in _sequence("Usage", block.usage)}:
        _check_phases("Usage", [value for value in block.usage if value.unit == unit])
    if not block.usage:
        raise LocalError("a block needs at least one Usage")
    return f"<UsageBlock>{''.join(map(_usage_value, block.usage))}{_times(block, profile)}</UsageBlock>"


def _times(block: ForecastedBlock | CapacityBlock | UsageBlock, profile: PeerProfile) -> str:
    start, end = values.write_time(block.start), values.write_end(block.end, profile.ends)
    if block.end <= block.start:
        raise LocalError(f"the block from {start} ends before it starts")
    return f"<StartTime>{start}</StartTime><EndTime>{end}</EndTime>"


def _amounts(name: str, stated: Sequence[ValueType]) -> str:
    if not 0 < len(_sequence(name, stated)) <= 3:
        raise LocalError(f"{name} stands one to three times in a block, not {len(stated)} times")
    _check_phases(name, stated)
    return "".join(_amount(name, value, values.write_capacity, values.CAPACITY_UNITS) for value in stated)


def _sequence(name: str, stated: Sequence[ValueType]) -> Sequence[ValueType]:
    """The amounts, if they are several in a tuple and not one by itself."""
    if not isinstance(stated, Sequence) or not all(isinstance(value, ValueType) for value in stated):
        raise LocalError(f"{name} is a tuple of ValueType, not {type(stated).__name__}")
    return stated


def _check_phases(name: str, stated: Sequence[ValueType]) -> None:
    try:
        check_phases(name, [value.phase for value in stated])
    except ValueError as error:
        raise LocalError(str(error)) from error


def _usage_value(value: ValueType) -> str:
    return _amount("Usage", value, values.write_usage, values.USAGE_UNITS)


def _amount(name: str, value: ValueType, number: Callable[[Decimal], str], units: frozenset[str]) -> str:
    if not isinstance(value.value, Decimal):
        raise LocalError(f"{name} must be a Decimal, not {type(value.value).__name__}")
    if value.unit not in units:
        raise LocalError(f"{name} cannot be stated in {value.unit!r}, only in {', '.join(sorted(units))}")
    if value.phase is None:
        return f'<{name} Unit="{value.unit}">{number(value.value)}</{name}>'
    if value.phase not in (1, 2, 3):
        raise LocalError(f"Phase {value.phase!r} is not 1, 2 or 3")
    return f'<{name} Unit="{value.unit}" Phase="{value.phase:d}">{number(value.value)}</{name}>'
