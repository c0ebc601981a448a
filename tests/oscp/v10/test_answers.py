"""Answers about several cables, for who builds a DSO or CSO on the library. OSCP 1.0 sections 3.2.5.2 and 3.2.8."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.adjustments import granted_spans, request_spans
from gridroom.oscp.v10.answers import Ask, Assigned, adjusted, judged, outcome
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Header,
    Level,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    ValueType,
)
from gridroom.oscp.v10.profile import GRIDROOM
from gridroom.oscp.v10.spans import CableTerms, Span
from oscp_drawn import START

QUARTER = timedelta(minutes=15)
TERMS = {"C1": CableTerms(), "C2": CableTerms()}
BAD = Refusal("C9", "INVALID_UNIT", "V is no unit", "Envelope/Body")

centi = st.integers(-5000, 5000)
wishes = st.one_of(
    centi.map(lambda ca: (ValueType(Decimal(ca).scaleb(-2)),)),
    st.tuples(centi, centi, centi).map(
        lambda three: tuple(ValueType(Decimal(ca).scaleb(-2), "A", n) for n, ca in enumerate(three, 1))
    ),
    st.tuples(st.sampled_from((1, 2, 3)), centi).map(lambda one: (ValueType(Decimal(one[1]).scaleb(-2), "A", one[0]),)),
)


def block(number: int, *capacity: ValueType) -> CapacityBlock:
    return CapacityBlock(START + number * QUARTER, START + (number + 1) * QUARTER, capacity)


def ampere(value: str, phase: int | None = None) -> ValueType:
    return ValueType(Decimal(value), "A", phase)


def all_of_it(cable: str, asked: Sequence[Ask]) -> Iterable[Assigned]:
    return [([wish or 0 for wish in one.span.amounts], [0, 0, 0]) for one in asked]


def at_most_4(cable: str, asked: Sequence[Ask]) -> Iterable[Assigned]:
    return [([min(wish or 0, 400) for wish in one.span.amounts], [100, 200, 300]) for one in asked]


def answered(*adjustments: Adjustment, refused: tuple[Refusal, ...] = ()) -> RequestAdjustedCapacityRequest:
    return RequestAdjustedCapacityRequest(adjustments, refused)


def granted(wish: Adjustment, answer: RequestAdjustedCapacityResponse) -> list[Span]:
    terms = TERMS[wish.cable_id]
    return granted_spans({wish.cable_id: request_spans(wish, terms)[0]}, answer, TERMS)[0][wish.cable_id]


def codes(result: Result) -> list[tuple[str, Level]]:
    return [(one.code, one.level) for one in result.details]


def test_a_message_without_refusals_succeeds() -> None:
    assert outcome([], 2) == Result.success()


def test_a_refused_cable_is_an_error_beside_the_number_applied() -> None:
    result = outcome([BAD, Refusal("C" * 300, "A" * 20, "m" * 300, "")], 7)
    assert result.type is ResultType.FAILED
    assert codes(result) == [("INVALID_UNIT", Level.ERROR), ("A" * 15, Level.ERROR), ("APPLIED", Level.INFO)]
    assert result.details[0].message == "C9: V is no unit (Envelope/Body)"
    assert result.details[-1].message == "7 cables applied"
    assert max(len(one.message) for one in result.details) <= 254


def test_success_is_said_only_when_all_was_assigned() -> None:
    request = RequestAdjustedCapacityRequest((Adjustment("C1", (block(0, ampere("3")), block(1, ampere("4.00")))),))
    assert adjusted(request, TERMS, at_most_4)[0].result == Result.success()
    more = RequestAdjustedCapacityRequest((Adjustment("C1", (block(0, ampere("3")), block(1, ampere("4.01")))),))
    answer, _ = adjusted(more, TERMS, at_most_4, GRIDROOM)
    assert codes(answer.result) == [("APPLIED", Level.INFO), ("NO_CAPACITY", Level.WARN)]
    first, second = answer.adjustments[0].blocks
    assert (first.capacity, second.capacity) == ((ampere("3.00"),), (ampere("4.00"),))
    assert second.remaining == (ampere("1.00", 1), ampere("2.00", 2), ampere("3.00", 3))


def test_every_block_asked_is_answered_in_the_order_asked_with_the_phases_asked() -> None:
    asked = (block(4, ampere("9", 2)), block(0, ampere("1", 1), ampere("2", 2), ampere("9", 3)), block(2, ampere("-5")))
    answer, _ = adjusted(RequestAdjustedCapacityRequest((Adjustment("C2", asked),)), TERMS, at_most_4)
    (given,) = answer.adjustments
    assert [(one.start, one.end) for one in given.blocks] == [(one.start, one.end) for one in asked]
    assert [one.capacity for one in given.blocks] == [
        (ampere("4.00", 2),),
        (ampere("1.00", 1), ampere("2.00", 2), ampere("4.00", 3)),
        (ampere("-5.00"),),
    ]


def test_strange_and_broken_cables_are_refused_and_the_others_served() -> None:
    broken = Adjustment("C2", (block(0, ampere("1")), block(0, ampere("2"))))
    request = RequestAdjustedCapacityRequest(
        (Adjustment("C1", (block(0, ampere("1")),)), Adjustment("elsewhere", (block(0, ampere("1")),)), broken), (BAD,)
    )
    answer, _ = adjusted(request, TERMS, all_of_it)
    served, *others = answer.adjustments
    assert [one.cable_id for one in (served, *others)] == ["C1", "elsewhere", "C2"]
    assert [one.blocks[0].capacity for one in others] == [(ampere("0.00"),)] * 2
    assert len(others[1].blocks) == 1
    assert [code for code, level in codes(answer.result) if level is Level.ERROR] == [
        "UNKNOWN_CABLE",
        "UNKNOWN_CABLE",
        "INVALID_VALUE",
    ]
    assert "elsewhere" in answer.result.details[1].message


def test_a_repeated_block_is_decided_once() -> None:
    calls: list[Ask] = []

    def count(cable: str, asked: Sequence[Ask]) -> Iterable[Assigned]:
        calls.extend(asked)
        return all_of_it(cable, asked)

    same = Adjustment("C1", (block(0, ampere("1")), block(0, ampere("1"))))
    answer, notes = adjusted(answered(same, same), TERMS, count)
    assert len(calls) == len(answer.adjustments[0].blocks) == 1
    assert {one.row for one in notes} == {15}


def test_a_cable_refused_while_reading_is_named_once_and_only_to_whom_it_belongs() -> None:
    twice = [Refusal("C1", "INVALID_UNIT", text, "Envelope") for text in ("first", "second")]
    own, foreign = judged([*twice, BAD], TERMS, "Cable/CableId")
    assert own == twice[0]
    assert (foreign.code, foreign.path) == ("UNKNOWN_CABLE", "Cable/CableId")


@settings(max_examples=60)
@given(st.lists(wishes, min_size=1, max_size=4), st.integers(0, 5000))
def test_the_other_side_reads_what_was_assigned_and_never_more_than_it_asked(
    asked: list[tuple[ValueType, ...]], most: int
) -> None:
    def some(cable: str, asks: Sequence[Ask]) -> Iterable[Assigned]:
        return [([max(-most, min(wish or 0, most)) for wish in one.span.amounts], (0, 0, 0)) for one in asks]

    wish = Adjustment("C1", tuple(block(number, *capacity) for number, capacity in enumerate(asked)))
    answer, _ = adjusted(answered(wish), TERMS, some, GRIDROOM)
    header = Header("2", "dso", "cso", datetime(2026, 1, 1, tzinfo=UTC), relates_to="1")
    heard = soap.read(soap.write(header, answer, GRIDROOM)).body
    assert heard == answer
    spans = granted(wish, answer)
    assert len(spans) == len(asked)
    for span, stated in zip(spans, wish.blocks, strict=True):
        for phase, got in enumerate(span.amounts, 1):
            amounts = [one.value for one in stated.capacity if one.phase in (None, phase)]
            assert got == max(0, min(int(amounts[0] * 100), most)) if amounts else got == 0


def test_phases_are_judged_block_by_block() -> None:
    asks: list[Ask] = []

    def note(cable: str, asked: Sequence[Ask]) -> Iterable[Assigned]:
        asks.extend(asked)
        return all_of_it(cable, asked)

    wish = Adjustment("C1", (block(0, ampere("9")), block(1, ampere("1", 1), ampere("2", 2), ampere("3", 3))))
    answer, _ = adjusted(answered(wish), TERMS, note, GRIDROOM)
    assert [one.uniform for one in asks] == [True, False]
    assert answer.adjustments[0].blocks[0].capacity == (ampere("9.00"),)


@pytest.mark.parametrize(
    ("asked", "given_ca", "words"),
    [
        ("3", (400, 400, 400), "never more"),
        ("3", (-1, -1, -1), "another sign"),
        ("-3", (-400, -400, -400), "never more"),
        ("3", (100, 200, 300), "the smallest"),
    ],
)
def test_a_mistake_in_what_is_assigned_is_never_written(asked: str, given_ca: Sequence[int], words: str) -> None:
    wish = answered(Adjustment("C1", (block(0, ampere(asked)),)))
    with pytest.raises(LocalError, match=words):
        adjusted(wish, TERMS, lambda _, asks: [(given_ca, (0, 0, 0)) for _ in asks])


def test_an_answer_about_another_cable_grants_nothing() -> None:
    wish = Adjustment("C1", (block(0, ampere("3")),))
    other, _ = adjusted(answered(Adjustment("C2", wish.blocks)), TERMS, all_of_it)
    assert [span.amounts for span in granted(wish, other)] == [(0, 0, 0)]
