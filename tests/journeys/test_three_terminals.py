"""The README's three terminals: a grid operator, a charge station operator and stations, by hand, on the wall clock."""

import asyncio
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2
import pytest
import sqlalchemy as sa

import databases
from gridroom.config import read
from gridroom.cso import app as cso_app
from gridroom.cso.sessions import Session
from gridroom.cso.settings import CsoConfig, market
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store
from gridroom.dso import folder as dso_folder
from gridroom.dso.tables import JOURNAL
from gridroom.oscp.io.client import OscpClient
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CableUsage, UpdateAggregatedUsageRequest, UsageBlock, ValueType
from gridroom.oscp.v10.peer import Letter, letter
from gridroom.security import tls
from gridroom.storage.database import Database
from gridroom.storage.letters import OUTBOX
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import QUARTER, floor
from ports import free_ports
from terminals import Terminal, gridroom, until

CABLE = "cable-1"
NAMES = ("station-1", "station-2", "station-3")


class ByHand:
    """What somebody with three terminals sees: logs, the stations' file, and both databases."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.dso_port, self.oscp_port, self.ocpp_port, self.driver_port = free_ports(4)
        self.dso = Terminal("dso", "run", "dso", cwd=folder)
        self.cso = Terminal("cso", "run", "cso", cwd=folder)
        self.station = Terminal("station", "run", "station", cwd=folder)
        self.terminals = (self.dso, self.cso, self.station)
        self.databases: dict[str, Database] = {}

    def set_up(self) -> None:
        """As the README says, on ports that are free here, and with less to wait for."""
        gridroom("pki", "init", "pki", cwd=self.folder)
        gridroom("dso", "init", "dso", "--pki", "pki", cwd=self.folder)
        gridroom("cso", "init", "cso", "--pki", "pki", cwd=self.folder)
        url = f"wss://localhost:{self.ocpp_port}/ocpp"
        told = gridroom("station", "init", "station", "--pki", "pki", "--cso", "cso", "--url", url, cwd=self.folder)
        assert "added to cso/stations.csv" in told
        ports = {"8700": self.dso_port, "8711": self.oscp_port, "8710": self.ocpp_port, "8712": self.driver_port}
        faster = {"interval_s = 900": "interval_s = 5", "heartbeat_s = 300": "heartbeat_s = 5"}
        self.edit("dso/dso.toml", {one: str(ports[one]) for one in ("8700", "8711")} | faster)
        self.edit("cso/cso.toml", {one: str(port) for one, port in ports.items()})
        quick = {"meter_every_s = 60": "meter_every_s = 2\nadvance_every_s = 1"}
        self.edit("station/stations.toml", quick | {f"after_s = {n}": "after_s = 1" for n in (10, 30, 50)})
        if databases.current.kind == "postgres":
            for actor in ("dso", "cso"):
                self.edit(f"{actor}/{actor}.toml", {f'"{actor}.db"': f'"{databases.lasting()}"'})
            gridroom("dso", "import", "dso", "dso/cables.csv", "dso/contracts.csv", cwd=self.folder)
        (self.folder / "history.csv").write_text(history())
        told = gridroom("dso", "import", "dso", "history.csv", cwd=self.folder)
        assert told == f"{8 * 96} readings stored, 0 refused\n"

    def edit(self, name: str, changes: dict[str, str]) -> None:
        text = (self.folder / name).read_text()
        for old, new in changes.items():
            assert old in text, (name, old)
            text = text.replace(old, new)
        (self.folder / name).write_text(text)

    def start(self, *terminals: Terminal) -> None:
        for terminal in terminals:
            terminal.start()

    def look_on(self) -> None:
        """Open both databases beside their owners."""
        until(lambda: "DSO listens" in self.dso.said() and "CSO listens" in self.cso.said(), "both listen")
        self.databases["dso"] = dso_folder.open_database(dso_folder.load(self.folder / "dso"))
        self.databases["cso"] = cso_app.open_database(cso_app.load(self.folder / "cso"))

    def close(self) -> None:
        for terminal in self.terminals:
            terminal.kill()
        for db in self.databases.values():
            db.close()

    # -- what there is to see ------------------------------------------------------------------------------------------

    def station_file(self) -> dict[str, Any]:
        """What the stations wrote down."""
        file = self.folder / "station" / "stations.json"
        found: dict[str, Any] = json.loads(file.read_text()) if file.exists() else {}
        return found

    def registers_wh(self) -> dict[str, float]:
        """Energy that each station has given out since it was made."""
        return {name: float(one["register_wh"]) for name, one in self.station_file().items()}

    def kept(self) -> dict[str, list[str]]:
        """Purposes of the profiles that each station keeps over a restart."""
        return {
            name: [profile["csChargingProfiles"]["chargingProfilePurpose"] for profile in one["profiles"]]
            for name, one in self.station_file().items()
        }

    @contextmanager
    def cso_store(self) -> Iterator[Store]:
        with self.databases["cso"].transact() as tx:
            yield Store(tx)

    def allowed_ca(self) -> int:
        """The least that the CSO's book allows in the next two hours. [0.01 A]"""
        now = datetime.now(UTC)
        with self.cso_store() as store:
            return int(store.book(CableKey("dso", CABLE)).limits(now, floor(now, QUARTER), 8).min())

    def forecast_made(self) -> datetime | None:
        """DateTime of the newest forecast in the CSO's book."""
        with self.cso_store() as store:
            return store.book(CableKey("dso", CABLE)).made_at

    def newer(self, at: datetime) -> bool:
        """Whether a forecast made after a moment has come."""
        made = self.forecast_made()
        return made is not None and made > at

    def sessions(self) -> dict[str, Session]:
        with self.cso_store() as store:
            return store.sessions()

    def numbers(self) -> set[int]:
        """Numbers of the running transactions."""
        return {session.transaction for session in self.sessions().values()}

    def planned(self) -> list[str]:
        """Stations that took a plan for their car."""
        with self.cso_store() as store:
            return sorted(name for name, held in store.all_held().items() if held.plan_taken)

    def rows(self, actor: str, query: sa.Select[Any]) -> list[Any]:
        with self.databases[actor].transact() as tx:
            return list(tx.execute(query))

    def abandoned(self) -> list[Any]:
        """Letters given up, but for those that a newer one replaced."""
        return [
            (row.operation, row.note)
            for actor in ("dso", "cso")
            for row in self.rows(actor, sa.select(OUTBOX).where(OUTBOX.c.state == "given up"))
            if row.note != "replaced by a newer one"
        ]

    def charging(self) -> bool:
        """Every station has its plan, and its car has taken something."""
        energy = self.registers_wh()
        return self.planned() == [*NAMES] and len(energy) == 3 and min(energy.values()) > 0

    def charges_on(self) -> None:
        """Wait until every car has taken more than now."""
        before = self.registers_wh()

        def more() -> bool:
            now = self.registers_wh()
            return all(now[name] > before[name] + 5 for name in NAMES)

        until(more, "each car takes more")


