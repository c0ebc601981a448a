"""The rules by which this DSO works, as agreed per market and chosen by its operator."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from gridroom.dso.cables import Cable, Register
from gridroom.timegrid import DAY, QUARTER

LATE = 2
"""Publishing intervals after which a plan is no longer in force."""

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


Criterion = Literal["15min", "1h", "1h10"]
"""What must not exceed the limit: a block, the mean of an hour, or that mean by a tenth of the limit."""


@dataclass(frozen=True)
class RiskClass:
    """The risk that is accepted on some cables.

    Attributes:
        name: As cables name it; empty for all that name none.
        risk: Accepted share of blocks (or hours) in which a phase exceeds its limit.
        criterion: What counts as exceeding.
    """

    name: str
    risk: float
    criterion: Criterion


@dataclass(frozen=True)
class Rules:
    """How the DSO forecasts, divides, publishes and reacts.

    Attributes:
        block: Length of a block.
        publish_every: How often forecasts go out.
        heartbeat_every: How often heartbeats go out.
        zone: Local clock of the households.
        risk: Accepted share of blocks in which a phase exceeds its limit although every CSO keeps its allotment.
        criterion: What counts as exceeding.
        tail_risk: The risk accepted where a forecast must hold unattended.
        holidays: Country whose public holidays count, as the package `holidays` writes it; empty is none.
        risk_classes: What is accepted on cables that name a class.
        backup_ppm: Share of what is available that is kept as backup, in millionths.
        backup_cap_ppm: Share of that reserve that one CSO may take, in millionths.
        backup_near: Shortly before use (this long) the cap does not count.
        threshold_ppm: Measured share of the limit above which the coming blocks are lowered, in millionths.
        brake_hold: How long such a brake lasts: held for the first half, released evenly over the second.
        history: How long measurements, reports, forecasts and allotments are kept.
        records: How long explanations are kept.
        letters: How long settled letters are kept.
    """

    block: timedelta = QUARTER
    publish_every: timedelta = QUARTER
    heartbeat_every: timedelta = timedelta(minutes=5)
    zone: ZoneInfo = AMSTERDAM
    risk: float = 0.001
    criterion: Criterion = "15min"
    tail_risk: float = 0.0001
    holidays: str = "NL"
    risk_classes: tuple[RiskClass, ...] = ()
    backup_ppm: int = 200_000
    backup_cap_ppm: int = 600_000
    backup_near: timedelta = timedelta(hours=1)
    threshold_ppm: int = 970_000
    brake_hold: timedelta = timedelta(hours=1)
    history: timedelta = timedelta(days=400)
    records: timedelta = timedelta(days=30)
    letters: timedelta = timedelta(days=7)

    @property
    def classes(self) -> tuple[RiskClass, ...]:
        """All risk classes, that of cables which name none first."""
        return (RiskClass("", self.risk, self.criterion), *self.risk_classes)

    def risk_of(self, cable: Cable) -> RiskClass:
        """The risk accepted on a cable; the strictest of all where its class is not known.

        >>> Rules().risk_of(Cable("c", (1, 1, 1)))
        RiskClass(name='', risk=0.001, criterion='15min')
        """
        known = {one.name: one for one in self.classes}
        strictest = RiskClass(cable.risk_class, min(one.risk for one in known.values()), "15min")
        return known.get(cable.risk_class, strictest)

    @property
    def good_for(self) -> timedelta:
        """How long a plan stays in force when no newer one is made."""
        return LATE * self.publish_every + self.block

    @property
    def horizon(self) -> int:
        """Blocks per issue: 24 hours from whatever block the plan is told again in."""
        return -(-(DAY + self.good_for) // self.block)


@dataclass(frozen=True)
class Office:
    """What every use case needs to know: the cables and the rules."""

    register: Register
    rules: Rules
