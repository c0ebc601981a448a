"""Sections 3.2.3, 3.2.4 and 5.2: what else zeep gets from a running DSO and CSO, and what strangers get."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import requests
import zeep

from foreign.conversations import this_quarter, until
from gridroom.timegrid import QUARTER
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


def told(offices: Online) -> object:
    """How the DSO's forecasts fared."""
    return offices.dso.statistics()["messages"]["UpdateCableCapacityForecast"]  # type: ignore[index]


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
        assert detail.Message == f"{cable}: no connections on such a cable ({place})"


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
    assert "stranger is no party that we work with" in await asyncio.to_thread(
        talk, offices.cso_url, "Heartbeat", **beat
    )
    said = await asyncio.to_thread(talk, offices.dso_url, "GetCapacityForecast")
    assert "stranger is no party that we work with" in said
    assert offices.book().heard_at is None


async def test_messages_of_zeep_have_ids_of_their_own(offices: Online) -> None:
    def twice(cso: Toolkit) -> list[str]:
        return [cso.call("GetCapacityForecast").Result.Type for _ in range(2)]

    assert await to_dso(offices, twice) == ["SUCCESS", "SUCCESS"]
    with offices.dso_db.transact() as tx:
        ids = [row.message_id for row in tx.exec_driver_sql("SELECT message_id FROM inbox")]
    assert len({uuid.UUID(one.removeprefix("urn:uuid:")) for one in ids}) == 2
