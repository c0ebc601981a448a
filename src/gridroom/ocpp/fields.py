"""Fields out of a JSON payload; each that is not what it should be is a PayloadError with its name.

A reader takes the object and the field's name, so that it can stand in `maybe`; one with options is made by a function.

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

MOST = 2**53
"""Largest whole number that is read: beyond it JSON numbers are not exact everywhere."""

LONGEST_TEXT = 10_000
"""Longest text of a field that is read. [characters]"""

LONGEST_LIST = 10_000
"""Most entries of a list that is read."""

T = TypeVar("T")
E = TypeVar("E", bound=StrEnum)

Reader = Callable[[Body, str], T]
"""Reads a field of an object."""


def present(**fields: object) -> Payload:
    """The fields that are given."""
    return {name: value for name, value in fields.items() if value is not None}


def only(body: Body, *names: str) -> None:
    """Refuse a field that we do not know: it may be a limit, misspelt."""
    for name in body:
        if name not in names:
            raise PayloadError(str(name)[:64], f"is not known here, only {', '.join(names)}")


def maybe(body: Body, key: str, reader: Reader[T]) -> T | None:
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


def text_up_to(most: int) -> Reader[str]:
    """A reader of a text; it refuses, by PayloadError, one of more than `most` characters, and anything else."""

    def read(body: Body, key: str) -> str:
        value = body.get(key)
        if not isinstance(value, str):
            raise PayloadError(key, "is missing" if value is None else "is not a text")
        if len(value) > most:
            raise PayloadError(key, f"is longer than {most} characters")
        return value

    return read


text = text_up_to(LONGEST_TEXT)
"""A text; a PayloadError where it is something else, or missing."""


def whole_between(least: int, most: int) -> Reader[int]:
    """A reader of a whole number; it refuses, by PayloadError, one not from `least` to `most`, and anything else."""

    def read(body: Body, key: str) -> int:
        value = body.get(key)
        if isinstance(value, bool) or not isinstance(value, int):
            raise PayloadError(key, "is missing" if value is None else f"{value!r} is not a whole number")
        if not least <= value <= most:
            raise PayloadError(key, f"{value} is out of range")
        return value

    return read


whole = whole_between(0, MOST)
"""A whole number from 0; a PayloadError where it is something else, or missing."""

any_whole = whole_between(-MOST, MOST)
"""A whole number, below zero too; a PayloadError where it is something else, or missing."""


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


def one_of(choices: type[E]) -> Reader[E]:
    """A reader of a value of an enumeration; it refuses, by PayloadError, anything else."""

    def read(body: Body, key: str) -> E:
        found = text(body, key)
        try:
            return choices(found)
        except ValueError:
            raise PayloadError(key, f"{found[:64]!r} is none of {', '.join(choices)}") from None

    return read


def choice_of(choices: frozenset[str]) -> Reader[str]:
    """A reader of a text that is one of several; it refuses, by PayloadError, anything else."""

    def read(body: Body, key: str) -> str:
        found = text(body, key)
        if found not in choices:
            raise PayloadError(key, f"{found[:64]!r} is none of {', '.join(sorted(choices))}")
        return found

    return read


def time(body: Body, key: str) -> datetime:
    """A moment. [UTC]

    Raises:
        PayloadError: It is something else, or missing.
    """
    try:
        return times.read(text(body, key))
    except ValueError as error:
        raise PayloadError(key, str(error)) from None


def plain(number: Decimal) -> str:
    """A number as a decimal text, without exponent, to be written.

    >>> plain(Decimal("1.60e+1")), plain(Decimal("-0.05"))
    ('16.0', '-0.05')
    """
    return format(number, "f")


def plain_number(name: str | None) -> int | None:
    """The whole number that a text is, written as OCPP 1.6 would; None when it is none.

    >>> plain_number("7"), plain_number("07"), plain_number("tx-7")
    (7, None, None)
    """
    digits = (name or "").removeprefix("-")
    if not (digits.isascii() and digits.isdigit() and len(digits) <= 16):
        return None
    number = int(name or "")
    return number if str(number) == name else None
