"""Reading the bodies of the five exchanges. Source: OSCP 1.0 sections 3.2.3 to 3.2.8; decisions: docs/deviations.md."""

from datetime import datetime, timedelta

from gridroom import xml
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.amounts import (
    CAPACITY_BLOCK,
    FORECASTED_BLOCK,
    USAGE_BLOCK,
    Block,
    BlockReader,
    ValueRefused,
)
from gridroom.oscp.v10.containers import Children, blocks_of, cable_ids, containers
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    UsageBlock,
)
from gridroom.oscp.v10.results import read_result
from gridroom.oscp.v10.tree import Tree, fail, one, optional

MAX_EMSP = 200
"""Longest EMSP. [characters]"""

NEAR_AT_MOST = timedelta(minutes=30)
"""However long its blocks: the first of a forecast without zones starts no further from the header's DateTime.

Less than the hour by which a clock is off that shows the local time of Central Europe. Source: decision 11.
"""

OF_HEADER = frozenset({"Parties", "senderID", "receiverID", "Priority", "DateTime"})
"""What the diagrams draw inside a body. Decision 23."""

FIELDS = {
    ("GetCapacityForecast", False): frozenset({"Cable", "CableId"}),
    ("Heartbeat", False): frozenset({"HeartBeatTimeInterval", "ForecastTimeInterval"}),
    ("Heartbeat", True): frozenset({"CurrentTime", "Result"}),
    ("UpdateCableCapacityForecast", True): frozenset({"Result"}),
    ("GetCapacityForecast", True): frozenset({"Result"}),
    ("UpdateAggregatedUsage", True): frozenset({"Result"}),
}
"""Fields of the bodies without containers, by operation and whether it is the answer."""


def read_body(tree: Tree, operation: str, answer: bool, body: xml.Element, made: datetime | None) -> Message:
    """The message in an operation's body element.

    Args:
        tree: Names and deviations of the envelope.
        operation: Name of the operation.
        answer: Whether it is the response.
        body: The body element.
        made: DateTime of the header; None when it is absent or names no zone. [UTC]

    Raises:
        RemoteError: It breaks the schema.
    """
    children = tree.children(body)
    for name in OF_HEADER & children.keys():
        tree.note(23, children.pop(name)[0], f"{name} inside the body ignored")
    for name in children.keys() - FIELDS.get((operation, answer), children.keys()):
        tree.note(35, children[name][0], f"{name} does not belong here, ignored")
    if answer:
        return _read_response(tree, operation, body, children)
    return _read_request(tree, operation, body, children, made)


def _read_request(tree: Tree, operation: str, body: xml.Element, children: Children, made: datetime | None) -> Message:
    if operation == "UpdateCableCapacityForecast":

        def forecast(at: xml.Element, found: Children, cables: tuple[str, ...], reader: BlockReader) -> list[Forecast]:
            return _forecast(tree, at, found, cables, reader, made)

        return UpdateCableCapacityForecastRequest(
            *containers(tree, "Forecast", FORECASTED_BLOCK, body, children, forecast)
        )
    if operation == "RequestAdjustedCapacity":

        def adjustment(
            at: xml.Element, found: Children, cables: tuple[str, ...], reader: BlockReader
        ) -> list[Adjustment]:
            return _adjustment(tree, at, found, cables, reader, answer=False)

        return RequestAdjustedCapacityRequest(
            *containers(tree, "Adjustment", CAPACITY_BLOCK, body, children, adjustment)
        )
    if operation == "UpdateAggregatedUsage":
        return UpdateAggregatedUsageRequest(*containers(tree, "Usage", USAGE_BLOCK, body, children, _usage))
    if operation == "GetCapacityForecast":
        return GetCapacityForecastRequest(cable_ids(tree, body, children))
    return HeartbeatRequest(
        _seconds(one(children, "HeartBeatTimeInterval", body)), _seconds(one(children, "ForecastTimeInterval", body))
    )


def _read_response(tree: Tree, operation: str, body: xml.Element, children: Children) -> Message:
    if operation == "GetCapacityForecast" and not len(body) and values.read_result_type(xml.text_of(body)):
        return GetCapacityForecastResponse(_bare_result(tree, body))
    result = read_result(tree, one(children, "Result", body))
    if operation == "UpdateCableCapacityForecast":
        return UpdateCableCapacityForecastResponse(result)
    if operation == "GetCapacityForecast":
        return GetCapacityForecastResponse(result)
    if operation == "UpdateAggregatedUsage":
        return UpdateAggregatedUsageResponse(result)
    if operation == "Heartbeat":
        return HeartbeatResponse(_instant(tree, one(children, "CurrentTime", body)), result)

    def adjustment(at: xml.Element, found: Children, cables: tuple[str, ...], reader: BlockReader) -> list[Adjustment]:
        return _adjustment(tree, at, found, cables, reader, answer=True)

    del children["Result"]
    if not children:
        return RequestAdjustedCapacityResponse((), result)
    granted, refused = containers(tree, "Adjustment", CAPACITY_BLOCK, body, children, adjustment)
    return RequestAdjustedCapacityResponse(granted, result, refused)


