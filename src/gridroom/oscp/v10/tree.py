"""What is known while one envelope is read: which names mean what, and what had to be tolerated.

Names of OSCP are read in any letter case and in either OSCP namespace or none; a known name in a foreign namespace is
refused, since ignoring it might hide a limit. Decisions by number: docs/deviations.md.
"""

from typing import NoReturn

from gridroom import xml
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE, Deviation

NAMESPACES = (CSP_NAMESPACE, DSO_NAMESPACE)
"""Both namespaces of OSCP 1.0."""

NAMES = {
    name.lower(): name
    for name in (
        *("Parties", "senderID", "receiverID", "Priority", "DateTime"),
        *("Forecast", "ForecastedBlock", "Adjustment", "CapacityBlock", "Usage", "UsageBlock", "EMSP"),
        *("Cable", "CableId", "Connection", "ConnectionReferenceId"),
        *("Capacity", "RemainingCapacity", "StartTime", "EndTime", "Value", "Unit", "UnitOfMeasure", "Phase"),
        *("HeartBeatTimeInterval", "ForecastTimeInterval", "CurrentTime"),
        *("Result", "Type", "Details", "Detail", "Code", "Level", "Message", "Description"),
    )
}
"""Lower case spelling to the specification's. Source: OSCP 1.0 chapters 3 and 6."""

EXACT = {space: {f"{{{space}}}{name}": name for name in NAMES.values()} for space in NAMESPACES}
"""The specification's spelling, qualified, per service: what needs no thought."""

HARMLESS = frozenset(
    {
        *("Parties", "senderID", "receiverID", "Priority", "DateTime"),
        *("Connection", "ConnectionReferenceId", "EMSP", "Result"),
    }
)
"""Names that say nothing of an amount or its time: where they do not belong they are ignored. Decision 35."""

AMOUNTS = frozenset({"capacity", "usage"})
"""Lower case names of what states an amount."""

OF_AMOUNTS = frozenset({"unit", "unitofmeasure", "phase"})
"""Attributes that change what a number means; they belong on the number. Decision 1."""

FOREIGN = (
    *("http://www.w3.org/2001/XMLSchema-instance", "http://www.w3.org/XML/1998/namespace"),
    *("http://www.w3.org/2003/05/soap-encoding", "http://schemas.xmlsoap.org/soap/encoding/"),
    *("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/"),
)
"""Namespaces of attributes that toolkits add and that say nothing. Decision 35."""

MAX_KINDS = 200
"""Most kinds of deviation remembered for one message."""


class Tree:
    """Names and deviations of one envelope.

    Args:
        namespace: Namespace of the service; empty until the body is known, then any of the two fits.
    """

    def __init__(self, namespace: str = "") -> None:
        self.namespace = namespace
        self.tags: dict[str, str] = dict(EXACT.get(namespace, {}))
        self._notes: dict[tuple[int, str], tuple[str, int]] = {}

    def name(self, element: xml.Element) -> str:
        """The specification's name of an element, or empty when it has none.

        Raises:
            RemoteError: A known name in a foreign namespace.
        """
        known = self.tags.get(element.tag)
        return known if known is not None else self._learn(element)

    def _learn(self, element: xml.Element) -> str:
        namespace, local = xml.split(element.tag)
        name = NAMES.get(local.lower(), "")
        if not name:
            self._look_into(element, local)
            return ""  # not remembered: each one is looked into
        if namespace not in NAMESPACES and namespace:
            fail(element, f"{local} stands in a foreign namespace, expected {self.namespace or NAMESPACES[0]}")
        elif self.namespace and namespace != self.namespace:
            self.note(23, element, f"{name} outside the service's namespace read as the service's")
        if local != name:
            self.note(1, element, f"{local} read as {name}")
        self.tags[element.tag] = name
        return name

    def _look_into(self, element: xml.Element, local: str) -> None:
        """Ignore an unknown element, unless it holds an amount of ours: that might be a lower limit. Decision 35."""
        for inner in element.iter():
            namespace, name = xml.split(inner.tag)
            if name.lower() in AMOUNTS and (not namespace or namespace in NAMESPACES):
                fail(inner, f"{name} must not stand inside the unknown element {local[:64]}")
        self.note(35, element, f"unknown element {local[:64]} ignored")

    def children(self, element: xml.Element) -> dict[str, list[xml.Element]]:
        """Children by the specification's name, unknown ones left out."""
        found: dict[str, list[xml.Element]] = {}
        for child in element:
            found.setdefault(self.name(child), []).append(child)
        found.pop("", None)
        return found

    def harmless(self, element: xml.Element, name: str) -> bool:
        """Whether a known name may be ignored where it does not belong; it is noted if so. Decision 35."""
        if name not in HARMLESS:
            return False
        self.note(35, element, f"{name} does not belong here, ignored")
        return True

    def of_amount(self, element: xml.Element) -> str:
        """Attribute of a container or block that only an amount may have, or empty; other unknown ones are noted."""
        for name, _ in xml.attributes(element):
            namespace, local = xml.split(name)
            if local.lower() in OF_AMOUNTS:
                return local
            if namespace not in FOREIGN:
                self.note(35, element, f"unknown attribute {local[:64]} ignored")
        return ""

    def note(self, row: int, at: xml.Element | str, text: str) -> None:
        """Remember a deviation at an element or path; the same one again is only counted."""
        key = (row, text)
        known = self._notes.get(key)
        if known is not None:
            self._notes[key] = (known[0], known[1] + 1)
        elif len(self._notes) < MAX_KINDS:
            self._notes[key] = (at if isinstance(at, str) else xml.path_of(at), 1)

    def deviations(self) -> tuple[Deviation, ...]:
        """What had to be tolerated, each kind once with the place where it was met first."""
        return tuple(
            Deviation(row, path, text if times == 1 else f"{text} ({times} times)")
            for (row, text), (path, times) in self._notes.items()
        )


def fail(element: xml.Element, reason: str, *, child: str = "", subcode: str = "") -> NoReturn:
    """Refuse the message because of an element, or of a child that it lacks."""
    path = xml.path_of(element)
    raise RemoteError(reason, path=f"{path}/{child}" if child else path, subcode=subcode)


def optional(children: dict[str, list[xml.Element]], name: str) -> xml.Element | None:
    """The child of that name, if there is one.

    Raises:
        RemoteError: There are several, or one in two spellings.
    """
    found = children.get(name)
    if not found:
        return None
    if len(found) > 1:
        fail(found[1], f"{name} appears {len(found)} times, one may stand")
    return found[0]


def one(children: dict[str, list[xml.Element]], name: str, parent: xml.Element) -> xml.Element:
    """The child of that name.

    Raises:
        RemoteError: There is none, or there are several.
    """
    found = optional(children, name)
    if found is None:
        fail(parent, f"{name} is missing", child=name)
    return found


def text(element: xml.Element, longest: int) -> str:
    """Text of an element, outer white space removed, 1 to `longest` characters.

    Raises:
        RemoteError: Empty, too long, or holding elements.
    """
    found = xml.text_of(element)
    if not found:
        fail(element, "must not be empty")
    if len(found) > longest:
        fail(element, f"must not be longer than {longest} characters")
    return found
