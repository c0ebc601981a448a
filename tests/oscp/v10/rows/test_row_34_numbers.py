"""Row 34: decimals of any number of digits, exact; whatever is no decimal refuses its cable."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.cso.book import Book
from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import CableTerms, Span, forecast_spans, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    Forecast,
    RequestAdjustedCapacityRequest,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
)
from oscp_samples import (
    ANSWER,
    FORECAST,
    GRANT,
    HEADER,
    NIL,
    REQUEST,
    START,
    TERMS,
    USAGE,
    amounts,
    ask,
    block,
    noted,
    only_second_cable,
    read,
    refusals,
    used,
    value,
    written,
)

NO_DECIMALS = [
    *("", " ", "2.4e1", "2.4E1", "NaN", "nan", "INF", "-INF", "Infinity", "24,00", "1,000.00", "2 4", "- 1", "+ 1"),
    *("--1", "+-1", "0x18", "1_0", "٢٤", "２４", "1" * 101, ".", "+", "-", "24.0.0", "24A", "½", "24\u00a0", "−24"),
]


class TestReading:
    @pytest.mark.parametrize(
        "text",
        [
            *("24.00", "0", "24", " 24 ", "\n\t24.0\r\n", "+24.0", "-24", "24.", ".5", "-.5", "-0", "0024.5"),
            "0024.000000000000000000000000000000000000001",
            "9" * 100,
            " " * 200 + "24" + " " * 200,
        ],
    )
    def test_any_decimal_is_exact(self, text: str) -> None:
        envelope = read(REQUEST, (">24.00<", f">{text}<"))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].capacity[0].value == Decimal(text.strip())
        assert envelope.deviations == ()

    @pytest.mark.parametrize("text", NO_DECIMALS)
    def test_what_is_no_decimal_refuses_its_cable(self, text: str) -> None:
        assert only_second_cable(read(FORECAST, (">24.00<", f">{text}<"))).code == "INVALID_VALUE"
        for body in (REQUEST, GRANT, USAGE):
            assert [one.code for one in refusals(read(body, (">24.00<", f">{text}<")))] == ["INVALID_VALUE"]
        assert only_second_cable(read(FORECAST, (">1.00<", f">{text}<"))).code == "INVALID_VALUE"

    @pytest.mark.parametrize("body", [FORECAST, REQUEST, GRANT, USAGE])
    @pytest.mark.parametrize("yes", ["true", "1", " true "])
    def test_nil_is_no_amount(self, body: UpdateCableCapacityForecastRequest, yes: str) -> None:
        nil = NIL.replace("true", yes)
        for text in (f" {nil}>", f" {nil}>24.00"):
            envelope = read(body, (">24.00", text))
            assert [one.code for one in refusals(envelope)] == ["INVALID_VALUE"]

    def test_not_nil_is_a_number(self) -> None:
        assert read(FORECAST, (">24.00", f" {NIL.replace('true', 'false')}>24.00")).body == FORECAST

    @pytest.mark.parametrize("inside", ["<b>24.00</b>", "2<b/>4", "24.00<b/>", "<Value/>", "<Value>24.00</Value>1"])
    def test_a_number_beside_something_else_refuses_its_cable(self, inside: str) -> None:
        only_second_cable(read(FORECAST, (">24.00<", f">{inside}<")))

    def test_a_comment_inside_does_not_cut_the_number(self) -> None:
        body = read(FORECAST, (">24.00<", ">2<!-- x -->4.00<")).body
        assert isinstance(body, UpdateCableCapacityForecastRequest)
        assert [one.blocks[0].capacity[0].value for one in body.forecasts] in ([24, 24], [24])


class TestLimits:
    def test_a_negative_forecast_is_0_with_a_deviation(self) -> None:
        spans, _, notes = forecast_spans(
            Forecast("A", (block(0, 1, value("-3", 1), value("2", 2), value("-0", 3)),)), TERMS
        )
        assert spans[0].amounts == (0, 200, 0)
        assert noted(notes) == [34]

    def test_above_the_cables_maximum_is_that_maximum_with_a_deviation(self) -> None:
        terms = CableTerms(maximum_ca=1000)
        stated = (value("10.01", 1), value("10", 2), value("9", 3))
        spans, _, notes = forecast_spans(Forecast("A", (block(0, 1, *stated),)), terms)
        assert spans[0].amounts == (1000, 1000, 900)
        assert noted(notes) == [34]

    def test_without_a_maximum_a_huge_number_still_fits_our_arithmetic(self) -> None:
        spans, left, notes = forecast_spans(Forecast("A", (block(0, 1, "9" * 99, left=("9" * 99,)),)), TERMS)
        assert noted(notes) == [34, 34]
        book, _ = Book().accept(START, spans, left, START)
        assert book.limits(START, START, 1).tolist() == [[10**11]] * 3
        for sign in ("", "-"):
            changes, notes = request_spans(Adjustment("A", (ask(0, 1, sign + "9" * 99),)), TERMS)
            assert np.array(changes[0].amounts, dtype=np.int64).tolist() == [int(sign + str(10**11))] * 3
            assert noted(notes) == [34]

    def test_a_request_above_the_maximum_is_no_error(self) -> None:
        spans, notes = request_spans(Adjustment("A", (ask(0, 1, "11"),)), CableTerms(maximum_ca=1000))
        assert [span.amounts[0] for span in spans] == [1100]
        assert notes == []


class TestWriting:
    @pytest.mark.parametrize(
        ("exact", "text"),
        [
            ("24", "24.00"),
            ("24.999", "24.99"),
            ("-0.001", "-0.01"),
            ("-12.5", "-12.50"),
            ("-0", "0.00"),
            ("0.009", "0.00"),
            ("1E+2", "100.00"),
            ("9" * 40 + ".999", "9" * 40 + ".99"),
        ],
    )
    def test_limits_requests_grants_and_give_backs_have_two_decimals_towards_less(self, exact: str, text: str) -> None:
        stated = block(0, 1, exact, left=(exact,))
        forecast = written(UpdateCableCapacityForecastRequest((Forecast("C1", (stated,)),)))
        assert f">{text}</Capacity>" in forecast
        assert f">{text}</RemainingCapacity>" in forecast
        assert f">{text}</Capacity>" in written(
            RequestAdjustedCapacityRequest((Adjustment("C1", (ask(0, 1, exact),)),))
        )
        answer = type(GRANT)((Adjustment("C1", (ask(0, 1, exact),)),), GRANT.result)
        assert f">{text}</Capacity>" in soap.write(ANSWER, answer).decode()

    @pytest.mark.parametrize(
        ("exact", "text"),
        [("1.005", "1.00"), ("1.015", "1.02"), ("-3", "-3.00"), ("-1.005", "-1.00"), ("-0.001", "0.00")],
    )
    def test_usage_has_two_decimals_half_to_even(self, exact: str, text: str) -> None:
        body = UpdateAggregatedUsageRequest((CableUsage("C1", (used(0, 1, value(exact, 1, "Wh")),)),))
        assert f">{text}</Usage>" in written(body)

    @pytest.mark.parametrize("exact", ["NaN", "Infinity", "-Infinity", "1e500"])
    def test_what_is_no_number_is_not_written(self, exact: str) -> None:
        with pytest.raises(LocalError):
            soap.write(HEADER, UpdateCableCapacityForecastRequest((Forecast("C1", (block(0, 1, exact),)),)))

    @given(st.decimals(-(10**9), 10**9, places=6), st.decimals(0, 10**9, places=6))
    def test_what_is_written_reads_back_as_no_more_and_within_a_hundredth(
        self, change: Decimal, limit: Decimal
    ) -> None:
        body = soap.read(
            soap.write(
                HEADER, UpdateCableCapacityForecastRequest((Forecast("C1", (block(0, 1, format(limit, "f")),)),))
            )
        ).body
        assert isinstance(body, UpdateCableCapacityForecastRequest)
        (span,) = forecast_spans(body.forecasts[0], TERMS)[0]
        assert limit * 100 - 1 < (span.amounts[0] or 0) <= limit * 100
        asked = soap.read(
            soap.write(HEADER, RequestAdjustedCapacityRequest((Adjustment("C1", (ask(0, 1, format(change, "f")),)),)))
        ).body
        assert isinstance(asked, RequestAdjustedCapacityRequest)
        delta = request_spans(asked.adjustments[0], TERMS)[0][0].amounts[0] or 0
        assert change * 100 - 1 < delta <= change * 100


def test_a_span_is_hundredths() -> None:
    assert amounts("24.999") == Span(START, START, (2499, 2499, 2499)).amounts