def history() -> str:
    """Eight days of quarters of an hour until now."""
    end = floor(datetime.now(UTC), QUARTER)
    rows = [f"{(end - n * QUARTER).isoformat()},{CABLE},{40 + n % 7},{30 + n % 5},{20 + n % 3}" for n in range(1, 769)]
    return "\n".join(["time,cable,L1,L2,L3", *reversed(rows)]) + "\n"


@pytest.fixture
def hand(tmp_path: Path, database_kind: str) -> Iterator[ByHand]:
    made = ByHand(tmp_path)
    made.set_up()
    yield made
    made.close()


def test_a_reader_of_the_readme_sees_a_car_charge_and_ends_all_three_with_ctrl_c(hand: ByHand) -> None:
    hand.start(hand.station)  # nobody is there yet: it tries again until somebody is
    until(lambda: "no line, trying again" in hand.station.said(), "the stations say that they try again")
    hand.start(hand.cso, hand.dso)
    hand.look_on()
    until(lambda: hand.allowed_ca() > 600, "a forecast reaches the CSO's book")
    until(lambda: len(hand.sessions()) == 3, "the CSO knows of three cars")
    until(hand.charging, "each station takes a plan, and its car draws")
    until(lambda: hand.kept() == {name: ["TxDefaultProfile"] for name in NAMES}, "each station keeps a fallback")
    until(lambda: all((one.register_wh or 0) > 0 for one in hand.sessions().values()), "readings reach the CSO")

    config = read(hand.folder / "cso" / "cso.toml", CsoConfig)
    context = tls.client_context(None, None, hand.folder / "cso" / "ca.pem")
    with httpx2.Client(verify=context, trust_env=False, timeout=30) as app:
        wish = {"station": NAMES[0], "departure": (datetime.now(UTC) + timedelta(hours=2)).isoformat(), "energy_kwh": 8}
        answer = app.post(
            f"https://localhost:{hand.driver_port}/wishes",
            json=wish,
            headers={"authorization": f"Bearer {config.driver_token}"},
        )
    assert answer.status_code == 201, answer.text
    told = hand.sessions()[NAMES[0]].wish
    assert told is not None
    assert told.energy_wh == 8000

    assert hand.abandoned() == []
    for terminal in hand.terminals:
        assert terminal.running()
        assert terminal.interrupt() == 0
        said = terminal.said()
        assert "Traceback" not in said
        assert "[error" not in said


