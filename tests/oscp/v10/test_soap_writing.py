"""The writer follows chapter 6, and says what it cannot say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridroom import xml
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Detail,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    Message,
    Refusal,
    Result,
    ResultType,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HEADER = Header("id-1", "dso", "cso", START + timedelta(microseconds=4609), to="https://cso.example/oscp")
ANSWER = Header("id-2", "cso", "dso", START, relates_to="id-1")


def forecast(start: datetime = START, end: datetime = START + QUARTER, **amount: object) -> Message:
    value = ValueType(**{"value": Decimal("24.00"), **amount})  # type: ignore[arg-type]
    block = ForecastedBlock(start, end, (value,), (ValueType(Decimal(0)),))
    return UpdateCableCapacityForecastRequest((Forecast("C1", (block,), ("R1",)),))


def written(body: Message, header: Header = HEADER, profile: PeerProfile = DEFAULT) -> str:
    return soap.write(header, body, profile).decode()


def body_of(text: str) -> str:
    return text.partition("<soap:Body>")[2].partition("</soap:Body>")[0]


def test_a_forecast_reads_like_6_1_1() -> None:
    assert body_of(written(forecast(phase=2))) == (
        '<UpdateCableCapacityForecastRequest xmlns="http://OSCP/CSP/2013/06/"><Forecast><Cable><CableId>C1</CableId>'
        "<Connection><ConnectionReferenceId>R1</ConnectionReferenceId></Connection></Cable><ForecastedBlock>"
        '<Capacity Unit="A" Phase="2">24.00</Capacity><StartTime>2026-01-01T10:00:00Z</StartTime>'
        '<EndTime>2026-01-01T10:14:59Z</EndTime><RemainingCapacity Unit="A">0.00</RemainingCapacity>'
        "</ForecastedBlock></Forecast></UpdateCableCapacityForecastRequest>"
    )


def test_an_empty_request_reads_like_6_4() -> None:
    text = body_of(written(GetCapacityForecastRequest()))
    assert text == '<GetCapacityForecastRequest xmlns="http://OSCP/DSO/2013/06/"/>'


def test_the_header_has_the_order_of_6_1_1() -> None:
    root = xml.parse(written(forecast()).encode())
    names = [xml.split(element.tag)[1] for element in root[0]]
    assert names == ["Action", "MessageID", "To", "ReplyTo", "Parties", "Priority", "DateTime"]
    assert root[0][0].text == "/UpdateCableCapacityForecast"
    assert root[0][-1].text == "2026-01-01T10:00:00.004Z"


def test_an_answer_relates_and_goes_to_nobody() -> None:
    text = written(GetCapacityForecastResponse(Result.success()), ANSWER)
    assert '<RelatesTo xmlns="http://www.w3.org/2005/08/addressing">id-1</RelatesTo>' in text
    assert (
        '<To xmlns="http://www.w3.org/2005/08/addressing">http://www.w3.org/2005/08/addressing/anonymous</To>' in text
    )
    assert "ReplyTo" not in text
    assert ">/GetCapacityForecastResponse</Action>" in text


def naive(moment: datetime) -> datetime:
    return moment.replace(tzinfo=None)


@pytest.mark.parametrize(
    "make",
    [
        lambda: written(forecast(start=naive(START))),
        lambda: written(forecast(end=naive(START + QUARTER), start=naive(START))),
        lambda: written(forecast(start=START + timedelta(microseconds=1))),
        lambda: written(forecast(end=START)),
        lambda: written(forecast(end=START + timedelta(seconds=59))),
        lambda: written(forecast(unit="Wh")),
        lambda: written(forecast(unit="mA")),
        lambda: written(forecast(phase=4)),
        lambda: written(forecast(value=Decimal("NaN"))),
        lambda: written(forecast(value=Decimal("Infinity"))),
        lambda: written(forecast(value=Decimal("1e500"))),
        lambda: written(UpdateCableCapacityForecastRequest(())),
        lambda: written(UpdateCableCapacityForecastRequest((Forecast("C1", ()),))),
        lambda: written(UpdateCableCapacityForecastRequest((), (Refusal("C1", "X", "x", "x"),))),
        lambda: written(GetCapacityForecastRequest((" C1",))),
        lambda: written(GetCapacityForecastRequest(("",))),
        lambda: written(GetCapacityForecastRequest(("x" * 201,))),
        lambda: written(GetCapacityForecastRequest(("\x00",))),
        lambda: written(HeartbeatRequest(0, 900)),
        lambda: written(HeartbeatRequest(1, 1), replace(HEADER, date_time=None)),
        lambda: written(HeartbeatRequest(1, 1), replace(HEADER, date_time=naive(START))),
        lambda: written(HeartbeatRequest(1, 1), replace(HEADER, message_id="")),
        lambda: written(HeartbeatRequest(1, 1), replace(HEADER, sender_id="x" * 65)),
        lambda: written(GetCapacityForecastResponse(Result.success()), HEADER),
        lambda: written(
            GetCapacityForecastResponse(Result(ResultType.FAILED, (Detail("A_CODE_TOO_LONG_", "m"),))), ANSWER
        ),
        lambda: written(GetCapacityForecastResponse(Result(ResultType.FAILED, (Detail("", "m"),))), ANSWER),
    ],
)
def test_what_the_protocol_cannot_say_is_our_own_error(make: Callable[[], str]) -> None:
    with pytest.raises(LocalError):
        make()
