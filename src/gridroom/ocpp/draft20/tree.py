"""Children, texts and attributes of an element, in any letter case and order; what is not known is refused.

An unknown element may be a misspelt limit, so none is ignored.
"""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import NoReturn, TypeVar

from gridroom import xml
from gridroom.ocpp import times
from gridroom.ocpp.draft20.names import XSI
from gridroom.ocpp.errors import PayloadError

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)
Reader = Callable[[xml.Element], T]
"""Reads the value of an element."""

DIGITS = 18
"""Most digits of an integer that is read."""


class Children:
    """The children of an element by their names.

    Args:
        element: The parent.
        names: What may stand in it.

    Raises:
        PayloadError: A child or attribute that is not known, or in a foreign namespace.
    """

    def __init__(self, element: xml.Element, *names: str) -> None:
        self._element = element
        self._found: dict[str, list[xml.Element]] = {}
        attributes(element)
        known = {name.lower(): name for name in names}
        own = xml.split(element.tag)[0]
        for child in element:
            namespace, local = xml.split(child.tag)
            name = known.get(local.lower())
            if name is None or namespace not in ("", own):
                fail(child, f"is not known here, only {', '.join(names) or 'nothing'}")
            self._found.setdefault(name, []).append(child)

    def each(self, name: str, reader: Reader[T]) -> tuple[T, ...]:
        """All children of a name."""
        return tuple(reader(child) for child in self._found.get(name, ()))

    def maybe(self, name: str, reader: Reader[T]) -> T | None:
        """The child of a name, which may be absent, or be there and say so by xsi:nil.

        Raises:
            PayloadError: It stands there several times, or says that it is absent and holds something.
        """
        found = self._found.get(name, [])
        if len(found) > 1:
            fail(found[1], f"{name} stands {len(found)} times, one may stand")
        if found and is_nil(found[0]):
            if len(found[0]) or xml.text_of(found[0]):
                fail(found[0], "says that it is absent, and holds something")
            return None
        return reader(found[0]) if found else None

    def one(self, name: str, reader: Reader[T]) -> T:
        """The child of a name.

        Raises:
            PayloadError: It is missing, or stands there several times.
        """
        found = self.maybe(name, reader)
        if found is None:
            raise PayloadError(f"{xml.path_of(self._element)}/{name}", "is missing")
        return found


def fail(element: xml.Element, reason: str) -> NoReturn:
    """Refuse a message because of an element."""
    raise PayloadError(xml.path_of(element), reason)


def attributes(element: xml.Element, *names: str) -> dict[str, str]:
    """Attributes by name; those of xsi mean nothing here.

    Raises:
        PayloadError: One that is not known, or stands in two spellings.
    """
    known = {name.lower(): name for name in names}
    found: dict[str, str] = {}
    for name, value in xml.attributes(element):
        namespace, local = xml.split(name)
        if namespace == XSI:
            continue
        key = known.get(local.lower())
        if key is None or namespace or key in found:
            fail(element, f"the attribute {local[:64]} is not known here, or stands twice")
        found[key] = value.strip(xml.SPACE)
    return found


def is_nil(element: xml.Element) -> bool:
    """Whether an element says that it is absent."""
    return dict(xml.attributes(element)).get(f"{{{XSI}}}nil", "").strip(xml.SPACE) in ("true", "1")


def text(element: xml.Element) -> str:
    """The text of an element without attributes."""
    attributes(element)
    return xml.text_of(element)


def integer(element: xml.Element) -> int:
    """An xs:integer of at most 18 digits.

    Raises:
        PayloadError: It is something else.
    """
    found = text(element)
    digits = found[1:] if found[:1] in ("+", "-") else found
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS):
        fail(element, f"{found[:40]!r} is not a whole number")
    return int(found)


def decimal(element: xml.Element) -> Decimal:
    """An xs:decimal of at most 20 digits, exact.

    Raises:
        PayloadError: It is something else.
    """
    found = text(element)
    digits = (found[1:] if found[:1] in ("+", "-") else found).replace(".", "", 1)
    if not (digits.isascii() and digits.isdigit() and len(digits) <= DIGITS + 2):
        fail(element, f"{found[:40]!r} is not a number like 16.05")
    return Decimal(found)


def boolean(element: xml.Element) -> bool:
    """An xs:boolean.

    Raises:
        PayloadError: It is something else.
    """
    found = {"true": True, "1": True, "false": False, "0": False}.get(text(element).lower())
    if found is None:
        fail(element, f"{text(element)[:40]!r} is neither true nor false")
    return found


def moment(element: xml.Element) -> datetime:
    """An xs:dateTime; without a zone it is UTC (section 3.2.2).

    Raises:
        PayloadError: It is something else.
    """
    try:
        return times.read(text(element))
    except ValueError as error:
        fail(element, str(error))


def choice(element: xml.Element, found: str, choices: type[E]) -> E:
    """A value of an enumeration, in any letter case.

    Raises:
        PayloadError: It is something else.
    """
    for value in choices:
        if value.lower() == found.lower():
            return value
    fail(element, f"{found[:64]!r} is none of {', '.join(choices)}")


def choice_of(choices: type[E]) -> Reader[E]:
    """A reader of an enumeration."""
    return lambda element: choice(element, text(element), choices)
