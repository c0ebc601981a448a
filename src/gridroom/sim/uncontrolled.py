"""The same day without any control: every car charges as fast as it can from the moment it is plugged in."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.sim.day import STEP
from gridroom.sim.households import NOMINAL_V, PHASES, Amps
from gridroom.sim.street import Session, Street, five_minutes
from gridroom.station.ev import Car, draw
from gridroom.timegrid import QUARTER

HOUR = timedelta(hours=1)


@dataclass(frozen=True)
class Uncontrolled:
    """What happens when nobody steers.

    Attributes:
        amps: Currents at the fuse, shape (3, steps of 5 min). [A]
        overload_blocks: Pairs of phase and quarter of an hour whose mean is above the fuse.
        blows_at: End of the first quarter of an hour with such a mean; None when the fuse holds. [UTC]
        worst_a: Highest mean of a phase over a quarter of an hour. [A]
        delivered_wh: What the cars would take if the fuse were a wire. [Wh]
    """

    amps: Amps
    overload_blocks: int
    blows_at: datetime | None
    worst_a: float
    delivered_wh: float


def uncontrolled(street: Street) -> Uncontrolled:
    """Let the day run without control."""
    amps = five_minutes(street)
    delivered = 0.0
    for session in street.sessions:
        drawn = _full_rate(street, session)
        for phase in session.phases:
            amps[phase - 1] += drawn
        delivered += float(drawn.sum()) * len(session.phases) * NOMINAL_V * (STEP / HOUR)
    over = overloads(amps, street.fuse_a)
    hit = np.flatnonzero(over.any(axis=0))
    return Uncontrolled(
        amps=amps,
        overload_blocks=int(over.sum()),
        blows_at=street.start + (int(hit[0]) + 1) * QUARTER if len(hit) else None,
        worst_a=float(np.abs(quarters(amps)).max()),
        delivered_wh=delivered,
    )


def quarters(amps: Amps) -> Amps:
    """Means over quarters of an hour, shape (3, blocks), of 5-minute means, shape (3, steps). [A]"""
    means: Amps = amps.reshape(PHASES, -1, QUARTER // STEP).mean(axis=2)
    return means


def overloads(amps: Amps, fuse_a: float) -> NDArray[np.bool_]:
    """Which quarters of an hour, shape (3, blocks), have a mean above the fuse; back-feed counts as current."""
    return np.abs(quarters(amps)) > fuse_a


def _full_rate(street: Street, session: Session) -> Amps:
    """Mean current per phase in every step. [A]"""
    drawn = np.zeros(street.steps)
    most_ca = round(session.max_current_a * 100)
    car = Car(session.energy_wh, most_ca, len(session.phases))
    taken_wh = 0.0
    for step in range((session.plug_in - street.start) // STEP, street.steps):
        begin = street.start + step * STEP
        present_s = (min(session.plug_out, begin + STEP) - max(session.plug_in, begin)).total_seconds()
        if present_s <= 0:
            break
        drew = draw(car, taken_wh, most_ca, car.phases, present_s)
        drawn[step] = drew.mean_ca / 100 * present_s / STEP.total_seconds()
        taken_wh += drew.energy_wh
    return drawn
