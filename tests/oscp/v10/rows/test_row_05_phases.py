"""Row 5: one to three values, with Phase or without; what is not stated for a phase is not known for it."""

from collections.abc import Sequence
from decimal import Decimal

import pytest

from gridroom.cso.book import Book
from gridroom.oscp.v10.blocks import CableRefused, Span, amounts, answer_spans, forecast_spans, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    Deviation,
    Forecast,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM, PeerProfile
from gridroom.oscp.v10.usage import UsageSpan, usage_spans
from oscp_samples import (
    FORECAST,
    GRANT,
    REQUEST,
    START,
    TERMS,
    USAGE,
    ask,
    at,
    block,
    fault,
    noted,
    only_second_cable,
    read,
    refusals,
    used,
    value,
)


def forecast(*stated: str | ValueType) -> tuple[Sequence[int | None], list[int]]:
    """What a forecast's block allows, and the rows of its deviations."""
    spans, _, notes = forecast_spans(Forecast("A", (block(0, 1, *stated),)), TERMS)
    return spans[0].amounts, noted(notes)


def request(*stated: str | ValueType) -> tuple[Sequence[int | None], list[int]]:
    spans, notes = request_spans(Adjustment("A", (ask(0, 1, *stated),)), TERMS)
    return spans[0].amounts, noted(notes)


def grant(*stated: str | ValueType, asked: int = 9999) -> tuple[Sequence[int | None], list[int]]:
    question = [Span(at(0), at(1), (asked, asked, asked))]
    spans, notes = answer_spans(question, Adjustment("A", (ask(0, 1, *stated),)), TERMS, granted=True)
    return spans[0].amounts, noted(notes)


def usage(*stated: ValueType) -> tuple[UsageSpan, list[Deviation]]:
    spans, notes = usage_spans(CableUsage("A", (used(0, 1, *stated),)), TERMS)
    return spans[0], notes


class TestCardinality:
    ONE = '<Capacity Unit="A">24.00</Capacity>'

    @pytest.mark.parametrize("body", [FORECAST, REQUEST, GRANT])
    @pytest.mark.parametrize(("count", "good"), [(0, False), (1, True), (2, True), (3, True), (4, False)])
    def test_one_to_three_capacities_in_a_block(
        self, body: UpdateCableCapacityForecastRequest, count: int, good: bool
    ) -> None:
        if good:
            assert refusals(read(body, (self.ONE, self.ONE * count))) == ()
        else:
            fault(body, (self.ONE, self.ONE * count))

    @pytest.mark.parametrize(("count", "good"), [(0, False), (1, True), (4, True), (15, True)])
    def test_any_number_of_usages_but_none(self, count: int, good: bool) -> None:
        one = '<Usage Unit="Wh" Phase="1">24.00</Usage>'
        if good:
            assert refusals(read(USAGE, (one, one * count))) == ()
        else:
            fault(USAGE, (one, ""))

    @pytest.mark.parametrize("phase", ["1", "2", "3", " 2 ", "+3", "01"])
    def test_phases_are_1_2_and_3(self, phase: str) -> None:
        envelope = read(FORECAST, ('Unit="A"', f'Unit="A" Phase="{phase}"'))
        assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
        assert envelope.body.forecasts[0].blocks[0].capacity[0].phase == int(phase)

    @pytest.mark.parametrize("phase", ["0", "4", "-1", "L1", "1.0", "", "1 2", "N"])
    def test_any_other_phase_refuses_the_cable(self, phase: str) -> None:
        assert only_second_cable(read(FORECAST, ('Unit="A"', f'Unit="A" Phase="{phase}"'))).code == "INVALID_PHASE"
        for body, unit in ((REQUEST, "A"), (GRANT, "A"), (USAGE, "Wh")):
            envelope = read(
                body,
                (
                    f'<{"Usage" if unit == "Wh" else "Capacity"} Unit="{unit}"',
                    f'<{"Usage" if unit == "Wh" else "Capacity"} Unit="{unit}" pHase="{phase}"',
                ),
            )
            assert refusals(envelope)


