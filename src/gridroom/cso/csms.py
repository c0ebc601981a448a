"""The CSO's OCPP edge: what stations say becomes use cases, and plans become messages to stations."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog

from gridroom.cso import charging, planning
from gridroom.cso.profiles import CONNECTOR, Change
from gridroom.cso.sessions import Session
from gridroom.cso.settings import Market
from gridroom.cso.stations import CableKey, Station
from gridroom.cso.store import Store
from gridroom.ocpp.errors import OcppError, PayloadError
from gridroom.ocpp.io import Csms
from gridroom.ocpp.messages import BootNotification, Status
from gridroom.ocpp.metering import MeterReading
from gridroom.ocpp.profiles import SetChargingProfile
from gridroom.storage.database import Database

log = structlog.get_logger()

REFUSALS = {"Rejected", "NotSupported"}


class Stations:
    """All stations of the CSO, on the line or not; a `StationEvents`.

    Args:
        db: The CSO's database.
        market: The world as configured.
        csms: The lines.
        now: The CSO's clock. [UTC]
        new_id: Gives a fresh MessageID.
        changed: Called when something happened that a plan should know.
        timeout_s: How long a station may take to answer. [s]
    """

    def __init__(
        self,
        db: Database,
        market: Market,
        csms: Csms,
        now: Callable[[], datetime],
        new_id: planning.NewId,
        changed: Callable[[], None],
        timeout_s: float = 10.0,
    ) -> None:
        self._db, self._market, self._csms, self._now = db, market, csms, now
        self._new_id, self._changed, self._timeout_s = new_id, changed, timeout_s
        self._refusing: set[str] = set()
        self._unruly: set[str] = set()

    async def connected(self, identity: str) -> None:
        """See `StationEvents`."""
        log.info("station connected", station=identity)

    async def disconnected(self, identity: str) -> None:
        """See `StationEvents`."""
        log.warning("station disconnected", station=identity)

    async def boot(self, identity: str, boot: BootNotification) -> bool:
        """See `StationEvents`."""
        station = self._market.register.get(identity)
        if station is None:
            return False
        log.info("station booted", station=identity, vendor=boot.vendor, model=boot.model)
        with self._db.transact() as tx:
            charging.station_up(Store(tx), station, self._now())
        self._changed()
        return True

    async def status(self, identity: str, connector: int, status: Status, at: datetime) -> None:  # noqa: ARG002
        """See `StationEvents`."""
        station = self._station(identity)
        if status in (Status.SUSPENDED_EV, Status.CHARGING):
            with self._db.transact() as tx:
                charging.suspend(Store(tx), station.identity, self._now(), full=status is Status.SUSPENDED_EV)

    async def start_transaction(
        self,
        identity: str,
        connector: int,
        id_tag: str,  # noqa: ARG002
        meter_start_wh: int,
        at: datetime,
    ) -> int:
        """See `StationEvents`."""
        station = self._station(identity)
        if connector != CONNECTOR:
            log.error("a second connector, which our profiles do not reach: refused", station=identity)
            raise PayloadError("connectorId", f"{connector}: a station has one connector here, number {CONNECTOR}")
        with self._db.transact() as tx:
            number = charging.start_session(Store(tx), station, meter_start_wh, at, self._now())
        log.info("session started", station=identity, transaction=number, at=at.isoformat())
        self._changed()
        return number

    async def stop_transaction(
        self,
        identity: str,
        transaction_id: int,
        meter_stop_wh: int,
        at: datetime,
        reason: str,  # noqa: ARG002
    ) -> None:
        """See `StationEvents`."""
        station = self._station(identity)
        with self._db.transact() as tx:
            ended = charging.stop_session(Store(tx), station, transaction_id, meter_stop_wh, at, self._now())
        if ended is not None:
            kwh = round((meter_stop_wh - ended.meter_start_wh) / 1000, 2)
            log.info("session ended", station=identity, transaction=transaction_id, at=at.isoformat(), kwh=kwh)
        self._changed()

    async def meter_values(
        self,
        identity: str,
        connector: int,
        transaction_id: int | None,
        readings: tuple[MeterReading, ...],
    ) -> None:
        """See `StationEvents`."""
        station = self._station(identity)
        if connector != CONNECTOR:
            return  # the meter of the whole station has a register of its own
        with self._db.transact() as tx:
            session = charging.take_readings(Store(tx), station, transaction_id, readings)
        if session is not None:
            self._watch(session)

    async def plan(self, key: CableKey, now: datetime) -> int:
        """Plan a cable and tell its stations, lower limits first; gives the number of profiles sent."""
        with self._db.transact() as tx:
            round_ = planning.prepare(Store(tx), self._market, key, self._csms.connected, now, self._new_id)
        sent = 0
        while True:
            with self._db.transact() as tx:
                batch = planning.next_batch(round_, Store(tx), self._market, self._csms.connected, now)
            if not batch:
                return sent
            answers = await asyncio.gather(*(self._tell(change, request) for change, request in batch))
            with self._db.transact() as tx:
                for (change, _), accepted in zip(batch, answers, strict=True):
                    planning.heard(Store(tx), change, accepted=accepted)
            sent += len(batch)

    async def _tell(self, change: Change, request: SetChargingProfile) -> bool | None:
        """True: taken, False: not taken, None: nothing certain."""
        try:
            status = await self._csms.send(change.identity, request, self._timeout_s)
        except OcppError as error:
            log.warning("profile without a clear answer, it counts as possibly in force", reason=str(error))
            return None
        if status == "Accepted":
            self._refusing.discard(change.identity)
            return True
        if change.identity not in self._refusing:
            self._refusing.add(change.identity)
            log.error("station refuses profiles, what it had before counts on", station=change.identity, status=status)
        return False if status in REFUSALS else None

    def odd(self) -> dict[str, list[str]]:
        """Stations that are not to be relied on: `unruly` ones take more than they may, `refusing` ones no profile."""
        with self._db.transact() as tx:
            unruly = [name for name, session in Store(tx).sessions().items() if session.unruly]
        return {"unruly": sorted(unruly), "refusing": sorted(self._refusing)}

    def _watch(self, session: Session) -> None:
        """Tell once when a car begins to take more than it may."""
        if not session.unruly:
            self._unruly.discard(session.station)
        elif session.station not in self._unruly:
            self._unruly.add(session.station)
            drawn = [ca / 100 for ca in session.draw_ca]
            log.warning(
                "more is drawn than allowed, so its maximum is kept free", station=session.station, drawn_a=drawn
            )

    def _station(self, identity: str) -> Station:
        station = self._market.register.get(identity)
        if station is None:
            raise PayloadError("chargePointIdentity", f"{identity} is not in our register")
        return station
