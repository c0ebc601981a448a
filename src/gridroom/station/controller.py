"""The local controller of a station: which profiles it takes, and the limit that follows from them.

It keeps its default profiles when the line is dead: limits follow from the stack and the time alone.
"""

from dataclasses import dataclass, replace
from datetime import datetime

from gridroom.ocpp import profiles
from gridroom.ocpp.profiles import ClearChargingProfile, Period, Purpose, SetChargingProfile, Stack, Transaction

CONNECTOR = 1
MAX_PERIODS = 24
"""ChargingScheduleMaxPeriods, as small as stations in the field have it."""
MAX_PROFILES = 20


@dataclass(frozen=True)
class Controller:
    """What a station knows of its limits.

    Attributes:
        safe: What holds where no profile does: the configured safe current.
        most: What the hardware carries.
        stack: The profiles.
    """

    safe: Period
    most: Period
    stack: Stack = ()

    def set_profile(self, request: SetChargingProfile, transaction: Transaction | None) -> tuple["Controller", str]:
        """Take a profile, or not: the controller after it, and the status to answer."""
        profile = request.profile
        if request.connector not in (0, CONNECTOR) or len(profile.schedule.periods) > MAX_PERIODS:
            return self, "Rejected"
        if profile.purpose is Purpose.TX:
            if transaction is None or profile.transaction_id not in (None, transaction.id):
                return self, "Rejected"
            if profile.transaction_id is None:
                request = replace(request, profile=replace(profile, transaction_id=transaction.id))
        stack = profiles.install(self.stack, request)
        if len(stack) > MAX_PROFILES:
            return self, "Rejected"
        return replace(self, stack=stack), "Accepted"

    def clear_profile(self, request: ClearChargingProfile) -> tuple["Controller", str]:
        """Forget profiles: the controller after it, and the status to answer."""
        stack = profiles.clear(self.stack, request)
        return replace(self, stack=stack), "Unknown" if stack == self.stack else "Accepted"

    def end_transaction(self) -> "Controller":
        """The controller after a transaction: its profiles are gone, the defaults stay."""
        return replace(self, stack=profiles.end_transaction(self.stack, CONNECTOR))

    def limit(self, at: datetime, transaction: Transaction | None) -> Period:
        """What the car may draw at a moment; `start_s` is 0."""
        held = profiles.limit_at(self.stack, CONNECTOR, at, transaction, self.safe)
        return Period(0, min(held.limit_ca, self.most.limit_ca), min(held.phases, self.most.phases))

    def changes(self, start: datetime, end: datetime, transaction: Transaction | None) -> list[datetime]:
        """Moments in [start, end) at which the limit may change, `start` first."""
        return profiles.boundaries((entry.profile for entry in self.stack), start, end, transaction)
