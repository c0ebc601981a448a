"""One day, lived in steps of five minutes: measure, control, react.

The order within a step: the stations live up to now (the cars draw what they were allowed), the substation meter and
the stations tell what flowed, drivers who have come tell their wishes; then each CSO reports the use of a block that
has ended, the DSO publishes (at the start of a block) or watches, each CSO plans, and what they asked of the DSO is
answered with new letters. No actor is told anything that lies ahead of the step.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any, Protocol

import numpy as np

from gridroom.sim.day import STEP, ZONE
from gridroom.sim.households import PHASES, Amps
from gridroom.sim.outcome import Count, Event, Forecast
from gridroom.sim.street import CSOS, Session, Street, five_minutes
from gridroom.timegrid import QUARTER, floor

DSO, STATIONS = "dso", "stations"
LINE_CUT = (time(18), time(19))
STATIONS_CUT = (time(18, 30), time(20, 30))
STATIONS_CUT_COUNT = 5


class Road(Protocol):
    """How the street reaches its actors: operating-system processes and sockets, or one process and none."""

    async def ask(self, actor: str, duty: str, now: datetime) -> Any:
        """Have an actor do a duty now, and give its answer."""
        ...

    async def read_meter(self, start: datetime, amps: tuple[float, float, float]) -> None:
        """The substation meter posts the mean of a step to the DSO. [A]"""
        ...

    async def tell_wish(self, cso: str, session: Session) -> bool:
        """A driver tells the operator; False when it knows of no car at that station yet."""
        ...

    async def cut_line(self, cso: str, *, whole: bool) -> None:
        """Cut or mend the line between the DSO and a CSO."""
        ...

    async def cut_stations(self, stations: Iterable[str], *, whole: bool) -> None:
        """Cut or mend the lines of stations to their CSO."""
        ...


@dataclass(frozen=True)
class Cut:
    """A line that is dead for a while.

    Attributes:
        start: From. [UTC]
        end: Until. [UTC]
        cso: The CSO whose line to the DSO it is; empty when stations are cut off.
        stations: The stations that are cut off.
    """

    start: datetime
    end: datetime
    cso: str = ""
    stations: tuple[str, ...] = ()

    @property
    def event(self) -> Event:
        """The mark on the time line."""
        if self.cso:
            return Event(self.cso, "line to the DSO cut", self.start, self.end)
        return Event(f"{len(self.stations)} stations", "line to their CSO cut", self.start, self.end)


@dataclass
class Diary:
    """What happened, in physical terms, and what the actors said of it.

    Attributes:
        homes_a: What the homes drew, shape (3, steps). [A]
        cars_a: What the cars of each CSO drew, same shape. [A]
        sessions: Energy that each session took, by station and arrival. [Wh]
        forecasts: The DSO's forecasts.
        allotted_a: Per CSO the allotment of each block when it began, shape (3, blocks). [A]
        messages: Count by type.
        events: Marks on the time line.
        urgent: Urgent forecasts (Priority above 0) that the DSO sent.
    """

    homes_a: Amps
    cars_a: dict[str, Amps]
    sessions: dict[tuple[str, datetime], float] = field(default_factory=dict)
    forecasts: list[Forecast] = field(default_factory=list)
    allotted_a: dict[str, Amps] = field(default_factory=dict)
    messages: dict[str, Count] = field(default_factory=dict)
    events: list[Event] = field(default_factory=list)
    urgent: int = 0


def evening_cuts(street: Street) -> tuple[Cut, ...]:
    """The faults of every day: in the evening one CSO loses the DSO for an hour, five stations their CSO for two.

    The stations cut off are those with cars at that time, as far as there are five, and belong to the other CSO.
    """

    def at(moment: time) -> datetime:
        return datetime.combine(street.day, moment, ZONE).astimezone(street.start.tzinfo)

    start, end = at(STATIONS_CUT[0]), at(STATIONS_CUT[1])
    of_second = [s.id for s in street.stations if s.cso == CSOS[1]]
    busy = {s.station for s in street.sessions if s.plug_in < end and s.plug_out > start}
    chosen = sorted(of_second, key=lambda name: name not in busy)[:STATIONS_CUT_COUNT]
    return Cut(at(LINE_CUT[0]), at(LINE_CUT[1]), cso=CSOS[0]), Cut(start, end, stations=tuple(chosen))


async def live(street: Street, road: Road, cuts: Iterable[Cut], on_step: Callable[[int], None]) -> Diary:
    """Live the day.

    Args:
        street: The street.
        road: How its actors are reached.
        cuts: Lines that are dead for a while.
        on_step: Told the number of steps done, for a progress bar.
    """
    cuts = tuple(cuts)
    csos = sorted({station.cso for station in street.stations})
    homes = five_minutes(street)
    diary = Diary(homes, {cso: np.zeros_like(homes) for cso in csos}, events=[cut.event for cut in cuts])
    diary.allotted_a = {cso: np.full((PHASES, street.blocks), np.nan) for cso in csos}
    cso_of = {station.id: station.cso for station in street.stations}
    wishes = [s for s in street.sessions if s.wish is not None]
    await _control(road, diary, street, street.start, csos)
    for step in range(street.steps):
        begin, now = street.start + step * STEP, street.start + (step + 1) * STEP
        await _fail(road, cuts, begin)
        lived = await road.ask(STATIONS, "advance", now)
        for name, told in lived["stations"].items():
            diary.cars_a[cso_of[name]][:, step] += told["currents_a"]
        total = homes[:, step] + sum(cars[:, step] for cars in diary.cars_a.values())
        await road.read_meter(begin, (float(total[0]), float(total[1]), float(total[2])))
        await road.ask(STATIONS, "meter", now)
        wishes = [s for s in wishes if s.plug_in > now or not await _wish(road, cso_of[s.station], s, now)]
        await _control(road, diary, street, now, csos)
        on_step(step + 1)
    for told in lived["sessions"]:
        diary.sessions[told["station"], datetime.fromisoformat(told["plug_in"])] = float(told["delivered_wh"])
    await _count(road, diary, street.end, csos)
    return diary


async def _control(road: Road, diary: Diary, street: Street, now: datetime, csos: list[str]) -> None:
    """The control part of a step."""
    block_begins = floor(now, QUARTER) == now
    if block_begins:
        for cso in csos:
            await road.ask(cso, "report", now)
    await road.ask(DSO, "publish" if block_begins else "watch", now)
    for cso in csos:
        await road.ask(cso, "plan", now)
    await road.ask(DSO, "post", now)
    for cso in csos:
        await road.ask(cso, "post", now)
    if block_begins and now < street.end:
        _note_view(diary, street, now, await road.ask(DSO, "view", now))


def _note_view(diary: Diary, street: Street, now: datetime, view: Mapping[str, Any]) -> None:
    """Keep the forecast just issued, and the allotments of the block that begins."""
    cable = view[street.cable]
    homes, room = np.array(cable["forecast_a"]), np.array(cable["available_a"])
    diary.forecasts.append(Forecast(now, datetime.fromisoformat(cable["start"]), homes, room))
    for cso, amps in cable["allotments_a"].items():
        diary.allotted_a[cso][:, (now - street.start) // QUARTER] = np.array(amps)[:, 0]


async def _wish(road: Road, cso: str, session: Session, now: datetime) -> bool:
    """Whether a driver needs not try again: told, or gone."""
    return session.plug_out <= now or await road.tell_wish(cso, session)


async def _fail(road: Road, cuts: Iterable[Cut], begin: datetime) -> None:
    """Cut and mend what is due when a step begins."""
    for cut in cuts:
        for moment, whole in ((cut.start, False), (cut.end, True)):
            if begin <= moment < begin + STEP:
                if cut.cso:
                    await road.cut_line(cut.cso, whole=whole)
                if cut.stations:
                    await road.cut_stations(cut.stations, whole=whole)


async def _count(road: Road, diary: Diary, now: datetime, csos: list[str]) -> None:
    """Sum what the actors counted: the sender of each type of message counts it."""
    sums: dict[str, list[int]] = {}
    for actor in (DSO, *csos, STATIONS):
        told = await road.ask(actor, "statistics", now)
        for name, tally in told["messages"].items():
            if actor == STATIONS and name != "MeterValues":
                continue  # OCPP has a Heartbeat of its own
            found = sums.setdefault(name, [0, 0, 0])
            for place, key in enumerate(("sent", "acknowledged", "refused")):
                found[place] += int(tally.get(key, 0))
        diary.urgent += int(told.get("urgent", 0))
    diary.messages = {name: Count(*found) for name, found in sums.items()}
