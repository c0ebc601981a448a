"""The CSO as a program: its sockets, its duties, its folder."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
import structlog

from gridroom.clock import Clock, Duty, WallClock
from gridroom.config import listening
from gridroom.cso import charging, drivers, oscp10, service, settings
from gridroom.cso.csms import Stations
from gridroom.cso.settings import CsoConfig, Market, load
from gridroom.cso.setup import init
from gridroom.cso.stations import Register
from gridroom.cso.store import Store
from gridroom.ocpp.io import Csms
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.io.server import Started, serve
from gridroom.oscp.v10.letters import Letter
from gridroom.oscp.v10.messages import Envelope
from gridroom.oscp.v10.peer import Reply
from gridroom.security import speaker, tls
from gridroom.storage import address, database, inbox
from gridroom.storage.database import Database, DatabaseError
from gridroom.storage.desk import Desk
from gridroom.storage.outbox import Courier, Outbox, Post, Tally
from gridroom.storage.statistics import statistics

__all__ = ["Cso", "CsoConfig", "init", "load", "open_database", "run"]

log = structlog.get_logger()

MIGRATIONS = "gridroom.cso.migrations"
POST_EVERY = timedelta(seconds=5)
REPORT_AFTER = timedelta(seconds=30)
PAUSE_S = 0.2
COUNTED = ("GetCapacityForecast", "RequestAdjustedCapacity", "UpdateAggregatedUsage")


class Cso:
    """The back office of a charge station operator.

    Works without sockets: give `post` and a `csms` that stations `dial`, and call the duties. With `start` it listens.

    Args:
        config: The configuration, with usable paths.
        db: Its database, see `open_database`.
        post: Posts OSCP letters.
        new_id: Gives a fresh uuid.
        clock: Its time.
        csms: The lines to its stations.
        register: The stations; the configured file when not given.
    """

    def __init__(
        self,
        config: CsoConfig,
        db: Database,
        post: Post,
        new_id: Callable[[], str],
        clock: Clock,
        csms: Csms,
        register: Register | None = None,
    ) -> None:
        self.market: Market = settings.market(config, register)
        self.csms = csms
        self._config, self._db, self._new_id, self._clock = config, db, new_id, clock
        self._wake = asyncio.Event()
        self._answered = False
        self._planning = asyncio.Lock()
        self._servers: list[Started] = []
        self.stations = Stations(
            db, self.market, csms, clock.now, new_id, self._wake.set, timeout_s=config.ocpp_timeout_s
        )
        csms.handler = self.stations
        self._courier = Courier(db, self.market.peers, post, self._on_answer, clock=clock.now)
        self._desk = Desk(self.handle_oscp)

    def handle_oscp(self, party: str, data: bytes) -> Reply:
        """Answer an envelope that came from a party."""
        reply = oscp10.receive(self._db, self.market, party, data, self._clock.now(), self._new_id)
        self._wake.set()
        return reply

    def take_wish(self, station: str, departure: datetime | None, energy_wh: int | None) -> None:
        """A driver declares departure [UTC] and energy [Wh].

        Raises:
            WishError: It cannot be taken.
        """
        with self._db.transact() as tx:
            charging.take_wish(Store(tx), self.market, station, departure, energy_wh, self._clock.now())
        kwh = None if energy_wh is None else energy_wh / 1000
        log.info("wish taken", station=station, departure=departure and departure.isoformat(), kwh=kwh)
        self._wake.set()

    def duties(self) -> dict[str, Duty]:
        """What the CSO does again and again."""
        return {
            "report": Duty(self.market.block, self.report, REPORT_AFTER),
            "plan": Duty(timedelta(minutes=self._config.plan_min), self.plan),
            "post": Duty(POST_EVERY, self.post),
            "prune": Duty(timedelta(days=1), self.prune),
            "statistics": Duty(timedelta(days=1), self._tell_statistics),
        }

    async def report(self, now: datetime) -> dict[str, object]:
        """UpdateAggregatedUsage of closed blocks."""
        with self._db.transact() as tx:
            letters = service.report(Store(tx), self.market, now, self._new_id)
            for one in letters:
                Outbox(tx).put(one)
        return {"letters": len(letters), "tries": await self._courier.flush(now)}

    async def plan(self, now: datetime) -> dict[str, object]:
        """Ask for forecasts after silence, plan each cable, tell the stations; once more with what was granted."""
        async with self._planning:
            with self._db.transact() as tx:
                for one in service.ask_again(Store(tx), self.market, now, self._new_id):
                    Outbox(tx).put(one)
            self._answered = False
            sent = await self._plan_all(now)
            tries = await self._courier.flush(now)
            if self._answered:
                self._answered = False
                sent += await self._plan_all(now)
                tries += await self._courier.flush(now)
        return {"profiles": sent, "tries": tries}

    async def post(self, now: datetime) -> dict[str, object]:
        """Send the letters that are due."""
        self._desk.keep(self._db)
        return {"tries": await self._courier.flush(now)}

    async def prune(self, now: datetime) -> None:
        """Forget what is older than configured."""
        with self._db.transact() as tx:
            service.prune(Store(tx), self.market, now)
            Outbox(tx).prune(now - self.market.keep)
            inbox.prune(tx, now)

    def statistics(self) -> dict[str, object]:
        """What an operator should see: see `gridroom.storage.statistics`; and odd `stations`."""
        told = self.csms.counts
        name = "SetChargingProfile"
        profiles = Tally(told.sent[name], told.acknowledged[name], told.refused[name])
        with self._db.transact() as tx:
            found = statistics(tx, dict.fromkeys(COUNTED, Tally()) | {name: profiles})
        return found | {"stations": self.stations.odd()}

    async def start(self) -> dict[str, int]:
        """Listen for DSOs, stations and drivers; gives the ports.

        Raises:
            OSError: An address cannot be listened on.
            PkiError: A certificate is missing.
        """
        config = self._config
        cert, key, ca = Path(config.cert), Path(config.key), Path(config.ca)
        app = oscp10.endpoint(self._answer, settings.certificate_mapping(config) or None)
        mutual = tls.server_context(cert, key, ca)
        oscp = await serve(app, host=config.host, port=config.oscp_port, ssl_context=mutual)
        self._servers.append(oscp)
        plain = tls.server_context(cert, key, ca, require_client=False)
        endpoint = drivers.app(config.driver_token, self.take_wish)
        wishes = await serve(endpoint, host=config.host, port=config.driver_port, ssl_context=plain)
        self._servers.append(wishes)
        fits = self.market.register.password_fits
        await self.csms.serve(config.host, config.ocpp_port, plain, fits)
        ports = {"oscp": oscp.port, "drivers": wishes.port, "ocpp": self.csms.port}
        log.info("CSO listens", party=config.party, **ports)
        return ports

    async def stop(self) -> None:
        """Stop listening."""
        for server in self._servers:
            await server.close()
        self._servers.clear()
        await self.csms.stop()

    async def react(self) -> None:
        """Plan whenever something happened, until cancelled: for the wall clock."""
        while True:
            await self._wake.wait()
            await asyncio.sleep(PAUSE_S)
            self._wake.clear()
            try:
                await self.plan(self._clock.now())
            except DatabaseError as error:
                log.error("planning failed, it comes again at its next time", reason=str(error))
            except Exception:
                log.exception("planning failed, it comes again at its next time")

    async def _plan_all(self, now: datetime) -> int:
        return sum([await self.stations.plan(key, now) for key in self.market.cables()])

    async def _answer(self, party: str, data: bytes) -> Reply:
        return await self._desk.take(self.market.peers.get(party), party, data, self._clock.now())

    async def _tell_statistics(self, _now: datetime) -> dict[str, object]:
        return self.statistics()

    def _on_answer(self, tx: sa.Connection, sent: Letter, answer: Envelope | None) -> None:
        service.settle(Store(tx), self.market, sent, answer, self._clock.now())
        if sent.operation == "RequestAdjustedCapacity":
            self._answered = True


def open_database(config: CsoConfig, *, alone: bool = False) -> Database:
    """The configured database at its latest migration; opened alone by the one CSO that runs on it.

    Raises:
        DatabaseError: It cannot be used.
    """
    return database.open(address.url(config.database), MIGRATIONS, alone=alone)


async def run(folder: Path, clock: Clock | None = None) -> None:
    """Run the CSO of a folder until cancelled, or until the clock ends.

    Raises:
        ConfigError: The configuration cannot be used.
        PkiError: A certificate is missing, or ours speaks for somebody else.
        DatabaseError: The database cannot be used, or another CSO runs on it.
    """
    config = load(folder)
    time: Clock = WallClock(DatabaseError) if clock is None else clock
    speaker.check(config.party, Path(config.cert))
    own = tls.client_context(Path(config.cert), Path(config.key), Path(config.ca))
    db = open_database(config, alone=True)
    client = OscpClient(own)
    cso = Cso(config, db, client.post, lambda: str(uuid4()), time, Csms(time.now))
    reacting: asyncio.Task[None] | None = None
    try:
        with listening(folder / "cso.toml", "does a CSO run there already? end what does, or choose other ports"):
            await cso.start()
        if isinstance(time, WallClock):
            reacting = asyncio.create_task(cso.react())
        await time.run(cso.duties())
    finally:
        if reacting is not None:
            reacting.cancel()
            with suppress(asyncio.CancelledError):
                await reacting
        await cso.stop()
        await client.close()
        db.close()
