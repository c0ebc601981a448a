"""What is read, tolerated and refused; the numbers are those of docs/deviations.md."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Envelope,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    Level,
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

START = datetime(2026, 1, 1, 10, tzinfo=UTC)
QUARTER = timedelta(minutes=15)
HEADER = Header("id-1", "dso", "cso", START, to="https://cso.example/oscp", relates_to="")
ANSWER = Header("id-2", "cso", "dso", START, relates_to="id-1")
AMOUNT = (ValueType(Decimal("24.00")),)
LEFT = (ValueType(Decimal("1.00")),)

FORECAST = UpdateCableCapacityForecastRequest(
    tuple(Forecast(cable, (ForecastedBlock(START, START + QUARTER, AMOUNT, LEFT),)) for cable in ("C1", "C2"))
)
REQUEST = RequestAdjustedCapacityRequest((Adjustment("C1", (CapacityBlock(START, START + QUARTER, AMOUNT),)),))
USAGE = UpdateAggregatedUsageRequest(
    (CableUsage("C1", (UsageBlock(START, START + QUARTER, (ValueType(Decimal("24.00"), "Wh", 1),)),)),)
)


def changed(body: Message, *swaps: tuple[str, str]) -> bytes:
    """A written message with the first place of each text changed."""
    answer = type(body).__name__.endswith("Response")
    text = soap.write(ANSWER if answer else HEADER, body).decode()
    for old, new in swaps:
        assert old in text
        text = text.replace(old, new, 1)
    return text.encode()


def read(body: Message, *swaps: tuple[str, str]) -> Envelope:
    return soap.read(changed(body, *swaps))


def rows(envelope: Envelope) -> set[int]:
    return {deviation.row for deviation in envelope.deviations}


def refusals(envelope: Envelope) -> Sequence[Refusal]:
    refused: Sequence[Refusal] = envelope.body.refused  # type: ignore[union-attr]
    return refused


def fault(body: Message, *swaps: tuple[str, str]) -> RemoteError:
    with pytest.raises(RemoteError) as caught:
        read(body, *swaps)
    assert caught.value.sender
    return caught.value


def only_second_cable(envelope: Envelope) -> Refusal:
    """The first cable is refused, the second stands."""
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    assert [forecast.cable_id for forecast in envelope.body.forecasts] == ["C2"]
    (refusal,) = envelope.body.refused
    assert refusal.cable_id == "C1"
    assert len(refusal.code) <= 15
    assert refusal.path.startswith("Envelope/Body/UpdateCableCapacityForecastRequest/Forecast[1]")
    return refusal


class TestNames:
    """Row 1."""

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("<CableId>C1</CableId>", "<CableID>C1</CableID>"),
            ('<Capacity Unit="A">24.00</Capacity>', '<capacity unit="A">24.00</capacity>'),
            ('<Capacity Unit="A">24.00</Capacity>', '<Capacity unitOfMeasure="A">24.00</Capacity>'),
            ('<Capacity Unit="A">24.00</Capacity>', '<Capacity UNIT="A"><Value>24.00</Value></Capacity>'),
            ("<StartTime>2026-01-01T10:00:00Z</StartTime>", "<startTime>2026-01-01T10:00:00Z</startTime>"),
            ('<RemainingCapacity Unit="A">1.00</', '<RemainingCapacity UnitOfMeasure="A">1.00</'),
        ],
    )
    def test_any_letter_case_means_the_same(self, old: str, new: str) -> None:
        envelope = read(FORECAST, (old, new))
        assert envelope.body == FORECAST
        assert rows(envelope) == {1}

    @pytest.mark.parametrize("name", ["Heartbeat", "HeartbeatMessage", "HeartbeatRequestMessage", "heartbeatrequest"])
    def test_a_body_has_four_names(self, name: str) -> None:
        envelope = read(
            HeartbeatRequest(300, 900), ("<HeartbeatRequest", f"<{name}"), ("/HeartbeatRequest", f"/{name}")
        )
        assert envelope.body == HeartbeatRequest(300, 900)
        assert rows(envelope) == {1}

    def test_one_name_in_two_spellings_is_refused(self) -> None:
        error = fault(FORECAST, ("<StartTime>", "<startTime>2026-01-01T10:00:00Z</startTime><StartTime>"))
        assert error.path.endswith("Forecast[1]/ForecastedBlock/StartTime")
        refusal = only_second_cable(read(FORECAST, ('Unit="A"', 'Unit="A" unit="W"')))
        assert refusal.code == "INVALID_VALUE"

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ('Unit="A"', 'Unit="A" Scale="10"'),
            ('Unit="A"', 'Unit="A" x:Unit="kW" xmlns:x="urn:x"'),
            (">24.00<", ">24.00<Scale>10</Scale><"),
            (">24.00<", "><Value>24.00</Value><Value>1</Value><"),
            (">24.00<", ">24.00<Value>1</Value><"),
            (">24.00<", "><Value Scale='2'>24.00</Value><"),
            ('<RemainingCapacity Unit="A">', '<RemainingCapacity Unit="A" Scale="10">'),
        ],
    )
    def test_what_is_unknown_on_an_amount_refuses_its_cable(self, old: str, new: str) -> None:
        assert only_second_cable(read(FORECAST, (old, new))).code in {"UNKNOWN_FIELD", "INVALID_VALUE"}

    def test_xsi_and_enc_attributes_are_known(self) -> None:
        attributes = (
            'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="d" xsi:nil="false" '
            'xmlns:enc="http://www.w3.org/2003/05/soap-encoding" enc:itemType="d"'
        )
        envelope = read(FORECAST, ('<Capacity Unit="A"', f'<Capacity Unit="A" {attributes}'))
        assert envelope == soap.read(changed(FORECAST))

    def test_unknown_elements_elsewhere_are_ignored(self) -> None:
        envelope = read(FORECAST, ("<ForecastedBlock>", "<ForecastedBlock><Colour>red</Colour>"))
        assert envelope.body == FORECAST
        assert rows(envelope) == {35}

    def test_a_known_name_in_a_foreign_namespace_is_refused(self) -> None:
        assert "namespace" in fault(FORECAST, ("<Capacity ", '<Capacity xmlns="urn:foreign" ')).reason

    def test_children_without_namespace_are_read(self) -> None:
        envelope = read(FORECAST, ("<CableId>C1", '<CableId xmlns="">C1'))
        assert envelope.body == FORECAST
        assert rows(envelope) == {23}


class TestOrder:
    """Row 2."""

    def test_any_order_of_children(self) -> None:
        moved = '<RemainingCapacity Unit="A">1.00</RemainingCapacity>'
        envelope = read(FORECAST, (moved, ""), ("<ForecastedBlock>", f"<ForecastedBlock>{moved}"))
        assert envelope.body == FORECAST
        assert envelope.deviations == ()


class TestUnits:
    """Row 4."""

    @pytest.mark.parametrize(
        ("spelled", "unit", "deviates"),
        [
            ('Unit="A"', "A", False),
            ("", "A", False),
            ('Unit="Amp"', "A", True),
            ('Unit="Amps"', "A", True),
            ('Unit="a"', "A", True),
            ('Unit="KW"', "kW", True),
            ('Unit="W"', "W", False),
        ],
    )
    def test_units_of_capacity(self, spelled: str, unit: str, deviates: bool) -> None:
        envelope = read(REQUEST, ('Unit="A"', spelled))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].capacity[0].unit == unit
        assert rows(envelope) == ({4} if deviates else set())

    @pytest.mark.parametrize("unit", ["Wh", "kWh", "V", "kvar", "", "mA", "pct"])
    def test_other_units_cannot_limit_a_capacity(self, unit: str) -> None:
        assert only_second_cable(read(FORECAST, ('Unit="A"', f'Unit="{unit}"'))).code == "INVALID_UNIT"

    @pytest.mark.parametrize("unit", ["A", "W", "kW", "Wh", "kWh", "wh"])
    def test_units_of_usage(self, unit: str) -> None:
        envelope = read(USAGE, ('Unit="Wh"', f'Unit="{unit}"'))
        assert refusals(envelope) == ()

    @pytest.mark.parametrize("spelled", ['Unit="V"', "", 'Unit="varh"'])
    def test_a_usage_must_name_a_unit_of_use(self, spelled: str) -> None:
        (refusal,) = refusals(read(USAGE, ('Unit="Wh"', spelled)))
        assert refusal.code == "INVALID_UNIT"


class TestPhases:
    """Row 5."""

    @pytest.mark.parametrize("phase", ["0", "4", "-1", "L1", "1.0", "", "1 2"])
    def test_a_phase_is_1_2_or_3(self, phase: str) -> None:
        refusal = only_second_cable(read(FORECAST, ('Unit="A"', f'Unit="A" Phase="{phase}"')))
        assert refusal.code == "INVALID_PHASE"

    def test_four_capacities_break_the_schema(self) -> None:
        one = '<Capacity Unit="A">24.00</Capacity>'
        fault(FORECAST, (one, one * 4))
        assert isinstance(read(FORECAST, (one, one * 3)).body, UpdateCableCapacityForecastRequest)


class TestResults:
    """Rows 7 to 10."""

    @pytest.mark.parametrize(
        ("word", "meant", "row"),
        [
            ("SUCCES", ResultType.SUCCESS, 7),
            ("ok", ResultType.SUCCESS, 7),
            ("Success", ResultType.SUCCESS, 7),
            ("NOT_ALLOWED", ResultType.NOT_ALLOWED, 8),
            ("notimplemented", ResultType.NOT_IMPLEMENTED, 8),
            ("Not Implemented", ResultType.NOT_IMPLEMENTED, 8),
            ("failed", ResultType.FAILED, 8),
            ("FINE", ResultType.ERROR, 7),
            ("", ResultType.ERROR, 7),
        ],
    )
    def test_spellings_and_an_unknown_one_is_never_success(self, word: str, meant: ResultType, row: int) -> None:
        answer = GetCapacityForecastResponse(Result.success())
        envelope = read(answer, ("<Type>SUCCESS</Type>", f"<Type>{word}</Type>"))
        assert isinstance(envelope.body, GetCapacityForecastResponse)
        assert envelope.body.result.type is meant
        assert rows(envelope) == {row}

    @pytest.mark.parametrize(
        ("old", "new", "code", "message"),
        [
            ("<Message>Processed.</Message>", "<Message/>", "MESSAGE_PROCESSED", ""),
            ("<Message>Processed.</Message>", "", "MESSAGE_PROCESSED", ""),
            ("<Detail>", "<Detail><Extra>1</Extra>", "MESSAGE_PROCESSED", "Processed."),
            ("<Code>MESSAGE_PROCESSED</Code>", f"<Code>{'x' * 99}</Code>", "x" * 64, "Processed."),
        ],
    )
    def test_odd_details(self, old: str, new: str, code: str, message: str) -> None:
        envelope = read(GetCapacityForecastResponse(Result.success()), (old, new))
        assert isinstance(envelope.body, GetCapacityForecastResponse)
        (detail,) = envelope.body.result.details
        assert (detail.code, detail.message) == (code, message)
        assert rows(envelope) <= {10, 35}

    def test_details_without_inner_detail_or_absent(self) -> None:
        answer = GetCapacityForecastResponse(Result.success())
        bare = read(answer, ("<Detail>", ""), ("</Detail>", "")).body
        assert isinstance(bare, GetCapacityForecastResponse)
        assert bare.result.details[0].code == "MESSAGE_PROCESSED"
        text = changed(answer).decode()
        start, end = text.index("<Details>"), text.index("</Details>") + len("</Details>")
        without = soap.read((text[:start] + text[end:]).encode()).body
        assert isinstance(without, GetCapacityForecastResponse)
        assert without.result == Result(ResultType.SUCCESS)

    def test_an_unknown_level_is_tolerated(self) -> None:
        envelope = read(GetCapacityForecastResponse(Result.success()), (">INFO<", ">FATAL<"))
        assert isinstance(envelope.body, GetCapacityForecastResponse)
        assert envelope.body.result.details[0].level is Level.INFO
        assert rows(envelope) == {10}


class TestTimes:
    """Rows 11 to 13."""

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("2026-01-01T10:00:00Z", START),
            ("2026-01-01T10:00:00.1234567Z", START + timedelta(microseconds=123456)),
            ("2026-01-01T11:00:00+01:00", START),
            ("2026-01-01T00:00:00-10:00", START),
            (" 2026-01-01T10:00:00Z\n", START),
            ("2025-12-31T24:00:00Z", START - timedelta(hours=10)),
        ],
    )
    def test_times(self, text: str, meant: datetime) -> None:
        envelope = read(REQUEST, ("2026-01-01T10:00:00Z", text))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].start == meant
        assert rows(envelope) == ({11} if text[-1] in "0" else set())

    @pytest.mark.parametrize(
        "text",
        [
            *("", "now", "2026-01-01", "2026-1-1T10:00:00Z", "2026-02-30T10:00:00Z", "2026-01-01T10:00Z"),
            *("2026-01-01T25:00:00Z", "2026-01-01T24:00:01Z", "2026-01-01T10:00:60Z", "2026-01-01 10:00:00Z"),
            *("2026-01-01T10:00:00z", "2026-01-01T10:00:00+15:00", "2026-01-01T10:00:00+01", "0000-01-01T10:00:00Z"),
            *("9999-12-31T24:00:00Z", "0001-01-01T00:00:00+10:00", "2026-01-01T10:00:00.Z", "२०२६-01-01T10:00:00Z"),
        ],
    )
    def test_nonsense_refuses_its_cable(self, text: str) -> None:
        assert only_second_cable(read(FORECAST, ("2026-01-01T10:00:00Z", text))).code == "INVALID_TIME"

    def test_no_zone_is_utc_with_a_deviation(self) -> None:
        envelope = read(REQUEST, ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00"))
        assert envelope.body == REQUEST
        assert rows(envelope) == {11}

    def test_a_forecast_without_zone_must_start_near_its_date_time(self) -> None:
        near = read(FORECAST, ("2026-01-01T10:00:00Z", "2026-01-01T10:00:00"))
        assert near.body == FORECAST
        assert rows(near) == {11}
        far = read(FORECAST, ("T10:00:00Z", "T11:00:00"), ("T10:14:59Z", "T11:14:59"))
        assert only_second_cable(far).code == "INVALID_TIME"

    def test_a_forecast_without_zone_needs_a_date_time_with_one(self) -> None:
        envelope = read(FORECAST, ("T10:00:00Z", "T10:00:00"), ("T10:00:00.000Z", "T10:00:00.000"))
        assert only_second_cable(envelope).code == "INVALID_TIME"

    @pytest.mark.parametrize(
        ("text", "meant"),
        [
            ("10:14:59Z", START + QUARTER),
            ("10:14:59.999Z", START + QUARTER),
            ("10:15:00Z", START + QUARTER),
            ("10:14:58Z", START + QUARTER - timedelta(seconds=2)),
            ("10:15:00.5Z", START + QUARTER + timedelta(seconds=0.5)),
        ],
    )
    def test_an_end_in_the_last_second_of_a_minute_means_the_next(self, text: str, meant: datetime) -> None:
        envelope = read(REQUEST, ("10:14:59Z", text))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].end == meant

    @pytest.mark.parametrize("end", ["2026-01-01T10:00:00Z", "2026-01-01T09:59:59Z", "2025-01-01T10:00:00Z"])
    def test_an_end_before_its_start_refuses_the_cable(self, end: str) -> None:
        assert only_second_cable(read(FORECAST, ("2026-01-01T10:14:59Z", end))).code == "INVALID_TIME"


class TestNumbers:
    """Rows 3 and 34."""

    @pytest.mark.parametrize("text", ["24.00", " 24 ", "+24.0", "24.", "0024.000000000000000000000000000000000000001"])
    def test_any_decimal_is_exact(self, text: str) -> None:
        envelope = read(REQUEST, (">24.00<", f">{text}<"))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].capacity[0].value == Decimal(text.strip())
        assert envelope.deviations == ()

    @pytest.mark.parametrize(
        "text", ["", " ", "2.4e1", "NaN", "INF", "-INF", "24,00", "2 4", "--1", "0x18", "1_0", "٢٤", "1" * 101, "."]
    )
    def test_what_is_no_decimal_refuses_its_cable(self, text: str) -> None:
        assert only_second_cable(read(FORECAST, (">24.00<", f">{text}<"))).code == "INVALID_VALUE"

    def test_nil(self) -> None:
        nil = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:nil="true"'
        assert only_second_cable(read(FORECAST, (' Unit="A">24.00', f' Unit="A" {nil}>'))).code == "INVALID_VALUE"
        whole = '<RemainingCapacity Unit="A">1.00</RemainingCapacity>'
        envelope = read(FORECAST, (whole, f"<RemainingCapacity {nil}/>"))
        assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
        assert envelope.body.forecasts[0].blocks[0].remaining == ()
        assert rows(envelope) == {3, 34}
        both = read(FORECAST, (whole, f"<RemainingCapacity {nil}>5</RemainingCapacity>"))
        only_second_cable(both)

    def test_remaining_capacity_may_be_absent(self) -> None:
        envelope = read(FORECAST, ('<RemainingCapacity Unit="A">1.00</RemainingCapacity>', ""))
        assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
        assert envelope.body.forecasts[0].blocks[0].remaining == ()
        assert rows(envelope) == {3}


class TestCables:
    """Rows 15, 18, 20 to 22 and 36."""

    def test_bare_cable_ids_are_read(self) -> None:
        envelope = read(FORECAST, ("<Cable><CableId>C1</CableId></Cable>", "<CableId>C1</CableId>"))
        assert envelope.body == FORECAST
        assert rows(envelope) == {36}

    def test_a_message_without_container_is_one_cable(self) -> None:
        envelope = read(REQUEST, ("<Adjustment>", ""), ("</Adjustment>", ""))
        assert envelope.body == REQUEST
        assert rows(envelope) == {36}

    def test_several_cables_share_the_blocks_of_an_adjustment_only(self) -> None:
        envelope = read(REQUEST, ("<CableId>C1</CableId>", "<CableId>C1</CableId><CableId>C9</CableId>"))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert [one.cable_id for one in envelope.body.adjustments] == ["C1", "C9"]
        assert rows(envelope) == {36}
        for body in (FORECAST, USAGE):
            fault(body, ("<CableId>C1</CableId>", "<CableId>C1</CableId><CableId>C9</CableId>"))

    @pytest.mark.parametrize("cable", ["", " ", "x" * 201])
    def test_a_cable_id_has_1_to_200_characters(self, cable: str) -> None:
        envelope = read(FORECAST, (">C1<", f">{cable}<"))
        (refusal,) = refusals(envelope)
        assert (refusal.cable_id, refusal.code) == ("", "INVALID_CABLE")

    def test_outer_white_space_of_a_cable_id_is_removed(self) -> None:
        assert read(FORECAST, (">C1<", ">\n C1 <")).body == FORECAST

    def test_every_refused_cable_is_told(self) -> None:
        envelope = read(FORECAST, (">24.00<", ">x<"), (">24.00<", ">y<"))
        assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
        assert envelope.body.forecasts == ()
        assert [one.cable_id for one in envelope.body.refused] == ["C1", "C2"]
        assert [one.path.rpartition("Forecast[")[2][:1] for one in envelope.body.refused] == ["1", "2"]

    def test_missing_parts_break_the_schema(self) -> None:
        for old in (
            "<StartTime>2026-01-01T10:00:00Z</StartTime>",
            "<EndTime>2026-01-01T10:14:59Z</EndTime>",
            '<Capacity Unit="A">24.00</Capacity>',
            "<Cable><CableId>C1</CableId></Cable>",
            "<CableId>C1</CableId>",
        ):
            assert fault(FORECAST, (old, "")).path.startswith("Envelope/Body/UpdateCableCapacityForecastRequest/")
        block = changed(REQUEST).decode().partition("<CapacityBlock>")[2].partition("</CapacityBlock>")[0]
        fault(REQUEST, (f"<CapacityBlock>{block}</CapacityBlock>", ""))

    def test_structure_is_judged_before_values(self) -> None:
        text = changed(FORECAST, (">24.00<", ">x<")).decode()
        start = text.rindex("<StartTime>")
        text = text[:start] + text[text.rindex("</StartTime>") + len("</StartTime>") :]
        with pytest.raises(RemoteError) as caught:
            soap.read(text.encode())
        assert caught.value.path.endswith("Forecast[2]/ForecastedBlock/StartTime")

    def test_connections_nested_or_not(self) -> None:
        nested = "<CableId>C1</CableId><Connection><ConnectionReferenceId>R</ConnectionReferenceId></Connection>"
        flat = "<CableId>C1</CableId><ConnectionReferenceId>R</ConnectionReferenceId>"
        for text in (nested, flat):
            envelope = read(FORECAST, ("<CableId>C1</CableId>", text))
            assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
            assert envelope.body.forecasts[0].connections == ("R",)

    def test_the_emsp_in_the_container_or_in_its_blocks(self) -> None:
        for place in ("<UsageBlock>", "<StartTime>"):
            envelope = read(USAGE, (place, f"<EMSP>E1</EMSP>{place}"))
            assert isinstance(envelope.body, UpdateAggregatedUsageRequest)
            assert envelope.body.usages[0].emsp == "E1"
        both = read(
            USAGE, ("<UsageBlock>", "<EMSP>E1</EMSP><UsageBlock>"), ("<StartTime>", "<EMSP>E2</EMSP><StartTime>")
        )
        assert refusals(both)[0].code == "INVALID_VALUE"

    def test_asking_for_some_cables_or_all(self) -> None:
        assert read(GetCapacityForecastRequest(("C1", "C2"))).body == GetCapacityForecastRequest(("C1", "C2"))
        bare = read(
            GetCapacityForecastRequest(("C1",)), ("<Cable><CableId>C1</CableId></Cable>", "<CableID>C1</CableID>")
        )
        assert bare.body == GetCapacityForecastRequest(("C1",))
        fault(GetCapacityForecastRequest(("C1",)), ("<CableId>C1</CableId>", ""))
        fault(GetCapacityForecastRequest(("C1",)), (">C1<", "><"))

    def test_remaining_capacity_in_a_request_is_ignored(self) -> None:
        envelope = read(
            REQUEST, ("</CapacityBlock>", '<RemainingCapacity Unit="A">5</RemainingCapacity></CapacityBlock>')
        )
        assert envelope.body == REQUEST
        assert rows(envelope) == {3}

    def test_an_answer_may_come_without_adjustment(self) -> None:
        answer = RequestAdjustedCapacityResponse((), Result.success())
        assert read(answer).body == answer

    def test_parties_and_priority_in_the_body_are_ignored(self) -> None:
        envelope = read(FORECAST, ("<Forecast>", "<senderID>x</senderID><priority>9</priority><Forecast>"))
        assert envelope.body == FORECAST
        assert 23 in rows(envelope)


class TestHeader:
    """Rows 23 to 31 and 35."""

    def test_headers_may_stand_in_either_namespace(self) -> None:
        envelope = read(FORECAST, (f'<Parties xmlns="{CSP_NAMESPACE}">', f'<Parties xmlns="{DSO_NAMESPACE}">'))
        assert (envelope.header.sender_id, envelope.header.receiver_id) == ("dso", "cso")
        assert rows(envelope) == {23}

    def test_the_body_must_fit_its_service(self) -> None:
        name = "UpdateCableCapacityForecastRequest"
        error = fault(FORECAST, (f'<{name} xmlns="{CSP_NAMESPACE}"', f'<{name} xmlns="{DSO_NAMESPACE}"'))
        assert error.path == f"Envelope/Body/{name}"

    def test_an_unknown_body_is_not_supported(self) -> None:
        error = fault(
            HeartbeatRequest(1, 1), ("<HeartbeatRequest", "<StopRequest"), ("/HeartbeatRequest", "/StopRequest")
        )
        assert error.subcode == "ActionNotSupported"

    @pytest.mark.parametrize(
        "action",
        [
            "",
            "/heartbeat",
            "http://OSCP/CSP/2013/06/HeartbeatRequest",
            "urn:x:HeartbeatMessage",
            "urn:something",
            "/Heart",
        ],
    )
    def test_an_odd_action_is_a_deviation(self, action: str) -> None:
        envelope = read(HeartbeatRequest(1, 1), (">/Heartbeat<", f">{action}<"))
        assert rows(envelope) == {24}

    @pytest.mark.parametrize(
        "action", ["/GetCapacityForecast", "http://OSCP/DSO/2013/06/#UpdateAggregatedUsageRequest"]
    )
    def test_an_action_of_another_operation_is_a_mismatch(self, action: str) -> None:
        error = fault(HeartbeatRequest(1, 1), (">/Heartbeat<", f">{action}<"))
        assert (error.subcode, error.path) == ("ActionMismatch", "Envelope/Header/Action")

    def test_the_message_id_is_needed(self) -> None:
        whole = '<MessageID xmlns="http://www.w3.org/2005/08/addressing">id-1</MessageID>'
        for text in ("", whole.replace("id-1", " ")):
            assert fault(HeartbeatRequest(1, 1), (whole, text)).subcode == "MessageAddressingHeaderRequired"
        fault(HeartbeatRequest(1, 1), (">id-1<", f">{'x' * 256}<"))

    @pytest.mark.parametrize("name", ["Parties", "DateTime"])
    def test_parties_and_date_time_are_needed(self, name: str) -> None:
        text = changed(HeartbeatRequest(1, 1)).decode()
        start, end = text.index(f"<{name}"), text.index(f"</{name}>") + len(f"</{name}>")
        with pytest.raises(RemoteError) as caught:
            soap.read((text[:start] + text[end:]).encode())
        assert caught.value.path == f"Envelope/Header/{name}"

    def test_an_answer_may_lack_what_a_request_needs(self) -> None:
        text = changed(HeartbeatResponse(START, Result.success())).decode()
        for name in ("DateTime", "RelatesTo", "MessageID", "To", "Priority"):
            start, end = text.index(f"<{name} "), text.index(f"</{name}>") + len(f"</{name}>")
            text = text[:start] + text[end:]
        envelope = soap.read(text.encode())
        assert envelope.header.date_time is None
        assert rows(envelope) == {25, 26, 30, 31}

    @pytest.mark.parametrize("name", ["Action", "MessageID", "To", "ReplyTo"])
    def test_an_addressing_header_may_stand_once(self, name: str) -> None:
        text = changed(HeartbeatRequest(1, 1)).decode()
        start, end = text.index(f"<{name} "), text.index(f"</{name}>") + len(f"</{name}>")
        with pytest.raises(RemoteError) as caught:
            soap.read((text[:end] + text[start:end] + text[end:]).encode())
        assert caught.value.subcode == "InvalidCardinality"
        assert caught.value.path == f"Envelope/Header/{name}[2]"

    @pytest.mark.parametrize("name", ["Parties", "Priority", "DateTime"])
    def test_an_oscp_header_may_stand_once(self, name: str) -> None:
        text = changed(HeartbeatRequest(1, 1)).decode()
        start, end = text.index(f"<{name} "), text.index(f"</{name}>") + len(f"</{name}>")
        other = text[start:end].replace(CSP_NAMESPACE, DSO_NAMESPACE)
        with pytest.raises(RemoteError, match=name):
            soap.read((text[:end] + other + text[end:]).encode())

    def test_answers_go_back_on_the_same_connection(self) -> None:
        anonymous = "http://www.w3.org/2005/08/addressing/anonymous"
        error = fault(HeartbeatRequest(1, 1), (anonymous, "https://elsewhere.example/"))
        assert error.subcode == "OnlyAnonymousAddressSupported"
        assert read(HeartbeatRequest(1, 1), (anonymous, "http://www.w3.org/2005/08/addressing/none")).deviations == ()

    def test_an_unknown_header_that_must_be_understood_is_not(self) -> None:
        block = '<x:Security xmlns:x="urn:x" soap:mustUnderstand="{}"/></soap:Header>'
        for value in ("1", "true"):
            error = fault(HeartbeatRequest(1, 1), ("</soap:Header>", block.format(value)))
            assert error.subcode == "MustUnderstand"
        for value in ("0", "false"):
            assert read(HeartbeatRequest(1, 1), ("</soap:Header>", block.format(value))).deviations == ()
        addressed = block.format("1").replace("/>", ' soap:role="urn:another"/>')
        assert read(HeartbeatRequest(1, 1), ("</soap:Header>", addressed)).deviations == ()

    @pytest.mark.parametrize("priority", ["-3", "0", "+7", " 2 "])
    def test_any_integer_is_a_priority(self, priority: str) -> None:
        envelope = read(HeartbeatRequest(1, 1), (">0</Priority>", f">{priority}</Priority>"))
        assert envelope.header.priority == int(priority)

    @pytest.mark.parametrize("priority", ["high", "1.5", "", "9" * 30])
    def test_no_other_word_is(self, priority: str) -> None:
        assert fault(HeartbeatRequest(1, 1), (">0</Priority>", f">{priority}</Priority>")).path.endswith("Priority")

    @pytest.mark.parametrize("seconds", ["0", "-300", "5 min", "", "1e3", "300.0"])
    def test_intervals_are_above_zero(self, seconds: str) -> None:
        error = fault(HeartbeatRequest(300, 900), (">300<", f">{seconds}<"))
        assert error.path == "Envelope/Body/HeartbeatRequest/HeartBeatTimeInterval"


class TestEnvelope:
    """Sections 5.1 and 5.3; rows 33 and 35."""

    def test_soap_1_1_is_another_version(self) -> None:
        swap = ("http://www.w3.org/2003/05/soap-envelope", "http://schemas.xmlsoap.org/soap/envelope/")
        assert fault(HeartbeatRequest(1, 1), swap).subcode == "VersionMismatch"
        assert soap.read(changed(HeartbeatRequest(1, 1), swap), soap11=True).body == HeartbeatRequest(1, 1)

    def test_a_doctype_is_refused(self) -> None:
        assert "DOCTYPE" in fault(HeartbeatRequest(1, 1), ("<soap:Envelope", "<!DOCTYPE a><soap:Envelope")).reason

    def test_the_body_holds_one_element(self) -> None:
        assert fault(HeartbeatRequest(1, 1), ("</soap:Body>", "<x/></soap:Body>")).path == "Envelope/Body"
        fault(HeartbeatRequest(1, 1), ("</soap:Envelope>", "<x/></soap:Envelope>"))

    def test_references_are_resolved(self) -> None:
        enc = 'xmlns:enc="http://www.w3.org/2003/05/soap-encoding"'
        swaps = (
            ('<Capacity Unit="A">24.00</Capacity>', f'<Capacity {enc} enc:id="r1" Unit="A">24.00</Capacity>'),
            ('<Capacity Unit="A">24.00</Capacity>', f'<Capacity {enc} enc:ref="r1"/>'),
        )
        assert read(FORECAST, *swaps).body == FORECAST

    @pytest.mark.parametrize(
        "second",
        [
            '<Capacity {} enc:ref="r2"/>',
            '<Capacity {} enc:ref="r1">5</Capacity>',
            '<Capacity {} enc:id="r1">5</Capacity><Capacity {} enc:ref="r1"/>',
        ],
    )
    def test_a_reference_to_nothing_is_refused(self, second: str) -> None:
        enc = 'xmlns:enc="http://www.w3.org/2003/05/soap-encoding"'
        first = ('<Capacity Unit="A">24.00</Capacity>', f'<Capacity {enc} enc:id="r1" Unit="A">24.00</Capacity>')
        fault(FORECAST, first, ('<Capacity Unit="A">24.00</Capacity>', second.replace("{}", enc)))

    def test_a_reference_with_a_disguised_namespace_is_seen(self) -> None:
        enc = 'xmlns:enc="http://www.w3.org/2003/05/soap&#45;encoding"'
        fault(USAGE, ("<UsageBlock>", f'<EMSP {enc} enc:ref="r"/><UsageBlock>'))

    def test_a_reference_into_itself_is_refused(self) -> None:
        enc = 'xmlns:enc="http://www.w3.org/2003/05/soap-encoding"'
        fault(FORECAST, ("<Cable>", f'<Cable {enc} enc:id="r"><Connection enc:ref="r"/>'))
