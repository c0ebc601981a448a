"""The containers of a message, each for one cable: which cable, and whether it can be taken.

Source: OSCP 1.0 sections 3.2.3 to 3.2.6; decisions 1, 21 and 36.
"""

from collections.abc import Callable
from typing import TypeVar

from gridroom import xml
from gridroom.oscp.v10.amounts import Block, BlockReader, Kind, ValueRefused
from gridroom.oscp.v10.messages import Adjustment, CableUsage, Forecast, Refusal
from gridroom.oscp.v10.tree import Tree, fail, text

MAX_CABLE_ID = 200
"""Longest CableId. [characters]"""

MAX_SHARING = 1000
"""Most cables that share one Adjustment's blocks: a small message must not become a huge piece of work."""

OF_CABLE = frozenset({"Cable", "CableId", "Connection", "ConnectionReferenceId"})
"""What names a cable in a container."""

Children = dict[str, list[xml.Element]]
"""Children of an element by the specification's name."""

T = TypeVar("T", bound=Forecast | Adjustment | CableUsage)
Read = Callable[[xml.Element, Children, tuple[str, ...], BlockReader], list[T]]
"""Reads the cable, or cables, of one container."""


def containers(
    tree: Tree, name: str, kind: Kind, body: xml.Element, children: Children, read: Read[T]
) -> tuple[tuple[T, ...], tuple[Refusal, ...]]:
    """Each container's cable read by itself: good ones, and refusals of the others.

    Args:
        tree: Names and deviations of the envelope.
        name: Of the containers.
        kind: What blocks they hold.
        body: The body element, which stands for the container where there is none.
        children: Its children.
        read: Reads one container.

    Raises:
        RemoteError: A container, or the cable in one, is missing or stands where it cannot.
    """
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
    bad = {refusal.cable_id for refusal in refused}  # a cable refused in one container is refused in all
    return tuple(one for one in good if one.cable_id not in bad), tuple(refused)


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


def cable_ids(tree: Tree, body: xml.Element, children: Children) -> tuple[str, ...]:
    """Cables of a GetCapacityForecast; none means all, which is said where something else stands. Decision 21.

    Raises:
        RemoteError: A CableId is missing in a Cable, empty or too long.
    """
    elements = list(children.get("CableId", []))
    if elements:
        tree.note(21, elements[0], "CableId outside Cable")
    for cable in children.get("Cable", []):
        elements.extend(_ids_in(tree, cable))
    if not elements and (len(body) or (body.text or "").strip(xml.SPACE)):
        tree.note(21, body, "no cable is named, all are meant")
    return tuple(dict.fromkeys(text(element, MAX_CABLE_ID) for element in elements))


def blocks_of(kind: Kind, container: xml.Element, inside: Children, reader: BlockReader) -> list[Block]:
    """Every block of a container; structure is judged in all of them before a value refuses the cable.

    Raises:
        RemoteError: There is none, or one lacks a child or has it twice.
        ValueRefused: A value that refuses the cable.
    """
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
