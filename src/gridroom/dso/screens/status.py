"""How the DSO fares, as its operator should see it: values, and what of them is alarming; no store is read here."""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum

from gridroom.dso.cables import Finding
from gridroom.dso.readings.measurements import Reason
from gridroom.dso.screens.risk import DAYS, RealisedRisk
from gridroom.timegrid import QUARTER

HARMLESS = (Reason.REPEATED, Reason.DISORDERED, Reason.CLOCK)
"""What may be odd about readings and is nothing to look after."""

NAMES = re.compile(r"'[^']*'|\"[^\"]*\"|\d[\d.]*")
"""Names and numbers in what is found in the register."""

RUNS = "see that `gridroom dso run` runs, or see its log"
"""What to do when nothing is published: it may run and fail."""

MOST_NAMED = 5
"""Ids that are named in one sentence."""


class Level(StrEnum):
    """How bad it is: an alarm needs somebody now, a notice can wait."""

    ALARM = "alarm"
    NOTICE = "notice"


@dataclass(frozen=True)
class Sign:
    """Something that an operator should know.

    Attributes:
        level: How bad it is.
        where: What it is about: `publish`, `readings`, `reports`, `forecasts`, `letters`, `brakes`, `risk` or
            `register`.
        text: What is so, and what to do.
    """

    level: Level
    where: str
    text: str


@dataclass(frozen=True)
class Post:
    """How letters to one CSO fare.

    Attributes:
        waiting: Not settled yet.
        late: Of these, those that are too old.
        silent_since: Since when nothing was answered, though something was sent. [UTC]
        abandoned: Given up within a day, newest first, and nothing of that operation was answered since: what, why,
            when.
        stopped: What it does not offer (NOT IMPLEMENTED): operation, what it said, since when.
    """

    waiting: int = 0
    late: int = 0
    silent_since: datetime | None = None
    abandoned: tuple[tuple[str, str, datetime], ...] = ()
    stopped: tuple[tuple[str, str, datetime], ...] = ()


@dataclass(frozen=True)
class Brake:
    """Capacity taken back after a measured overload.

    Attributes:
        since: When it was measured. [UTC]
        until: When the last of it is released. [UTC]
        low_a: What all CSOs together may use on each phase at first. [A]
    """

    since: datetime
    until: datetime
    low_a: tuple[float, ...]


@dataclass(frozen=True)
class Status:
    """How the DSO fares.

    Attributes:
        party: Who.
        at: The present moment. [UTC]
        late_after: Age from which on the last publish, or a letter without an answer, is too old.
        published: The last publish. [UTC]
        qualities: Cables by quality of their forecast; `none` where nothing is known.
        newest: End of the newest reading of any cable. [UTC]
        silent: Cables without a reading for `missed_after`, and transformers and substations that had one before.
        counts: What was odd about readings within `DAYS`: how many, by reason and cable.
        posts: Letters, by CSO.
        messages: Sent, acknowledged and refused since the beginning, by operation.
        brakes: In force, by cable.
        unbraked: Cables, transformers and substations whose newest reading came too late to brake on.
        risks: Over `DAYS`, by risk class.
        findings: What does not fit in the register.
        unreported: Cables by CSO of which a report of use is missing that was due in the last day, more than an hour
            ago.
        overclaimed: Cables that carried little but reported use for a week.
        missed_after: Age from which on the newest reading of a cable is too old.
        block: Length of a block: a reading that comes later than that after its end is not braked on.
        learned_until: Up to when the readings of any cable are learned. [UTC]
    """

    party: str
    at: datetime
    late_after: timedelta
    published: datetime | None = None
    qualities: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    newest: datetime | None = None
    silent: tuple[str, ...] = ()
    counts: Mapping[Reason, Mapping[str, int]] = field(default_factory=dict)
    posts: Mapping[str, Post] = field(default_factory=dict)
    messages: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    brakes: Mapping[str, Brake] = field(default_factory=dict)
    unbraked: tuple[str, ...] = ()
    risks: Mapping[str, RealisedRisk] = field(default_factory=dict)
    findings: tuple[str, ...] = ()
    unreported: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    overclaimed: tuple[str, ...] = ()
    missed_after: timedelta = timedelta(hours=1)
    block: timedelta = QUARTER
    learned_until: datetime | None = None

    @property
    def age(self) -> timedelta | None:
        """How long ago the last publish was."""
        return None if self.published is None else self.at - self.published

    @property
    def signs(self) -> tuple[Sign, ...]:
        """All that an operator should know, alarms first."""
        found = (
            *_published(self),
            *_measured(self),
            *_reported(self),
            *_overclaimed(self),
            *_posted(self),
            *_braked(self),
            *_risked(self),
            *_registered(self),
        )
        return tuple(sorted(found, key=lambda sign: sign.level is not Level.ALARM))

    @property
    def alarming(self) -> bool:
        """Whether somebody is needed now."""
        return any(sign.level is Level.ALARM for sign in self.signs)


def named(ids: tuple[str, ...] | list[str]) -> str:
    """Ids in a sentence, not all when there are many.

    >>> named(["a", "b"]), named(list("abcdefg"))
    ('a, b', 'a, b, c, d, e and 2 more')
    """
    rest = f" and {len(ids) - MOST_NAMED} more" if len(ids) > MOST_NAMED else ""
    return ", ".join(ids[:MOST_NAMED]) + rest


