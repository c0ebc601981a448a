"""The words that JSON holds for a message: text, numbers and times, each as it can be written. Read by `_form`."""

from datetime import datetime
from decimal import Decimal
from typing import Self

from gridroom import xml
from gridroom.oscp.v10 import values
from gridroom.oscp.v10.faults import LONGEST_REASON
from gridroom.oscp.v10.messages import Level, ResultType
from gridroom.oscp.v10.results import LONGEST_CODE, LONGEST_MESSAGE, PROCESSED

DECIMALS = 2
"""Most decimals of an amount that is written. Source: decision 34."""


class Text:
    """Text that XML can carry and that no reader strips."""

    least, longest = 1, 255

    def __init__(self, value: str) -> None:
        self.value = value

    @classmethod
    def of(cls, given: object) -> Self:
        if not isinstance(given, str) or not cls.least <= len(given) <= cls.longest or given != given.strip(xml.SPACE):
            raise ValueError(
                f"expected a text of {cls.least} to {cls.longest} characters, without white space around it"
            )
        xml.escape(given)
        return cls(given)


class PartyId(Text):
    longest = 64


class Name(Text):
    longest = 200


class Words(Text):
    least, longest = 0, LONGEST_MESSAGE


class Address(Text):
    longest = 2000

    @classmethod
    def of(cls, given: object) -> Self:
        found = super().of(given)
        if any(space in found.value for space in xml.SPACE):
            raise ValueError("expected an address, which has no white space in it")
        return found


class Reference(Text):
    longest = 2000


class Reason(Text):
    longest = LONGEST_REASON


class Code(Text):
    longest = LONGEST_CODE

    @classmethod
    def of(cls, given: object) -> Self:
        return cls(PROCESSED) if given == PROCESSED else super().of(given)


class Choice(Text):
    """One of a few words."""

    choices: tuple[str, ...] = ()

    @classmethod
    def of(cls, given: object) -> Self:
        if given not in cls.choices:
            raise ValueError(f"expected one of {', '.join(cls.choices)}")
        return cls(str(given))


class CapacityUnit(Choice):
    choices = tuple(sorted(values.CAPACITY_UNITS))


class UsageUnit(Choice):
    choices = tuple(sorted(values.USAGE_UNITS))


class TypeWord(Choice):
    choices = tuple(ResultType)


class LevelWord(Choice):
    choices = tuple(Level)


class Blamed(Choice):
    choices = ("Sender", "Receiver")


class Phase:
    def __init__(self, value: int) -> None:
        self.value = value

    @classmethod
    def of(cls, given: object) -> Self:
        if not isinstance(given, int) or isinstance(given, bool) or given not in (1, 2, 3):
            raise ValueError("expected 1, 2, 3, or null where none is named")
        return cls(given)


class Number:
    """An exact decimal, of which nothing is rounded away when it is written."""

    def __init__(self, value: Decimal) -> None:
        self.value = value

    @classmethod
    def of(cls, given: object) -> Self:
        if not isinstance(given, str):
            raise ValueError('expected a number in quotes, like "24.00", so that it stays exact')
        value = values.read_decimal(given)
        values.write_usage(value)
        if len(format(value, "f").partition(".")[2].rstrip("0")) > DECIMALS:
            raise ValueError(
                f"{given.strip()} has more than two decimals, which cannot be written: round it, a limit down"
            )
        return cls(value)


class Moment:
    """A time that names its zone."""

    def __init__(self, value: datetime) -> None:
        self.value = value

    @classmethod
    def of(cls, given: object) -> Self:
        moment, zone = values.read_time(given) if isinstance(given, str) else (None, values.Zone.NONE)
        if moment is None or zone is values.Zone.NONE:
            raise ValueError('expected a time in quotes that names its zone, like "2026-01-01T00:15:00Z"')
        return cls(moment)
