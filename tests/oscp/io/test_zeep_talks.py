"""Section 5.1: zeep reads the WSDL of a running DSO and a running CSO and holds all five exchanges, over mutual TLS."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep

from gridroom.cso.store import Store
from gridroom.dso.measurements import Reading
from gridroom.timegrid import QUARTER, floor
from offices_online import CABLE, FOREIGN, Online, online

SECONDS = 20


@pytest.fixture
async def offices(tmp_path: Path) -> AsyncIterator[Online]:
    async with online(tmp_path) as both:
        yield both


class Toolkit:
    """What zeep made of a WSDL, calling as one party."""

    def __init__(self, session: requests.Session, url: str, sender: str, receiver: str) -> None:
        transport = zeep.Transport(session=session, timeout=SECONDS, operation_timeout=SECONDS)  # type: ignore[no-untyped-call]
        self.service: Any = zeep.Client(f"{url}?wsdl", transport=transport).service  # type: ignore[no-untyped-call]
        self.parties = {"senderID": sender, "receiverID": receiver}

    def call(self, operation: str, **arguments: Any) -> Any:
        headers = {"Parties": self.parties, "Priority": 0, "DateTime": datetime.now(UTC)}
        answer = getattr(self.service, operation)(_soapheaders=headers, **arguments)
        assert answer.header.Parties.senderID == self.parties["receiverID"]
        return answer.body


@contextmanager
def plain_session(offices: Online, certificate: str | None) -> Iterator[requests.Session]:
    """As `requests` users make it; the machine's proxies and authorities do not count."""
    with requests.Session() as session:
        session.trust_env = False
        session.verify = str(offices.ca)
        if certificate is not None:
            cert, key = offices.files(certificate)
            session.cert = (str(cert), str(key))
        yield session


def to_dso(offices: Online, act: Callable[[Toolkit], Any]) -> Awaitable[Any]:
    """What a CSO's toolkit does with the DSO's service, in a thread of its own."""

    def talk() -> Any:
        with plain_session(offices, "cso") as session:
            return act(Toolkit(session, offices.dso_url, "cso", "dso"))

    return asyncio.to_thread(talk)


def to_cso(offices: Online, act: Callable[[Toolkit], Any]) -> Awaitable[Any]:
    """What a DSO's toolkit does with the CSO's service."""

    def talk() -> Any:
        with plain_session(offices, "dso") as session:
            return act(Toolkit(session, offices.cso_url, "dso", "cso"))

    return asyncio.to_thread(talk)


def amount(value: float, unit: str = "A", phase: int | None = None) -> dict[str, Any]:
    return {"_value_1": Decimal(str(value)), "Unit": unit, "Phase": phase}


def this_quarter() -> datetime:
    return floor(datetime.now(UTC), QUARTER)


def told(offices: Online) -> object:
    """How the DSO's forecasts fared."""
    return offices.dso.statistics()["messages"]["UpdateCableCapacityForecast"]  # type: ignore[index]


async def until(check: Callable[[], bool]) -> None:
    async with asyncio.timeout(SECONDS):
        while not check():
            await asyncio.sleep(0.02)


# -- the CSO's service -------------------------------------------------------------------------------------------------


async def test_a_forecast_of_zeep_is_in_the_cso_book(offices: Online) -> None:
    start = this_quarter()
    blocks = [
        {
            "Capacity": [amount(33, phase=1), amount(22.5, phase=2), amount(11, phase=3)],
            "StartTime": start + i * QUARTER,
            "EndTime": start + (i + 1) * QUARTER,
            "RemainingCapacity": [amount(5)],
        }
        for i in range(96)
    ]
    forecast = {"Cable": {"CableId": CABLE}, "ForecastedBlock": blocks}
    body = await to_cso(offices, lambda dso: dso.call("UpdateCableCapacityForecast", Forecast=[forecast]))
    assert body.Result.Type == "SUCCESS"
    limits = offices.book().limits(datetime.now(UTC), start + QUARTER, 90)
    assert limits.tolist() == [[3300] * 90, [2250] * 90, [1100] * 90]
    assert offices.book().remaining_at(start + QUARTER, 1).tolist() == [[500]] * 3


async def test_a_heartbeat_of_zeep_is_heard_by_the_cso(offices: Online) -> None:
    before = datetime.now(UTC)
    body = await to_cso(offices, lambda dso: dso.call("Heartbeat", HeartBeatTimeInterval=300, ForecastTimeInterval=900))
    assert body.Result.Type == "SUCCESS"
    assert abs(body.CurrentTime - before) < timedelta(seconds=SECONDS)
    with offices.cso_db.transact() as tx:
        watch = Store(tx).watch("dso")
    assert watch is not None
    assert watch.last >= before


# -- the DSO's service -------------------------------------------------------------------------------------------------


async def test_who_asks_for_forecasts_by_zeep_is_sent_them(offices: Online) -> None:
    assert offices.book().heard_at is None
    body = await to_dso(offices, lambda cso: cso.call("GetCapacityForecast", Cable=[{"CableId": CABLE}]))
    assert body.Result.Type == "SUCCESS"
    await until(lambda: offices.book().heard_at is not None)
    soon = this_quarter() + QUARTER
    allotted = offices.dso.view(CABLE, soon, 8).allotments["cso"]
    assert (offices.book().limits(datetime.now(UTC), soon, 8) == allotted).all()
    await until(lambda: told(offices) == {"sent": 1, "acknowledged": 1, "refused": 0})


