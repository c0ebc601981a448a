"""Answers about several cables, for who builds a DSO or CSO on the library. OSCP 1.0 sections 3.2.5.2 and 3.2.8."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.answers import adjusted, granted, outcome
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Header,
    Level,
    Refusal,
    RequestAdjustedCapacityRequest,
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


def all_of_it(cable: str, span: Span) -> tuple[Sequence[int], Sequence[int]]:
    return [wish or 0 for wish in span.amounts], [0, 0, 0]


def at_most_4(cable: str, span: Span) -> tuple[Sequence[int], Sequence[int]]:
    return [min(wish or 0, 400) for wish in span.amounts], [100, 200, 300]


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
    assert adjusted(request, TERMS, at_most_4).result == Result.success()
    more = RequestAdjustedCapacityRequest((Adjustment("C1", (block(0, ampere("3")), block(1, ampere("4.01")))),))
    answer = adjusted(more, TERMS, at_most_4, GRIDROOM)
    assert codes(answer.result) == [("APPLIED", Level.INFO), ("NO_CAPACITY", Level.WARN)]
    first, second = answer.adjustments[0].blocks
    assert (first.capacity, second.capacity) == ((ampere("3.00"),), (ampere("4.00"),))
    assert second.remaining == (ampere("1.00", 1), ampere("2.00", 2), ampere("3.00", 3))


def test_every_block_asked_is_answered_in_the_order_asked_with_the_phases_asked() -> None:
    asked = (block(4, ampere("9", 2)), block(0, ampere("1", 1), ampere("2", 2), ampere("9", 3)), block(2, ampere("-5")))
    answer = adjusted(RequestAdjustedCapacityRequest((Adjustment("C2", asked),)), TERMS, at_most_4)
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
    answer = adjusted(request, TERMS, all_of_it)
    assert [one.cable_id for one in answer.adjustments] == ["C1"]
    assert [code for code, level in codes(answer.result) if level is Level.ERROR] == [
        "INVALID_UNIT",
        "UNKNOWN_CABLE",
        "INVALID_VALUE",
    ]
    assert "elsewhere" in answer.result.details[1].message


def test_a_repeated_block_is_decided_once() -> None:
    calls: list[Span] = []

    def count(cable: str, span: Span) -> tuple[Sequence[int], Sequence[int]]:
        calls.append(span)
        return all_of_it(cable, span)

    same = Adjustment("C1", (block(0, ampere("1")), block(0, ampere("1"))))
    answer = adjusted(RequestAdjustedCapacityRequest((same, same)), TERMS, count)
    assert len(calls) == len(answer.adjustments[0].blocks) == 1


@settings(max_examples=60)
@given(st.lists(wishes, min_size=1, max_size=4), st.tuples(centi, centi, centi))
def test_the_other_side_reads_what_was_assigned_and_never_more_than_it_asked(
    asked: list[tuple[ValueType, ...]], given_ca: tuple[int, int, int]
) -> None:
    """Whatever `assign` says, by mistake or not."""
    wish = Adjustment("C1", tuple(block(number, *capacity) for number, capacity in enumerate(asked)))
    answer = adjusted(RequestAdjustedCapacityRequest((wish,)), TERMS, lambda _, span: (given_ca, (0, 0, 0)), GRIDROOM)
    header = Header("2", "dso", "cso", datetime(2026, 1, 1, tzinfo=UTC), relates_to="1")
    heard = soap.read(soap.write(header, answer, GRIDROOM)).body
    assert heard == answer
    spans, _ = granted(wish, answer, TERMS["C1"])
    assert len(spans) == len(asked)
    phaseless = all(value.phase is None for capacity in asked for value in capacity)
    for span, stated in zip(spans, wish.blocks, strict=True):
        for phase, got in enumerate(span.amounts, 1):
            amounts = [one.value for one in stated.capacity if one.phase in (None, phase)]
            most = max(int(amounts[0] * 100), 0) if amounts else 0
            least = min(given_ca) if phaseless else given_ca[phase - 1]
            assert got == max(0, min(most, least))


def test_an_answer_about_another_cable_grants_nothing() -> None:
    wish = Adjustment("C1", (block(0, ampere("3")),))
    other = adjusted(RequestAdjustedCapacityRequest((Adjustment("C2", wish.blocks),)), TERMS, all_of_it)
    spans, _ = granted(wish, other, TERMS["C1"])
    assert [span.amounts for span in spans] == [(0, 0, 0)]


def test_a_give_back_is_taken_as_far_as_something_was_held() -> None:
    request = RequestAdjustedCapacityRequest((Adjustment("C1", (block(0, ampere("-5")), block(1, ampere("-5")))),))
    held = iter(((-300, -300, -300), (700, 700, 700)))
    answer = adjusted(request, TERMS, lambda _, span: (next(held), (0, 0, 0)))
    assert [one.capacity for one in answer.adjustments[0].blocks] == [(ampere("-3.00"),), (ampere("0.00"),)]
    assert codes(answer.result)[-1] == ("NO_CAPACITY", Level.WARN)


def test_who_named_no_phase_gets_one_amount_the_least() -> None:
    request = RequestAdjustedCapacityRequest((Adjustment("C1", (block(0, ampere("6")), block(1, ampere("-6")))),))
    amounts = iter(((600, 400, 500), (-600, -200, -600)))
    answer = adjusted(request, TERMS, lambda _, span: (next(amounts), (0, 0, 0)), GRIDROOM)
    assert [one.capacity for one in answer.adjustments[0].blocks] == [(ampere("4.00"),), (ampere("-2.00"),)]
