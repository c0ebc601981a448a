"""A DSO and a CSO on loopback with certificates of one authority: shared by the tests that need both behind sockets."""

import shutil
import ssl
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from uuid import uuid4

import httpx2

from gridroom.clock import WallClock
from gridroom.cso import app as cso_app
from gridroom.cso import setup as cso_setup
from gridroom.cso.app import Cso
from gridroom.cso.book import Book
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store
from gridroom.dso import app as dso_app
from gridroom.dso import folder as dso_folder
from gridroom.dso.app import Dso
from gridroom.dso.setup import init as dso_init
from gridroom.ocpp.io import Csms
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.v10.messages import Forecast, ForecastedBlock, ValueType
from gridroom.security import pki, tls
from gridroom.station import setup as station_setup
from gridroom.storage.database import Database
from gridroom.timegrid import QUARTER, floor
from ports import free_ports

CABLE = "cable-1"
FOREIGN = "cable-9"
"""A cable of the DSO on which only another CSO has a contract."""

RIVAL = """
[[peer]]
party = "rival"
ids = ["rival"]
url = "https://localhost:1/none"
"""


@dataclass
class Online:
    """Both back offices, listening.

    Attributes:
        folder: With `pki`, `dso`, `cso` and `station`.
        dso, cso: The programs.
        dso_db, cso_db: Their databases.
        dso_url, cso_url: Their OSCP services.
        meter_url: Where meters post readings.
        wishes_url: Where drivers tell wishes.
    """

    folder: Path
    dso: Dso
    cso: Cso
    dso_db: Database
    cso_db: Database
    dso_url: str
    cso_url: str
    meter_url: str
    wishes_url: str

    def files(self, name: str) -> tuple[Path, Path]:
        """Certificate and key by name: of an actor in its own folder, else in the authority's."""
        folder = next(f for f in ("pki", "dso", "cso") if (self.folder / f / f"{name}.pem").exists())
        return self.folder / folder / f"{name}.pem", self.folder / folder / f"{name}.key"

    @property
    def ca(self) -> Path:
        """The authority's certificate."""
        return self.folder / "pki" / "ca.pem"

    def context(self, name: str | None) -> ssl.SSLContext:
        """TLS of a client by the name of its certificate; None has none."""
        if name is None:
            return tls.client_context(None, None, self.ca)
        return tls.client_context(*self.files(name), self.ca)

    async def post(
        self, name: str | None, url: str, data: bytes, kind: str = "application/soap+xml"
    ) -> httpx2.Response:
        """Post as somebody."""
        async with httpx2.AsyncClient(verify=self.context(name), trust_env=False, timeout=30) as client:
            return await client.post(url, content=data, headers={"content-type": kind})

    def book(self, cable: str = CABLE) -> Book:
        """The CSO's capacity book of a cable."""
        with self.cso_db.transact() as tx:
            return Store(tx).book(CableKey("dso", cable))


@asynccontextmanager
async def online(
    folder: Path, edit_dso: Callable[[str], str] = str, edit_cso: Callable[[str], str] = str
) -> AsyncIterator[Online]:
    """Both offices as `init` makes them, started; their duties run only when called.

    Args:
        folder: Where they live.
        edit_dso: Changes the text of `dso.toml`.
        edit_cso: Changes the text of `cso.toml`.
    """
    authority = folder / "pki"
    pki.init(authority)
    pki.issue(authority, "stranger")
    dso_port, oscp, ocpp, drivers = free_ports(4)
    dso_url = f"https://localhost:{dso_port}{dso_app.OSCP_PATH}"
    cso_url = f"https://localhost:{oscp}/OSCP/ChargeServiceProviderServiceV10"
    file = dso_init(folder / "dso", authority, cso_url=cso_url, port=dso_port)
    file.write_text(edit_dso(file.read_text() + RIVAL))
    files = {"cables": f"cable,limit_a\n{FOREIGN},100\n", "contracts": f"cso,cable,contracted_a\nrival,{FOREIGN},50\n"}
    for name, text in files.items():
        (folder / name).write_text(text)
    assert dso_folder.import_register(folder / "dso", [folder / name for name in files]).stored
    file = cso_setup.init(
        folder / "cso", authority, dso_url=dso_url, oscp_port=oscp, ocpp_port=ocpp, driver_port=drivers
    )
    file.write_text(edit_cso(file.read_text()))
    shutil.copyfile(station_setup.init(folder / "station", authority), folder / "cso" / "stations.csv")
    clock = WallClock()
    dso_config, cso_config = dso_folder.load(folder / "dso"), cso_app.load(folder / "cso")
    dso_db, cso_db = dso_folder.open_database(dso_config), cso_app.open_database(cso_config)
    clients = [
        OscpClient(
            tls.client_context(folder / name / f"{name}.pem", folder / name / f"{name}.key", authority / "ca.pem")
        )
        for name in ("dso", "cso")
    ]
    dso = Dso(dso_config, dso_db, clients[0].post, lambda: str(uuid4()), clock)
    cso = Cso(cso_config, cso_db, clients[1].post, lambda: str(uuid4()), clock, Csms(clock.now))
    meter_url = f"https://localhost:{dso_port}/measurements"
    try:
        await dso.start()
        await cso.start()
        yield Online(
            folder, dso, cso, dso_db, cso_db, dso_url, cso_url, meter_url, f"https://localhost:{drivers}/wishes"
        )
    finally:
        await dso.stop()
        await cso.stop()
        for client in clients:
            await client.close()
        dso_db.close()
        cso_db.close()


def flat(
    now: datetime, ampere: float, *, hours: float = 24, later: float | None = None, cable: str = CABLE
) -> Forecast:
    """A forecast from the block in force on.

    Args:
        now: The present moment. [UTC]
        ampere: For two hours and a quarter, and on if nothing else is said. [A]
        hours: How long. [h]
        later: From then on. [A]
        cable: Of which cable.
    """
    start = floor(now, QUARTER)
    zero = (ValueType(Decimal(0)),)

    def block(i: int) -> ForecastedBlock:
        value = ampere if i < 9 or later is None else later
        begin = start + i * QUARTER
        return ForecastedBlock(begin, begin + QUARTER, (ValueType(Decimal(str(value))),), zero)

    return Forecast(cable, tuple(block(i) for i in range(int(timedelta(hours=hours) / QUARTER))))