async def test_an_unknown_cable_is_told_to_zeep_by_name(offices: Online) -> None:
    for cable in ("nowhere", FOREIGN):
        asked = [{"CableId": cable}]
        body = await to_dso(offices, partial(Toolkit.call, operation="GetCapacityForecast", Cable=asked))
        assert body.Result.Type == "FAILED"
        detail = body.Result.Details.Detail[0]
        assert (detail.Code, detail.Level) == ("UNKNOWN_CABLE", "ERROR")
        place = "Envelope/Body/GetCapacityForecastRequest/Cable/CableId"
        assert detail.Message == f"{cable}: you have no connections on such a cable ({place})"


async def test_what_zeep_gives_back_and_asks_for_changes_the_allotment(offices: Online) -> None:
    now, start = datetime.now(UTC), this_quarter() + 4 * QUARTER
    past = (this_quarter() - n * QUARTER for n in range(1, 8 * 96))
    offices.dso.record_readings([Reading(CABLE, moment, 900, (2000, 2000, 2000)) for moment in past])
    await offices.dso.publish(now)
    before = int(offices.dso.view(CABLE, start, 1).allotments["cso"].min())
    assert before > 1000

    def adjustment(ampere: float) -> dict[str, Any]:
        block = {"Capacity": [amount(ampere)], "StartTime": start, "EndTime": start + QUARTER}
        return {"Cable": {"CableId": CABLE}, "CapacityBlock": [block]}

    body = await to_dso(offices, lambda cso: cso.call("RequestAdjustedCapacity", Adjustment=[adjustment(-10)]))
    assert body.Result.Type == "SUCCESS"
    (block,) = body.Adjustment[0].CapacityBlock
    assert {value._value_1 for value in block.Capacity} == {Decimal(-10)}
    assert (block.StartTime, block.EndTime) == (start, start + QUARTER - timedelta(seconds=1))  # its profile's ends
    assert int(offices.dso.view(CABLE, start, 1).allotments["cso"].min()) == before - 1000

    body = await to_dso(offices, lambda cso: cso.call("RequestAdjustedCapacity", Adjustment=[adjustment(4000)]))
    assert body.Result.Type == "FAILED"
    assert "NO_CAPACITY" in [detail.Code for detail in body.Result.Details.Detail]
    (block,) = body.Adjustment[0].CapacityBlock
    granted = int(min(value._value_1 for value in block.Capacity) * 100)
    assert int(offices.dso.view(CABLE, start, 1).allotments["cso"].min()) == before - 1000 + granted


async def test_usage_that_zeep_reports_is_kept_by_the_dso(offices: Online) -> None:
    end = this_quarter()
    usage = [*(amount(460, "Wh", phase) for phase in (1, 2, 3)), *(amount(8, "A", phase) for phase in (1, 2, 3))]
    container = {
        "Cable": {"CableId": CABLE},
        "UsageBlock": [{"Usage": usage, "StartTime": end - QUARTER, "EndTime": end}],
    }
    body = await to_dso(offices, lambda cso: cso.call("UpdateAggregatedUsage", Usage=[container]))
    assert body.Result.Type == "SUCCESS"
    assert offices.dso.view(CABLE, end - QUARTER, 1).reported["cso"].tolist() == [[800]] * 3


# -- strangers ---------------------------------------------------------------------------------------------------------


async def test_zeep_without_a_certificate_gets_no_handshake_and_no_wsdl(offices: Online) -> None:
    def knock(url: str) -> None:
        with plain_session(offices, None) as session, pytest.raises(requests.exceptions.ConnectionError):
            Toolkit(session, url, "cso", "dso")

    for url in (offices.dso_url, offices.cso_url):
        await asyncio.to_thread(knock, url)


async def test_zeep_with_the_certificate_of_another_gets_a_fault_or_a_refusal(offices: Online) -> None:
    def talk(url: str, operation: str, **arguments: Any) -> str:
        with plain_session(offices, "stranger") as session, pytest.raises(zeep.exceptions.Error) as caught:
            Toolkit(session, url, "cso", "dso").call(operation, **arguments)
        return str(caught.value)

    beat = {"HeartBeatTimeInterval": 300, "ForecastTimeInterval": 900}
    assert "stranger is no DSO that we work with" in await asyncio.to_thread(talk, offices.cso_url, "Heartbeat", **beat)
    assert "403" in await asyncio.to_thread(talk, offices.dso_url, "GetCapacityForecast")
    assert offices.book().heard_at is None


async def test_messages_of_zeep_have_ids_of_their_own(offices: Online) -> None:
    def twice(cso: Toolkit) -> list[str]:
        return [cso.call("GetCapacityForecast").Result.Type for _ in range(2)]

    assert await to_dso(offices, twice) == ["SUCCESS", "SUCCESS"]
    with offices.dso_db.transact() as tx:
        ids = [row.message_id for row in tx.exec_driver_sql("SELECT message_id FROM inbox")]
    assert len({uuid.UUID(one.removeprefix("urn:uuid:")) for one in ids}) == 2
