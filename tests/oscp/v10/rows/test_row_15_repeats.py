"""Row 15: what is said twice is said once; it is never a sum."""

from pathlib import Path

import pytest

from dso_office import MONDAY, World
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.blocks import CableRefused, forecast_spans, gather, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Envelope,
    Forecast,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.usage import usage_spans
from oscp_samples import QUARTER, TERMS, ask, at, block, limits, noted, read, used, value

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_15_blocks_of_6_2_are_5_and_each_repeat_is_a_deviation() -> None:
    body = soap.read((GOLDEN / "6.2.xml").read_bytes()).body
    assert isinstance(body, RequestAdjustedCapacityRequest)
    spans, notes = request_spans(body.adjustments[0], TERMS)
    assert len(body.adjustments[0].blocks) == 15
    assert len(spans) == 5
    assert noted(notes) == [15] * 10
    stated = {(one.start, one.end): one.capacity[0].value for one in body.adjustments[0].blocks}
    assert {(s.start, s.end): s.amounts for s in spans} == {t: (int(100 * v),) * 3 for t, v in stated.items()}


class TestBlocks:
    def test_of_a_request(self) -> None:
        spans, notes = request_spans(Adjustment("A", (ask(0, 1, "12"),) * 5), TERMS)
        assert [span.amounts for span in spans] == [(1200, 1200, 1200)]
        assert noted(notes) == [15] * 4

    def test_of_a_forecast(self) -> None:
        spans, _, notes = forecast_spans(
            Forecast("A", (block(0, 1, "5"), block(1, 2, "6"), block(0, 1, "5.00"))), TERMS
        )
        assert [span.amounts[0] for span in spans] == [500, 600]
        assert noted(notes) == [15, 14]

    def test_of_a_usage(self) -> None:
        spans, notes = usage_spans(CableUsage("A", (used(0, 1, value("5", 1)),) * 3), TERMS)
        assert [span.subtractable_ca for span in spans] == [(500, 0, 0)]
        assert noted(notes) == [15, 15]


class TestDifferentValuesForOverlappingTimes:
    @pytest.mark.parametrize("times", [(0, 1), (0, 2), (0.5, 1), (0.5, 1.5), (-1, 9)])
    def test_refuse_the_cable_in_each_message(self, times: tuple[float, float]) -> None:
        with pytest.raises(CableRefused, match=r"overlap|same time"):
            limits(block(0, 1, "5"), block(*times, "6"))
        with pytest.raises(CableRefused, match="overlap"):
            request_spans(Adjustment("A", (ask(0, 1, "5"), ask(*times, "6"))), TERMS)
        with pytest.raises(CableRefused, match="overlap"):
            usage_spans(CableUsage("A", (used(0, 1, value("5", 1)), used(*times, value("6", 1)))), TERMS)

    @pytest.mark.parametrize("blocks", [(ask(0, 2, "5"), ask(1, 3, "5")), (ask(0, 9, "5"), ask(3, 4, "5"))])
    def test_equal_values_for_times_that_overlap_in_part_are_no_repeat(self, blocks: tuple[CapacityBlock, ...]) -> None:
        with pytest.raises(CableRefused, match="overlap"):
            request_spans(Adjustment("A", blocks), TERMS)

    def test_different_phases_may_be_asked_for_at_different_times(self) -> None:
        spans, _ = request_spans(Adjustment("A", (ask(0, 2, value("5", 1)), ask(1, 3, value("4", 2)))), TERMS)
        assert [span.amounts for span in spans] == [(500, None, None), (None, 400, None)]

    def test_up_to_a_second_is_no_overlap(self) -> None:
        spans, _ = request_spans(Adjustment("A", (ask(0, 1, "5"), ask(1 - 1 / 900, 2, "6"))), TERMS)
        assert [(span.start, span.end) for span in spans] == [(at(0), at(1)), (at(1 - 1 / 900), at(2))]


class TestCables:
    """A cable in two containers: as if all its blocks stood in one."""

    def test_of_forecasts(self) -> None:
        one, other = Forecast("A", (block(0, 1, "5"),)), Forecast("A", (block(0, 1, "6"),))
        assert len(limits(*gather([one, one])[0].blocks)) == 1
        with pytest.raises(CableRefused, match="same time"):
            limits(*gather([one, Forecast("B", ()), other])[0].blocks)

    def test_of_requests_and_usages(self) -> None:
        asked = gather([Adjustment("A", (ask(0, 1, "5"),)), Adjustment("B", ()), Adjustment(" A ", (ask(1, 2, "6"),))])
        assert [(one.cable_id, len(one.blocks)) for one in asked] == [("A", 2), ("B", 0)]
        block_ = (used(0, 1, value("5", 1)),)
        usages = [CableUsage("A", block_), CableUsage("A", block_, "E1"), CableUsage("A", block_)]
        assert [(one.emsp, len(one.blocks)) for one in gather(usages)] == [(None, 2), ("E1", 1)]

    def test_the_order_of_the_first_mention_stays(self) -> None:
        assert [one.cable_id for one in gather(Forecast(c, ()) for c in "BAB")] == ["B", "A"]


@pytest.fixture
def world() -> World:
    made = World()
    made.history(3)
    return made


def test_our_dso_grants_a_repeated_request_once(world: World) -> None:
    one = CapacityBlock(MONDAY, MONDAY + QUARTER, (value("3"),))
    for adjustments in [(Adjustment("cable-1", (one,) * 3),), (Adjustment("cable-1", (one,)),) * 3]:
        reply = world.say("north", RequestAdjustedCapacityRequest(adjustments))
        assert isinstance(reply, Envelope)
        assert isinstance(reply.body, RequestAdjustedCapacityResponse)
        (answered,) = reply.body.adjustments
        assert [(b.start, b.end) for b in answered.blocks] == [(MONDAY, MONDAY + QUARTER)]
    world.close()


def test_our_dso_takes_a_repeated_report_once(world: World) -> None:
    report = CableUsage("cable-1", (used(0, 1, value("5", 1)),))
    moved = tuple(type(b)(MONDAY - QUARTER, MONDAY, b.usage) for b in report.blocks)
    body = UpdateAggregatedUsageRequest((CableUsage("cable-1", moved),) * 2)
    reply = world.say("north", body)
    assert isinstance(reply, Envelope)
    assert isinstance(reply.body, UpdateAggregatedUsageResponse)
    assert str(reply.body.result.type) == "SUCCESS"
    reported = world.dso.view("cable-1", MONDAY - QUARTER, 1).reported["north"]
    assert reported[:, 0].tolist() == [500, 0, 0]
    world.close()


def test_repeats_in_bytes_reach_the_rules(world: World) -> None:
    world.close()
    whole = UpdateCableCapacityForecastRequest((Forecast("C1", (block(0, 1, "5"),)),) * 2)
    body = read(whole).body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    assert len(body.forecasts) == 2
    assert len(gather(body.forecasts)) == 1
