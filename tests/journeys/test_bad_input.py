"""What comes in and is wrong: told with its place, nothing raised or stored but the refusal, and the service goes on.

Both back offices listen on loopback; after each refusal a good message is taken as if nothing had been.
"""

import asyncio
import gzip
import json
import re
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

import httpx2
import pytest
import sqlalchemy as sa

from gridroom.config import read
from gridroom.cso.settings import CsoConfig
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Detail,
    Envelope,
    Fault,
    Forecast,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    Request,
    RequestAdjustedCapacityRequest,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import Peer, letter, result_of
from gridroom.security import pki, tls
from gridroom.storage.database import Database
from gridroom.timegrid import QUARTER, floor
from offices_online import CABLE, FOREIGN, Online, flat, online

Contents = dict[str, list[tuple[Any, ...]]]

REFUSALS = ("inbox", "deviations", "clocks", "waits", "reading_counts")
"""Where a refusal itself may be kept: the answer for whoever asks again, what was odd about a peer's messages, how far
its clock is from ours, how long it waited, and how many readings were refused and why."""

DATED = "dated "
"""Name of the fact when the DSO wrote to somebody last, an answer included."""


@pytest.fixture
async def offices(tmp_path: Path) -> AsyncIterator[Online]:
    def one_cable_only(text: str) -> str:
        assert 'party = "meter-1"' in text
        return text.replace('party = "meter-1"', f'party = "meter-1"\ncables = ["{CABLE}"]')

    async with online(tmp_path, one_cable_only) as both:
        pki.issue(tmp_path / "pki", "rival")
        yield both


def contents(db: Database) -> Contents:
    """All rows of all tables but what a refusal itself may leave."""
    with db.transact() as tx:
        names = set(sa.inspect(tx).get_table_names()) - set(REFUSALS)
        rows = {name: [tuple(row) for row in tx.exec_driver_sql(f'SELECT * FROM "{name}"')] for name in names}
    return {name: [row for row in found if not str(row[0]).startswith(DATED)] for name, found in rows.items()}


@asynccontextmanager
async def unmoved(offices: Online) -> AsyncIterator[None]:
    """Whatever happens inside: neither office keeps anything of it, and both take a good message afterwards."""
    before = contents(offices.dso_db), contents(offices.cso_db)
    yield
    assert (contents(offices.dso_db), contents(offices.cso_db)) == before
    assert offices.book().heard_at is None
    assert (await told_dso(offices, usage())).type is ResultType.SUCCESS
    assert (await told_cso(offices, HeartbeatRequest(300, 900))).type is ResultType.SUCCESS


def seen_by_cso(offices: Online) -> Peer:
    """The DSO as the CSO writes to it."""
    return offices.cso.market.peers["dso"]


def seen_by_dso(offices: Online) -> Peer:
    """The CSO as the DSO writes to it."""
    return offices.dso.peers["cso"]


def written(peer: Peer, body: Request) -> bytes:
    return letter(peer, body, now=datetime.now(UTC), message_id=str(uuid4())).data


async def said(offices: Online, name: str, url: str, data: bytes) -> Envelope | Fault:
    """What a service answers to bytes, by whose certificate they come."""
    answer = await offices.post(name, url, data)
    return soap.read_reply(answer.content)


async def told_dso(offices: Online, body: Request, name: str = "cso") -> Result:
    """The Result of a CSO's message to the DSO."""
    peer = replace(seen_by_cso(offices), own_id=name)
    return _result(await said(offices, name, offices.dso_url, written(peer, body)))


async def told_cso(offices: Online, body: Request) -> Result:
    """The Result of the DSO's message to the CSO."""
    return _result(await said(offices, "dso", offices.cso_url, written(seen_by_dso(offices), body)))


def _result(answer: Envelope | Fault) -> Result:
    assert isinstance(answer, Envelope), answer
    return result_of(answer.body)  # type: ignore[arg-type]


