"""Row 3: RemainingCapacity is what the DSO could still give to somebody. It is nobody's."""

from datetime import timedelta

import pytest

from gridroom.cso.book import Book
from gridroom.oscp.v10.blocks import forecast_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from oscp_samples import (
    AMOUNT,
    FORECAST,
    GRANT,
    LEFT,
    NIL,
    QUARTER,
    REQUEST,
    START,
    TERMS,
    amounts,
    block,
    fault,
    noted,
    only_second_cable,
    read,
    refusals,
    rows,
    value,
    written,
)

WHOLE = '<RemainingCapacity Unit="A">1.00</RemainingCapacity>'


def left(*stated: str | ValueType) -> tuple[int | None, ...]:
    return forecast_spans(Forecast("A", (block(0, 1, "5", left=stated),)), TERMS)[1][0].amounts


def test_absent_is_none_available_with_a_deviation() -> None:
    envelope = read(FORECAST, (WHOLE, ""))
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    assert envelope.body.forecasts[0].blocks[0].remaining == ()
    assert rows(envelope) == {3}
    assert left() == (0, 0, 0)


def test_absent_in_an_answer_is_no_deviation() -> None:
    envelope = read(GRANT, (WHOLE, ""))
    assert refusals(envelope) == ()
    assert envelope.deviations == ()


def test_negative_is_none_available() -> None:
    assert left("-3") == (0, 0, 0)
    assert left(value("-3", 1), value("2", 2)) == (0, 200, 0)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_to_three_values_are_read_of_several_the_smallest(count: int) -> None:
    assert left(*["3", "2", "1"][:count]) == (400 - 100 * count,) * 3
    envelope = read(FORECAST, (WHOLE, WHOLE * count))
    assert refusals(envelope) == ()


def test_four_values_break_the_schema() -> None:
    fault(FORECAST, (WHOLE, WHOLE * 4))


@pytest.mark.parametrize(("old", "new"), [("1.00", "x"), ('Unit="A"', 'Unit="Wh"'), ('Unit="A"', 'Unit="A" Scale="2"')])
def test_what_cannot_be_read_refuses_its_cable(old: str, new: str) -> None:
    only_second_cable(read(FORECAST, (WHOLE, WHOLE.replace(old, new))))


def test_nil_is_absent_but_not_beside_a_number_or_an_unknown_attribute() -> None:
    envelope = read(FORECAST, (WHOLE, f"<RemainingCapacity {NIL}/>"))
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    assert envelope.body.forecasts[0].blocks[0].remaining == ()
    assert rows(envelope) == {3, 34}
    only_second_cable(read(FORECAST, (WHOLE, f"<RemainingCapacity {NIL}>5</RemainingCapacity>")))
    only_second_cable(read(FORECAST, (WHOLE, f'<RemainingCapacity {NIL} Scale="10"/>')))
    assert rows(read(FORECAST, (WHOLE, f'<RemainingCapacity {NIL} Unit="A"/>'))) == {3, 34}


def test_it_is_never_added_to_capacity() -> None:
    spans, spare, notes = forecast_spans(Forecast("A", (block(0, 1, "5", left=("3",)),)), TERMS)
    assert spans[0].amounts == (500, 500, 500)
    assert spare[0].amounts == (300, 300, 300)
    assert notes == []


def test_it_is_never_planned_with_before_a_grant() -> None:
    spans, spare, _ = forecast_spans(Forecast("A", (block(0, 1, "5", left=("3",)),)), TERMS)
    book, _ = Book().accept(START, spans, spare, START)
    assert book.limits(START, START, 1).tolist() == [[500]] * 3
    assert book.remaining_at(START, 1).tolist() == [[300]] * 3
    asked = book.ask("m", [spare[0]], START + timedelta(minutes=1))
    assert asked.limits(START, START, 1).tolist() == [[500]] * 3


def test_where_blocks_repeat_the_smallest_remains() -> None:
    twice = Forecast("A", (block(0, 1, "5", left=("3",)), block(0, 1, "5", left=("2",))))
    _, spare, notes = forecast_spans(twice, TERMS)
    assert [span.amounts for span in spare] == [(200, 200, 200)]
    assert noted(notes) == [15]


def test_joined_phases_keep_their_own() -> None:
    parts = (block(0, 1, value("5", 1), left=[value("3", 1)]), block(0, 1, value("5", 2), left=[value("2", 2)]))
    assert forecast_spans(Forecast("A", parts), TERMS)[1][0].amounts == (300, 200, 0)


def test_in_a_request_it_is_ignored_with_a_deviation() -> None:
    envelope = read(REQUEST, ("</CapacityBlock>", f"{WHOLE}</CapacityBlock>"))
    assert envelope.body == REQUEST
    assert rows(envelope) == {3}


def test_in_an_answer_it_is_read() -> None:
    body = read(GRANT).body
    assert isinstance(body, RequestAdjustedCapacityResponse)
    assert body.adjustments[0].blocks[0].remaining == LEFT


def test_a_forecast_always_states_it() -> None:
    bare = UpdateCableCapacityForecastRequest((Forecast("C1", (ForecastedBlock(START, START + QUARTER, AMOUNT),)),))
    assert '<RemainingCapacity Unit="A">0.00</RemainingCapacity>' in written(bare)


def test_capacity_itself_must_be_there() -> None:
    assert amounts("0") == (0, 0, 0)
    fault(FORECAST, ('<Capacity Unit="A">24.00</Capacity>', ""))


def test_a_request_carries_none() -> None:
    asked = CapacityBlock(START, START + QUARTER, AMOUNT, LEFT)
    assert "Remaining" not in written(RequestAdjustedCapacityRequest((Adjustment("C1", (asked,)),)))


def test_a_negative_one_is_none_with_a_deviation() -> None:
    forecast = Forecast("C1", (ForecastedBlock(START, START + QUARTER, AMOUNT, (value("-1.00"),)),))
    _, left, notes = forecast_spans(forecast, TERMS)
    assert [span.amounts for span in left] == [(0, 0, 0)]
    assert [one.row for one in notes] == [3]
