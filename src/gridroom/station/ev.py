"""A simulated electric car: what it draws of what it may.

It draws a constant current, then a falling one when it is nearly full (the last twentieth of its need), and never
between 0 and 6 A: below 6 A it may not charge (IEC 61851-1 annex A). The model is ours.
"""

import math
from dataclasses import dataclass

VOLTAGE_V = 230
LEAST_CA = 600
TAIL = 0.05


@dataclass(frozen=True)
class Car:
    """A car that comes to charge.

    Attributes:
        need_wh: Energy it takes until it is full. [Wh]
        max_ca: The most that it draws per phase, at least 6 A. [0.01 A]
        phases: How many phases it charges on, from the station's L1 on.
    """

    need_wh: float
    max_ca: int
    phases: int = 3

    def __post_init__(self) -> None:
        if self.need_wh <= 0:
            raise ValueError(f"a need of {self.need_wh} Wh is no need")
        if self.max_ca < LEAST_CA:
            raise ValueError(f"{self.max_ca / 100} A: a car draws at least 6 A")
        if self.phases not in (1, 2, 3):
            raise ValueError(f"{self.phases} phases: a car has 1, 2 or 3")


@dataclass(frozen=True)
class Draw:
    """What a car drew in a span.

    Attributes:
        energy_wh: From all phases together. [Wh]
        mean_ca: Mean current of each used phase over the whole span. [0.01 A]
        phases: How many phases it used.
    """

    energy_wh: float
    mean_ca: float
    phases: int


def draw(car: Car, taken_wh: float, limit_ca: int, phases: int, seconds: float) -> Draw:
    """What a car draws under a constant limit.

    Args:
        car: The car.
        taken_wh: What it has taken before. [Wh]
        limit_ca: What each phase may carry; less than 6 A stops it. [0.01 A]
        phases: How many phases it may use.
        seconds: Length of the span. [s]

    >>> draw(Car(10_000, 1600, 1), 0, 3200, 3, 900).energy_wh
    920.0
    >>> draw(Car(10_000, 1600), 0, 599, 3, 900)
    Draw(energy_wh=0.0, mean_ca=0.0, phases=3)
    """
    used = min(car.phases, phases)
    left_wh = car.need_wh - taken_wh
    if limit_ca < LEAST_CA or left_wh <= 0 or seconds <= 0:
        return Draw(0.0, 0.0, used)
    wh_per_ca_s = VOLTAGE_V * used / 100 / 3600
    energy_wh = left_wh - _left_after(car, left_wh, limit_ca, wh_per_ca_s, seconds)
    return Draw(energy_wh, energy_wh / wh_per_ca_s / seconds, used)


def _left_after(car: Car, left_wh: float, limit_ca: int, wh_per_ca_s: float, seconds: float) -> float:
    """What is still needed after a span: constant current, then the tail, then 6 A to the end. [Wh]"""
    tail_wh = car.need_wh * TAIL
    top_ca = min(limit_ca, car.max_ca)
    wh_per_ca = tail_wh / car.max_ca
    left_wh, seconds = _constant(left_wh, top_ca * wh_per_ca, top_ca * wh_per_ca_s, seconds)
    if seconds <= 0:
        return left_wh
    floor_wh = LEAST_CA * wh_per_ca
    if left_wh > floor_wh:
        rate = wh_per_ca_s / wh_per_ca
        needed_s = math.log(left_wh / floor_wh) / rate
        if needed_s >= seconds:
            return left_wh * math.exp(-rate * seconds)
        left_wh, seconds = floor_wh, seconds - needed_s
    return _constant(left_wh, 0.0, LEAST_CA * wh_per_ca_s, seconds)[0]


def _constant(left_wh: float, until_wh: float, wh_per_s: float, seconds: float) -> tuple[float, float]:
    """What is needed, and the time that is left, after a constant draw until a level or the end of the time."""
    if left_wh <= until_wh:
        return left_wh, seconds
    needed_s = (left_wh - until_wh) / wh_per_s
    if needed_s > seconds:
        return left_wh - wh_per_s * seconds, 0.0
    return until_wh, seconds - needed_s
