"""Reading the bodies of the five exchanges. Source: OSCP 1.0 sections 3.2.3 to 3.2.8; decisions: docs/deviations.md."""

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import TypeVar

from gridroom import xml
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.amounts import (
    CAPACITY_BLOCK,
    FORECASTED_BLOCK,
    USAGE_BLOCK,
    Block,
    BlockReader,
    Kind,
    ValueRefused,
)
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
    Refusal,
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
from gridroom.oscp.v10.tree import Tree, fail, one, optional, text

MAX_CABLE_ID = 200
"""Longest CableId. [characters]"""

MAX_EMSP = 200
"""Longest EMSP. [characters]"""

MAX_SHARING = 1000
"""Most cables that share one Adjustment's blocks: a small message must not become a huge piece of work."""

NEAR_AT_MOST = timedelta(minutes=30)
"""However long its blocks: the first of a forecast without zones starts no further from the header's DateTime.

Less than the hour by which a clock is off that shows the local time of Central Europe. Source: decision 11.
"""

OF_CABLE = frozenset({"Cable", "CableId", "Connection", "ConnectionReferenceId"})
"""What names a cable in a container."""

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

Children = dict[str, list[xml.Element]]
"""Children of an element by the specification's name."""

T = TypeVar("T", bound=Forecast | Adjustment | CableUsage)
Read = Callable[[xml.Element, Children, tuple[str, ...], BlockReader], list[T]]
"""Reads the cable, or cables, of one container."""


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
            *_containers(tree, "Forecast", FORECASTED_BLOCK, body, children, forecast)
        )
    if operation == "RequestAdjustedCapacity":

        def adjustment(
            at: xml.Element, found: Children, cables: tuple[str, ...], reader: BlockReader
        ) -> list[Adjustment]:
            return _adjustment(tree, at, found, cables, reader, answer=False)

        return RequestAdjustedCapacityRequest(
            *_containers(tree, "Adjustment", CAPACITY_BLOCK, body, children, adjustment)
        )
    if operation == "UpdateAggregatedUsage":
        return UpdateAggregatedUsageRequest(*_containers(tree, "Usage", USAGE_BLOCK, body, children, _usage))
    if operation == "GetCapacityForecast":
        return GetCapacityForecastRequest(_cable_ids(tree, body, children))
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
    granted, refused = _containers(tree, "Adjustment", CAPACITY_BLOCK, body, children, adjustment)
    return RequestAdjustedCapacityResponse(granted, result, refused)


def _bare_result(tree: Tree, body: xml.Element) -> Result:
    """The answer of section 3.2.4 taken at its word: it holds only "OK". Decision 7."""
    word = xml.text_of(body)
    tree.note(7, body, f"{word[:40]} without Result")
    return Result(values.read_result_type(word) or ResultType.ERROR)


def _containers(
    tree: Tree, name: str, kind: Kind, body: xml.Element, children: Children, read: Read[T]
) -> tuple[tuple[T, ...], tuple[Refusal, ...]]:
    """Each container's cable read by itself: good ones, and refusals of the others."""
    found = children.get(name, [])
    bare = [key for key in children if key != name]
    if found and bare:
        fail(children[bare[0]][0], f"{bare[0]} must stand inside {name}")
    if not found and not bare:
        fail(body, f"{name} is missing", child=name)
    if not found:
        tree.note(36, body, f"no {name}, read as one")
    reader = BlockReader(tree, kind)
    good: list[T] = []
    refused: list[Refusal] = []
    for number, container in enumerate(found or [body], 1):
        inside = tree.children(container) if found else children
        cables: tuple[str, ...] = ()
        reader.zoneless = False
        try:
            cables = _cables(tree, container, inside, several=bool(found) and name == "Adjustment")
            _check_fields(tree, name, kind, container, inside)
            good.extend(read(container, inside, cables, reader))
        except ValueRefused as error:
            at = f"{name}[{number}]" if len(found) > 1 else name
            path = "/".join(
                filter(None, (xml.path_of(body), at if found else "", xml.path_of(error.element, container)))
            )
            refused.extend(Refusal(cable, error.code, error.message, path) for cable in cables or ("",))
    bad = {refusal.cable_id.strip() for refusal in refused}  # a cable refused in one container is refused in all
    return tuple(one for one in good if one.cable_id.strip() not in bad), tuple(refused)


