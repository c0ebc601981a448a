"""Reading blocks: the tight loop over times and amounts. Decisions by number: docs/deviations.md."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple, NoReturn

from gridroom import xml
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.messages import ValueType
from gridroom.oscp.v10.tree import NAMESPACES, Tree, fail

XSI = "http://www.w3.org/2001/XMLSchema-instance"
"""Namespace of XML Schema's attributes for instances."""

ENCODINGS = ("http://www.w3.org/2003/05/soap-encoding", "http://schemas.xmlsoap.org/soap/encoding/")
"""Namespaces of SOAP encoding, whose attributes say nothing about an amount."""

NIL = f"{{{XSI}}}nil"
"""Attribute of an element that is there and has no value."""

MAX_CAPACITIES = 3
"""Most values of Capacity or RemainingCapacity in a block. Source: OSCP 1.0 section 3.2.3."""


class ValueRefused(Exception):  # noqa: N818 - a verdict on one cable, not on the message
    """A value that refuses its cable; the other cables stand."""

    def __init__(self, code: str, message: str, element: xml.Element) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.element = element


@dataclass(frozen=True, slots=True)
class Kind:
    """One of the three kinds of block.

    Attributes:
        block: Name of the block element.
        amount: Name of its amounts.
        units: Units that an amount may have.
        default_unit: Unit of an amount that names none; empty refuses it.
        most: Most amounts in a block; 0 for any number.
    """

    block: str
    amount: str
    units: frozenset[str]
    default_unit: str
    most: int


FORECASTED_BLOCK = Kind("ForecastedBlock", "Capacity", values.CAPACITY_UNITS, "A", MAX_CAPACITIES)
"""Block of a forecast. Source: OSCP 1.0 section 3.2.3."""

CAPACITY_BLOCK = Kind("CapacityBlock", "Capacity", values.CAPACITY_UNITS, "A", MAX_CAPACITIES)
"""Block of an adjustment. Source: OSCP 1.0 section 3.2.5."""

USAGE_BLOCK = Kind("UsageBlock", "Usage", values.USAGE_UNITS, "", 0)
"""Block of a usage report, whose amounts must name their unit. Source: OSCP 1.0 section 3.2.6."""


class Block(NamedTuple):
    """A block as read: half open, amounts, remaining amounts, EMSP or empty."""

    start: datetime
    end: datetime
    amounts: tuple[ValueType, ...]
    remaining: tuple[ValueType, ...]
    emsp: str


Attributes = tuple[tuple[str | bytes, str | bytes], ...]
"""Names and values of an element's attributes."""


class Shape(NamedTuple):
    """What the attributes of an amount mean, and the numbers that were read beside them."""

    unit: str
    phase: int | None
    known: dict[str | None, ValueType]


def _plain(units: frozenset[str]) -> dict[Attributes, tuple[str, int | None]]:
    """Attributes spelled as in the specification: what needs no thought."""
    alone = {(("Unit", unit),): (unit, None) for unit in units}
    return alone | {(("Unit", u), ("Phase", str(phase))): (u, phase) for u in units for phase in (1, 2, 3)}


PLAIN = {units: _plain(units) for units in (values.CAPACITY_UNITS, values.USAGE_UNITS)}
"""Attributes as they are usually written, to their unit and phase."""


