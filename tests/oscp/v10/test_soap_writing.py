"""The writer follows chapter 6, and says what it cannot say."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from gridroom import xml
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Detail,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    Message,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
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


def test_the_profile_names_the_address() -> None:
    text = written(HeartbeatRequest(1, 1), profile=PeerProfile(to_url="HTTPS://Peer.Example/a b?c=1&d"))
    assert ">HTTPS://Peer.Example/a b?c=1&amp;d</To>" in text


def test_ends_are_inclusive_or_exclusive() -> None:
    assert "T10:15:00Z</EndTime>" in written(forecast(), profile=PeerProfile(ends="exclusive"))
    off_minute = forecast(end=START + timedelta(seconds=90))
    assert "T10:01:30Z</EndTime>" in written(off_minute)


def test_other_zones_become_utc() -> None:
    amsterdam = timezone(timedelta(hours=1))
    assert written(forecast(START.astimezone(amsterdam))) == written(forecast())


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("24", "24.00"),
        ("24.999", "24.99"),
        ("-0.001", "-0.01"),
        ("-12.5", "-12.50"),
        ("-0", "0.00"),
        ("1E+2", "100.00"),
    ],
)
def test_capacities_have_two_decimals_towards_less(value: str, text: str) -> None:
    assert f">{text}</Capacity>" in written(forecast(value=Decimal(value)))


@pytest.mark.parametrize(("value", "text"), [("1.005", "1.00"), ("1.015", "1.02"), ("-3", "-3.00")])
def test_usage_is_rounded_half_even(value: str, text: str) -> None:
    block = UsageBlock(START, START + QUARTER, (ValueType(Decimal(value), "Wh", 1),))
    assert f">{text}</Usage>" in written(UpdateAggregatedUsageRequest((CableUsage("C1", (block,)),)))


def test_more_digits_than_a_context_holds_are_still_cut_towards_less() -> None:
    nines = "9" * 40 + ".999"
    assert f">{'9' * 40}.99</Capacity>" in written(forecast(value=Decimal(nines)))


def test_results() -> None:
    def result(kind: ResultType, *details: Detail, profile: PeerProfile = DEFAULT) -> str:
        return written(GetCapacityForecastResponse(Result(kind, details)), ANSWER, profile)

    assert (
        "<Result><Type>SUCCESS</Type><Details><Detail><Code>MESSAGE_PROCESSED</Code><Level>INFO</Level>"
        "<Message>Processed.</Message><Description>MESSAGE_PROCESSED</Description></Detail></Details></Result>"
    ) in result(ResultType.SUCCESS)
    assert "<Code>PROCESSED</Code>" in result(ResultType.SUCCESS, profile=PeerProfile(success_code="PROCESSED"))
    assert "Description" not in result(ResultType.SUCCESS, profile=PeerProfile(description=False))
    assert "<Type>NOT ALLOWED</Type>" in result(ResultType.NOT_ALLOWED)
    assert "<Code>NOT_IMPLEMENTED</Code>" in result(ResultType.NOT_IMPLEMENTED)
    assert f"<Message>{'m' * 254}</Message>" in result(ResultType.FAILED, Detail("CODE", "m" * 300))
    assert "<Message>CODE</Message>" in result(ResultType.FAILED, Detail("CODE", " "))


def test_adjustments_stand_before_the_result_unless_told_otherwise() -> None:
    block = CapacityBlock(START, START + QUARTER, (ValueType(Decimal(0)),), (ValueType(Decimal(1)),))
    answer = RequestAdjustedCapacityResponse((Adjustment("C1", (block,)),), Result.success())
    assert body_of(written(answer, ANSWER)).index("<Adjustment>") < body_of(written(answer, ANSWER)).index("<Result>")
    turned = body_of(written(answer, ANSWER, PeerProfile(adjustment_first=False)))
    assert turned.index("<Result>") < turned.index("<Adjustment>")


def test_an_emsp_is_written_where_set_and_wanted() -> None:
    block = UsageBlock(START, START + QUARTER, (ValueType(Decimal(0), "Wh"),))
    usage = UpdateAggregatedUsageRequest((CableUsage("C1", (block,), "E1"),))
    assert "</Cable><EMSP>E1</EMSP><UsageBlock>" in written(usage)
    assert "EMSP" not in written(usage, profile=PeerProfile(emsp="never"))


def test_a_request_carries_no_remaining_capacity() -> None:
    block = CapacityBlock(START, START + QUARTER, (ValueType(Decimal(1)),), (ValueType(Decimal(1)),))
    assert "Remaining" not in written(RequestAdjustedCapacityRequest((Adjustment("C1", (block,)),)))


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