class TestOneValueWithoutPhase:
    def test_holds_for_each_phase(self) -> None:
        assert forecast("24.009") == ((2400, 2400, 2400), [])
        assert request("-24.009") == ((-2400, -2400, -2400), [])
        assert grant("24.009") == ((2400, 2400, 2400), [])


class TestSeveralWithoutPhase:
    def test_the_smallest_holds_for_each_phase(self) -> None:
        assert forecast("24", "16", "20") == ((1600, 1600, 1600), [5])
        assert request("24", "16", "20") == ((1600, 1600, 1600), [5])
        assert grant("24", "16", "20") == ((1600, 1600, 1600), [5])

    def test_equal_ones_too(self) -> None:
        assert forecast("24", "24") == ((2400, 2400, 2400), [5])

    def test_of_give_backs_the_one_nearest_0(self) -> None:
        assert request("-5", "-3", "-4") == ((-300, -300, -300), [5])

    @pytest.mark.parametrize("stated", [("-5", "3"), ("3", "-5"), ("1", "2", "-1"), ("0", "-5"), ("0", "5")])
    def test_mixed_signs_are_no_change(self, stated: tuple[str, ...]) -> None:
        assert request(*stated) == ((0, 0, 0), [5])
        assert grant(*stated)[0] == (0, 0, 0)

    def test_a_negative_one_in_a_forecast_is_the_smallest_and_so_nothing(self) -> None:
        amounts_, notes = forecast("24", "-1")
        assert amounts_ == (0, 0, 0)
        assert set(notes) == {5, 34}

    def test_of_a_usage_the_least_of_each_unit_is_kept_and_nothing_subtracted(self) -> None:
        span, notes = usage(value("5"), value("3"), value("10", unit="Wh"), value("20", unit="Wh"))
        assert (span.total_ca, span.total_wh) == (300, Decimal(10))
        assert span.subtractable_ca == (0, 0, 0)
        assert noted(notes) == [5, 5]


class TestSomePhasesOnly:
    def test_the_others_are_unknown_in_a_forecast(self) -> None:
        assert forecast(value("7", 1), value("5", 3)) == ((700, None, 500), [5])

    def test_unknown_is_like_a_gap(self) -> None:
        old = forecast_spans(Forecast("A", (block(0, 9, "3"),)), TERMS)[0]
        new = forecast_spans(Forecast("A", (block(0, 1, value("7", 1)), block(1, 9, "9"))), TERMS)[0]
        book, _ = Book().accept(START, old, (), START)
        book, _ = book.accept(at(0.1), new, (), at(0.1))
        assert book.limits(at(0.1), START, 2).tolist() == [[700, 900], [300, 900], [300, 900]]

    def test_the_others_do_not_change_in_a_request_and_a_grant(self) -> None:
        assert request(value("7", 1), value("-5", 3)) == ((700, None, -500), [5])
        assert grant(value("7", 1), value("5", 3)) == ((700, 0, 500), [5])

    def test_the_others_are_0_in_a_usage(self) -> None:
        span, _ = usage(value("7", 1))
        assert span.subtractable_ca == (700, 0, 0)
        assert span.current_ca == (700, None, None)


CONTRADICTIONS = [
    (value("1", 1), value("1")),
    (value("1"), value("1", 2), value("1", 3)),
    (value("1", 1), value("2", 1)),
    (value("1", 3), value("1", 2), value("1.01", 3)),
]


