"""Many simulated charge stations in one process, each with a real line to its CSO."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import structlog

from gridroom import config as configuration
from gridroom.clock import Clock, Duty
from gridroom.config import ConfigError
from gridroom.ocpp.errors import NoAnswerError, NotConnectedError, OcppError
from gridroom.ocpp.io import dial_tls
from gridroom.ocpp.link import StationLink
from gridroom.ocpp.messages import (
    BootNotification,
    ClearChargingProfile,
    Heartbeat,
    SetChargingProfile,
    StatusNotification,
)
from gridroom.ocpp.profiles import Purpose
from gridroom.ocpp.wire import Counts, Dial
from gridroom.security import tls
from gridroom.security.pki import PkiError
from gridroom.station import memory
from gridroom.station.config import Arrival, StationConfig, StationsConfig, check_arrivals
from gridroom.station.controller import CONNECTOR
from gridroom.station.service import Station, Visit

log = structlog.get_logger()

HEARTBEAT = timedelta(minutes=5)
CONFIG = "stations.toml"
MEMORY = "stations.json"


@dataclass
class _Wired:
    """A station and its line."""

    station: Station
    link: StationLink
    introduced: int = 0
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def ready(self) -> bool:
        """Whether the CSO has accepted it on the present line."""
        return self.link.connected and self.introduced == self.link.connections


class Stations:
    """Simulated stations.

    Args:
        config: What they are, and who comes.
        clock: Their time.
        dial: How each one reaches its CSO.
        remember: File that they remember things in over a restart; None remembers nothing.
    """

    def __init__(
        self,
        config: StationsConfig,
        clock: Clock,
        dial: Callable[[StationConfig], Dial],
        remember: Path | None = None,
    ) -> None:
        self.counts = Counts()
        self._config, self._clock, self._remember = config, clock, remember
        self._keepers: list[asyncio.Task[None]] = []
        now = clock.now()
        arrivals = (*config.arrival, *(visitor.arrival(now) for visitor in config.visitor))
        check_arrivals(arrivals)
        self._wired = {
            one.identity: self._wire(Station(one, (a for a in arrivals if a.station == one.identity), now), dial(one))
            for one in config.station
        }
        if remember is not None:
            memory.load(remember, self.stations())

    def stations(self) -> list[Station]:
        """The stations themselves."""
        return [wired.station for wired in self._wired.values()]

    async def start(self, *, keep: bool = True) -> None:
        """Connect.

        Args:
            keep: Come back by themselves after a loss, with growing pauses; otherwise at each `advance`.
        """
        if keep:
            self._keepers = [
                asyncio.create_task(wired.link.keep(lambda one=wired: self._introduce(one)))  # type: ignore[misc]
                for wired in self._wired.values()
            ]
        else:
            await self._each(self._talk)

    def duties(self) -> dict[str, Duty]:
        """What the stations do again and again."""
        advance = timedelta(seconds=self._config.advance_every_s)
        meter = timedelta(seconds=self._config.meter_every_s)
        return {
            "advance": Duty(advance, self.advance),
            "meter": Duty(meter, self.meter),
            "heartbeat": Duty(HEARTBEAT, self.heartbeat),
            "statistics": Duty(timedelta(hours=1), self._tell_statistics),
        }

    async def advance(self, now: datetime) -> dict[str, object]:
        """Live until now, and say what there is to say.

        Returns:
            `stations`: per identity `currents_a` (mean on the cable's phases 1, 2, 3 since the last advance [A]),
            `connected`, `plugged`; `sessions`: each car so far, see `statistics`.
        """
        for station in self.stations():
            station.advance(now)
        told = {identity: _physics(wired) for identity, wired in self._wired.items()}
        await self._each(self._talk)
        for identity, wired in self._wired.items():
            told[identity]["connected"] = wired.ready
        self._save()
        return {"stations": told, "sessions": self._sessions()}

    async def meter(self, now: datetime) -> dict[str, object]:
        """Send meter values of the running transactions: means since their last reading, and the register."""
        for station in self.stations():
            station.advance(now)
            station.read_meter()
        await self._each(self._talk)
        self._save()
        return {"waiting": sum(len(station.backlog) for station in self.stations())}

    async def heartbeat(self, _now: datetime) -> None:
        """Ask the CSO for the time, as a sign of life."""

        async def beat(wired: _Wired) -> None:
            if wired.ready:
                with suppress(OcppError):
                    await wired.link.call(Heartbeat())

        await self._each(beat)

    def plug_in(self, arrival: Arrival) -> None:
        """A car will come, besides those of the configuration."""
        self._wired[arrival.station].station.plug_in(arrival)

    async def cut(self, identities: Iterable[str]) -> None:
        """Cut the lines of stations until `mend`."""
        await asyncio.gather(*(self._wired[identity].link.cut() for identity in identities))

    def mend(self, identities: Iterable[str]) -> None:
        """The lines of stations work again."""
        for identity in identities:
            self._wired[identity].link.mend()

    async def stop(self) -> None:
        """Hang up."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await asyncio.gather(*(wired.link.close() for wired in self._wired.values()))
        self._save()

    def statistics(self) -> dict[str, object]:
        """`messages`: per action sent, acknowledged, refused, received; `sessions`: each car so far."""
        return {"messages": self.counts.as_dict(), "sessions": self._sessions()}

    async def _tell_statistics(self, _now: datetime) -> dict[str, object]:
        visits = [visit for station in self.stations() for visit in station.visits]
        if visits:
            kwh = round(sum(visit.taken_wh for visit in visits) / 1000, 2)
            here = sum(visit.ended is None for visit in visits)
            log.info("so far", cars=len(visits), cars_here=here, kwh=kwh, meter_values=self.counts.sent["MeterValues"])
        return self.statistics()

    def _wire(self, station: Station, dial: Dial) -> _Wired:
        async def obey(request: SetChargingProfile | ClearChargingProfile) -> str:
            station.advance(self._clock.now())  # until now the old limit held
            status = station.obey(request)
            if not (isinstance(request, SetChargingProfile) and request.profile.purpose is Purpose.TX):
                self._save()  # what is accepted must survive a power cut
            return status

        return _Wired(station, StationLink(station.config.identity, dial, obey, self.counts))

    async def _each(self, act: Callable[[_Wired], Awaitable[None]]) -> None:
        await asyncio.gather(*(act(wired) for wired in self._wired.values()))

    async def _talk(self, wired: _Wired) -> None:
        """Say what waits; connect first, unless somebody keeps the line."""
        if not wired.link.connected and not self._keepers:
            try:
                await wired.link.connect()
                await self._introduce(wired)
            except OcppError as error:
                log.info("no line", station=wired.link.identity, reason=str(error))
        async with wired.turn:
            if wired.ready:
                await _deliver(wired)
            else:
                wired.station.backlog.forget_states()

    async def _introduce(self, wired: _Wired) -> None:
        """Boot on a new line, tell the present state, and say what waited.

        Raises:
            OcppError: The CSO is gone again, or does not accept the station.
        """
        async with wired.turn:
            station, link = wired.station, wired.link
            boot = BootNotification("Gridroom", "Simulated station", station.config.identity[:25])
            if (await link.call(boot))["status"] != "Accepted":
                await link.close()
                raise NotConnectedError(f"{link.identity}: the CSO does not accept this station")
            station.backlog.forget_states()
            await link.call(StatusNotification(CONNECTOR, station.status, station.now))
            wired.introduced = link.connections
            await _deliver(wired)

    def _sessions(self) -> list[dict[str, object]]:
        return [_told(station, visit) for station in self.stations() for visit in station.visits]

    def _save(self) -> None:
        if self._remember is not None:
            memory.save(self._remember, self.stations())


async def _deliver(wired: _Wired) -> None:
    """Say what waits, in order; what cannot be said now waits on."""
    backlog = wired.station.backlog
    while (said := backlog.next()) is not None:
        try:
            backlog.delivered(await wired.link.call(said))
        except (NotConnectedError, NoAnswerError) as error:
            log.info("not delivered, it waits", station=wired.link.identity, reason=str(error))
            backlog.forget_states()
            return
        except OcppError as error:
            given_up = backlog.refused()
            log.warning("refused", station=wired.link.identity, reason=str(error), given_up=given_up)
            if not given_up:
                return


def _physics(wired: _Wired) -> dict[str, object]:
    station = wired.station
    currents_a = [0.0, 0.0, 0.0]
    for place, current_ca in zip(station.config.rotation, station.means_ca(), strict=True):
        currents_a[int(place) - 1] = current_ca / 100
    return {"currents_a": currents_a, "plugged": station.visit is not None}


def _told(station: Station, visit: Visit) -> dict[str, object]:
    """A session in plain values."""
    return {
        "station": station.config.identity,
        "plug_in": visit.arrival.plug_in.isoformat(),
        "plug_out": None if visit.ended is None else visit.ended.isoformat(),
        "need_wh": visit.arrival.energy_wh,
        "delivered_wh": visit.taken_wh,
    }


async def run(folder: Path, clock: Clock, *, keep: bool = True) -> None:
    """Run the stations of a folder until the clock ends or the task is cancelled.

    Args:
        folder: With `stations.toml`; the stations remember things in `stations.json`.
        clock: Their time.
        keep: See `Stations.start`.

    Raises:
        ConfigError: The configuration cannot be used.
    """
    config = configuration.read(folder / CONFIG, StationsConfig)
    try:
        context = tls.client_context(None, None, folder / config.ca)
        stations = Stations(
            config,
            clock,
            lambda one: dial_tls(one.url or config.url, one.identity, one.password, context),
            folder / MEMORY,
        )
    except (PkiError, ValueError) as error:
        raise ConfigError(f"{folder / CONFIG}: {error}") from error
    try:
        await stations.start(keep=keep)
        await clock.run(stations.duties())
    finally:
        await stations.stop()
