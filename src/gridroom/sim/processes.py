"""The long road: every actor an operating-system process with its own database, on loopback.

OSCP over mutual TLS, OCPP over WebSockets with TLS, readings and wishes over HTTPS. The clock's commands travel on
Unix domain sockets of their own. Lines that will be cut run through a `Link`.
"""

import asyncio
import os
import secrets
import socket
import ssl
import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack, ExitStack, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx2
import msgspec

from gridroom.config import write_private
from gridroom.security import pki, tls
from gridroom.sim import offices
from gridroom.sim.clock import LONGEST_PATH, Driver
from gridroom.sim.day import STEP
from gridroom.sim.errors import SimError
from gridroom.sim.faults import LOOPBACK, Link
from gridroom.sim.live import Cut
from gridroom.sim.offices import CSP_PATH, DSO, DSO_PATH, METER
from gridroom.sim.street import Session, Street

STATIONS = "stations"
START_S = 60.0
DEADLINE_S = 60.0
END_S = 10.0
COMMANDS = {DSO: ("dso", "run"), STATIONS: ("station", "run")}
CABLES, CONTRACTS, HISTORY = "cables.csv", "contracts.csv", "history.csv"
LOG_TAIL = 12
PORTS = range(20_000, 32_000)


class Processes:
    """The actors of a street as processes; see `live.Road`.

    Args:
        street: The street.
        folder: Where they live; the path must be short, for the control sockets.
        cuts: Which lines will be cut.
    """

    def __init__(self, street: Street, folder: Path, cuts: Iterable[Cut]) -> None:
        self._street, self._folder = street, folder
        self._csos = sorted({station.cso for station in street.stations})
        self._cso_of = {station.id: station.cso for station in street.stations}
        self._frail = {name for cut in cuts for name in cut.stations}
        actors = (DSO, *self._csos, STATIONS)
        if max(len(str(folder / f"{actor}.sock").encode()) for actor in actors) > LONGEST_PATH:
            raise SimError(f"the path {folder} is too long for the clock's sockets: set TMPDIR to a shorter one")
        self._driver = Driver({actor: folder / f"{actor}.sock" for actor in actors}, DEADLINE_S)
        self._links: dict[str, list[Link]] = {}
        self._stack = AsyncExitStack()
        self._tokens = {cso: secrets.token_urlsafe(24) for cso in self._csos}
        self._passwords = {station.id: secrets.token_urlsafe(24) for station in street.stations}
        self._ports: dict[str, int] = {}
        self._processes: dict[str, asyncio.subprocess.Process] = {}

    async def __aenter__(self) -> "Processes":
        """Issue certificates, write the configurations, start the processes and wait until they listen.

        Raises:
            SimError: One of them did not start; with the end of its log.
        """
        try:
            await self._set_up()
        except BaseException:
            for process in self._processes.values():
                _quietly(process.terminate)  # no clock has told them to stop, and each would be waited for
            await self._stack.aclose()
            raise
        return self

    async def __aexit__(self, *_: object) -> None:
        """End the processes."""
        await self._stack.aclose()

    async def ask(self, actor: str, duty: str, now: datetime) -> Any:
        """Have an actor do a duty now, and give its answer."""
        return await self._driver.ask(actor, duty, now)

    async def read_meter(self, start: datetime, amps: tuple[float, float, float]) -> None:
        """The substation meter posts the mean of a step to the DSO. [A]"""
        reading = {
            "cable": self._street.cable,
            "time": start.isoformat(),
            "seconds": int(STEP.total_seconds()),
            **{f"l{n}": round(value, 3) for n, value in enumerate(amps, 1)},
        }
        answer = await _posted("the meter", "the DSO", self._meter.post("/measurements", json={"readings": [reading]}))
        if answer.status_code >= 300:
            raise SimError(f"the DSO refused a reading: {answer.status_code} {answer.text}")

    async def tell_wish(self, cso: str, session: Session) -> bool:
        """A driver tells the operator; False when it knows of no car at that station yet."""
        assert session.wish is not None  # noqa: S101 - only drivers with a wish tell one
        wish = {
            "station": session.station,
            "departure": session.wish.departure.isoformat(),
            "energy_kwh": session.wish.energy_wh / 1000,
        }
        answer = await _posted("a driver", cso, self._drivers[cso].post("/wishes", json=wish))
        if answer.status_code >= 500 or answer.status_code == 401:
            raise SimError(f"{cso} refused a wish: {answer.status_code} {answer.text}")
        return answer.status_code < 300

    async def cut_line(self, cso: str, *, whole: bool) -> None:
        """Cut or mend the line between the DSO and a CSO."""
        self._switch(cso, whole)

    async def cut_stations(self, stations: Iterable[str], *, whole: bool) -> None:
        """Cut or mend the lines of stations to their CSO."""
        for cso in {self._cso_of[name] for name in stations}:
            self._switch(f"stations of {cso}", whole)

    def _switch(self, line: str, whole: bool) -> None:
        for link in self._links[line]:
            link.heal() if whole else link.cut()

    async def _set_up(self) -> None:
        self._ports = _free_ports(
            [DSO, *(f"{kind} of {cso}" for cso in self._csos for kind in ("oscp", "ocpp", "drivers"))]
        )
        to_dso = {cso: await self._link(cso, self._ports[DSO]) for cso in self._csos}
        to_cso = {cso: await self._link(cso, self._ports[f"oscp of {cso}"]) for cso in self._csos}
        frail = {cso: await self._link(f"stations of {cso}", self._ports[f"ocpp of {cso}"]) for cso in self._csos}
        self._write(to_dso, to_cso, frail)
        await self._import()
        for actor in (DSO, *self._csos):
            await self._start(actor)
        for actor in (DSO, *self._csos):
            await self._connect(actor)
        await self._start(STATIONS)
        await self._connect(STATIONS)
        self._stack.push_async_callback(self._driver.stop)
        await self._open_clients()

    async def _link(self, line: str, port: int) -> int:
        link = Link(port)
        self._links.setdefault(line, []).append(link)
        started = await link.start()
        self._stack.push_async_callback(link.stop)
        return started

    def _write(self, to_dso: Mapping[str, int], to_cso: Mapping[str, int], frail: Mapping[str, int]) -> None:
        """Certificates and configurations, a folder for each actor."""
        authority = self._folder / "pki"
        pki.init(authority)
        street = self._street
        csp = {cso: f"https://localhost:{to_cso[cso]}{CSP_PATH}" for cso in self._csos}
        self._furnish(DSO, "dso.toml", offices.dso_config(csp, self._ports[DSO]))
        pki.issue(authority, DSO, into=self._folder / DSO)
        pki.issue(authority, METER, kind="meter", into=self._folder)
        for cso in self._csos:
            config = offices.cso_config(
                street,
                cso,
                f"https://localhost:{to_dso[cso]}{DSO_PATH}",
                oscp_port=self._ports[f"oscp of {cso}"],
                ocpp_port=self._ports[f"ocpp of {cso}"],
                driver_port=self._ports[f"drivers of {cso}"],
                token=self._tokens[cso],
            )
            self._furnish(cso, "cso.toml", config)
            write_private(self._folder / cso / "stations.csv", offices.register(street, cso, self._passwords))
            pki.issue(authority, cso, into=self._folder / cso)
        urls = {
            station.id: "wss://localhost:{}/ocpp".format(
                frail[station.cso] if station.id in self._frail else self._ports[f"ocpp of {station.cso}"]
            )
            for station in street.stations
        }
        self._furnish(STATIONS, "stations.toml", offices.stations_config(street, urls, self._passwords))

    def _furnish(self, actor: str, name: str, config: Any) -> None:
        folder = self._folder / actor
        folder.mkdir()
        (folder / "ca.pem").write_bytes((self._folder / "pki" / "ca.pem").read_bytes())
        write_private(folder / name, msgspec.toml.encode(config).decode())

    async def _import(self) -> None:
        """Give the DSO its register and its history."""
        street = self._street
        texts = {
            CABLES: offices.cables_csv(street),
            CONTRACTS: offices.contracts_csv(street),
            HISTORY: offices.history_csv(street),
        }
        files = [self._folder / name for name in texts]
        for file, text in zip(files, texts.values(), strict=True):
            file.write_text(text)
        words = ("dso", "import", str(self._folder / DSO), *map(str, files), "--start", self._begin())
        if await (await self._spawn(DSO, *words)).wait():
            raise SimError(f"the DSO could not read its register and its history:\n{self._tail(DSO)}")

    async def _start(self, actor: str) -> None:
        words = COMMANDS.get(actor, ("cso", "run"))
        process = await self._spawn(
            actor,
            *words,
            str(self._folder / actor),
            "--lockstep",
            str(self._folder / f"{actor}.sock"),
            "--start",
            self._begin(),
        )
        self._processes[actor] = process
        self._stack.push_async_callback(_end, process)

    def _begin(self) -> str:
        """The first moment, for the command line."""
        return self._street.start.replace(tzinfo=None).isoformat()

    async def _spawn(self, actor: str, *words: str) -> asyncio.subprocess.Process:
        with ExitStack() as stack:
            log = stack.enter_context((self._folder / f"{actor}.log").open("ab"))
            return await asyncio.create_subprocess_exec(
                sys.executable,
                "-m",
                "gridroom",
                "--log",
                "warning",
                *words,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env={**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )

    async def _connect(self, actor: str) -> None:
        """Wait until an actor listens to its clock; give up at once when it has ended."""
        reached = asyncio.ensure_future(self._driver.connect(actor, START_S))
        ended = asyncio.ensure_future(self._processes[actor].wait())
        await asyncio.wait({reached, ended}, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if reached.done() and reached.exception() is None:
            return
        reason = reached.exception() if reached.done() else f"{actor} ended before the day began"
        reached.cancel()
        raise SimError(f"{reason}\n{self._tail(actor)}")

    def _tail(self, actor: str) -> str:
        with suppress(OSError):
            lines = (self._folder / f"{actor}.log").read_text(errors="replace").splitlines()
            return "\n".join(lines[-LOG_TAIL:])
        return ""

    async def _open_clients(self) -> None:
        """The meter's client, with its certificate, and the drivers' apps, without one."""
        ca = self._folder / "pki" / "ca.pem"
        proved = tls.client_context(self._folder / f"{METER}.pem", self._folder / f"{METER}.key", ca)
        self._meter = await self._client(self._ports[DSO], proved)
        plain = tls.client_context(None, None, ca)
        self._drivers = {
            cso: await self._client(
                self._ports[f"drivers of {cso}"], plain, {"Authorization": f"Bearer {self._tokens[cso]}"}
            )
            for cso in self._csos
        }

    async def _client(
        self, port: int, context: ssl.SSLContext, headers: Mapping[str, str] | None = None
    ) -> httpx2.AsyncClient:
        return await self._stack.enter_async_context(
            httpx2.AsyncClient(
                base_url=f"https://localhost:{port}", verify=context, headers=headers, trust_env=False, timeout=30.0
            )
        )


async def _posted(who: str, whom: str, posting: Awaitable[httpx2.Response]) -> httpx2.Response:
    """The answer to a post that must arrive."""
    try:
        return await posting
    except httpx2.HTTPError as error:
        raise SimError(f"{who} does not reach {whom}: {type(error).__name__} {error}".rstrip()) from error


def _free_ports(names: Iterable[str]) -> dict[str, int]:
    """A free port on loopback for each name, below those that the system gives to outgoing connections."""
    with ExitStack() as stack:
        ports: dict[str, int] = {}
        wanted = list(names)
        while len(ports) < len(wanted):
            port = PORTS.start + secrets.randbelow(len(PORTS))
            with suppress(OSError):
                stack.enter_context(socket.create_server((LOOPBACK, port)))
                ports[wanted[len(ports)]] = port
        return ports


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask a process to end, and make it."""
    for signal in (lambda: None, process.terminate, process.kill):
        _quietly(signal)
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), END_S)
            return


def _quietly(act: Callable[[], object]) -> None:
    with suppress(ProcessLookupError):
        act()
