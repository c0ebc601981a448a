"""What a message states, by a naive reader of its own: no line of ours, and in doubt the least of what could be meant.

Every value of the body is looked up by the last part of its element's name, wherever it stands, and given the times of
the nearest element around it that has some. What cannot be understood states 0: so a reader that guesses is caught.
"""

import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from xml.etree import ElementTree

OURS = ("http://OSCP/CSP/2013/06/", "http://OSCP/DSO/2013/06/", "")
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ENC = "http://www.w3.org/2003/05/soap-encoding"
OLD_ENC = "http://schemas.xmlsoap.org/soap/encoding/"
SPACE = " \t\r\n"  # what XML calls white space; a no-break space is a part of the name
EVER = (datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC))
SECOND = timedelta(seconds=1)
QUARTER = timedelta(minutes=15)
PHASES = (1, 2, 3)
VOLT = 230
KNOWN = {
    *("forecast", "forecastedblock", "adjustment", "capacityblock", "usage", "usageblock", "cable", "cableid"),
    *("capacity", "remainingcapacity", "starttime", "endtime", "connection", "connectionreferenceid", "emsp"),
}


@dataclass(frozen=True)
class Stated:
    """One value, as far as it can be understood.

    `amount` is a current (`unit` A), a power per phase or shared by three (W) or an energy (Wh); None is "unclear".
    """

    cables: frozenset[str]
    emsp: str
    start: datetime
    end: datetime
    phases: tuple[int, ...]
    amount: Fraction | None
    unit: str = "A"
    named: bool = True

    def current_ca(self, band: Fraction = Fraction(11, 10)) -> int:
        """As current [0.01 A], towards zero for what is asked or given, down to at least 0.01 A less for limits."""
        if self.amount is None:
            return 0
        amount = self.amount
        if self.unit == "W":
            amount /= VOLT * band * (1 if self.named else 3)
        elif self.unit == "Wh":
            hours = Fraction((self.end - self.start) // timedelta(microseconds=1), 3_600_000_000)
            amount /= VOLT * hours
        return int(amount * 100)  # towards zero

    def floor_ca(self) -> int:
        """As a limit [0.01 A]: rounded down, at least 0."""
        if self.amount is None or self.amount < 0:
            return 0
        return self.current_ca()

    def covers(self, cable: str, moment: datetime, phase: int) -> bool:
        return cable in self.cables and phase in self.phases and self.start <= moment < self.end


def header_time(data: bytes) -> tuple[datetime | None, bool]:
    """DateTime of the header, and whether it names its zone."""
    for node in _tree(data).iter():
        if _local(node) == "datetime":
            return _moment(node.text)
    return None, False


def stated(data: bytes, leaf: str) -> list[Stated]:
    """Every value of that name in the body.

    Raises:
        ElementTree.ParseError: Not well-formed XML.
    """
    root = _tree(data)
    _resolve(root)
    bodies = [child for child in root if _local(child) == "body"]
    parents = {child: node for node in root.iter() for child in node}
    found: list[Stated] = []
    for body in bodies:
        for node in body.iter():
            if _local(node) == leaf and not _is_container(node) and not _is_theirs(node, parents):
                found.extend(_values(node, parents))
    return found


def limits_of(values: Iterable[Stated], cable: str, moment: datetime, phase: int) -> int | None:
    """The lowest limit that is stated for a moment and phase [0.01 A]; None where none is.

    A gap of at most a second between two blocks has the smaller neighbour (row 13).
    """
    values = list(values)
    covering = [one.floor_ca() for one in values if one.covers(cable, moment, phase)]
    if covering:
        return min(covering)
    mine = [one for one in values if cable in one.cables]
    before = max((one.end for one in mine if one.end <= moment), default=None)
    after = min((one.start for one in mine if one.start > moment), default=None)
    if before is None or after is None or after - before > SECOND:
        return None
    sides = [[one for one in mine if one.end == before], [one for one in mine if one.start == after]]
    beside = [min((one.floor_ca() for one in side if phase in one.phases), default=None) for side in sides]
    return None if None in beside else min(one for one in beside if one is not None)


def offline_of(values: Iterable[Stated], cable: str, phase: int) -> int:
    """The least stated for later than two hours after the first block; 0 where none is. [0.01 A]"""
    mine = [one for one in values if cable in one.cables]
    first = min((one.start for one in mine), default=None)
    if first is None or first == EVER[0]:
        return 0
    later = [one.floor_ca() for one in mine if phase in one.phases and one.end > first + timedelta(hours=2)]
    return min(later, default=0)


def grants(data: bytes) -> bool:
    """Whether an answer's deltas count: it says yes, or that there is not enough for all."""
    nodes = list(_tree(data).iter())
    types = {re.sub("[ _-]", "", (node.text or "").strip()).lower() for node in nodes if _local(node) == "type"}
    codes = {(node.text or "").strip() for node in nodes if _local(node) == "code"}
    return bool(types & {"success", "succes", "ok"}) or ("failed" in types and "NO_CAPACITY" in codes)


def without_zone(data: bytes, cable: str) -> bool:
    """Whether a time of the cable's blocks names no zone."""
    root = _tree(data)
    _resolve(root)
    parents = {child: node for node in root.iter() for child in node}
    times = [node for node in root.iter() if _local(node) in ("starttime", "endtime")]
    return any(not _moment(node.text)[1] for node in times if cable in _cables(node, parents)[0])


def last_end(values: Iterable[Stated], cable: str) -> datetime:
    return max((one.end for one in values if cable in one.cables), default=EVER[0])


# -- the naive reader ------------------------------------------------------------------------------------------------


def _tree(data: bytes) -> ElementTree.Element:
    return ElementTree.fromstring(data)


def _local(node: ElementTree.Element) -> str:
    return str(node.tag).rpartition("}")[2].lower()


def _space(node: ElementTree.Element) -> str:
    return str(node.tag)[1:].partition("}")[0] if str(node.tag).startswith("{") else ""


def _is_container(node: ElementTree.Element) -> bool:
    return any(_local(child) in KNOWN for child in node)


def _is_theirs(node: ElementTree.Element, parents: dict[ElementTree.Element, ElementTree.Element]) -> bool:
    """No amount: in a Result, or in a foreign namespace inside something that is no element of OSCP (row 35)."""
    at: ElementTree.Element | None = node
    while at is not None and _local(at) != "result":
        at = parents.get(at)
    return at is not None or (_space(node) not in OURS and _local(parents[node]) not in KNOWN)


def _resolve(root: ElementTree.Element) -> None:
    """Give each reference what it points to; attributes of both count, so that a conflict shows."""
    targets: dict[str, ElementTree.Element] = {}
    for node in root.iter():
        for key in (f"{{{ENC}}}id", "id"):
            targets.setdefault(node.get(key, ""), node)
    targets.pop("", None)
    for _ in range(10):  # what is pointed at may point on
        for node in list(root.iter()):
            target = targets.get(_pointed(node))
            if target is None or target is node or any(_pointed(inner) for inner in target.iter()):
                continue
            for one in (target, node):
                for key in (f"{{{ENC}}}ref", "href", "id"):
                    one.attrib.pop(key, None)
            node.text = f"{node.text or ''}{target.text or ''}"
            node.extend(deepcopy(list(target)))
            for name, value in target.items():
                if not name.startswith("{") and node.get(name, value) != value:
                    node.set("conflict", "")
                node.set(name, value)


def _pointed(node: ElementTree.Element) -> str:
    return node.get(f"{{{ENC}}}ref", node.get("href", "")).removeprefix("#")


def _values(node: ElementTree.Element, parents: dict[ElementTree.Element, ElementTree.Element]) -> list[Stated]:
    start, end = _times(node, parents)
    cables, emsp = _cables(node, parents)
    nothing = Stated(cables, emsp, start, end, PHASES, None)
    number, unit, phase, clear = _number(node), "", 0, True
    for name, value in node.items():
        namespace, _, local = name[1:].rpartition("}") if name.startswith("{") else ("", "", name)
        if namespace in (XSI, ENC, OLD_ENC):
            clear = clear and not (local == "nil" and value.strip() not in ("false", "0"))
        elif not namespace and local.lower() in ("unit", "unitofmeasure") and not unit:
            unit = value.strip(" \t\r\n").lower()
            clear = clear and unit in ("a", "amp", "amps", "w", "kw", "wh", "kwh")
        elif not namespace and local.lower() == "phase" and not phase:
            clear = clear and re.fullmatch(r"[+-]?[0-9]{1,18}", value.strip(" \t\r\n")) is not None
            phase = int(value) if clear else 0
            clear = clear and phase in PHASES
        else:
            clear = False
    if number is None or not clear:
        return [nothing]
    kind = {"a": "A", "amp": "A", "amps": "A", "": "A", "w": "W", "kw": "W", "wh": "Wh", "kwh": "Wh"}[unit]
    if not unit and _local(node) == "usage":
        return [nothing]
    if kind == "Wh" and _local(node) == "capacity":
        return [nothing]
    amount = number * 1000 if unit.startswith("k") else number
    return [Stated(cables, emsp, start, end, (phase,) if phase else PHASES, amount, kind, bool(phase))]


def _number(node: ElementTree.Element) -> Fraction | None:
    text, inside = node.text or "", list(node)
    if inside:
        child = inside[0]
        around = text + (child.tail or "")
        if len(inside) > 1 or _local(child) != "value" or around.strip() or len(child) or child.items():
            return None
        text = child.text or ""
    text = text.strip(" \t\r\n")
    return Fraction(text) if re.fullmatch(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)", text) else None


def _times(
    node: ElementTree.Element, parents: dict[ElementTree.Element, ElementTree.Element]
) -> tuple[datetime, datetime]:
    """Half open times of the nearest element around that has some; all times where they cannot be told."""
    at: ElementTree.Element | None = parents.get(node)
    while at is not None and not any(_local(child) in ("starttime", "endtime") for child in at):
        at = parents.get(at)
    if at is None:
        return EVER
    starts = [child for child in at if _local(child) == "starttime"]
    ends = [child for child in at if _local(child) == "endtime"]
    if len(starts) != 1 or len(ends) != 1 or len(starts[0]) or len(ends[0]):
        return EVER
    start, end = _moment(starts[0].text)[0], _moment(ends[0].text)[0]
    if start is None or end is None:
        return EVER
    if end.second == 59 and end.replace(microsecond=0) < EVER[1] - SECOND:
        end = end.replace(microsecond=0) + SECOND
    return (start, end) if end > start else EVER


_SHAPE = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})T([0-9]{2}):([0-9]{2}):([0-9]{2})(\.[0-9]+)?(Z|[+-][0-9]{2}:[0-9]{2})?"
)