def errors(result: Result) -> list[tuple[str, str]]:
    return [(one.code, one.message) for one in result.details if one.level == "ERROR"]


def last_quarter() -> datetime:
    return floor(datetime.now(UTC), QUARTER) - QUARTER


def usage(*cables: str) -> UpdateAggregatedUsageRequest:
    start = last_quarter()
    block = UsageBlock(start, start + QUARTER, tuple(ValueType(Decimal(8), "A", phase) for phase in (1, 2, 3)))
    return UpdateAggregatedUsageRequest(tuple(CableUsage(cable, (block,)) for cable in cables or (CABLE,)))


def adjustment(*cables: str, ampere: int = 5) -> RequestAdjustedCapacityRequest:
    start = last_quarter() + 4 * QUARTER
    block = CapacityBlock(start, start + QUARTER, (ValueType(Decimal(ampere)),))
    return RequestAdjustedCapacityRequest(tuple(Adjustment(cable, (block,)) for cable in cables))


def forecast(*forecasts: Forecast) -> UpdateCableCapacityForecastRequest:
    return UpdateCableCapacityForecastRequest(forecasts)


# -- wrong certificate -------------------------------------------------------------------------------------------------


async def test_a_certificate_of_another_authority_gets_no_handshake(offices: Online, tmp_path: Path) -> None:
    other = tmp_path / "other"
    pki.init(other)
    for name in ("cso", "dso", "meter-1"):
        pki.issue(other, name, kind="meter" if name == "meter-1" else "party")
    async with unmoved(offices):
        for name, url, data in (
            ("cso", offices.dso_url, written(seen_by_cso(offices), usage())),
            ("dso", offices.cso_url, written(seen_by_dso(offices), forecast(flat(datetime.now(UTC), 99)))),
            ("meter-1", offices.meter_url, readings(reading())),
        ):
            forged = tls.client_context(other / f"{name}.pem", other / f"{name}.key", offices.ca)
            async with httpx2.AsyncClient(verify=forged, trust_env=False) as client:
                with pytest.raises(httpx2.TransportError):
                    await client.post(url, content=data, headers={"content-type": "application/soap+xml"})


