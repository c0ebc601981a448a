"""The capacity book: section Semantics of docs/deviations.md, order of forecasts, unknown time, adjustments."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.cso.book import Book, Outcome
from gridroom.cso.store import decode, encode
from gridroom.oscp.v10.blocks import Span
from gridroom.timegrid import QUARTER

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECOND = timedelta(seconds=1)


def spans(start: datetime, values: Sequence[int | None]) -> list[Span]:
    return [Span(start + k * QUARTER, start + (k + 1) * QUARTER, (v, v, v)) for k, v in enumerate(values)]


def first_phase(book: Book, now: datetime, n: int, start: datetime | None = None) -> list[int]:
    values: list[int] = book.limits(now, start or NOON, n)[0].tolist()
    return values


def accepted(book: Book, made_at: datetime, values: Sequence[int | None], start: datetime = NOON) -> Book:
    return book.accept(made_at, spans(start, values), (), made_at)[0]


def test_nothing_is_allowed_before_the_first_forecast() -> None:
    assert first_phase(Book(), NOON, 4) == [0, 0, 0, 0]


def test_a_forecast_holds_until_its_last_block() -> None:
    assert first_phase(accepted(Book(), NOON, [10, 20]), NOON, 4) == [10, 20, 0, 0]


def test_a_clearly_newer_forecast_replaces() -> None:
    book = accepted(accepted(Book(), NOON, [10, 20]), NOON + MINUTE, [30, 5])
    assert first_phase(book, NOON, 2) == [30, 5]


@pytest.mark.parametrize("late", [timedelta(0), MINUTE, 5 * MINUTE])
def test_what_is_not_clearly_newer_lowers_and_never_raises(late: timedelta) -> None:
    book, outcome = accepted(Book(), NOON, [10, 20]).accept(NOON - late, spans(NOON, [30, 5]), (), NOON)
    assert outcome is Outcome.LOWERED
    assert first_phase(book, NOON, 2) == [10, 5]
    assert first_phase(accepted(book, NOON + SECOND, [30, 30]), NOON, 2) == [30, 30]


def test_an_older_forecast_has_no_effect() -> None:
    book, outcome = accepted(Book(), NOON, [10, 20]).accept(NOON - 6 * MINUTE, spans(NOON, [1, 1]), (), NOON)
    assert outcome is Outcome.SUPERSEDED
    assert first_phase(book, NOON, 2) == [10, 20]


def test_a_late_retry_with_a_fresh_datetime_only_lowers() -> None:
    book = accepted(Book(), NOON, [10, 20], NOON + QUARTER)
    book, outcome = book.accept(NOON + MINUTE, spans(NOON, [9, 30, 3]), (), NOON)
    assert outcome is Outcome.LOWERED
    assert first_phase(book, NOON, 3) == [0, 10, 3]


def test_unknown_time_is_the_smaller_of_older_forecast_and_offline_value() -> None:
    old = accepted(Book(), NOON, [50] * 40)
    new = accepted(old, NOON + MINUTE, [40, None, *[40] * 8, 7])
    assert first_phase(new, NOON, 12) == [40, 7, *[40] * 8, 7, 0]
    lower = accepted(accepted(Book(), NOON, [3] * 40), NOON + MINUTE, [40, None, *[40] * 8, 7])
    assert first_phase(lower, NOON, 2) == [40, 3]


def test_the_offline_value_is_the_least_stated_for_later_than_two_hours() -> None:
    book = accepted(Book(), NOON, [1, *[50] * 8, 9, 8])
    assert book.offline(NOON) == (8, 8, 8)
    assert book.offline(NOON + 11 * QUARTER) == (0, 0, 0)
    assert accepted(Book(), NOON, [50] * 8).offline(NOON) == (0, 0, 0)


def test_a_refused_forecast_lowers_to_the_offline_value() -> None:
    book, _ = accepted(Book(), NOON, [5, *[50] * 9, 8]).refuse(NOON + MINUTE, NOON)
    assert first_phase(book, NOON, 3) == [5, 8, 8]
    assert first_phase(accepted(book, NOON + 2 * MINUTE, [70]), NOON, 1) == [70]


def test_a_forecast_between_a_refused_one_and_its_forerunner_does_not_raise() -> None:
    book, _ = accepted(Book(), NOON, [50] * 10).refuse(NOON + 2 * MINUTE, NOON)
    book, outcome = book.accept(NOON + MINUTE, spans(NOON, [60] * 10), (), NOON)
    assert outcome is Outcome.LOWERED
    assert first_phase(book, NOON, 1) == [50]


def test_a_give_back_counts_when_sent_and_until_a_forecast_made_after_the_answer() -> None:
    book = accepted(Book(), NOON, [50, 50]).ask("m", spans(NOON, [-20]), NOON + MINUTE)
    assert first_phase(book, NOON, 2) == [30, 50]
    book = accepted(book, NOON + 2 * MINUTE, [50, 50])
    assert first_phase(book, NOON, 2) == [30, 50]
    book = book.answer("m", spans(NOON, [0]), NOON + 3 * MINUTE)
    assert first_phase(accepted(book, NOON + 3 * MINUTE, [50, 50]), NOON, 2) == [30, 50]
    assert first_phase(accepted(book, NOON + 4 * MINUTE, [50, 50]), NOON, 2) == [50, 50]


def test_a_give_back_without_answer_stays() -> None:
    book = accepted(Book(), NOON, [50, 50]).ask("m", spans(NOON, [-20]), NOON).give_up("m")
    assert first_phase(accepted(book, NOON + 9 * MINUTE, [50, 50]), NOON, 2) == [30, 50]
    assert not book.tidy(NOON + QUARTER + timedelta(days=1)).asked


def test_a_grant_is_added_only_if_no_forecast_came_since_the_request() -> None:
    asked = accepted(Book(), NOON, [50, 50]).ask("m", spans(NOON, [20]), NOON)
    assert first_phase(asked, NOON, 2) == [50, 50]
    assert first_phase(asked.answer("m", spans(NOON, [15]), NOON), NOON, 2) == [65, 50]
    between = accepted(asked, NOON + MINUTE, [50, 50])
    assert first_phase(between.answer("m", spans(NOON, [15]), NOON + MINUTE), NOON, 2) == [50, 50]


def test_a_forecast_replaces_a_grant() -> None:
    book = accepted(Book(), NOON, [50, 50]).ask("m", spans(NOON, [20]), NOON).answer("m", spans(NOON, [15]), NOON)
    assert first_phase(accepted(book, NOON + MINUTE, [55, 50]), NOON, 2) == [55, 50]


def test_remaining_capacity_is_never_planned_with() -> None:
    book, _ = Book().accept(NOON, spans(NOON, [10]), spans(NOON, [99]), NOON)
    assert first_phase(book, NOON, 1) == [10]
    assert book.remaining_at(NOON, 2)[0].tolist() == [99, 0]
    assert book.ask("m", spans(NOON, [60]), NOON).remaining_at(NOON, 1)[0].tolist() == [39]


def test_blocks_off_the_grid_count_with_their_least() -> None:
    odd = [Span(NOON, NOON + 7 * MINUTE, (9, 9, 9)), Span(NOON + 7 * MINUTE, NOON + 30 * MINUTE, (20, None, 20))]
    book, _ = Book().accept(NOON, odd, (), NOON)
    assert book.limits(NOON, NOON, 2).tolist() == [[9, 20], [0, 0], [9, 20]]
    assert book.limits(NOON + 8 * MINUTE, NOON, 1)[0].tolist() == [20]


def test_a_book_survives_its_document() -> None:
    book = accepted(Book(), NOON, [50, None, 40]).ask("m", spans(NOON, [20, -5]), NOON)
    again = decode(encode(book.answer("m", spans(NOON, [20]), NOON)), Book)
    assert first_phase(again, NOON, 3) == [70, 0, 40]
    assert again.asked[0].spans == tuple(spans(NOON, [20, -5]))


VALUES = st.lists(st.one_of(st.none(), st.integers(0, 60)), min_size=12, max_size=12)


@settings(max_examples=150, deadline=None)
@given(messages=st.lists(VALUES, min_size=1, max_size=4), order=st.lists(st.integers(0, 3), min_size=1, max_size=8))
def test_no_order_delay_or_repetition_raises_what_is_stated(messages: list[list[int | None]], order: list[int]) -> None:
    """Once the newest has come, its stated values bound the book, however the others come before or after."""
    newest = len(messages) - 1
    book = Book()
    for number in [*(k % len(messages) for k in order), newest, *(k % len(messages) for k in order)]:
        book = accepted(book, NOON + number * MINUTE, messages[number])
    limits = first_phase(book, NOON, 14)
    for k, value in enumerate(messages[newest]):
        if value is not None:
            assert limits[k] <= value
    assert limits[12:] == [0, 0]


EVENTS = st.lists(
    st.tuples(st.sampled_from(["refuse", "give", "ask", "answer", "old"]), st.integers(1, 40)), max_size=8
)


@settings(max_examples=150, deadline=None)
@given(values=VALUES, events=EVENTS)
def test_nothing_but_a_grant_raises_a_forecast(values: list[int | None], events: list[tuple[str, int]]) -> None:
    book = accepted(Book(), NOON, values)
    granted = 0
    before = np.array(first_phase(book, NOON, 14))
    for number, (kind, amount) in enumerate(events):
        name = f"m{number}"
        if kind == "refuse":
            book, _ = book.refuse(NOON + MINUTE, NOON)
        elif kind == "old":
            book, _ = book.accept(NOON - amount * 30 * SECOND, spans(NOON, [amount] * 12), (), NOON)
        elif kind == "give":
            book = book.ask(name, spans(NOON, [-amount]), NOON)
        elif kind == "ask":
            book = book.ask(name, spans(NOON, [amount]), NOON)
        else:
            book = book.answer(f"m{number - 1}", spans(NOON, [amount]), NOON)
            granted += amount
    after = np.array(first_phase(book, NOON, 14))
    assert (after[1:] <= before[1:]).all()
    assert after[0] <= before[0] + granted
