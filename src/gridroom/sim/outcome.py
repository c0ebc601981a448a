"""What came of a simulated day, judged by physical currents and by what the cars really took."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from gridroom.sim.households import PHASES, Amps
from gridroom.sim.street import Session, Street
from gridroom.sim.uncontrolled import Uncontrolled, overloads, quarters
from gridroom.timegrid import QUARTER

SATISFIED_SHARE = 0.95
MESSAGE_TYPES = (
    "UpdateCableCapacityForecast",
    "Heartbeat",
    "GetCapacityForecast",
    "RequestAdjustedCapacity",
    "UpdateAggregatedUsage",
    "SetChargingProfile",
    "MeterValues",
)


@dataclass(frozen=True)
class Forecast:
    """One forecast of the DSO for the cable.

    Attributes:
        issued: When it was made. [UTC]
        start: Start of its first block. [UTC]
        homes_a: Forecast of the non-controllable load, shape (3, blocks of 15 min). [A]
        room_a: Capacity left for cars after the safety margin, all CSOs and the backup together, same shape. [A]
    """

    issued: datetime
    start: datetime
    homes_a: Amps
    room_a: Amps


@dataclass(frozen=True)
class Count:
    """Messages of one type.

    Attributes:
        sent: Different messages that left.
        acknowledged: Those answered SUCCESS or Accepted, or with a conf for MeterValues.
        refused: Those answered with any other Result, status or Fault.
    """

    sent: int = 0
    acknowledged: int = 0
    refused: int = 0


@dataclass(frozen=True)
class Event:
    """Something worth a mark on the day's time line.

    Attributes:
        who: Who it happened to, "cso-b" or "5 stations".
        what: What happened, a few words.
        at: When. [UTC]
        until: When it was over; None for a moment. [UTC]
    """

    who: str
    what: str
    at: datetime
    until: datetime | None = None


@dataclass(frozen=True)
class Outcome:
    """A day that was lived.

    Attributes:
        street: The street of the day.
        wall_seconds: How long it took on the wall clock. [s]
        homes_a: What the homes drew, shape (3, steps of 5 min). [A]
        cars_a: What the cars of each CSO drew, same shape. [A]
        delivered_wh: What each car took, in the order of `street.sessions`. [Wh]
        uncontrolled: The same day without control.
        bound_wh: What perfect foresight could have charged. [Wh]
        forecasts: The DSO's forecasts in the order they were issued.
        allotted_a: What each CSO was allotted for each block when the block began, shape (3, blocks). [A]
        messages: Count by type.
        events: Cuts, urgent messages and the like.
        settings: What the demo chose, name and words, for the reader.
    """

    street: Street
    wall_seconds: float
    homes_a: Amps
    cars_a: Mapping[str, Amps]
    delivered_wh: tuple[float, ...]
    uncontrolled: Uncontrolled
    bound_wh: float
    forecasts: tuple[Forecast, ...] = ()
    allotted_a: Mapping[str, Amps] = field(default_factory=dict)
    messages: Mapping[str, Count] = field(default_factory=dict)
    events: tuple[Event, ...] = ()
    settings: Mapping[str, str] = field(default_factory=dict)

    @property
    def total_a(self) -> Amps:
        """Currents at the fuse, shape (3, steps). [A]"""
        return self.homes_a + sum(self.cars_a.values(), np.zeros_like(self.homes_a))

    def satisfied(self) -> list[bool]:
        """Which sessions got at least 95 % of their need."""
        pairs = zip(self.street.sessions, self.delivered_wh, strict=True)
        return [wh >= SATISFIED_SHARE * session.energy_wh for session, wh in pairs]

    def of_cso(self, cso: str) -> list[tuple[Session, float]]:
        """The sessions at the stations of a CSO, with what they took. [Wh]"""
        own = {s.id for s in self.street.stations if s.cso == cso}
        pairs = zip(self.street.sessions, self.delivered_wh, strict=True)
        return [(session, wh) for session, wh in pairs if session.station in own]

    def count(self, message: str) -> Count:
        """The count of a message type, zeros when there were none."""
        return self.messages.get(message, Count())


def in_force(street: Street, forecasts: tuple[Forecast, ...]) -> tuple[Amps, Amps]:
    """For each block of the day the latest forecast issued before or at its start: homes and room, shape (3, blocks).

    NaN where no forecast reached. [A]
    """
    homes, room = (np.full((PHASES, street.blocks), np.nan) for _ in range(2))
    for forecast in sorted(forecasts, key=lambda f: f.issued):
        shift = (forecast.start - street.start) // QUARTER
        usable = -((street.start - forecast.issued) // QUARTER)
        first, last = max(shift, usable, 0), min(shift + forecast.homes_a.shape[1], street.blocks)
        if first < last:
            homes[:, first:last] = forecast.homes_a[:, first - shift : last - shift]
            room[:, first:last] = forecast.room_a[:, first - shift : last - shift]
    return homes, room


def summary(outcome: Outcome) -> dict[str, object]:
    """The day in figures, as `report.json` has them: plain numbers, texts, lists and dictionaries."""
    street, wild = outcome.street, outcome.uncontrolled
    delivered = sum(outcome.delivered_wh)
    satisfied = outcome.satisfied()
    total = outcome.total_a
    types = (*MESSAGE_TYPES, *sorted(set(outcome.messages) - set(MESSAGE_TYPES)))
    return {
        "seed": street.seed,
        "day": street.day.isoformat(),
        "start": street.start.isoformat(),
        "cable": street.cable,
        "source": street.about,
        "households": len(street.households),
        "stations": len(street.stations),
        "sessions": len(street.sessions),
        "wall_seconds": round(outcome.wall_seconds, 1),
        "fuse_a": street.fuse_a,
        "rating_a": street.rating_a,
        "need_kwh": _kwh(street.need_wh),
        "bound_kwh": _kwh(outcome.bound_wh),
        "uncontrolled": {
            "overload_blocks": wild.overload_blocks,
            "blows_at": wild.blows_at.isoformat() if wild.blows_at else None,
            "peak_a": round(wild.worst_a, 2),
            "peak_share_of_limit": round(wild.worst_a / street.fuse_a, 4),
            "energy_kwh": _kwh(wild.delivered_wh),
        },
        "oscp": {
            "overload_blocks": int(overloads(total, street.fuse_a).sum()),
            "peak_share_of_limit": round(float(np.abs(quarters(total)).max()) / street.fuse_a, 4),
            "peak_5_minutes_share_of_limit": round(float(np.abs(total).max()) / street.fuse_a, 4),
            "energy_kwh": _kwh(delivered),
            "energy_share_of_need": _share(delivered, street.need_wh),
            "energy_share_of_bound": _share(delivered, outcome.bound_wh),
            "sessions_satisfied_share": _share(sum(satisfied), len(satisfied)),
        },
        "csos": {cso: _of_cso(outcome, cso) for cso in sorted(outcome.cars_a)},
        "forecast": _forecast(outcome),
        "messages": {
            name: {"sent": c.sent, "acknowledged": c.acknowledged, "refused": c.refused}
            for name in types
            for c in (outcome.count(name),)
        },
        "events": [
            {"who": e.who, "what": e.what, "at": e.at.isoformat(), "until": e.until.isoformat() if e.until else None}
            for e in outcome.events
        ],
        "settings": dict(outcome.settings),
        "notes": list(street.notes),
    }


def _of_cso(outcome: Outcome, cso: str) -> dict[str, object]:
    pairs = outcome.of_cso(cso)
    need, delivered = sum(s.energy_wh for s, _ in pairs), sum(wh for _, wh in pairs)
    good = sum(wh >= SATISFIED_SHARE * s.energy_wh for s, wh in pairs)
    return {
        "stations": sum(s.cso == cso for s in outcome.street.stations),
        "sessions": len(pairs),
        "energy_kwh": _kwh(delivered),
        "energy_share_of_need": _share(delivered, need),
        "sessions_satisfied_share": _share(good, len(pairs)),
    }


def _forecast(outcome: Outcome) -> dict[str, object]:
    """How good the forecast in force was, by the homes' true currents."""
    homes, room = in_force(outcome.street, outcome.forecasts)
    known = ~np.isnan(homes)
    if not known.any():
        return {"issued": 0}
    true = quarters(outcome.homes_a)
    free = np.minimum(outcome.street.fuse_a - true, outcome.street.fuse_a)
    return {
        "issued": len(outcome.forecasts),
        "mean_error_a": round(float(np.abs(homes - true)[known].mean()), 2),
        "offered_share": _share(float(room[known].sum()), float(free[known].sum())),
        "blocks_with_too_much_offered": int((room > free)[known].sum()),
    }


def _kwh(energy_wh: float) -> float:
    return round(energy_wh / 1000, 3)


def _share(part: float, whole: float) -> float:
    """A share; 1 of nothing."""
    return round(part / whole, 4) if whole else 1.0


def hours(span: timedelta) -> float:
    """A span in hours.

    >>> hours(timedelta(minutes=90))
    1.5
    """
    return span / timedelta(hours=1)