class TestContradictions:
    @pytest.mark.parametrize("stated", CONTRADICTIONS)
    def test_a_mix_and_a_phase_with_two_values_refuse_the_cable(self, stated: tuple[ValueType, ...]) -> None:
        for understand in (forecast, request):
            with pytest.raises(CableRefused):
                understand(*stated)
        with pytest.raises(CableRefused):
            usage(*stated)

    @pytest.mark.parametrize("stated", CONTRADICTIONS)
    def test_in_an_answer_they_grant_nothing(self, stated: tuple[ValueType, ...]) -> None:
        assert grant(*stated) == ((0, 0, 0), [16])

    def test_a_phase_that_is_none_refuses_values_that_we_were_handed(self) -> None:
        with pytest.raises(CableRefused):
            forecast(value("1", 4))
        with pytest.raises(CableRefused):
            usage(value("1", 0))

    def test_values_that_differ_by_less_than_we_count_are_different(self) -> None:
        with pytest.raises(CableRefused, match="stated twice with different values"):
            forecast_spans(Forecast("A", (block(0, 1, value("16.001", 1), value("16.009", 1)),)), TERMS)

    def test_a_phase_twice_with_the_same_value_is_one(self) -> None:
        assert forecast(value("5", 1), value("5.00", 1), value("4", 2)) == ((500, 400, None), [5, 5])
        assert usage(value("5", 1), value("5.0", 1))[0].current_ca == (500, None, None)

    def test_units_of_a_usage_are_judged_one_by_one(self) -> None:
        span, _ = usage(value("10", 1), value("575", 1, "Wh"), value("900", unit="W"))
        assert span.subtractable_ca == (1000, 0, 0)
        assert span.total_wh == 225


class TestBlocksOfTheSameTimes:
    def test_disjoint_phases_are_joined(self) -> None:
        parts = (block(0, 1, value("1", 1)), block(0, 1, value("2", 2)), block(0, 1, value("3", 3)))
        spans, _, notes = forecast_spans(Forecast("A", parts), TERMS)
        assert [span.amounts for span in spans] == [(100, 200, 300)]
        assert noted(notes).count(5) == 5  # three incomplete blocks, two of them joined to the first

    def test_in_a_request_and_its_answer_too(self) -> None:
        parts = Adjustment("A", tuple(ask(0, 1, value(str(phase), phase)) for phase in (1, 2, 3)))
        assert [span.amounts for span in request_spans(parts, TERMS)[0]] == [(100, 200, 300)]
        question = [Span(at(0), at(1), (500, 500, 250))]
        assert answer_spans(question, parts, TERMS, granted=True)[0][0].amounts == (100, 200, 250)

    def test_in_a_usage_too_and_units_as_well(self) -> None:
        blocks = (used(0, 1, value("10", 1)), used(0, 1, value("10", 2)), used(0, 1, value("575", 1, "Wh")))
        spans, notes = usage_spans(CableUsage("A", blocks), TERMS)
        assert [span.current_ca for span in spans] == [(1000, 1000, None)]
        assert [span.subtractable_ca for span in spans] == [(1000, 1000, 0)]
        assert noted(notes) == [5, 5]

    def test_joining_makes_no_mix(self) -> None:
        with pytest.raises(CableRefused, match="Phase"):
            usage_spans(CableUsage("A", (used(0, 1, value("10", 1)), used(0, 1, value("10")))), TERMS)

    def test_different_values_refuse_the_cable(self) -> None:
        with pytest.raises(CableRefused):
            forecast_spans(Forecast("A", (block(0, 1, value("1", 1)), block(0, 1, value("2", 1)))), TERMS)
        with pytest.raises(CableRefused):
            usage_spans(CableUsage("A", (used(0, 1, value("1", 1)), used(0, 1, value("2", 1)))), TERMS)


class TestWriting:
    @pytest.mark.parametrize(
        ("limits", "profile", "written"),
        [
            ((2400, 1650, 2400), DEFAULT, [(None, "16.50")]),
            ((2400, 2400, 2400), GRIDROOM, [(None, "24.00")]),
            ((2400, 1650, 2400), GRIDROOM, [(1, "24.00"), (2, "16.50"), (3, "24.00")]),
            ((-300, -500, 0), DEFAULT, [(None, "-5.00")]),
        ],
    )
    def test_the_smallest_or_each_phase_by_profile(
        self, limits: tuple[int, int, int], profile: PeerProfile, written: list[tuple[int | None, str]]
    ) -> None:
        stated = amounts(limits, profile)
        assert [(one.phase, str(one.value)) for one in stated] == written
        assert {one.unit for one in stated} == {"A"}

    def test_a_peer_built_from_chapter_6_gets_the_smallest(self) -> None:
        assert PeerProfile().phases == "smallest"
        assert min(Decimal(one.value) for one in amounts((1, 2, 3), PeerProfile())) == Decimal("0.01")
