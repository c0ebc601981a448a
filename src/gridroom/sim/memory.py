"""The short road: all actors in one process, without sockets; the same use cases, messages and bytes.

For trying many days. Letters are handed over as envelopes, OCPP as text frames; databases are in memory.
"""

import secrets
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import numpy as np

from gridroom.clock import Duty
from gridroom.cso import app as cso_app
from gridroom.cso.app import Cso
from gridroom.cso.charging import WishError
from gridroom.cso.stations import parse_csv
from gridroom.dso import folder as dso_folder
from gridroom.dso.app import Dso
from gridroom.dso.readings.measurements import Reading
from gridroom.dso.register import Batch, Entries, merged, read_csv, write
from gridroom.ocpp.io import Csms
from gridroom.oscp.io.client import Response
from gridroom.oscp.v10.peer import Reply
from gridroom.sim import offices
from gridroom.sim.day import STEP
from gridroom.sim.errors import SimError
from gridroom.sim.live import STATIONS
from gridroom.sim.offices import DSO
from gridroom.sim.street import Session, Street
from gridroom.station.app import Stations
from gridroom.storage import database
from gridroom.storage.database import Database


@dataclass
class Hand:
    """A clock that somebody sets."""

    moment: datetime

    def now(self) -> datetime:
        """The present moment. [UTC]"""
        return self.moment

    async def run(self, duties: Mapping[str, Duty]) -> None:
        """Nothing runs by itself here."""


class InMemory:
    """The actors of a street in this process; see `live.Road`."""

    def __init__(self, street: Street) -> None:
        self._street = street
        self._clock = Hand(street.start)
        self._cut: set[str] = set()
        csos = sorted({station.cso for station in street.stations})
        passwords = {station.id: secrets.token_urlsafe(24) for station in street.stations}
        ids = _ids(street.seed)
        config = offices.dso_config({cso: f"memory:{cso}" for cso in csos})
        self._dso = Dso(config, _furnished(street), self._post(DSO), ids, self._clock)
        self._csos = {cso: self._office(cso, passwords, ids) for cso in csos}
        urls = {station.id: "wss://memory/ocpp" for station in street.stations}
        cso_of = {station.id: station.cso for station in street.stations}
        self._stations = Stations(
            offices.stations_config(street, urls, passwords),
            self._clock,
            lambda one: self._csos[cso_of[one.identity]].csms.dial(one.identity),
        )
        actors: dict[str, Dso | Cso | Stations] = {DSO: self._dso, STATIONS: self._stations, **self._csos}
        self._duties = {name: actor.duties() for name, actor in actors.items()}

    async def __aenter__(self) -> "InMemory":
        """Give the DSO its history, and connect the stations."""
        received = self._dso.record_csv(offices.history_csv(self._street))
        if received.findings:
            raise SimError(f"the DSO could not read its history: {received.findings[0]}")
        await self._stations.start(keep=False)
        return self

    async def __aexit__(self, *_: object) -> None:
        """Hang up."""
        await self._stations.stop()
        for cso in self._csos.values():
            await cso.stop()
        await self._dso.stop()

    async def ask(self, actor: str, duty: str, now: datetime) -> Any:
        """Have an actor do a duty now, and give its answer."""
        self._clock.moment = now
        return await self._duties[actor][duty].call(now)

    async def read_meter(self, start: datetime, amps: tuple[float, float, float]) -> None:
        """The substation meter's mean of a step. [A]"""
        current_ca = tuple(round(value * 100) for value in amps)
        reading = Reading(self._street.cable, start, int(STEP.total_seconds()), current_ca)  # type: ignore[arg-type]
        received = self._dso.record_readings([reading], offices.METER)
        if received.findings:
            raise SimError(f"the DSO refused a reading: {received.findings[0]}")

    async def tell_wish(self, cso: str, session: Session) -> bool:
        """A driver tells the operator; False when it knows of no car at that station yet."""
        assert session.wish is not None  # noqa: S101 - only drivers with a wish tell one
        try:
            self._csos[cso].take_wish(session.station, session.wish.departure, session.wish.energy_wh)
        except WishError:
            return False
        return True

    async def cut_line(self, cso: str, *, whole: bool) -> None:
        """Cut or mend the line between the DSO and a CSO."""
        (self._cut.discard if whole else self._cut.add)(cso)

    async def cut_stations(self, stations: Iterable[str], *, whole: bool) -> None:
        """Cut or mend the lines of stations to their CSO."""
        if whole:
            self._stations.mend(stations)
        else:
            await self._stations.cut(stations)

    def _office(self, cso: str, passwords: Mapping[str, str], ids: Callable[[], str]) -> Cso:
        config = offices.cso_config(self._street, cso, f"memory:{DSO}", token="")
        rows = parse_csv(offices.register(self._street, cso, passwords))
        db = database.open("sqlite://", cso_app.MIGRATIONS)
        return Cso(config, db, self._post(cso), ids, self._clock, Csms(self._clock.now), rows)

    def _post(self, sender: str) -> Callable[[str, bytes, str], Any]:
        """How a party's letters reach their receiver, unless the line is cut."""

        async def post(url: str, data: bytes, _content_type: str) -> Response:
            receiver = url.removeprefix("memory:")
            if {sender, receiver} & self._cut:
                return Response(None, b"the line is dead", None)
            actor: Dso | Cso = self._dso if receiver == DSO else self._csos[receiver]
            reply: Reply = actor.handle_oscp(sender, data)
            return Response(reply.status, reply.data, None)

        return post


def _furnished(street: Street) -> Database:
    """A database for the DSO, with its register."""
    db, batch = database.open("sqlite://", dso_folder.MIGRATIONS), Batch()
    read_csv(offices.cables_csv(street), "cables", batch)
    read_csv(offices.contracts_csv(street), "contracts", batch)
    with db.transact() as tx:
        write(tx, merged(Entries(), batch))
    return db


def _ids(seed: int) -> Callable[[], str]:
    """Message ids that follow from the seed."""
    rng = np.random.default_rng([seed, 10])
    return lambda: str(UUID(bytes=rng.bytes(16), version=4))
