"""The DSO as a program: its sockets, its duties, its folder."""

import asyncio
import io
from collections.abc import Callable, Coroutine, Iterable
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import uuid4

import sqlalchemy as sa
import structlog

from gridroom.clock import Clock, Duty, WallClock
from gridroom.config import listening
from gridroom.dso import braking, lessons, oscp10, promises, recording, register, service
from gridroom.dso.config import FILE, DsoConfig
from gridroom.dso.folder import load, open_database
from gridroom.dso.meters import meter_app, pages_app
from gridroom.dso.mqtt import Listener
from gridroom.dso.office import Furnished, furnish, opened
from gridroom.dso.readings.files import read_csv
from gridroom.dso.readings.measurements import Delivery, Reading, Reason, Received, series_of
from gridroom.dso.rules import Office
from gridroom.dso.service import Outgoing, View
from gridroom.dso.store import Store
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.io.asgi import oscp_app
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.io.server import Started, serve
from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.messages import DSO_NAMESPACE, Envelope, Response
from gridroom.oscp.v10.peer import Incoming, Letter, Reply, refuse_stranger
from gridroom.security import speaker, tls
from gridroom.storage import inbox
from gridroom.storage.columns import Ints
from gridroom.storage.database import Database, DatabaseError
from gridroom.storage.desk import Desk
from gridroom.storage.outbox import Courier, Outbox, Post, Tally
from gridroom.storage.statistics import statistics
from gridroom.timegrid import DAY, floor

log = structlog.get_logger()

OSCP_PATH = "/OSCP/DistributionSystemOperatorServiceV10"

PUBLISH_AFTER = timedelta(seconds=60)
"""How long after a block's start, on the wall clock, its forecast is made: reports of the last block are in by then."""

WATCH_EVERY = timedelta(minutes=5)
WATCH_AFTER = timedelta(seconds=20)
POST_EVERY = timedelta(seconds=5)
COUNTED = ("UpdateCableCapacityForecast", "Heartbeat")