def _bare_result(tree: Tree, body: xml.Element) -> Result:
    """The answer of section 3.2.4 taken at its word: it holds only "OK". Decision 7."""
    word = xml.text_of(body)
    tree.note(7, body, f"{word[:40]} without Result")
    return Result(values.read_result_type(word) or ResultType.ERROR)


def _forecast(
    tree: Tree,
    container: xml.Element,
    inside: Children,
    cables: tuple[str, ...],
    reader: BlockReader,
    made: datetime | None,
) -> list[Forecast]:
    blocks = blocks_of(FORECASTED_BLOCK, container, inside, reader)
    if reader.zoneless:
        _check_zoneless(tree, container, inside, blocks, made)
    if not all(block.remaining for block in blocks):
        tree.note(3, container, "RemainingCapacity is absent, read as none available")
    connections = _connections(tree, container, inside)
    forecasted = tuple(ForecastedBlock(start, end, amounts, left) for start, end, amounts, left, _ in blocks)
    return [Forecast(cable, forecasted, connections) for cable in cables]


def _check_zoneless(
    tree: Tree, container: xml.Element, inside: Children, blocks: list[Block], made: datetime | None
) -> None:
    """Refuse times without zone that may be local ones. Decision 11."""
    first, element = min(zip(blocks, inside["ForecastedBlock"], strict=True), key=lambda pair: pair[0].start)
    start = one(tree.children(element), "StartTime", element)
    if values.read_time(xml.text_of(start))[1] is not values.Zone.NONE:
        raise ValueRefused("INVALID_TIME", "the first block names a zone and others do not", start)
    near = min(NEAR_AT_MOST, *(block.end - block.start for block in blocks))
    if made is None or abs(first.start - made) > near:
        reason = "times without zone, and the first block does not start within one block of the header's DateTime"
        raise ValueRefused("INVALID_TIME", reason, container)


def _connections(tree: Tree, container: xml.Element, inside: Children) -> tuple[str, ...]:
    """References of connections, nested or not. Source: decision 22."""
    places = [inside, *(tree.children(cable) for cable in inside.get("Cable", []))]
    found: list[str] = []
    for place in places:
        references = list(place.get("ConnectionReferenceId", []))
        for connection in place.get("Connection", []):
            references.extend(tree.children(connection).get("ConnectionReferenceId", []))
        found.extend(xml.text_of(reference) for reference in references)
    if "" in found:
        tree.note(22, container, "an empty ConnectionReferenceId ignored")
    return tuple(reference for reference in found if reference)


def _adjustment(
    tree: Tree, container: xml.Element, inside: Children, cables: tuple[str, ...], reader: BlockReader, *, answer: bool
) -> list[Adjustment]:
    if answer and "CapacityBlock" not in inside:
        tree.note(16, container, "an Adjustment without CapacityBlock grants nothing")
        return [Adjustment(cable, ()) for cable in cables]
    blocks = blocks_of(CAPACITY_BLOCK, container, inside, reader)
    if not answer and any(block.remaining for block in blocks):
        tree.note(3, container, "RemainingCapacity in a request ignored")
    changes = tuple(
        CapacityBlock(start, end, amounts, left if answer else ()) for start, end, amounts, left, _ in blocks
    )
    return [Adjustment(cable, changes) for cable in cables]


def _usage(container: xml.Element, inside: Children, cables: tuple[str, ...], reader: BlockReader) -> list[CableUsage]:
    """Usage of a cable, one value per EMSP where the blocks name them. Source: decision 20."""
    emsp_element = optional(inside, "EMSP")
    emsp = "" if emsp_element is None else xml.text_of(emsp_element)
    if emsp_element is not None and len(emsp) > MAX_EMSP:
        raise ValueRefused("INVALID_VALUE", f"an EMSP has at most {MAX_EMSP} characters", emsp_element)
    found: dict[str, list[UsageBlock]] = {}
    for block in blocks_of(USAGE_BLOCK, container, inside, reader):
        if (emsp and block.emsp and block.emsp != emsp) or len(block.emsp) > MAX_EMSP:
            raise ValueRefused("INVALID_VALUE", "the EMSP of a block is not that of its Usage", container)
        usage = UsageBlock(block.start, block.end, block.amounts)
        found.setdefault(block.emsp or emsp, []).append(usage)
    return [CableUsage(cables[0], tuple(blocks), name or None) for name, blocks in found.items()]


def _seconds(element: xml.Element) -> int:
    try:
        seconds = values.read_integer(xml.text_of(element))
    except ValueError as error:
        fail(element, str(error))
    if not 0 < seconds < 10**9:
        fail(element, "an interval must be a number of seconds above 0")
    return seconds


def _instant(tree: Tree, element: xml.Element) -> datetime:
    try:
        moment, zone = values.read_time(xml.text_of(element))
    except ValueError as error:
        fail(element, str(error))
    if zone is not values.Zone.UTC:
        tree.note(11, element, "time without zone or with an offset read as UTC")
    return moment