def _moment(text: str | None) -> tuple[datetime | None, bool]:
    """UTC to the microsecond and whether a zone is named; None where it is no dateTime of XML Schema."""
    found = _SHAPE.fullmatch((text or "").strip(" \t\r\n"))
    if found is None:
        return None, False
    year, month, day, hour, minute, second = (int(part) for part in found.groups()[:6])
    fraction = int((found[7] or ".0")[1:7].ljust(6, "0"))
    zone = found[8] or ""
    try:
        if (hour, minute, second) == (24, 0, 0) and not (found[7] or "").strip(".0"):
            moment = datetime(year, month, day, tzinfo=UTC) + timedelta(days=1)
        else:
            moment = datetime(year, month, day, hour, minute, second, fraction, tzinfo=UTC)
        if zone not in ("", "Z"):
            off = timedelta(hours=int(zone[1:3]), minutes=int(zone[4:6]))
            moment += -off if zone[0] == "+" else off
    except (ValueError, OverflowError):
        return None, False
    return moment, bool(zone)


def _cables(
    node: ElementTree.Element, parents: dict[ElementTree.Element, ElementTree.Element]
) -> tuple[frozenset[str], str]:
    """The cables of the outermost container around, or of the body, and the nearest EMSP."""
    emsp, ids, at = "", list[str](), parents.get(node)
    while at is not None:
        emsps = [inner.text or "" for inner in at if _local(inner) == "emsp"]
        emsp = emsp or (emsps[0].strip(" \t\r\n") if emsps else "")
        ids = [(inner.text or "").strip(SPACE) for inner in _beside(at) if _local(inner) == "cableid"] or ids
        at = parents.get(at)
    return frozenset(ids), emsp


def _beside(at: ElementTree.Element) -> Iterator[ElementTree.Element]:
    """What stands in an element, but not in the containers and blocks in it."""
    for child in at:
        yield child
        if _local(child) not in ("forecast", "adjustment", "usage", "result") and not _local(child).endswith("block"):
            yield from _beside(child)
