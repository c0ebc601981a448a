"""The safety rule over one message, as functions of chance: each returns what became of the message."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from fractions import Fraction
from itertools import chain
from random import Random
from typing import Any
from xml.etree import ElementTree

from safety import oracle
from safety.letters import CABLES, ID, NOW, QUARTER, answer, envelope, forecast, leaf, request, usage
from safety.mutations import mutate, shake
from safety.nodes import CSP, Node, to_bytes
from safety.roads import MICRO, Cso, Modules, asked, fresh_cso, reported, seams, understood

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)
BEFORE = NOW - MINUTE


def damaged(chance: Random, root: Node) -> bytes:
    """The message as it is, or damaged in its tree, or in its bytes."""
    how = chance.choice(["no", "tree", "tree", "tree", "tree", "tree", "bytes"])
    if how == "tree":
        root = mutate(chance, root, chance.choice([1, 1, 1, 2, 3]))
    data = to_bytes(root, chance)
    return shake(chance, data, chance.choice([1, 1, 3])) if how == "bytes" else data


def prior(chance: Random) -> Node:
    """A clean earlier forecast for C1: what is older."""
    body = Node("UpdateCableCapacityForecastRequest", CSP)
    blocks, at = [], NOW - 2 * QUARTER
    for _ in range(chance.randint(1, 6)):
        end = at + chance.choice([2, 3, 8, 20]) * QUARTER
        values = [
            leaf(CSP, "Capacity", f"{chance.choice([0, 5, 20, 33, 80])}.00", Unit="A", Phase=str(phase))
            for phase in (1, 2, 3)
        ]
        times = [leaf(CSP, name, f"{t:%Y-%m-%dT%H:%M:%SZ}") for name, t in (("StartTime", at), ("EndTime", end))]
        blocks.append(Node("ForecastedBlock", CSP, "", [*values, *times]))
        at = end
    cable = Node("Cable", CSP, "", [leaf(CSP, "CableId", "C1")])
    body.children.append(Node("Forecast", CSP, "", [cable, *blocks]))
    return envelope(CSP, body, sender="dso", receiver="cso", made=BEFORE, message_id="prior")


def check_forecast(chance: Random, modules: Modules) -> str:
    """After any message the limits are as low as it states, and where it states none, as low as both fallbacks."""
    maximum = chance.choice([None, None, 6000])
    with fresh_cso(modules, maximum, NOW) as cso:
        return _forecast_heard(chance, cso, maximum)


def _forecast_heard(chance: Random, cso: Cso, maximum: int | None) -> str:
    old: list[oracle.Stated] = []
    if chance.random() < 0.7:
        first = to_bytes(prior(chance))
        assert cso.hear(first) is not None
        old = oracle.stated(first, "capacity")
    data = damaged(chance, forecast(chance, made=chance.choice([NOW, NOW, NOW, NOW, BEFORE - 3 * MINUTE])))
    refusals = cso.hear(data)
    try:
        new = oracle.stated(data, "capacity")
        made, zoned = oracle.header_time(data)
    except ElementTree.ParseError:
        assert refusals is None, data.decode(errors="replace")
        return "refused"
    ends = chain.from_iterable((one.start, one.end) for one in (*old, *new))
    moments = seams((moment for moment in ends if abs(moment - NOW) < 100 * HOUR), NOW)
    moments = chance.sample(moments, min(len(moments), 40))
    outcome = "refused"
    for cable in CABLES:
        mine = [one for one in new if cable in one.cables]
        story = Story(old if cable == "C1" else [], mine, cable)
        refused = refusals is None or cable in refusals
        if mine and not refused:
            outcome = "accepted"
            near = made is not None and zoned and abs(min(one.start for one in mine) - made) <= 2 * QUARTER
            assert near or not oracle.without_zone(data, cable), data.decode(errors="replace")
        for moment, limits in cso.limits(cable, moments).items():
            for phase in oracle.PHASES:
                bound = story.had(moment, phase)
                if refused and refusals is not None:
                    bound = min(bound, story.fallback(moment, phase))
                elif mine and not refused:
                    bound = story.bound(moment, phase, newer=made is None or made > BEFORE)
                bound = bound if maximum is None else min(bound, maximum)
                assert limits[phase - 1] <= bound, (
                    f"{cable} at {moment.isoformat()} on phase {phase}: {limits[phase - 1]} above {bound}\n"
                    f"{data.decode(errors='replace')}"
                )
    return outcome


@dataclass
class Story:
    """What an earlier and a later forecast state for a cable."""

    old: list[oracle.Stated]
    new: list[oracle.Stated]
    cable: str

    def fallback(self, moment: datetime, phase: int) -> int:
        """Offline value of the earlier one."""
        over = moment >= oracle.last_end(self.old, self.cable)
        return 0 if over else oracle.offline_of(self.old, self.cable, phase)

    def had(self, moment: datetime, phase: int) -> int:
        """What the earlier one leaves."""
        stated = oracle.limits_of(self.old, self.cable, moment, phase)
        return self.fallback(moment, phase) if stated is None else stated

    def bound(self, moment: datetime, phase: int, *, newer: bool) -> int:
        """The most that may be used after the later one was taken."""
        stated = oracle.limits_of(self.new, self.cable, moment, phase)
        had = self.had(moment, phase)
        earlier = bool(self.old) and min(one.start for one in self.new) < min(one.start for one in self.old)
        if self.old and (earlier or not newer):
            return had if stated is None else min(stated, had)
        if stated is not None:
            return stated
        over = moment >= oracle.last_end(self.new, self.cable)
        fallback = 0 if over else oracle.offline_of(self.new, self.cable, phase)
        return min(fallback, had) if moment < oracle.last_end(self.old, self.cable) else fallback


def check_reading(chance: Random, modules: Modules) -> str:
    """What is read of a forecast, before any book: at each moment that is stated, no more than the least of it."""
    data = damaged(chance, forecast(chance))
    found = understood(modules, data)
    if not found:
        return "refused"
    stated = oracle.stated(data, "capacity")
    made, zoned = oracle.header_time(data)
    for cable, spans in found.items():
        mine = [one for one in stated if cable in one.cables]
        near = made is not None and zoned and abs(min(one.start for one in mine) - made) <= 2 * QUARTER
        assert near or not oracle.without_zone(data, cable), data.decode(errors="replace")
        for one in chance.sample([*mine, *spans], min(len(mine) + len(spans), 12)):
            for moment in (one.start, one.start + (one.end - one.start) / 2, one.end - MICRO):
                amounts = [span.amounts for span in spans if span.start <= moment < span.end] or [(None, None, None)]
                for phase in oracle.PHASES:
                    bound = oracle.limits_of(mine, cable, moment, phase)
                    read = amounts[0][phase - 1]
                    good = read is None if bound is None else read is not None and read <= bound
                    assert len(amounts) == 1
                    assert good, (
                        f"{cable} at {moment.isoformat()} on phase {phase}: {read}, stated {bound}\n"
                        f"{data.decode(errors='replace')}"
                    )
    return "accepted"


def check_answer(chance: Random, modules: Modules) -> str:
    """An answer never grants more than was asked, nor more than it states, and takes no give-back back."""
    with fresh_cso(modules, None, NOW) as cso:
        return _answer_heard(chance, cso)


def _answer_heard(chance: Random, cso: Cso) -> str:
    assert cso.hear(to_bytes(prior(chance))) is not None
    times = [(NOW + k * QUARTER, NOW + (k + 1) * QUARTER) for k in range(chance.randint(1, 3))]
    wishes = [[chance.choice([0, 500, 1200, 3000, 100_000, -300]) for _ in range(3)] for _ in times]
    letter = cso.ask(ID, times, wishes)
    moments = [at for start, end in times for at in (start + 2 * SECOND, end - 2 * SECOND)]
    before = cso.limits("C1", moments)
    data = damaged(chance, answer(chance, times))
    counts = cso.settle(letter, data)
    stated = oracle.stated(data, "capacity") if counts else []
    yes = counts and oracle.grants(data)
    after = cso.limits("C1", moments)
    outcome = "refused"
    for number, moment in enumerate(moments):
        for phase in oracle.PHASES:
            values = [one.floor_ca() for one in stated if one.covers("C1", moment, phase)] if yes else []
            bound = max(0, min([*values, wishes[number // 2][phase - 1]])) if values else 0
            gain = after[moment][phase - 1] - before[moment][phase - 1]
            outcome = "accepted" if gain else outcome
            assert 0 <= gain <= bound, (
                f"{moment.isoformat()} on phase {phase}: {gain} granted, at most {bound}\n"
                f"{data.decode(errors='replace')}"
            )
    return outcome


def check_request(chance: Random, modules: Modules) -> str:
    """A DSO grants no more, and takes no more back, than the least that a request states."""
    data = damaged(chance, request(chance))
    found = asked(modules, data)
    if not found:
        return "refused"
    stated = oracle.stated(data, "capacity")
    for cable, spans in found.items():
        for span in spans:
            for moment in (span.start, span.start + 2 * SECOND, span.end - 2 * SECOND, span.end - MICRO):
                if not span.start <= moment < span.end or not _far(moment, spans):
                    continue
                for phase in oracle.PHASES:
                    both = [one.amounts[phase - 1] or 0 for one in spans if one.start <= moment < one.end]
                    values = [one.current_ca() for one in stated if one.covers(cable, moment, phase)] or [0]
                    most, least = max(0, min(values)), min(0, max(values))
                    assert least <= sum(both) <= most, (
                        f"{cable} at {moment.isoformat()} on phase {phase}: {both}, stated {values}\n"
                        f"{data.decode(errors='replace')}"
                    )
    return "accepted"


def check_usage(chance: Random, modules: Modules) -> str:
    """A report takes no more from a phase's load than the smaller value that it states with that phase."""
    data = damaged(chance, usage(chance))
    found = reported(modules, data)
    if not found:
        return "refused"
    stated = oracle.stated(data, "usage")
    for (cable, emsp), spans in found.items():
        for span in spans:
            for moment in (span.start, span.end - MICRO):
                if span.end - span.start <= SECOND or not _far(moment, spans):
                    continue
                for phase in oracle.PHASES:
                    mine = [one for one in stated if one.covers(cable, moment, phase)]
                    mine = [one for one in mine if one.emsp == emsp or one.amount is None]
                    values = [one.current_ca(Fraction(1)) for one in mine if one.named or one.amount is None]
                    most = max(0, min(values, default=0))
                    assert span.subtractable_ca[phase - 1] <= most, (
                        f"{cable} at {moment.isoformat()} on phase {phase}: {span.subtractable_ca}, stated {values}\n"
                        f"{data.decode(errors='replace')}"
                    )
    return "accepted"


def _far(moment: datetime, spans: list[Any]) -> bool:
    """Not within a second of a seam that is not its own: there the smaller neighbour may be taken (row 13)."""
    edges = [edge for one in spans for edge in (one.start, one.end)]
    return all(abs(edge - moment) > SECOND or edge - moment in (timedelta(0), MICRO) for edge in edges)


CHECKS = {
    "reading": check_reading,
    "forecast": check_forecast,
    "answer": check_answer,
    "request": check_request,
    "usage": check_usage,
}

MESSAGES = {"reading": 800, "forecast": 150, "answer": 200, "request": 600, "usage": 600}
"""Per check, over how many messages the sound build holds; a planted bug must be found among the same ones."""
