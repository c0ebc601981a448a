"""The energy meter of a station: a register, and mean currents over a span."""

from dataclasses import dataclass, field
from datetime import datetime

from gridroom.ocpp.metering import PERIODIC, MeterReading, reading
from gridroom.station.ev import Draw


@dataclass
class Means:
    """Mean current of L1, L2, L3 since a moment."""

    since: datetime
    ca_s: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])

    def add(self, drawn: Draw, seconds: float) -> None:
        """Add what was drawn in some seconds."""
        for phase in range(drawn.phases):
            self.ca_s[phase] += drawn.mean_ca * seconds

    def at(self, now: datetime) -> tuple[float, float, float]:
        """The means from `since` to now. [0.01 A]"""
        seconds = (now - self.since).total_seconds()
        first, second, third = (value / seconds if seconds > 0 else 0.0 for value in self.ca_s)
        return first, second, third


@dataclass
class Meter:
    """A register that only grows, and the means since the last reading.

    Attributes:
        register_wh: Energy so far. [Wh]
        means: Since the last reading.
    """

    register_wh: float
    means: Means

    def add(self, drawn: Draw, seconds: float) -> None:
        """Count what was drawn in some seconds."""
        self.register_wh += drawn.energy_wh
        self.means.add(drawn, seconds)

    def start(self, now: datetime) -> None:
        """Begin a new span of means."""
        self.means = Means(now)

    def read(self, now: datetime, context: str = PERIODIC) -> MeterReading:
        """Mean currents since the last reading, and the register; a new span begins."""
        currents_ca = [round(value) for value in self.means.at(now)]
        self.start(now)
        return reading(now, currents_ca, int(self.register_wh), context)
