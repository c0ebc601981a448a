"""The street of one simulated day: a cable, its fuse, its homes, the charge stations and who comes to charge.

Everything that chance decides follows from the seed; the homes are the same for every seed.
"""

from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path

import numpy as np

from gridroom.sim.day import STEP, span
from gridroom.sim.errors import SimError
from gridroom.sim.households import PHASES, Amps, Household, Loads, simbench
from gridroom.sim.load_files import read_loads
from gridroom.sim.session_files import pick_day, read_sessions, visits_of
from gridroom.sim.sessions import Visit, Wish, draw, wish
from gridroom.timegrid import QUARTER

DEFAULT_DAY = date(2016, 11, 15)
"""A Tuesday in November."""
DEFAULT_EVS = 54
CSOS = ("cso-a", "cso-b")
FEWEST_STATIONS = 36
HISTORY = timedelta(weeks=10)
LEAST_HISTORY = timedelta(days=7)
RIPPLE = 0.08
"""Standard deviation of a 5-minute mean around its quarter of an hour, as a share of it. Assumption of the street."""
ROTATIONS = ((1, 2, 3), (2, 3, 1), (3, 1, 2))


@dataclass(frozen=True)
class StationPlan:
    """A charge station with one socket.

    Attributes:
        id: Its name.
        cso: Party that operates it.
        rotation: Cable phases that the socket's L1, L2, L3 are on.
        max_current_a: What the socket carries per phase. [A]
    """

    id: str
    cso: str
    rotation: tuple[int, int, int]
    max_current_a: float


@dataclass(frozen=True)
class Session:
    """A car at a station.

    Attributes:
        station: Name of the station.
        plug_in, plug_out: When the car is connected. [UTC]
        energy_wh: What the car needs. [Wh]
        max_current_a: Largest current per phase. [A]
        phases: Cable phases that the car loads.
        wish: What the driver tells the operator; None when nothing.
    """

    station: str
    plug_in: datetime
    plug_out: datetime
    energy_wh: int
    max_current_a: float
    phases: tuple[int, ...]
    wish: Wish | None


@dataclass(frozen=True)
class Street:
    """One day of one street.

    Attributes:
        seed: What chance followed from.
        day: Local date of the morning it starts on.
        start, end: 06:00 local to 06:00 local of the next day. [UTC]
        cable: Name of the cable.
        about: Where the homes come from.
        rating_a: What the cable may carry, None when not known. [A]
        fuse_a: Rated current of the fuse, the limit per phase. [A]
        households: The homes.
        loads: What the homes draw, mean per phase and quarter of an hour, shape (3, blocks). [A]
        past: The same for the time just before the day, shape (3, earlier blocks). [A]
        stations: The charge stations.
        sessions: Who charges, in order of arrival.
        notes: What was repaired, shifted or left out of the data, in words.
    """

    seed: int
    day: date
    start: datetime
    end: datetime
    cable: str
    about: str
    rating_a: float | None
    fuse_a: float
    households: tuple[Household, ...]
    loads: Amps
    past: Amps
    stations: tuple[StationPlan, ...]
    sessions: tuple[Session, ...]
    notes: tuple[str, ...] = ()

    @property
    def blocks(self) -> int:
        """Quarters of an hour in the day: 96, or 92 and 100 when the clock changes."""
        return int(self.loads.shape[1])

    @property
    def steps(self) -> int:
        """Steps of five minutes in the day."""
        return (self.end - self.start) // STEP

    @property
    def need_wh(self) -> int:
        """What all cars together need. [Wh]"""
        return sum(s.energy_wh for s in self.sessions)


def days_offered(loads: Loads) -> list[date]:
    """Days that the loads cover whole, with enough of the past before them."""
    first = loads.start if loads.wraps else loads.start + LEAST_HISTORY
    days = [first.date() + timedelta(days=n) for n in range((loads.end - first).days + 1)]
    fits = [d for d in days if span(d)[0] >= first and (loads.wraps or span(d)[1] <= loads.end)]
    return [d for d in fits if not loads.wraps or d.year == 2016]