async def test_a_service_of_another_authority_is_not_spoken_to(offices: Online, tmp_path: Path) -> None:
    pki.init(tmp_path / "other")
    async with unmoved(offices):
        cert, key = offices.files("cso")
        wary = tls.client_context(cert, key, tmp_path / "other" / "ca.pem")
        async with httpx2.AsyncClient(verify=wary, trust_env=False) as client:
            with pytest.raises(httpx2.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
                await client.post(offices.dso_url, content=written(seen_by_cso(offices), usage()))


async def test_certificates_of_others_are_told_whose_they_are(offices: Online) -> None:
    raising = written(seen_by_dso(offices), forecast(flat(datetime.now(UTC), 99)))
    async with unmoved(offices):
        fault = await said(offices, "stranger", offices.cso_url, raising)
        assert isinstance(fault, Fault)
        assert fault.sender
        assert "stranger is no party that we work with" in fault.reason
        fault = await said(offices, "stranger", offices.dso_url, written(seen_by_cso(offices), usage()))
        assert isinstance(fault, Fault)
        assert fault.sender
        assert "stranger is no party that we work with" in fault.reason
        answer = await offices.post("meter-1", offices.dso_url, written(seen_by_cso(offices), usage()))
        assert (answer.status_code, "names no party" in answer.text) == (403, True)
        answer = await offices.post("cso", offices.meter_url, readings(reading()), "application/json")
        assert (answer.status_code, "is of no meter known here" in answer.text) == (403, True)


# -- wrong sender ------------------------------------------------------------------------------------------------------


async def test_who_writes_the_senderid_of_another_is_refused_with_the_place(offices: Online) -> None:
    async with unmoved(offices):
        for name, url, peer, body in (
            ("cso", offices.dso_url, replace(seen_by_cso(offices), own_id="rival"), usage(FOREIGN)),
            ("rival", offices.dso_url, seen_by_cso(offices), adjustment(CABLE, ampere=-50)),
            (
                "dso",
                offices.cso_url,
                replace(seen_by_dso(offices), own_id="tso"),
                forecast(flat(datetime.now(UTC), 99)),
            ),
        ):
            fault = await said(offices, name, url, written(peer, body))
            assert isinstance(fault, Fault)
            assert fault.sender
            assert fault.reason.startswith("Envelope/Header/Parties/senderID: ")
            assert f"{peer.own_id!r} is not an id of {name}" in fault.reason


async def test_who_addresses_another_receiver_is_refused_with_the_place(offices: Online) -> None:
    async with unmoved(offices):
        fault = await said(offices, "cso", offices.dso_url, written(replace(seen_by_cso(offices), id="tso"), usage()))
        assert isinstance(fault, Fault)
        assert fault.reason == "Envelope/Header/Parties/receiverID: receiverID 'tso' is not an id of ours"


# -- malformed ---------------------------------------------------------------------------------------------------------

BOMB = b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
OUTSIDE = b'<!DOCTYPE a [<!ENTITY f SYSTEM "file:///etc/hostname">]>'


def edited(old: bytes, new: bytes, count: int = -1) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        assert old in data, old
        return data.replace(old, new, count)

    return edit


def nested(depth: int) -> Callable[[bytes], bytes]:
    """An element that nobody knows, inside itself again and again, in the header."""

    def nest(data: bytes) -> bytes:
        before, found, after = data.partition(b"Header>")
        assert found
        return before + found + b"<x>" * depth + b"</x>" * depth + after

    return nest


MALFORMED: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "nothing at all": (lambda _: b"", "XML"),
    "no XML": (lambda _: b"Dear DSO,", "not well-formed XML: "),
    "JSON": (lambda _: b'{"usage": 1}', "not well-formed XML: "),
    "zeros": (lambda _: bytes(100), "not well-formed XML: "),
    "cut short": (lambda data: data[: len(data) // 2], "not well-formed XML: "),
    "entities that grow": (lambda data: BOMB + data, "DOCTYPE"),
    "entities from a file": (lambda data: OUTSIDE + data, "DOCTYPE"),
    "UTF-16": (lambda data: data.decode().encode("utf-16"), "UTF-8"),
    "deep": (nested(100), "deep|depth"),
    "very deep": (nested(100_000), "deep|depth"),
    "no envelope": (lambda _: b"<a/>", "Envelope was expected"),
    "SOAP 1.1": (
        edited(b"http://www.w3.org/2003/05/soap-envelope", b"http://schemas.xmlsoap.org/soap/envelope/"),
        "1.2",
    ),
    "no body": (lambda data: data[: data.index(b":Body>")] + b":Body/></" + data.rsplit(b"</", 1)[1], "Body"),
    "an unknown operation": (edited(b"Request", b"Wish"), "Envelope/Body"),
    "no sender": (edited(b"senderID", b"sender"), "senderID"),
    "no date": (edited(b"DateTime", b"Date"), "DateTime"),
}


async def test_malformed_messages_get_a_fault_with_the_reason(offices: Online) -> None:
    good: dict[tuple[str, str], Callable[[], bytes]] = {
        ("cso", offices.dso_url): lambda: written(seen_by_cso(offices), usage()),
        ("dso", offices.cso_url): lambda: written(seen_by_dso(offices), forecast(flat(datetime.now(UTC), 99))),
    }
    async with unmoved(offices):
        for (name, url), write in good.items():
            for what, (spoil, told) in MALFORMED.items():
                answer = await offices.post(name, url, spoil(write()))
                fault = soap.read_reply(answer.content)
                assert isinstance(fault, Fault), what
                status = 500 if what == "SOAP 1.1" else 400  # there every Fault comes with 500
                assert (answer.status_code, fault.sender) == (status, True), what
                assert re.search(told, fault.reason), (what, fault.reason)
                assert "/etc" not in answer.text


async def test_bodies_that_are_no_message_are_refused_before_they_are_read(offices: Online) -> None:
    async with unmoved(offices):
        for url, name in ((offices.dso_url, "cso"), (offices.cso_url, "dso")):
            odd = await offices.post(name, url, b"<a/>", "application/json")
            assert (odd.status_code, "application/json" in odd.text) == (415, True)
            async with httpx2.AsyncClient(verify=offices.context(name), trust_env=False) as client:
                kind = {"content-type": "application/soap+xml", "content-encoding": "gzip"}
                bomb = gzip.compress(bytes(80_000_000), 9)
                answer = await client.post(url, content=bomb, headers=kind)
                assert (answer.status_code, "inflates to more than" in answer.text) == (400, True)
                assert (await client.delete(url)).status_code == 405
            assert b" 413 " in await announce(offices, name, url, 1 << 40)


async def announce(offices: Online, name: str, url: str, size: int) -> bytes:
    """Say that a body of a size will come; gives the first line of the answer."""
    parts = urlsplit(url)
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", parts.port, ssl=offices.context(name), server_hostname="localhost"
    )
    head = f"POST {parts.path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: {size}\r\n\r\n"
    writer.write(head.encode())
    await writer.drain()
    line = await asyncio.wait_for(reader.readline(), 10)
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()
    return line


async def test_a_message_with_another_body_under_a_known_id_is_refused(offices: Online) -> None:
    peer, now, same = seen_by_cso(offices), datetime.now(UTC), str(uuid4())
    first, second = (letter(peer, body, now=now, message_id=same).data for body in (usage(), adjustment(CABLE)))
    answer = await said(offices, "cso", offices.dso_url, first)
    assert _result(answer).type is ResultType.SUCCESS
    before = contents(offices.dso_db)
    fault = await said(offices, "cso", offices.dso_url, second)
    assert isinstance(fault, Fault)
    assert fault.reason.startswith("Envelope/Header/MessageID: ")
    assert f"{same} was used before for a message with another body" in fault.reason
    assert contents(offices.dso_db) == before
    assert await said(offices, "cso", offices.dso_url, first) == answer
    assert (await told_dso(offices, usage())).type is ResultType.SUCCESS


# -- unknown cable -----------------------------------------------------------------------------------------------------


def check_unknown(result: Result, cable: str) -> None:
    ((code, message),) = errors(result)
    assert code == "UNKNOWN_CABLE"
    assert message.startswith(f"{cable}: no connections on such a cable (Envelope/Body/")
    assert message.endswith("Cable/CableId)")


async def test_an_unknown_cable_is_named_and_the_others_are_served(offices: Online) -> None:
    for name in ("nowhere", FOREIGN):
        before = contents(offices.dso_db)
        for body in (usage(name), adjustment(name), GetCapacityForecastRequest((name,))):
            result = await told_dso(offices, body)
            assert result.type is ResultType.FAILED
            check_unknown(result, name)
        assert contents(offices.dso_db) == before
        mixed = await told_dso(offices, usage(name, CABLE))
        check_unknown(mixed, name)
        assert Detail("APPLIED", "1 cables applied") in mixed.details
        assert offices.dso.view(CABLE, last_quarter(), 1).reported["cso"].tolist() == [[800]] * 3

    now = datetime.now(UTC)
    before = contents(offices.cso_db)
    alone = await told_cso(offices, forecast(flat(now, 99, cable="nowhere")))
    assert errors(alone) == [("UNKNOWN_CABLE", "nowhere: no connections on such a cable")]
    assert contents(offices.cso_db) == before
    mixed = await told_cso(offices, forecast(flat(now, 99, cable="nowhere"), flat(now, 21)))
    assert [code for code, _ in errors(mixed)] == ["UNKNOWN_CABLE"]
    assert offices.book().limits(now, floor(now, QUARTER), 8).tolist() == [[2100] * 8] * 3


# -- a refused forecast lowers (row 14) --------------------------------------------------------------------------------


async def test_a_refused_forecast_lowers_to_the_offline_value_until_a_good_one_comes(offices: Online) -> None:
    now = datetime.now(UTC)
    start = floor(now, QUARTER)

    def limits() -> list[list[int]]:
        found: list[list[int]] = offices.book().limits(now, start, 8).tolist()
        return found

    assert (await told_cso(offices, forecast(flat(now, 40, later=8)))).type is ResultType.SUCCESS
    assert limits() == [[4000] * 8] * 3
    raised = written(seen_by_dso(offices), forecast(flat(now, 60, later=60)))
    broken = raised.replace(b">60.00<", b">sixty<", 1)
    assert broken != raised
    refused = _result(await said(offices, "dso", offices.cso_url, broken))
    assert refused.type is ResultType.FAILED
    ((code, message),) = errors(refused)
    assert (code, message.startswith(f"{CABLE}: ")) == ("INVALID_VALUE", True)
    assert limits() == [[800] * 8] * 3
    assert (await told_cso(offices, forecast(flat(now, 30)))).type is ResultType.SUCCESS
    assert limits() == [[3000] * 8] * 3


# -- readings ----------------------------------------------------------------------------------------------------------


def reading(cable: str = CABLE, start: datetime | None = None, **changes: Any) -> dict[str, Any]:
    moment = (start or last_quarter()).isoformat()
    return {"cable": cable, "time": moment, "seconds": 300, "l1": 10, "l2": 11, "l3": 12} | changes


def readings(*rows: dict[str, Any]) -> bytes:
    return json.dumps({"readings": rows}).encode()


async def test_readings_that_cannot_be_kept_are_told_one_by_one(offices: Online) -> None:
    future, past = (
        datetime.now(UTC).replace(microsecond=0, second=0) + timedelta(hours=1),
        datetime(2001, 1, 1, tzinfo=UTC),
    )
    wrong = {
        FOREIGN: (reading(FOREIGN), f"{FOREIGN} {last_quarter().isoformat()}: no such cable for this meter"),
        "nowhere": (reading("nowhere"), "nowhere "),
        "future": (reading(start=future), "ends after now"),
        "past": (reading(start=past), "is older than measurements are kept"),
        "no number": (reading(l2="much"), "readings[0]: L2: 'much' is no number"),
        "no zone": (reading(time="2026-01-01T00:00:00"), "readings[0]: time: '2026-01-01T00:00:00' has no zone"),
        "unknown field": (reading(l4=1), "readings[0]: "),
    }
    async with unmoved(offices):
        for what, (row, told) in wrong.items():
            answer = await offices.post("meter-1", offices.meter_url, readings(row), "application/json")
            assert answer.status_code == 422, what
            (finding,) = answer.json()["findings"]
            assert finding.startswith(told) or told in finding, (what, finding)
        for data, kind in ((b"{", "application/json"), (b"a,b\n1,2\n", "text/csv"), (b"\xff\xfe", "text/csv")):
            answer = await offices.post("meter-1", offices.meter_url, data, kind)
            assert answer.status_code == 400, data
            assert len(answer.text.splitlines()) == 1
        assert (await offices.post("meter-1", offices.meter_url, bytes(9_000_000), "text/csv")).status_code == 413
        for wide in (b"," * 8_000_000, b"time," + b",".join(b"c%d.L1" % i for i in range(4_000))):
            answer = await offices.post("meter-1", offices.meter_url, wide, "text/csv")
            assert (answer.status_code, "3000 columns" in answer.text) == (400, True)
    answer = await offices.post("meter-1", offices.meter_url, readings(reading(l1=1e12)), "application/json")
    assert answer.status_code == 422
    assert "states no possible current" in answer.json()["findings"][0]  # its block is flagged
    answer = await offices.post(
        "meter-1", offices.meter_url, readings(wrong["no number"][0], reading()), "application/json"
    )
    assert (answer.status_code, answer.json()["stored"], len(answer.json()["findings"])) == (200, 1, 1)


async def test_broken_rows_of_a_csv_delivery_are_told_and_the_others_kept(offices: Online) -> None:
    good = [f"{(last_quarter() - n * QUARTER).isoformat()},{CABLE},1,2,3" for n in range(3)]
    rows = ["time,cable,L1,L2,L3", good[0], "soon,cable-1,1,2,3", good[1], f"{good[2]},4", good[2]]
    answer = await offices.post("meter-1", offices.meter_url, "\n".join(rows).encode(), "text/csv")
    assert answer.status_code == 200
    assert answer.json()["stored"] == 3
    assert [text.partition(":")[0] for text in answer.json()["findings"]] == ["row 3", "row 5"]


# -- drivers' wishes ---------------------------------------------------------------------------------------------------


async def test_wishes_that_cannot_be_meant_are_told_by_field(offices: Online) -> None:
    token = read(offices.folder / "cso" / "cso.toml", CsoConfig).driver_token
    soon, past = (datetime.now(UTC) + timedelta(hours=hours) for hours in (3, -3))
    wrong: Iterable[tuple[bytes, str]] = [
        (b"", "body"),
        (b"{", "body"),
        (b"[]", "body"),
        (b"\xff", "body"),
        (b" " * 5000, "body"),
        (b'{"energy_kwh": 5}', "station"),
        (b'{"station": 1}', "station"),
        (b'{"station": "nowhere", "energy_kwh": 5}', "station"),
        (b'{"station": "station-1"}', "departure"),
        (b'{"station": "station-1", "departure": "tonight"}', "departure"),
        (b'{"station": "station-1", "departure": 17}', "departure"),
        (b'{"station": "station-1", "departure": "2026-01-01T10:00:00"}', "departure"),
        (json.dumps({"station": "station-1", "departure": past.isoformat()}).encode(), "departure"),
        (b'{"station": "station-1", "energy_kwh": -1}', "energy_kwh"),
        (b'{"station": "station-1", "energy_kwh": "5"}', "energy_kwh"),
        (b'{"station": "station-1", "energy_kwh": 1e9}', "energy_kwh"),
        (b'{"station": "station-1", "energy_kwh": true}', "energy_kwh"),
        (b'{"station": "station-1", "energy_kwh": 5, "price": 1}', "price"),
    ]
    good = json.dumps({"station": "station-1", "departure": soon.isoformat(), "energy_kwh": 5})
    async with unmoved(offices), httpx2.AsyncClient(verify=offices.context(None), trust_env=False) as app:
        shown = {"authorization": f"Bearer {token}"}
        for data, field in wrong:
            answer = await app.post(offices.wishes_url, content=data, headers=shown)
            assert answer.status_code == 400, data
            assert (answer.json()["accepted"], answer.json()["field"]) == (False, field), data
            assert answer.json()["error"].startswith(f"{field}: ")
        for given in ({}, {"authorization": "Bearer guess"}, {"authorization": token}):
            answer = await app.post(offices.wishes_url, content=good, headers=given)
            assert (answer.status_code, answer.json()["field"]) == (401, "authorization")
        assert (await app.get(offices.wishes_url, headers=shown)).status_code == 405
    async with httpx2.AsyncClient(verify=offices.context(None), trust_env=False) as app:
        answer = await app.post(offices.wishes_url, content=good, headers=shown)
    assert (answer.status_code, answer.json()) == (201, {"accepted": True})
