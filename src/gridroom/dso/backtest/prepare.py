"""From what the user chose to what is run; everything that can be wrong is found here."""

import re
from dataclasses import dataclass
from datetime import timedelta
from fnmatch import fnmatchcase
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np

from gridroom.dso.backtest import clock
from gridroom.dso.backtest import limits as limit_files
from gridroom.dso.backtest.errors import BacktestError
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.method import Criterion, Reals, Setting
from gridroom.dso.backtest.plan import Plan, plan
from gridroom.dso.cables import Finding

FACTOR = 1.25
COUNTRY = "NL"
FIRST_WEEK_DAYS = 7
UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True)
class Choices:
    """What the user chose, as words.

    Attributes:
        limits: File of limits; None for a multiple of each peak in the warm-up.
        factor: That multiple; None for `FACTOR`.
        risk: Accepted share above the limit.
        criterion: What must not exceed the limit.
        warmup_days: Days before the test; None for half of all.
        test_days: Days of the test; None for the rest.
        every: Time between issues, such as 24h.
        new: Series that begin with the test; * stands for anything.
        zone: Time zone that people live by, see `zone_named`; empty: the Dutch one, or UTC if the loads do not follow
            its changes.
        holidays: Country of the public holidays; empty for none; None: Dutch ones where the zone is Dutch.
    """

    limits: Path | None = None
    factor: float | None = None
    risk: float = 0.001
    criterion: str = "15min"
    warmup_days: int | None = None
    test_days: int | None = None
    every: str = "24h"
    new: tuple[str, ...] = ()
    zone: str = ""
    holidays: str | None = None


@dataclass(frozen=True)
class Trial:
    """What is run.

    Attributes:
        loads: The series that have a limit.
        plan: When forecasts are issued.
        setting: What the methods are told.
        limits_from: Where the limits come from, in words.
        new: Series that begin with the test.
    """

    loads: Loads
    plan: Plan
    setting: Setting
    limits_from: str
    new: tuple[str, ...]


def prepare(loads: Loads, choices: Choices) -> Trial:
    """Make a trial of loads and choices.

    Raises:
        BacktestError: A choice cannot be used with these loads; names it.
    """
    if not 0 < choices.risk < 0.5:
        raise BacktestError(f"--risk: {choices.risk:g} is no share between 0 and 0.5")
    if choices.criterion not in tuple(Criterion):
        raise BacktestError(f"--criterion: {choices.criterion!r} is none of {', '.join(Criterion)}")
    every = length(choices.every)
    new = _named(loads.names, choices.new)
    test_days = choices.test_days
    if new:
        test_days = min(FIRST_WEEK_DAYS, test_days or FIRST_WEEK_DAYS)
    rolling = plan(loads, choices.warmup_days, test_days, every)
    zone = zone_named(choices.zone) or clock.found(loads, rolling.first)
    country = (COUNTRY if zone == clock.USUAL else "") if choices.holidays is None else choices.holidays
    _check_holidays(country)
    loads, limits, words = _limits(loads, rolling.first, choices)
    if gone := [name for name in new if name not in loads.names]:
        raise BacktestError(f"--new: {gone[0]!r} has no load above 0 in the warm-up; give its limit with --limits")
    setting = Setting(loads.block, every, zone, country, choices.risk, Criterion(choices.criterion), limits)
    return Trial(loads, rolling, setting, words, new)


def length(text: str) -> timedelta:
    """A length of time from words.

    Raises:
        BacktestError: It is none.

    >>> str(length("15min")), str(length("24h"))
    ('0:15:00', '1 day, 0:00:00')
    """
    match = re.fullmatch(r"(\d{1,5})(min|h|d)", text.strip())
    if not match or not int(match[1]):
        raise BacktestError(f"--every: {text!r} is no length of time such as 24h, 1h or 15min")
    return int(match[1]) * UNITS[match[2]]


def zone_named(key: str) -> ZoneInfo | None:
    """The time zone that was chosen; None for none.

    Raises:
        BacktestError: There is no such zone.
    """
    try:
        return ZoneInfo(key) if key else None
    except (OSError, ValueError, KeyError):
        raise BacktestError(f"--zone: {key!r} is no time zone such as Europe/Amsterdam") from None


def _check_holidays(country: str) -> None:
    if not country:
        return
    import holidays

    try:
        holidays.country_holidays(country)
    except NotImplementedError:
        raise BacktestError(f"--holidays: {country!r} is no country such as NL; leave it empty for none") from None


def _named(names: tuple[str, ...], wanted: tuple[str, ...]) -> tuple[str, ...]:
    """The series that are meant, in the order of the file."""
    chosen = set[str]()
    for want in wanted:
        found = [name for name in names if name == want] or [name for name in names if fnmatchcase(name, want)]
        if not found:
            raise BacktestError(f"--new: there is no series {want!r}; the first is {names[0]!r}")
        chosen.update(found)
    return tuple(name for name in names if name in chosen)


def _limits(loads: Loads, first: int, choices: Choices) -> tuple[Loads, Reals, str]:
    """The series that have a limit, their limits [A], and where these come from."""
    if choices.limits is not None:
        if choices.factor is not None:
            raise BacktestError("--limits and --limit-factor: give one of them")
        limits, told = limit_files.from_file(choices.limits, loads.names)
        return loads.columns(np.ones(len(limits), dtype=bool), told), limits, choices.limits.name
    factor = FACTOR if choices.factor is None else choices.factor
    if not 0 < factor < 1000:
        raise BacktestError(f"--limit-factor: {factor:g} is no multiple of a peak")
    limits = limit_files.from_peaks(loads, first, factor)
    known = np.isfinite(limits)
    if not known.any():
        raise BacktestError("no series has a load above 0 in the warm-up, so there is no limit; give --limits")
    words = f"{factor:g} times each peak of the warm-up" + (", new series too" if choices.new else "")
    if known.all():
        return loads, limits, words
    gone = np.flatnonzero(~known)
    told = (Finding(f"column {loads.names[gone[0]]}", f"no load above 0 in the warm-up; {len(gone)} series left out"),)
    return loads.columns(known, told), limits[known], words