class Dso:
    """The back office of a grid operator.

    Works without sockets: give `post`, and call the duties and `handle_oscp`. With `start` it listens.

    Args:
        config: The configuration, with usable paths.
        db: Its database, see `open_database`.
        post: Posts OSCP letters.
        new_id: Gives a fresh uuid.
        clock: Its time.

    Raises:
        ConfigError: The register names what the configuration does not.
    """

    def __init__(self, config: DsoConfig, db: Database, post: Post, new_id: Callable[[], str], clock: Clock) -> None:
        with db.transact() as tx:
            self._furnished = opened(config, tx, clock.now())
        self._tell(self._furnished)
        self.peers = config.peers()
        self._meters = {meter.party: frozenset(meter.cables) or None for meter in config.meter}
        self._config, self._db, self._new_id, self._clock = config, db, new_id, clock
        self._courier = Courier(db, self.peers, post, self._on_answer, clock=clock.now)
        self._desk = Desk(self.handle_oscp)
        self._server: Started | None = None
        self._listening: asyncio.Task[None] | None = None
        self._running = set[asyncio.Task[object]]()
        self._settled: datetime | None = None  # in which block all was last told that could be; None: something is new
        self._changed = False  # the register was, and nothing was published since

    @property
    def office(self) -> Office:
        """The register as last read, and the rules."""
        return self._furnished.office

    # -- what comes in -----------------------------------------------------------------------------------------------

    def handle_oscp(self, party: str, data: bytes) -> Reply:
        """Answer an envelope that came from a party, known from its certificate."""
        peer = self.peers.get(party)
        now = self._clock.now()
        if peer is None:
            log.warning("an unknown party was refused", party=party)
            return refuse_stranger(party, data, now=now, service=DSO_NAMESPACE)
        self._settled = None
        date = partial(self._date, party, now)
        return inbox.receive(self._db, peer, DSO_NAMESPACE, data, now, self._handle, self._new_id, date)

    def record_readings(self, readings: Iterable[Reading], meter: str | None = None) -> Received:
        """Keep readings.

        Args:
            readings: In any order.
            meter: The meter that speaks; it is heard on its cables only. None: the operator, on all.

        Raises:
            KeyError: There is no such meter.
        """
        return self.record_delivery(Delivery(series_of(readings, self.office.rules.block), Received()), meter)

    def record_delivery(self, delivery: Delivery, meter: str | None = None) -> Received:
        """Keep what a file or a message brought; what could not be read of it is told, and of a meter counted too.

        Args:
            delivery: What was read.
            meter: The meter that speaks, as above.

        Raises:
            KeyError: There is no such meter.
        """
        speaker = None if meter is None else recording.Meter(self._meters[meter])
        received = Received()
        received.add(delivery.received)
        with self._db.transact() as tx:
            store, now = self._store(tx), self._clock.now()
            if speaker is not None:  # what the operator's files hold says nothing about meters
                recording.record_unreadable(store, received.counts[Reason.UNREADABLE], now)
            received.add(recording.record_series(store, self.office, delivery.series, now, speaker))
        if isinstance(self._clock, WallClock) and braking.is_overload(self.office, delivery.series):
            self._soon(self.watch(now))
        for finding in received.findings if meter is not None else ():  # the operator is told by who asked
            log.warning("a reading was refused", meter=meter, where=finding.where, reason=finding.text)
        return received

    def record_csv(self, text: str) -> Received:
        """Keep the rows of a CSV file `time,cable,L1,L2,L3`; broken rows are findings.

        Raises:
            DeliveryError: The header line is not as said.
        """
        return self.record_delivery(read_csv(io.BytesIO(text.encode()), self.office.rules.block))

    # -- duties ------------------------------------------------------------------------------------------------------

    def duties(self) -> dict[str, Duty]:
        """What the DSO does again and again."""
        return {
            "publish": Duty(self.office.rules.publish_every, self.publish, PUBLISH_AFTER),
            "heartbeat": Duty(self.office.rules.heartbeat_every, self.beat, WATCH_AFTER),
            "watch": Duty(WATCH_EVERY, self.watch, WATCH_AFTER),
            "post": Duty(POST_EVERY, self.post),
            "prune": Duty(DAY, self.prune),
            "statistics": Duty(DAY, self._tell_statistics),
            "view": Duty(DAY, self._tell_view),
        }

    async def publish(self, now: datetime) -> dict[str, object]:
        """Learn, forecast, divide, and send every CSO its forecasts; heartbeats beside it."""
        while (until := self._catch_up(now)) is not None:
            log.info("history learned", until=until.isoformat())
            await asyncio.sleep(0)  # who waits for an answer is served between
        return await self._send(now, service.publish)

    async def watch(self, now: datetime) -> dict[str, object]:
        """React to measured overloads with urgent forecasts; heartbeats beside it."""
        return await self._send(now, service.watch)

    async def beat(self, now: datetime) -> dict[str, object]:
        """Send the heartbeats that are due; publish and watch do so too."""
        with self._db.transact() as tx:
            oscp10.beat(self._store(tx), self.office, self.peers, now, self._new_id)
        return await self.post(now)

    async def post(self, now: datetime) -> dict[str, object]:
        """Send the letters that are due, and what their answers make possible; publish if the register was changed."""
        with self._db.transact() as tx:
            changed = self._changed or register.revision(tx) != self._furnished.revision
        self._changed = False  # also if publishing fails: letters go out all the same, and the next publish is near
        if changed:
            return await self.publish(now)
        self._desk.keep(self._db)
        tries, block = await self._courier.flush(now), floor(now, self.office.rules.block)
        if not tries and self._settled == block:
            return {"letters": 0, "tries": 0}
        self._settled = block
        with self._db.transact() as tx:
            news = service.settle(self._store(tx), self.office, now)
            self._owe(tx, news, now)
        return {"letters": len(news), "tries": tries + (await self._courier.flush(now) if news else 0)}

    async def prune(self, now: datetime) -> None:
        """Forget what is older than configured."""
        rules = self.office.rules
        with self._db.transact() as tx:
            store = self._store(tx)
            store.prune(now, rules.history, rules.records)
            lessons.prune(store, now - rules.history)
            promises.prune(store, now)
            Outbox(tx).prune(now - rules.letters)
            inbox.prune(tx, now)

    def _catch_up(self, now: datetime) -> datetime | None:
        with self._db.transact() as tx:
            self._renew(tx, now)
            return service.catch_up(self._store(tx), self.office, now)

    async def _send(
        self, now: datetime, decide: Callable[[Store, Office, datetime], list[Outgoing]]
    ) -> dict[str, object]:
        self._settled = None
        with self._db.transact() as tx:
            self._changed = self._renew(tx, now) and decide is not service.publish
            store = self._store(tx)
            outgoing = decide(store, self.office, now)
            self._owe(tx, outgoing, now)
            oscp10.beat(store, self.office, self.peers, now, self._new_id)
        for one in outgoing:
            log.log(
                30 if one.urgent else 20, "forecast made", party=one.party, urgent=one.urgent, cables=len(one.forecasts)
            )
        return {"letters": len(outgoing)} | await self.post(now)

    # -- what it knows -----------------------------------------------------------------------------------------------

    def statistics(self) -> dict[str, object]:
        """What an operator should see: see `gridroom.storage.statistics`; and the number of `urgent` forecasts."""
        with self._db.transact() as tx:
            urgent = Outbox(tx).urgent("UpdateCableCapacityForecast")
            return statistics(tx, dict.fromkeys(COUNTED, Tally())) | {"urgent": urgent}

    def view(self, cable: str, start: datetime, n: int) -> View:
        """What is known of a cable over a span of blocks.

        Raises:
            KeyError: There is no such cable.
        """
        with self._db.transact() as tx:
            return service.view(self._store(tx), self.office, self.office.register[cable], start, n)

    async def _tell_statistics(self, _now: datetime) -> dict[str, object]:
        return self.statistics()

    async def _tell_view(self, now: datetime) -> dict[str, object]:
        """Per cable, from the block in force on, in ampere: forecast, margin, available, backup, denied, allotments."""
        start, n = floor(now, self.office.rules.block), self.office.rules.horizon
        return {cable: _in_ampere(self.view(cable, start, n)) for cable in self.office.register}

    # -- sockets -----------------------------------------------------------------------------------------------------

    async def start(self) -> dict[str, int]:
        """Listen for CSOs and meters; gives the port.

        Raises:
            OSError: The address cannot be listened on.
            PkiError: A certificate is missing.
        """
        config, block = self._config, self.office.rules.block
        mapping = config.mapping() or None
        pages = {
            OSCP_PATH: oscp_app(self._answer, lambda url: wsdl.load(DSO_NAMESPACE, url), mapping=mapping),
            **meter_app(self.record_delivery, frozenset(self._meters), block),
        }
        context = tls.server_context(Path(config.tls.certificate), Path(config.tls.key), Path(config.tls.ca))
        self._server = await serve(
            pages_app(pages), host=config.listen.host, port=config.listen.port, ssl_context=context
        )
        log.info("DSO listens", party=config.party, port=self._server.port)
        if config.mqtt is not None:
            files = config.mqtt.tls(config.tls)
            own = tls.client_context(Path(files.certificate), Path(files.key), Path(files.ca))
            listener = Listener(config.mqtt, config.party, own, self.record_delivery, frozenset(self._meters), block)
            self._listening = asyncio.create_task(listener.run())
        return {"oscp": self._server.port}

    async def stop(self) -> None:
        """Stop listening."""
        if self._server is not None:
            await self._server.close()
            self._server = None
        if self._listening is not None:
            self._listening.cancel()
            await asyncio.gather(self._listening, return_exceptions=True)
            self._listening = None
        for task in list(self._running):
            task.cancel()
        await asyncio.gather(*self._running, return_exceptions=True)

    async def _answer(self, party: str, data: bytes) -> Reply:
        reply = await self._desk.take(self.peers.get(party), party, data, self._clock.now())
        if isinstance(self._clock, WallClock):
            self._soon(self.post(self._clock.now()))
        return reply

    def _soon(self, work: Coroutine[object, object, object]) -> None:
        """Do something after the answer is on its way."""
        task = asyncio.ensure_future(work)
        self._running.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[object]) -> None:
        self._running.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("letters could not be sent, they are tried again", error=str(task.exception()))

    # -- inside ------------------------------------------------------------------------------------------------------

    def _renew(self, tx: sa.Connection, now: datetime) -> bool:
        """Read the register again if an import changed it, or if a contract has ended since; says if one changed it."""
        before = self._furnished
        if before.ended or register.revision(tx) != before.revision:
            self._furnished = furnish(self._config, tx, now)
        if before.revision == self._furnished.revision:
            return False
        log.info("the register was changed", cables=len(self.office.register))
        self._tell(self._furnished)
        return True

    def _tell(self, furnished: Furnished) -> None:
        for finding in furnished.findings:
            log.warning("register", where=finding.where, reason=finding.text)

    def _store(self, tx: sa.Connection) -> Store:
        return Store(tx, self.office.rules.block)

    def _owe(self, tx: sa.Connection, outgoing: Iterable[Outgoing], now: datetime) -> None:
        oscp10.enqueue(self._store(tx), self.office, self.peers, outgoing, now, self._new_id)

    def _date(self, party: str, now: datetime, tx: sa.Connection) -> datetime:
        """The DateTime of an answer: after what was dated before; forecasts made later bear a later one."""
        store = self._store(tx)
        dated = promises.after(store, party, now)
        promises.dated(store, party, dated)
        return dated

    def _handle(self, tx: sa.Connection, incoming: Incoming) -> Response:
        if not isinstance(incoming.envelope.body, oscp10.SERVED):
            raise RemoteError("not an operation of this service", path="Envelope/Body", subcode="ActionNotSupported")
        return oscp10.handle(self._store(tx), self.office, self.peers, incoming, self._clock.now(), self._new_id)

    def _on_answer(self, tx: sa.Connection, sent: Letter, answer: Envelope | None) -> None:
        oscp10.answered(self._store(tx), sent, answer, self._clock.now())


