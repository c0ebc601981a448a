"""Fields out of a JSON payload; each that is not what it should be is a PayloadError with its name.

Source: OCPP-J 1.6 chapter 4, by which a wrong field is answered with a CALLERROR.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any, TypeVar

from gridroom.ocpp import times
from gridroom.ocpp.errors import PayloadError

Payload = dict[str, Any]
"""A payload to be written."""

Body = Mapping[str, Any]
"""A payload to be read."""

LONGEST_NUMBER = 20
"""Most digits of a number, so that sums and products of it are exact."""

LONGEST_TEXT = 10_000
"""Longest text of a field that is read. [characters]"""

LONGEST_LIST = 10_000
"""Most entries of a list that is read."""

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)


def present(**fields: object) -> Payload:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def only(body: Body, *names: str) -> None:
    """Refuse a field that we do not know: it may be a limit, misspelt."""
    for name in body:
        if name not in names:
            raise PayloadError(str(name)[:64], f"is not known here, only {', '.join(names)}")


def maybe(body: Body, key: str, reader: Callable[[Body, str], T]) -> T | None:
    """A field that may be absent."""
    return None if body.get(key) is None else reader(body, key)


def object_(body: Body, key: str) -> Body:
    """An object.

    Raises:
        PayloadError: It is something else, or missing.
    """
    value = body.get(key)
    if not isinstance(value, Mapping):
        raise PayloadError(key, "is missing" if value is None else "is not an object")
    return value


def objects(body: Body, key: str, most: int = LONGEST_LIST) -> Iterator[Body]:
    """The objects of a list of 1 to `most`, one by one.

    Raises:
        PayloadError: It is something else, or missing.
    """
    values = body.get(key)
    if not isinstance(values, list):
        raise PayloadError(key, "is missing" if values is None else "is not a list")
    if not 0 < len(values) <= most:
        raise PayloadError(key, f"has {len(values)} entries, 1 to {most} may stand")
    for value in values:
        if not isinstance(value, Mapping):
            raise PayloadError(key, "an entry is not an object")
        yield value


def text(body: Body, key: str, most: int = LONGEST_TEXT) -> str:
    """A text of at most `most` characters.

    Raises:
        PayloadError: It is something else, or missing.
    """
    value = body.get(key)
    if not isinstance(value, str):
        raise PayloadError(key, "is missing" if value is None else "is not a text")
    if len(value) > most:
        raise PayloadError(key, f"is longer than {most} characters")
    return value


def whole(body: Body, key: str, least: int | None = 0, most: int = 2**53) -> int:
    """A whole number from `least` (None: as far below zero as above) to `most`.

    Raises:
        PayloadError: It is something else, or missing.
    """
    value = body.get(key)
    if isinstance(value, bool) or not isinstance(value, int):
        raise PayloadError(key, "is missing" if value is None else f"{value!r} is not a whole number")
    if not (-most if least is None else least) <= value <= most:
        raise PayloadError(key, f"{value} is out of range")
    return value


def any_whole(body: Body, key: str) -> int:
    """A whole number, below zero too."""
    return whole(body, key, least=None)


def number(body: Body, key: str) -> Decimal:
    """A number, exact; also one that stands in a text.

    Raises:
        PayloadError: It is something else, or missing.
    """
    value = body.get(key)
    try:
        found = Decimal(str(value))
    except InvalidOperation:
        raise PayloadError(key, f"{value!r} is not a number") from None
    if not found.is_finite() or abs(found) > 10**12 or (found and found.adjusted() < -LONGEST_NUMBER):
        raise PayloadError(key, f"{str(value)[:40]} is out of range")
    if len(found.as_tuple().digits) > LONGEST_NUMBER:
        raise PayloadError(key, f"{str(value)[:40]} has more than {LONGEST_NUMBER} digits")
    return found


def one_of(body: Body, key: str, choices: type[E]) -> E:
    """A value of an enumeration.

    Raises:
        PayloadError: It is something else, or missing.
    """
    found = text(body, key)
    try:
        return choices(found)
    except ValueError:
        raise PayloadError(key, f"{found!r} is none of {', '.join(choices)}") from None


def choice(body: Body, key: str, choices: frozenset[str]) -> str:
    """A text that is one of several.

    Raises:
        PayloadError: It is something else, or missing.
    """
    found = text(body, key)
    if found not in choices:
        raise PayloadError(key, f"{found[:64]!r} is none of {', '.join(sorted(choices))}")
    return found


def time(body: Body, key: str) -> datetime:
    """A moment. [UTC]

    Raises:
        PayloadError: It is something else, or missing.
    """
    try:
        return times.read(text(body, key))
    except ValueError as error:
        raise PayloadError(key, str(error)) from None