def test_whoever_is_killed_goes_on_where_it_was(hand: ByHand) -> None:
    hand.start(*hand.terminals)
    hand.look_on()
    until(hand.charging, "each station takes a plan, and its car draws")

    until(lambda: hand.allowed_ca() > 3 * 600, "what the CSO gave back before it knew of three cars, it has again")

    # the DSO: what it learned and divided is still there, and the cars charge on meanwhile
    hand.dso.kill()
    at = datetime.now(UTC)
    hand.charges_on()
    hand.dso.start()
    until(lambda: hand.newer(at), "the DSO sends forecasts again")
    until(lambda: hand.allowed_ca() > 600, "it offers something, as one that had forgotten its measurements would not")

    # the CSO: same sessions, same book, and a report that the DSO has already is not counted twice
    sent = report(hand)
    answer = asyncio.run(post(hand, sent))
    hand.cso.kill()
    made, sessions = hand.forecast_made(), hand.sessions()
    with hand.databases["cso"].transact() as tx:  # the answer came too late for it
        outbox = Outbox(tx)
        outbox.put(sent)
        outbox.trying(sent)
    hand.cso.start()
    until(lambda: settled(hand, sent.message_id) == "delivered", "the report in doubt is sent again")
    until(lambda: made and hand.newer(made), "forecasts go on")
    until(lambda: hand.cso.said().count("station connected") >= 6, "the stations come back")
    assert {n: (s.transaction, s.started, s.meter_start_wh) for n, s in hand.sessions().items()} == {
        n: (s.transaction, s.started, s.meter_start_wh) for n, s in sessions.items()
    }
    hand.charges_on()
    kept = [row.record for row in hand.rows("dso", sa.select(JOURNAL).where(JOURNAL.c.kind == "usage"))]
    assert [record["emsp"] for record in kept].count("journey") == 1
    assert asyncio.run(post(hand, sent)) == answer  # and whoever asks again hears the same

    # the stations: meters do not go back, and the cars that they lost sight of are told as gone
    hand.station.kill()
    before = hand.registers_wh()
    hand.station.start()
    numbers = {session.transaction for session in sessions.values()}
    until(lambda: len(hand.numbers() - numbers) == 3, "new sessions in place of the old ones")
    hand.charges_on()
    for name, session in hand.sessions().items():
        assert session.meter_start_wh >= int(before[name])
    assert (numbers, hand.numbers()) == ({1, 2, 3}, {4, 5, 6})

    assert hand.abandoned() == []
    assert all(terminal.running() for terminal in hand.terminals)
    assert not any("Traceback" in terminal.said() for terminal in hand.terminals)


def report(hand: ByHand) -> Letter:
    """A report of the CSO on the quarter that ended last, for an EMSP of its own."""
    peer = market(cso_app.load(hand.folder / "cso")).peers["dso"]
    end = floor(datetime.now(UTC), QUARTER)
    values = tuple(ValueType(Decimal(2), "A", phase) for phase in (1, 2, 3))
    usage = CableUsage(CABLE, (UsageBlock(end - QUARTER, end, values),), "journey")
    body = UpdateAggregatedUsageRequest((usage,))
    return letter(peer, body, now=datetime.now(UTC), message_id=str(uuid4()))


async def post(hand: ByHand, one: Letter) -> bytes:
    """Bring a letter to the DSO as the CSO would; gives the answer."""
    files = (hand.folder / "cso" / name for name in ("cso.pem", "cso.key", "ca.pem"))
    peer = market(cso_app.load(hand.folder / "cso")).peers["dso"]
    async with OscpClient(tls.client_context(*files)) as client:
        response = await client(peer.url, one.data, soap.content_type(one.operation, peer.profile))
    assert response.status == 200, response.data
    return response.data


def settled(hand: ByHand, message_id: str) -> str:
    """What became of a letter of the CSO."""
    (row,) = hand.rows("cso", sa.select(OUTBOX).where(OUTBOX.c.message_id == message_id))
    return str(row.state)
