"""Folder, configuration, register and sockets of a CSO."""

import hashlib
import json
import ssl
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import httpx2
import pytest

from gridroom.clock import WallClock
from gridroom.config import ConfigError
from gridroom.cso import drivers, settings
from gridroom.cso.app import Cso, init, load, open_database
from gridroom.cso.charging import WishError
from gridroom.cso.stations import StationError, parse_csv
from gridroom.ocpp.io import Csms
from gridroom.oscp.io.client import OscpClient
from gridroom.security import pki, tls

HEAD = "identity,dso,cable,rotation,max_a,password_sha256\n"
HASH = hashlib.sha256(b"x" * 16).hexdigest()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.init(tmp_path / "pki")
    init(tmp_path / "cso", tmp_path / "pki", "cso-a", cables=("c1", "c2"), oscp_port=0, ocpp_port=0, driver_port=0)
    return tmp_path / "cso"


def test_a_new_folder_is_a_configuration_that_can_be_read(folder: Path) -> None:
    config = load(folder)
    market = settings.market(config)
    assert [key.cable for key in market.cables()] == ["c1", "c2"]
    assert market.peers["dso"].profile.phases == "per-phase"
    assert (folder / "cso.toml").stat().st_mode & 0o077 == 0


def test_a_folder_is_not_overwritten(folder: Path) -> None:
    with pytest.raises(ConfigError, match="there already"):
        init(folder, folder.parent / "pki", "cso-a")


@pytest.mark.parametrize(
    ("old", "new", "names"),
    [
        ("plan_min", "plann_min", "plann_min"),
        ("block_min = 15", "block_min = 7", "block_min"),
        ("plan_min = 5", 'plan_min = "5"', "plan_min"),
        ('phases = "per-phase"', 'phasen = "per-phase"', "phasen"),
        ('phases = "per-phase"', 'phases = "two"', "phases"),
    ],
)
def test_a_typo_names_its_place(folder: Path, old: str, new: str, names: str) -> None:
    file = folder / "cso.toml"
    file.write_text(file.read_text().replace(old, new))
    with pytest.raises(ConfigError, match=names):
        settings.market(load(folder))


def test_a_station_on_a_cable_of_nobody_is_refused(folder: Path) -> None:
    (folder / "stations.csv").write_text(HEAD + f"s1,dso,c9,123,16,{HASH}\n")
    with pytest.raises(ConfigError, match=r"station s1: .*c9"):
        settings.market(load(folder))


@pytest.mark.parametrize(
    ("row", "names"),
    [
        ("s1,dso,c1,123,16", "line 2: 5 columns"),
        (f"s1,dso,c1,111,16,{HASH}", "line 2: rotation"),
        (f"s1,dso,c1,123,many,{HASH}", "line 2: max_a"),
        (f"s1,dso,c1,123,NaN,{HASH}", "line 2: max_a"),
        (f"s1,dso,c1,123,5,{HASH}", "line 2: max_a"),
        (f",dso,c1,123,16,{HASH}", "line 2: identity"),
        ("s1,dso,c1,123,16,secret", "line 2: password_sha256"),
        (f"s1,dso,c1,123,16,{HASH}\ns1,dso,c1,123,16,{HASH}", "line 3: identity s1"),
    ],
)
def test_a_broken_register_names_line_and_column(row: str, names: str) -> None:
    with pytest.raises(StationError, match=names):
        parse_csv(HEAD + row)


def test_a_password_fits_its_station_only() -> None:
    register = parse_csv(HEAD + f"s1,dso,c1,123,16,{HASH}")
    assert register.password_fits("s1", "x" * 16)
    assert not register.password_fits("s1", "y" * 16)
    assert not register.password_fits("s2", "x" * 16)


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"{", "body"),
        (b"[]", "body"),
        (b'{"station": 5}', "station"),
        (b'{"energy_kwh": 5}', "station"),
        (b'{"station": "s", "energy_kwh": "5"}', "energy_kwh"),
        (b'{"station": "s", "energy_kwh": -5}', "energy_kwh"),
        (b'{"station": "s", "energy_kwh": true}', "energy_kwh"),
        (b'{"station": "s", "departure": "17:30"}', "departure"),
        (b'{"station": "s", "departure": "2026-01-01T17:30:00"}', "departure"),
        (b'{"station": "s", "departure": 5}', "departure"),
        (b'{"station": "s", "card": "4"}', "card"),
    ],
)
def test_a_bad_wish_names_its_field(body: bytes, field: str) -> None:
    with pytest.raises(WishError) as caught:
        drivers.read(body)
    assert caught.value.field == field


def test_a_departure_becomes_utc() -> None:
    wish = json.dumps({"station": "s", "departure": "2026-01-01T17:30:00+01:00", "energy_kwh": 7}).encode()
    assert drivers.read(wish) == ("s", datetime(2026, 1, 1, 16, 30, tzinfo=UTC), 7000)


async def test_the_doors_are_open_to_whom_they_are_for(folder: Path) -> None:
    (folder / "stations.csv").write_text(HEAD + f"s1,dso,c1,123,16,{HASH}\n")
    config = load(folder)
    db = open_database(config)
    clock = WallClock()
    mine = tls.client_context(Path(config.cert), Path(config.key), Path(config.ca))
    client = OscpClient(mine)
    cso = Cso(config, db, client.post, lambda: str(uuid4()), clock, Csms(clock.now))
    ports = await cso.start()
    nobody = tls.client_context(None, None, Path(config.ca))
    try:
        url = f"https://localhost:{ports['oscp']}/OSCP/ChargeServiceProviderServiceV10"
        async with httpx2.AsyncClient(verify=mine, trust_env=False) as known:
            wsdl = await known.get(url + "?wsdl")
            assert b"UpdateCableCapacityForecast" in wsdl.content
            for nowhere in ("", "/", "/OSCP", "/OSCP/DistributionSystemOperatorServiceV10"):
                root = f"https://localhost:{ports['oscp']}"
                assert (await known.get(root + nowhere + "?wsdl")).status_code == 404
        async with httpx2.AsyncClient(verify=nobody, trust_env=False) as stranger:
            with pytest.raises((httpx2.HTTPError, ssl.SSLError)):
                await stranger.get(url + "?wsdl")
            wishes = f"https://localhost:{ports['drivers']}/wishes"
            body = {"station": "s1", "energy_kwh": 8}
            assert (await stranger.post(wishes, json=body)).status_code == 401
            token = {"authorization": f"Bearer {config.driver_token}"}
            assert (await stranger.post(wishes, json=body, headers=token)).status_code == 201
            no = await stranger.post(wishes, json=body | {"station": "s9"}, headers=token)
            assert (no.status_code, no.json()["field"]) == (400, "station")
    finally:
        await cso.stop()
        await client.close()
        db.close()