def _check_fields(tree: Tree, holder: str, kind: Kind, container: xml.Element, inside: Children) -> None:
    """Refuse the cable of a container that states an amount or a time where none belongs. Decision 1."""
    own = {kind.block, "EMSP"} if holder == "Usage" else {kind.block}
    for name, elements in inside.items():
        if name not in OF_CABLE and name not in own and not tree.harmless(elements[0], name):
            raise ValueRefused("UNKNOWN_FIELD", f"{name} does not belong here", elements[0])
    if odd := tree.of_amount(container):
        raise ValueRefused("UNKNOWN_FIELD", f"attribute {odd} does not belong here", container)


def _cables(tree: Tree, container: xml.Element, inside: Children, *, several: bool) -> tuple[str, ...]:
    """CableIds of a container, bare or in Cable."""
    elements = list(inside.get("CableId", []))
    if elements:
        tree.note(36, elements[0], "CableId outside Cable")
    for cable in inside.get("Cable", []):
        elements.extend(_ids_in(tree, cable))
    if not elements:
        fail(container, "CableId is missing", child="Cable/CableId")
    if len(elements) > 1 and not several:
        fail(elements[1], "one cable may stand here")
    if len(elements) > MAX_SHARING:
        fail(container, f"at most {MAX_SHARING} cables may share the blocks of one Adjustment")
    if len(elements) > 1:
        tree.note(36, elements[1], "several cables in one Adjustment, its blocks hold for each")
    ids: list[str] = []
    for element in elements:
        cable_id = xml.text_of(element)
        if not 0 < len(cable_id) <= MAX_CABLE_ID:
            raise ValueRefused("INVALID_CABLE", f"a CableId has 1 to {MAX_CABLE_ID} characters", element)
        ids.append(cable_id)
    return tuple(dict.fromkeys(ids))


def _ids_in(tree: Tree, cable: xml.Element) -> list[xml.Element]:
    inside = tree.children(cable)
    for name, elements in inside.items():
        if name not in OF_CABLE and not tree.harmless(elements[0], name):
            fail(elements[0], f"{name} does not belong here")
    found = inside.get("CableId")
    if not found:
        fail(cable, "CableId is missing", child="CableId")
    return found


def _cable_ids(tree: Tree, body: xml.Element, children: Children) -> tuple[str, ...]:
    """Cables of a GetCapacityForecast; none means all, which is said where something else stands. Decision 21."""
    elements = list(children.get("CableId", []))
    if elements:
        tree.note(21, elements[0], "CableId outside Cable")
    for cable in children.get("Cable", []):
        elements.extend(_ids_in(tree, cable))
    if not elements and (len(body) or (body.text or "").strip(xml.SPACE)):
        tree.note(21, body, "no cable is named, all are meant")
    return tuple(dict.fromkeys(text(element, MAX_CABLE_ID) for element in elements))


def _blocks(kind: Kind, container: xml.Element, inside: Children, reader: BlockReader) -> list[Block]:
    """Every block of a container; structure is judged in all of them before a value refuses the cable."""
    elements = inside.get(kind.block)
    if not elements:
        fail(container, f"{kind.block} is missing", child=kind.block)
    blocks: list[Block] = []
    refused: ValueRefused | None = None
    for element in elements:
        try:
            blocks.append(reader.read(element))
        except ValueRefused as error:
            refused = refused or error
    if refused is not None:
        raise refused
    return blocks


def _forecast(
    tree: Tree,
    container: xml.Element,
    inside: Children,
    cables: tuple[str, ...],
    reader: BlockReader,
    made: datetime | None,
) -> list[Forecast]:
    blocks = _blocks(FORECASTED_BLOCK, container, inside, reader)
    if reader.zoneless:
        first = min(block.start for block in blocks)
        near = min(NEAR_AT_MOST, *(block.end - block.start for block in blocks))
        if made is None or abs(first - made) > near:
            reason = "times without zone, and the first block does not start within one block of the header's DateTime"
            raise ValueRefused("INVALID_TIME", reason, container)
    if not all(block.remaining for block in blocks):
        tree.note(3, container, "RemainingCapacity is absent, read as none available")
    connections = _connections(tree, container, inside)
    forecasted = tuple(ForecastedBlock(start, end, amounts, left) for start, end, amounts, left, _ in blocks)
    return [Forecast(cable, forecasted, connections) for cable in cables]


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
    blocks = _blocks(CAPACITY_BLOCK, container, inside, reader)
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
    for block in _blocks(USAGE_BLOCK, container, inside, reader):
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