def summed(findings: Sequence[Finding]) -> list[str]:
    """Findings as lines, of many that differ in names and numbers only a few.

    >>> summed([Finding(f"cable '{n}'", f"{n} A is contracted") for n in range(7)])[-2:]
    ["cable '4': 4 A is contracted", '... and 2 more like this']
    """
    alike = defaultdict[str, list[str]](list)
    for one in findings:
        alike[NAMES.sub("", one.text)].append(str(one))
    lines = list[str]()
    for some in alike.values():
        more = [f"... and {len(some) - MOST_NAMED:,} more like this"] if len(some) > MOST_NAMED else []
        lines += [*some[:MOST_NAMED], *more]
    return lines


def minutes(span: timedelta) -> str:
    """A span in words.

    >>> minutes(timedelta(minutes=4)), minutes(timedelta(hours=7, minutes=5)), minutes(timedelta(days=3))
    ('4 min', '7 h 5 min', '3 days')
    """
    whole = int(span / timedelta(minutes=1))
    if whole < 60:
        return f"{whole} min"
    return f"{whole // 60} h {whole % 60} min" if whole < 48 * 60 else f"{whole // (24 * 60)} days"


def percent(share: float, digits: int = 2) -> str:
    """A small share in percent, with two digits that count, or more.

    >>> percent(0.001), percent(0.00034), percent(0.0), percent(1.0), percent(1e-9), percent(0.0125, 3)
    ('0.1 %', '0.034 %', '0 %', '100 %', '0.0000001 %', '1.25 %')
    """
    return f"{Decimal(f'{100 * share:.{digits}g}'):f} %" if share < 0.995 else "100 %"


def _published(status: Status) -> Iterator[Sign]:
    age = status.age
    if age is None and status.learned_until is not None:
        text = f"a long history is learned first, so far until {status.learned_until:%Y-%m-%d %H:%M} UTC"
        yield Sign(Level.ALARM, "publish", f"nothing was published yet; {text}; {RUNS}")
    elif age is None:
        text = "nothing was published yet; start it with `gridroom dso run`, or see its log"
        yield Sign(Level.ALARM, "publish", text)
    elif age > status.late_after:
        yield Sign(Level.ALARM, "publish", f"the last one is {minutes(age)} old; {RUNS}")
    elif age < -status.late_after:
        yield Sign(Level.ALARM, "publish", "the last one lies ahead of the clock; see that the clock is right")


def _measured(status: Status) -> Iterator[Sign]:
    if status.silent:
        hour = status.missed_after == timedelta(hours=1)
        span = "the last hour" if hour else f"the last {minutes(status.missed_after)}"
        text = f"none of {span}: {named(status.silent)}; look at the meter and its connection"
        yield Sign(Level.ALARM, "readings", text)
    for reason, cables in sorted(status.counts.items()):
        if reason not in HARMLESS:
            where = named([cable or "unknown ids" for cable in cables])
            text = f"{reason}: {sum(cables.values()):,} in {DAYS} days, of {where}"
            yield Sign(Level.NOTICE, "readings", text)
    for quality, ids in sorted(status.qualities.items()):
        if quality == "good" or (status.published is None and status.learned_until is not None):
            continue
        level = Level.ALARM if quality == "none" else Level.NOTICE
        yield Sign(level, "forecasts", f"{quality}: {named(ids)}")


def _reported(status: Status) -> Iterator[Sign]:
    for party, cables in sorted(status.unreported.items()):
        text = f"{party} reported no use for some of the last day, of {named(cables)}; such blocks are not learned from"
        yield Sign(Level.NOTICE, "reports", text)


def _overclaimed(status: Status) -> Iterator[Sign]:
    if status.overclaimed:
        text = (
            f"reported use explains nearly all that {named(status.overclaimed)} carried in the last week, as if "
            "homes used nothing: hold the reports against charge stations; the load that is learned may be too low"
        )
        yield Sign(Level.ALARM, "reports", text)


def _posted(status: Status) -> Iterator[Sign]:
    for party, post in sorted(status.posts.items()):
        for operation, said, _since in post.stopped:
            text = f"{party} does not offer {operation} ({said}); when it does, `gridroom dso resume DIR {party}`"
            yield Sign(Level.ALARM, "letters", text)
        silence = status.at - post.silent_since if post.silent_since is not None else timedelta(0)
        if silence > status.late_after:
            text = f"{party} has not answered for {minutes(silence)}; see that it can be reached"
            yield Sign(Level.ALARM, "letters", text)
        elif post.late:
            yield Sign(Level.ALARM, "letters", f"{party}: {post.late} without an answer for two publishing intervals")
        if post.abandoned:
            operation, why, _at = post.abandoned[0]
            text = f"{party}: {len(post.abandoned)} given up within a day, the last {operation}: {why}"
            yield Sign(Level.ALARM, "letters", text)


def _braked(status: Status) -> Iterator[Sign]:
    if status.brakes:
        text = f"overload measured, capacity taken back: {named(sorted(status.brakes))}"
        yield Sign(Level.ALARM, "brakes", text)
    if status.unbraked and status.published is not None:
        text = f"the newest reading came more than {minutes(status.block)} after its end, too late to brake on"
        yield Sign(Level.NOTICE, "brakes", f"{text}: {named(status.unbraked)}")


def _risked(status: Status) -> Iterator[Sign]:
    for name, risk in sorted(status.risks.items()):
        told = f"{name}: {percent(risk.realised)} where {percent(risk.asked)} was asked"
        chance = f"chance allows {percent(risk.low)} to {percent(risk.high)}"
        if risk.above:
            yield Sign(Level.ALARM, "risk", f"{told}, {chance}; lower its risk until this is understood")
        elif risk.below:
            yield Sign(Level.NOTICE, "risk", f"{told}, {chance}; less is offered than could be")


def _registered(status: Status) -> Iterator[Sign]:
    for finding in status.findings:
        yield Sign(Level.NOTICE, "register", finding)