def _in_ampere(view: View) -> dict[str, object]:
    """The coming blocks as lists, shape (3, n) each. [A]"""
    n = int((view.available != UNKNOWN).all(axis=0).cumprod().sum())

    def ampere(cells: Ints) -> list[list[float]]:
        return [[value / 100 for value in row[:n].tolist()] for row in cells]

    return {
        "start": view.start.isoformat(),
        "issued": view.issued.isoformat() if view.issued else None,
        "forecast_a": ampere(view.forecast),
        "margin_a": ampere(view.margin),
        "available_a": ampere(view.available),
        "backup_a": ampere(view.pool),
        "denied_a": {party: ampere(cells) for party, cells in view.denied.items()},
        "allotments_a": {party: ampere(cells) for party, cells in view.allotments.items()},
    }


async def run(folder: Path, clock: Clock | None = None) -> None:
    """Run the DSO of a folder until cancelled, or until the clock ends.

    Raises:
        ConfigError: The configuration cannot be used.
        PkiError: A certificate is missing, or ours speaks for somebody else.
        DatabaseError: The database cannot be used, or another DSO runs on it.
    """
    config = load(folder)
    time: Clock = WallClock(DatabaseError) if clock is None else clock
    files = config.tls
    speaker.check(config.party, Path(files.certificate))
    own = tls.client_context(Path(files.certificate), Path(files.key), Path(files.ca))
    db = open_database(config, alone=True)
    client = OscpClient(own)
    try:
        dso = Dso(config, db, client.post, lambda: str(uuid4()), time)
        try:
            hint = "does a DSO run there already? end what does, or choose another `listen.port`"
            with listening(folder / FILE, hint):
                await dso.start()
            await time.run(dso.duties())
        finally:
            await dso.stop()
    finally:
        await client.close()
        db.close()