def build(
    seed: int = 1,
    day: date | None = None,
    evs: int | None = None,
    fuse: float | None = None,
    loads: Path | None = None,
    sessions: Path | None = None,
) -> Street:
    """Build the street of one day.

    Args:
        seed: What chance follows from.
        day: Local date; without it the default day, or with own data the day with the most sessions, else the last.
        evs: Number of sessions, 54 by default; of a sessions file at most as many as it has on the day.
        fuse: Rated current of the fuse [A]; by default the smallest NH size of which the homes alone
            take five eighths at most.
        loads: File with what the homes draw; the SimBench feeder without it.
        sessions: File with charging sessions; drawn from Dutch public charging without it.

    Raises:
        SimError: The data or the arguments cannot be used; says where.
    """
    homes = simbench() if loads is None else read_loads(loads)
    offered = days_offered(homes)
    if not offered:
        raise SimError(f"{homes.about}: at least eight days of loads are needed, they run {homes.start} to {homes.end}")
    log = None if sessions is None else read_sessions(sessions, homes)
    day = day or (pick_day(log, offered) if log else DEFAULT_DAY if loads is None else offered[-1])
    if day not in offered:
        raise SimError(f"{homes.cable} has no day {day}: choose one from {offered[0]} to {offered[-1]} (--day)")
    start, end = span(day)
    rng = np.random.default_rng([seed, day.toordinal()])
    count = DEFAULT_EVS if evs is None else evs
    if count < 1:
        raise SimError(f"{count} sessions: at least one car is needed (--evs)")
    visits, told = (draw(rng, start, end, count), ()) if log is None else visits_of(log, rng, day, count)
    stations, placed = place(rng, visits)
    limit = float(homes.smallest_fuse() if fuse is None else fuse)
    notes = homes.notes + (log.notes if log else ()) + told + _fuse_notes(homes, limit)
    first = max(start - HISTORY, homes.start) if not homes.wraps else start - HISTORY
    return Street(
        seed=seed,
        day=day,
        start=start,
        end=end,
        cable=homes.cable,
        about=homes.about,
        rating_a=homes.rating_a,
        fuse_a=limit,
        households=homes.households,
        loads=homes.window(start, end),
        past=homes.window(first, start),
        stations=stations,
        sessions=placed,
        notes=notes,
    )


def _fuse_notes(homes: Loads, fuse_a: float) -> tuple[str, ...]:
    if not 0 < fuse_a < float("inf"):
        raise SimError(f"a fuse of {fuse_a:g} A protects nothing (--fuse)")
    peak = float(np.abs(homes.amps).max())
    notes = []
    if peak >= fuse_a:
        notes.append(f"the homes alone draw up to {peak:.1f} A, more than the fuse of {fuse_a:g} A")
    if homes.rating_a is not None and fuse_a > homes.rating_a:
        notes.append(f"the fuse of {fuse_a:g} A is above the cable's rating of {homes.rating_a:g} A")
    return tuple(notes)


def history(street: Street) -> tuple[datetime, Amps]:
    """What the substation measured before the day: start of the first block [UTC] and currents, shape (3, blocks) [A].

    No station was in use then, so this is what the homes drew.
    """
    return street.start - street.past.shape[1] * QUARTER, street.past


def five_minutes(street: Street) -> Amps:
    """What the homes draw in every step, shape (3, steps) [A]: the quarter's mean with a ripple that keeps the mean."""
    rng = np.random.default_rng([street.seed, street.day.toordinal(), 5])
    per_block = QUARTER // STEP
    ripple = rng.normal(0, RIPPLE, (PHASES, street.blocks, per_block))
    ripple -= ripple.mean(axis=2, keepdims=True)
    fine: Amps = (street.loads[:, :, None] * (1 + ripple)).reshape(PHASES, -1)
    return fine


def place(rng: np.random.Generator, visits: list[Visit]) -> tuple[tuple[StationPlan, ...], tuple[Session, ...]]:
    """Give each visit a station: its own if it names one, else one that is free at random; stations as needed."""
    busy: dict[str, datetime] = {}
    wiring: dict[str, int] = {}
    named = sorted({v.station for v in visits if v.station})
    numbered = (f"{CSOS[n % 2][-1].upper()}{n // 2 + 1:02d}" for n in range(FEWEST_STATIONS + 2 * len(visits)))
    pool = [name for name in numbered if name not in named]
    used = max(0, FEWEST_STATIONS - len(named))
    chosen: list[tuple[Visit, str]] = []
    for visit in sorted(visits, key=lambda v: v.plug_in):
        station = visit.station
        if not station:
            free = [p for p in pool[:used] if p not in busy or busy[p] + STEP <= visit.plug_in]
            used, station = (used, str(rng.choice(free))) if free else (used + 1, pool[used])
        busy[station] = visit.plug_out
        if visit.first_phase:
            wiring.setdefault(station, visit.first_phase)
        chosen.append((visit, station))
    stations = {}
    for n, name in enumerate(named + pool[:used]):
        rotation = ROTATIONS[wiring.get(name, n // 2 % PHASES + 1) - 1]
        stations[name] = StationPlan(name, CSOS[n % 2], rotation, 16.0)
    for visit, name in chosen:
        plan = stations[name]
        stations[name] = replace(plan, max_current_a=max(plan.max_current_a, visit.max_current_a))
    placed = [_session(v, stations[name], wish(rng, v) if v.wish is None else v.wish) for v, name in chosen]
    return tuple(stations.values()), tuple(placed)


def _session(visit: Visit, station: StationPlan, told: Wish | None) -> Session:
    phases = station.rotation[: visit.phases]
    return Session(station.id, visit.plug_in, visit.plug_out, visit.energy_wh, visit.max_current_a, phases, told)
