"""The DSO as a program: its folder, its configuration, its sockets."""

import asyncio
import ssl
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx2
import numpy as np
import pytest

import databases
from dso_office import CABLE, MONDAY, HandClock, World, configuration
from gridroom.config import ConfigError
from gridroom.dso import config
from gridroom.dso.app import OSCP_PATH, Dso, run
from gridroom.dso.folder import MIGRATIONS, import_measurements, load, open_database, open_office
from gridroom.dso.setup import init
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Envelope, GetCapacityForecastRequest, ResultType
from gridroom.oscp.v10.peer import Peer, letter
from gridroom.security import pki, tls

pytestmark = pytest.mark.usefixtures("database_kind")

CSO = Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), f"https://localhost{OSCP_PATH}")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A DSO as `dso init` makes it, and certificates of a CSO."""
    pki.init(tmp_path / "pki")
    init(tmp_path / "dso", tmp_path / "pki", port=0)
    pki.issue(tmp_path / "pki", "cso")
    pki.issue(tmp_path / "pki", "stranger")
    pki.issue(tmp_path / "pki", "meter-2", kind="meter")
    return tmp_path / "dso"


def edited(folder: Path, old: str, new: str) -> Path:
    file = folder / config.FILE
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))
    return folder


def context(folder: Path, name: str, where: str = "pki") -> ssl.SSLContext:
    base = folder.parent / where
    return tls.client_context(base / f"{name}.pem", base / f"{name}.key", base / "ca.pem")


# -- the folder ------------------------------------------------------------------------------------------------------


def test_a_new_folder_can_be_used_as_it_is(folder: Path) -> None:
    value = load(folder)
    with closing(open_database(value)) as db:
        office = open_office(value, db)
    assert list(office.register) == [CABLE]
    assert office.rules.publish_every == timedelta(minutes=15)
    assert value.peers()["cso"].profile.phases == "per-phase"
    assert value.tls.key == str(folder / "dso.key")
    assert (folder / config.FILE).stat().st_mode & 0o077 == 0
    assert office.register[CABLE].limit_ca == (20_000, 20_000, 20_000)
    assert office.register[CABLE].contracts[0].since is not None


def test_a_folder_in_use_is_not_overwritten(folder: Path) -> None:
    before = (folder / config.FILE).read_bytes()
    with pytest.raises(ConfigError, match="is there already"):
        init(folder, folder.parent / "pki")
    assert (folder / config.FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("interval_s = 900", "intervall_s = 900", r"dso\.toml: `publish`: .*intervall_s"),
        (
            "[listen]",
            '[[cable]]\nid = "c"\nlimit_a = 200\n[listen]',
            "`cable`: cables and contracts are in the register",
        ),
        ("risk = 0.001\n#", "risk = 1.5\n#", r"`forecast\.risk`: a share between 0 and 1"),
        (
            "# tail_risk = 0.0001",
            "tail_risk = 0.01",
            r"`forecast\.tail_risk`: a share above 0, at most `forecast\.risk`",
        ),
        ('criterion = "15min"\n#', 'criterion = "15m"\n#', r"`forecast\.criterion`: Invalid enum value '15m'"),
        ('holidays = "NL"', 'holidays = "NX"', r"`forecast\.holidays`: 'NX' is no country that is known"),
        (
            "[listen]",
            '[[risk_class]]\nname = "x"\nrisk = 0\n[listen]',
            "`risk_class` 'x', `risk`: a share between 0 and 1",
        ),
        ("[listen]", '[[risk_class]]\nname = ""\nrisk = 0.1\n[listen]', "`risk_class`: give each a name"),
        ("[listen]", '[[risk_class]]\nname = "x"\nrisk = 0.1\n' * 2 + "[listen]", "`risk_class` 'x' is there 2 times"),
        (
            'zone = "Europe/Amsterdam"',
            'zone = "Europe/Amsterdm"',
            r"`forecast\.zone`: 'Europe/Amsterdm' is no time zone",
        ),
        ("block_s = 900", "block_s = 1000", r"`publish\.block_s`: must divide a day"),
        (
            'kind = "gridroom"',
            'kind = "gridroom"\nprofile = { phasen = "x" }',
            "`profile` has no key phasen; there are",
        ),
        ('kind = "gridroom"', 'kind = "gridroom"\nprofile = { phases = "x" }', "`profile`: Invalid enum value 'x'"),
        ("share = 0.2", "share = 2", r"`backup\.share`: a share from 0 to 1"),
        ("[listen]", "[listen", r"dso\.toml: not valid TOML"),
    ],
)
def test_a_mistake_is_told_with_its_place(folder: Path, old: str, new: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        load(edited(folder, old, new))


def test_all_findings_are_told_at_once(folder: Path) -> None:
    edited(folder, "share = 0.2", "share = 2")
    edited(folder, "threshold = 0.97", "threshold = 0")
    with pytest.raises(ConfigError) as caught:
        load(folder)
    assert len(str(caught.value).splitlines()) == 2


def test_a_file_of_measurements_is_taken_in_and_broken_rows_are_named(folder: Path) -> None:
    start = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=5)
    rows = [f"{(start + i * timedelta(minutes=15)).isoformat()},{CABLE},1,2,3" for i in range(8)]
    (folder / "m.csv").write_text("\n".join(["time,cable,L1,L2,L3", *rows, "now,cable-1,1,2,3", rows[0]]))
    received = import_measurements(folder, folder / "m.csv")
    assert (received.stored, received.repeated) == (8, 1)
    assert [one.where for one in received.findings] == ["row 10"]
    earlier = import_measurements(folder, folder / "m.csv", now=start)
    local = start.astimezone(ZoneInfo("Europe/Amsterdam")).isoformat()
    assert [one.text for one in earlier.findings[1:]] == [f"ends after now ({local}) (8 more like this)"]


# -- sockets ---------------------------------------------------------------------------------------------------------


async def post(folder: Path, name: str, url: str, data: bytes, kind: str, where: str = "pki") -> httpx2.Response:
    async with httpx2.AsyncClient(verify=context(folder, name, where), trust_env=False) as client:
        return await client.post(url, content=data, headers={"content-type": kind})


async def test_csos_and_meters_are_served_over_mutual_tls_and_the_line_goes_both_ways(folder: Path) -> None:
    value = load(folder)
    db = open_database(value)
    clock = HandClock(MONDAY)
    world = World()  # only for its ids
    client = OscpClient(context(folder, "dso", "dso"))
    dso = Dso(value, db, client.post, world.ids, clock)
    base = f"https://localhost:{(await dso.start())['oscp']}"
    try:
        one = letter(CSO, GetCapacityForecastRequest(), now=clock.now(), message_id=world.ids())
        kind = soap.content_type("GetCapacityForecast", CSO.profile)
        answer = await post(folder, "cso", base + OSCP_PATH, one.data, kind)
        envelope = soap.read_reply(answer.content)
        assert isinstance(envelope, Envelope)
        assert envelope.body.result.type is ResultType.SUCCESS  # type: ignore[union-attr]
        assert (await post(folder, "stranger", base + OSCP_PATH, one.data, kind)).status_code == 400
        assert (await post(folder, "meter-1", base + OSCP_PATH, one.data, kind, "dso")).status_code == 403

        row = '{"cable":"cable-1","time":"2026-01-04T23:45:00Z","l1":1,"l2":2,"l3":%s}'
        reading = ('{"readings":[' + row % "3" + "," + row % '"x"' + "]}").encode()
        told = await post(folder, "meter-1", base + "/measurements", reading, "application/json", "dso")
        assert told.status_code == 200
        assert told.json() == {"stored": 1, "repeated": 0, "findings": ["readings[1]: L3: 'x' is no number"]}
        csv = b"time,cable,L1,L2,L3\n2026-01-04T23:30:00Z,cable-1,1,2,3\n"
        told = await post(folder, "meter-1", base + "/measurements", csv, "text/csv", "dso")
        assert told.json()["stored"] == 1
        for name, data, status in (("meter-2", reading, 403), ("cso", reading, 403)):
            refused = await post(folder, name, base + "/measurements", data, "application/json")
            assert refused.status_code == status
        bad = await post(folder, "meter-1", base + "/measurements", b"{", "application/json", "dso")
        assert (bad.status_code, "text/csv" in bad.text) == (400, False)
        lost = await post(folder, "meter-1", base + "/measurements", csv, "application/x-www-form-urlencoded", "dso")
        assert (lost.status_code, lost.text.endswith("; CSV is sent with content-type: text/csv\n")) == (400, True)
        with db.transact() as tx:
            tx.exec_driver_sql("ALTER TABLE loads RENAME TO away")
        lost = await post(folder, "meter-1", base + "/measurements", csv, "text/csv", "dso")
        assert (lost.status_code, lost.text) == (503, "The readings are not stored: send them again later\n")
        with db.transact() as tx:
            tx.exec_driver_sql("ALTER TABLE away RENAME TO loads")
        foreign = reading.replace(b"cable-1", b"cable-9")
        none = await post(folder, "meter-1", base + "/measurements", foreign, "application/json", "dso")
        assert none.status_code == 422

        async with httpx2.AsyncClient(verify=context(folder, "cso"), trust_env=False) as browser:
            assert (await browser.get(base + "/health")).text == "ok\n"
            assert b"DistributionSystemOperatorServiceV10" in (await browser.get(base + OSCP_PATH + "?wsdl")).content
            assert (await browser.get(base + "/elsewhere")).status_code == 404
        nobody = tls.client_context(None, None, folder / "ca.pem")
        async with httpx2.AsyncClient(verify=nobody, trust_env=False) as stranger:
            with pytest.raises(httpx2.HTTPError):
                await stranger.get(base + "/health")
    finally:
        await dso.stop()
        await client.close()
        db.close()
        world.close()


async def test_a_dso_runs_until_told_to_stop_and_lets_go_of_all(folder: Path) -> None:
    task = asyncio.create_task(run(folder))
    await asyncio.sleep(0.5)
    assert not task.done()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_duties_have_the_names_the_street_calls() -> None:
    world = World()
    assert set(world.dso.duties()) == {"publish", "heartbeat", "watch", "post", "prune", "statistics", "view"}
    world.history(10)
    await world.dso.publish(world.clock.time)
    told = await world.dso.duties()["view"].call(world.clock.time)
    assert isinstance(told, dict)
    assert set(told[CABLE]["allotments_a"]) == {"north", "south"}
    assert len(told[CABLE]["forecast_a"][0]) == 99
    world.close()


def test_a_configuration_is_a_value() -> None:
    assert configuration() == configuration()


KILLED = """
import asyncio, itertools, sys
sys.path[:0] = {paths!r}
from dso_office import World, ask, request, STEP, QUARTER
world = World("{url}")
world.history(8)
for i in itertools.count():
    asyncio.run(world.dso.publish(world.clock.time))
    asyncio.run(world.dso.watch(world.clock.time + STEP))
    world.say("north", request(ask(1, world.clock.time + QUARTER)))
    print(i, flush=True)
    world.clock.time += QUARTER
    world.measure(50, 900)
"""


def test_a_dso_that_is_killed_in_the_middle_of_its_work_goes_on_from_what_it_had_committed(database_kind: str) -> None:
    for rounds in (2, 5):
        url = databases.lasting(MIGRATIONS)
        code = KILLED.format(paths=[str(Path(__file__).parent.parent)], url=url)
        with subprocess.Popen(
            [sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        ) as process:
            assert process.stdout is not None
            while not process.stdout.readline().startswith(str(rounds)):
                assert process.poll() is None
            process.kill()
        now = MONDAY + rounds * timedelta(minutes=15)
        world = World(url, now)
        for _ in range(1000):
            world.ids()  # those used before the kill
        view = world.dso.view(CABLE, now, 90)
        assert np.array_equal(sum(view.allotments.values()) + view.pool, view.available)
        world.clock.time = now + timedelta(minutes=15)
        asyncio.run(world.dso.publish(world.clock.time))
        assert (world.csos["north"].limits(now + timedelta(minutes=15), 90) > 0).all()
        world.close()