class BlockReader:
    """Reads the blocks of one message; a text met before is not read again.

    Args:
        tree: Names and deviations of the envelope.
        kind: Which blocks.

    Attributes:
        zoneless: Set when a time without zone was read; the caller resets it.
    """

    def __init__(self, tree: Tree, kind: Kind) -> None:
        self.tree = tree
        self.kind = kind
        self.zoneless = False
        self._starts: dict[str | None, datetime] = {}
        self._ends: dict[str | None, datetime] = {}
        self._shapes: dict[Attributes, Shape] = {}

    def read(self, block: xml.Element) -> Block:
        """One block.

        Raises:
            RemoteError: A child is missing or stands too often.
            ValueRefused: A value that refuses the cable.
        """
        tags, name_of, read_decimal = self.tree.tags, self.tree.name, values.read_decimal
        starts, ends, shapes, amount_name = self._starts, self._ends, self._shapes, self.kind.amount
        start: datetime | None = None
        end: datetime | None = None
        amounts: list[ValueType] = []
        remaining: list[ValueType] = []
        emsp: xml.Element | None = None
        if block.keys() and (odd := self.tree.of_amount(block)):
            raise ValueRefused("UNKNOWN_FIELD", f"attribute {odd} does not belong on a {self.kind.block}", block)
        for child in block:
            name = tags.get(child.tag)
            if name is None:
                name = name_of(child)
            if name == amount_name or name == "RemainingCapacity":
                shape = shapes.get(tuple(child.items()))
                if shape is None or len(child):
                    if shape is None and name != amount_name and self._is_nil(child):
                        continue
                    value = self._amount(child)
                else:
                    text = child.text
                    unit, phase, known = shape
                    met = known.get(text)
                    if met is None:
                        try:
                            met = known[text] = ValueType(read_decimal(text or ""), unit, phase)
                        except ValueError as error:
                            raise ValueRefused("INVALID_VALUE", str(error), child) from error
                    value = met
                (amounts if name == amount_name else remaining).append(value)
            elif name == "StartTime":
                if start is not None:
                    fail(child, "StartTime appears twice, one may stand")
                start = None if len(child) else starts.get(child.text)
                start = self._time(child, starts, _same) if start is None else start
            elif name == "EndTime":
                if end is not None:
                    fail(child, "EndTime appears twice, one may stand")
                end = None if len(child) else ends.get(child.text)
                end = self._time(child, ends, values.read_end) if end is None else end
            elif name == "EMSP":
                if emsp is not None:
                    fail(child, "EMSP appears twice, one may stand")
                emsp = child
            elif name and not self.tree.harmless(child, name):
                raise ValueRefused("UNKNOWN_FIELD", f"{name} does not belong in a {self.kind.block}", child)
        if start is None or end is None or not amounts:
            missing = self.kind.amount if not amounts else "StartTime" if start is None else "EndTime"
            fail(block, f"{missing} is missing", child=missing)
        if self.kind.most and max(len(amounts), len(remaining)) > self.kind.most:
            fail(block, f"at most {self.kind.most} values of a name may stand in a block")
        if end <= start:
            raise ValueRefused("INVALID_TIME", "the block ends before it starts", block)
        return Block(start, end, tuple(amounts), tuple(remaining), "" if emsp is None else xml.text_of(emsp))

    def _time(
        self, element: xml.Element, known: dict[str | None, datetime], finish: Callable[[datetime], datetime]
    ) -> datetime:
        text = element.text
        try:
            if text and not len(element) and values.PLAIN_TIME.fullmatch(text):
                moment = known[text] = finish(datetime.fromisoformat(text))
                return moment
            moment, zone = values.read_time(xml.text_of(element))
            moment = finish(moment)
        except ValueError as error:
            raise ValueRefused("INVALID_TIME", str(error), element) from error
        if zone is values.Zone.UTC:
            known[text] = moment
        elif zone is values.Zone.NONE:
            self.zoneless = True
            self.tree.note(11, element, "time without zone read as UTC")
        else:
            self.tree.note(11, element, "time with an offset converted to UTC")
        return moment

    def _is_nil(self, element: xml.Element) -> bool:
        if element.get(NIL, "").strip(xml.SPACE) not in ("true", "1"):
            return False
        if len(element) or (element.text or "").strip(xml.SPACE):
            raise ValueRefused("INVALID_VALUE", "both nil and filled", element)
        for name, raw in xml.attributes(element):
            if name != NIL:
                self._attribute(element, name, raw)
        self.tree.note(34, element, "nil RemainingCapacity read as absent")
        return True

    def _amount(self, element: xml.Element) -> ValueType:
        """An amount that needs thought: attributes not met before in this message, or a child Value."""
        attributes = tuple(element.items())
        shape = self._shapes.get(attributes)
        if shape is None:
            shape = Shape(*(PLAIN[self.kind.units].get(attributes) or self._shape(element)), {})
            self._shapes[attributes] = shape
        unit, phase, _ = shape
        try:
            return ValueType(values.read_decimal(self._number(element)), unit, phase)
        except ValueError as error:
            raise ValueRefused("INVALID_VALUE", str(error), element) from error

    def _shape(self, element: xml.Element) -> tuple[str, int | None]:
        """Unit and phase from the attributes."""
        unit, phase = "", None
        seen: set[str] = set()
        for name, raw in xml.attributes(element):
            meaning = self._attribute(element, name, raw)
            if meaning in seen:
                raise ValueRefused("INVALID_VALUE", f"{meaning} is stated twice", element)
            seen.add(meaning or name)
            if meaning == "Unit":
                unit = self._unit(element, raw.strip(xml.SPACE))
            elif meaning == "Phase":
                phase = _phase(element, raw.strip(xml.SPACE))
        unit = unit or self.kind.default_unit
        if not unit:
            raise ValueRefused("INVALID_UNIT", "a usage must name its Unit", element)
        return unit, phase

    def _attribute(self, element: xml.Element, name: str, raw: str) -> str:
        namespace, local = xml.split(name)
        if namespace in ENCODINGS or namespace == XSI:
            if name == NIL and raw.strip(xml.SPACE) not in ("false", "0"):
                raise ValueRefused("INVALID_VALUE", "nil is no value", element)
            return ""
        meaning = {"unit": "Unit", "unitofmeasure": "Unit", "phase": "Phase"}.get(local.lower(), "")
        if namespace or not meaning:
            raise ValueRefused("UNKNOWN_FIELD", f"unknown attribute {local[:64]}", element)
        if local != meaning:
            self.tree.note(1, element, f"attribute {local} read as {meaning}")
        return meaning

    def _unit(self, element: xml.Element, raw: str) -> str:
        unit = values.UNITS.get(raw.lower(), "")
        if unit not in self.kind.units:
            allowed = ", ".join(sorted(self.kind.units))
            raise ValueRefused("INVALID_UNIT", f"unit {raw[:20]!r} cannot be used here, only {allowed}", element)
        if unit != raw:
            self.tree.note(4, element, f"unit {raw} read as {unit}")
        return unit

    def _number(self, element: xml.Element) -> str:
        own = (element.text or "").strip(xml.SPACE)
        if not len(element):
            return own
        child = element[0]
        namespace, local = xml.split(child.tag)
        tail = (child.tail or "").strip(xml.SPACE)
        fits = local.lower() == "value" and (not namespace or namespace in NAMESPACES)
        if len(element) > 1 or not fits or own or tail or len(child) or child.items():
            raise ValueRefused("UNKNOWN_FIELD", f"unknown content {local[:64]}", element)
        self.tree.note(1, element, "a child Value read as the number")
        return child.text or ""


def _same(moment: datetime) -> datetime:
    return moment


def _phase(element: xml.Element, raw: str) -> int:
    try:
        phase = values.read_integer(raw)
    except ValueError:
        phase = 0
    if phase not in (1, 2, 3):
        _refuse_phase(element, raw)
    return phase


def _refuse_phase(element: xml.Element, raw: str) -> NoReturn:
    raise ValueRefused("INVALID_PHASE", f"Phase {raw[:20]!r} is not 1, 2 or 3", element)
