"""A charge station as a simulated piece of hardware: time goes on, cars come and go, limits are obeyed.

It says what there is to say into its backlog; the app sends it. One EVSE, connector 1.
"""

from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from gridroom.ocpp.messages import (
    ClearChargingProfile,
    MeterValues,
    SetChargingProfile,
    StartTransaction,
    Status,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.profiles import Period, Transaction
from gridroom.station.config import Arrival, StationConfig, ca
from gridroom.station.controller import CONNECTOR, Controller
from gridroom.station.ev import LEAST_CA, Car, draw
from gridroom.station.meter import Means, Meter
from gridroom.station.offline import Backlog


@dataclass
class Visit:
    """A car at the station.

    Attributes:
        number: The station's own count of sessions.
        arrival: Who came.
        began: When. [UTC]
        taken_wh: What it has taken. [Wh]
        ended: When it left, None while it is there. [UTC]
    """

    number: int
    arrival: Arrival
    began: datetime
    taken_wh: float = 0.0
    ended: datetime | None = None

    @property
    def car(self) -> Car:
        """The car."""
        return Car(self.arrival.energy_wh, ca(self.arrival.max_current_a), self.arrival.phases)

    @property
    def full(self) -> bool:
        """Whether the car needs nothing more."""
        return self.taken_wh >= self.arrival.energy_wh


class Station:
    """A charge station.

    Args:
        config: What it is.
        arrivals: Who comes, in any order; they do not overlap.
        now: When it is switched on. [UTC]
    """

    def __init__(self, config: StationConfig, arrivals: Iterable[Arrival], now: datetime) -> None:
        self.config = config
        self.now = now
        self.controller = Controller(
            safe=Period(0, ca(config.safe_current_a)), most=Period(0, ca(config.max_current_a))
        )
        self.meter = Meter(0.0, Means(now))
        self.backlog = Backlog()
        self.visits: list[Visit] = []
        self.status = Status.AVAILABLE
        self.first_number = 1
        self._since_advance = Means(now)
        self._coming = deque(sorted(arrivals, key=lambda a: a.plug_in))

    @property
    def visit(self) -> Visit | None:
        """The car that is there now."""
        return self.visits[-1] if self.visits and self.visits[-1].ended is None else None

    @property
    def transaction(self) -> Transaction | None:
        """The running transaction."""
        visit = self.visit
        return None if visit is None else Transaction(visit.began, self.backlog.numbers.get(visit.number))

    def advance(self, now: datetime) -> None:
        """Live until a moment: cars come and go, and draw what they may."""
        while self.now < now or self._due(now):
            until = min(now, max(self.now, self._next_event() or now))
            self._charge(until)
            self.now = until
            self._come_or_go()
        self._tell_status()

    def means_ca(self) -> tuple[float, float, float]:
        """Mean current of L1, L2, L3 since the last call. [0.01 A]"""
        means = self._since_advance.at(self.now)
        self._since_advance = Means(self.now)
        return means

    def read_meter(self) -> None:
        """Report what a running transaction drew since the last reading."""
        visit = self.visit
        if visit is not None and self.now > self.meter.means.since:
            self.backlog.put(visit.number, MeterValues(CONNECTOR, None, (self.meter.read(self.now),)))

    def obey(self, request: SetChargingProfile | ClearChargingProfile) -> str:
        """Take or forget profiles; the status to answer."""
        if isinstance(request, SetChargingProfile):
            self.controller, status = self.controller.set_profile(request, self.transaction)
        else:
            self.controller, status = self.controller.clear_profile(request)
        return status

    def plug_in(self, arrival: Arrival) -> None:
        """A car will come, besides those that were known."""
        self._coming = deque(sorted([*self._coming, arrival], key=lambda a: a.plug_in))

    def _next_event(self) -> datetime | None:
        visit = self.visit
        if visit is not None:
            return visit.arrival.plug_out
        return self._coming[0].plug_in if self._coming else None

    def _due(self, now: datetime) -> bool:
        event = self._next_event()
        return event is not None and event <= now

    def _charge(self, until: datetime) -> None:
        """Draw from `self.now` to a moment, under the limit in force at each one between."""
        visit = self.visit
        if visit is None or until <= self.now:
            return
        transaction = self.transaction
        moments = [*self.controller.changes(self.now, until, transaction), until]
        for start, end in pairwise(moments):
            seconds = (end - start).total_seconds()
            limit = self.controller.limit(start, transaction)
            drawn = draw(visit.car, visit.taken_wh, limit.limit_ca, limit.phases, seconds)
            visit.taken_wh += drawn.energy_wh
            self.meter.add(drawn, seconds)
            self._since_advance.add(drawn, seconds)

    def _come_or_go(self) -> None:
        visit = self.visit
        if visit is not None:
            if visit.arrival.plug_out <= self.now:
                self._go(visit, "EVDisconnected")
        elif self._coming and self._coming[0].plug_in <= self.now:
            self._come(self._coming.popleft())

    def _come(self, arrival: Arrival) -> None:
        self._tell(Status.PREPARING)
        visit = Visit(self.first_number + len(self.visits), arrival, self.now)
        self.visits.append(visit)
        self.meter.start(self.now)
        register_wh = int(self.meter.register_wh)
        self.backlog.put(visit.number, StartTransaction(CONNECTOR, self.config.id_tag, register_wh, self.now))

    def _go(self, visit: Visit, reason: str) -> None:
        if self.now > self.meter.means.since:
            last = self.meter.read(self.now, "Transaction.End")
            self.backlog.put(visit.number, MeterValues(CONNECTOR, None, (last,)))
        self.backlog.put(visit.number, StopTransaction(0, int(self.meter.register_wh), self.now, reason))
        visit.ended = self.now
        self.controller = self.controller.end_transaction()
        self._tell(Status.FINISHING)
        self._tell(Status.AVAILABLE)

    def _tell_status(self) -> None:
        """Report the state of the connector if it changed."""
        visit = self.visit
        if visit is None:
            found = Status.AVAILABLE
        elif visit.full:
            found = Status.SUSPENDED_EV
        elif self.controller.limit(self.now, self.transaction).limit_ca < LEAST_CA:
            found = Status.SUSPENDED_EVSE
        else:
            found = Status.CHARGING
        if found is not self.status:
            self._tell(found)

    def _tell(self, status: Status) -> None:
        self.status = status
        self.backlog.put(0, StatusNotification(CONNECTOR, status, self.now))
