"""The rules by which this DSO works, as agreed per market and chosen by its operator."""

from dataclasses import dataclass
from datetime import timedelta
from zoneinfo import ZoneInfo

from gridroom.dso.cables import Register
from gridroom.timegrid import QUARTER

DAY = timedelta(days=1)
LATE = 2
"""Publishing intervals after which a plan is no longer in force."""

AMSTERDAM = ZoneInfo("Europe/Amsterdam")


@dataclass(frozen=True)
class Rules:
    """How the DSO forecasts, divides, publishes and reacts.

    Attributes:
        block: Length of a block.
        publish_every: How often forecasts go out.
        heartbeat_every: How often heartbeats go out.
        zone: Local clock of the households.
        risk: Accepted share of blocks in which a phase exceeds its limit although every CSO keeps its allotment.
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
    backup_ppm: int = 200_000
    backup_cap_ppm: int = 600_000
    backup_near: timedelta = timedelta(hours=1)
    threshold_ppm: int = 970_000
    brake_hold: timedelta = timedelta(hours=1)
    history: timedelta = timedelta(days=400)
    records: timedelta = timedelta(days=30)
    letters: timedelta = timedelta(days=7)

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
