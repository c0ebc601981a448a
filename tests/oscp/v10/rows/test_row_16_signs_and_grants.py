"""Row 16: a request is a signed change; an answer never gives more than was asked, nor takes a give-back back."""

import asyncio
from collections.abc import Iterator
from decimal import Decimal
from typing import ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dso_office import MONDAY, World, request
from dso_office import ask as ask_dso
from gridroom.oscp.v10.blocks import Span, answer_spans, deltas_count, granted_spans, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Detail,
    Envelope,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    ValueType,
)
from oscp_samples import GRANT, QUARTER, TERMS, ask, at, fault, noted, read, refusals, rows, value, values, written

NO_CAPACITY = Detail("NO_CAPACITY", "not enough")


def asked(*wishes: str | ValueType) -> list[Span]:
    """A request for one quarter."""
    return request_spans(Adjustment("A", (ask(0, 1, *wishes),)), TERMS)[0]


def answered(question: list[Span], *blocks: CapacityBlock, granted: bool = True) -> tuple[list[Span], list[int]]:
    spans, notes = answer_spans(question, Adjustment("A", blocks), TERMS, granted=granted)
    assert [(s.start, s.end) for s in spans] == [(s.start, s.end) for s in question]
    return spans, noted(notes)


class TestARequest:
    def test_is_signed_below_zero_gives_back(self) -> None:
        assert asked(value("5", 1), value("-4", 2))[0].amounts == (500, -400, None)

    def test_keeps_the_order_asked(self) -> None:
        spans, notes = request_spans(Adjustment("A", (ask(3, 4, "1"), ask(0, 1, "2"), ask(2, 3, "3"))), TERMS)
        assert [span.start for span in spans] == [at(3), at(0), at(2)]
        assert notes == []

    @pytest.mark.parametrize(("stated", "meant"), [("-1.009", -100), ("1.009", 100), ("-0.001", 0), ("0.001", 0)])
    def test_is_rounded_towards_no_change(self, stated: str, meant: int) -> None:
        assert asked(stated)[0].amounts == (meant, meant, meant)

    @pytest.mark.parametrize(("stated", "text"), [("-1.001", "-1.01"), ("1.009", "1.00"), ("-0.001", "-0.01")])
    def test_is_written_towards_less(self, stated: str, text: str) -> None:
        body = RequestAdjustedCapacityRequest((Adjustment("C1", (ask(0, 1, stated),)),))
        assert f">{text}</Capacity>" in written(body)


class TestWhatAnAnswerGrants:
    @pytest.mark.parametrize(
        ("wish", "given_", "counts", "deviates"),
        [
            ("5", "5", 500, False),
            ("5", "3", 300, False),
            ("5", "0", 0, False),
            ("5", "7", 500, True),
            ("5", "-5", 0, True),
            ("-5", "-5", 0, False),
            ("-5", "-3", 0, False),
            ("-5", "-7", 0, True),
            ("-5", "5", 0, True),
            ("0", "5", 0, True),
        ],
    )
    def test_never_more_than_asked_and_only_of_its_sign(
        self, wish: str, given_: str, counts: int, deviates: bool
    ) -> None:
        spans, notes = answered(asked(wish), ask(0, 1, given_))
        assert spans[0].amounts == (counts, counts, counts)
        assert notes == ([16] if deviates else [])

    def test_phase_by_phase(self) -> None:
        spans, notes = answered(
            asked(value("5", 1), value("5", 2), value("-5", 3)), ask(0, 1, value("7", 1), value("3", 2), value("5", 3))
        )
        assert spans[0].amounts == (500, 300, 0)
        assert set(notes) == {16}

    def test_a_phase_that_was_not_asked_for_is_0(self) -> None:
        spans, notes = answered(asked(value("5", 1)), ask(0, 1, "5"))
        assert spans[0].amounts == (500, 0, 0)
        assert notes == [16]

    def test_a_phase_that_is_not_answered_is_0(self) -> None:
        spans, notes = answered(asked("5"), ask(0, 1, value("5", 2)))
        assert spans[0].amounts == (0, 500, 0)
        assert notes == [5]

    @pytest.mark.parametrize("times", [(1, 2), (0, 2), (0, 0.5), (-1, 1)])
    def test_another_block_is_0_with_a_deviation(self, times: tuple[float, float]) -> None:
        spans, notes = answered(asked("5"), ask(*times, "5"))
        assert spans[0].amounts == (0, 0, 0)
        assert notes == [16]

    def test_a_block_that_is_not_answered_is_0(self) -> None:
        question = request_spans(Adjustment("A", (ask(0, 1, "5"), ask(1, 2, "5"))), TERMS)[0]
        spans, notes = answered(question, ask(1, 2, "4"))
        assert [span.amounts[0] for span in spans] == [0, 400]
        assert notes == []

    def test_success_without_adjustment_grants_nothing(self) -> None:
        envelope = read(RequestAdjustedCapacityResponse((), Result.success()))
        assert isinstance(envelope.body, RequestAdjustedCapacityResponse)
        assert envelope.body.adjustments == ()
        spans, notes = answer_spans(asked("5"), None, TERMS, granted=deltas_count(envelope.body.result))
        assert spans[0].amounts == (0, 0, 0)
        assert notes == []

    def test_an_adjustment_without_blocks_grants_nothing_with_a_deviation(self) -> None:
        text = written(GRANT)
        whole = text[text.index("<CapacityBlock>") : text.index("</CapacityBlock>") + len("</CapacityBlock>")]
        envelope = read(GRANT, (whole, ""))
        assert isinstance(envelope.body, RequestAdjustedCapacityResponse)
        assert rows(envelope) == {16}
        spans, _ = answer_spans(asked("5"), envelope.body.adjustments[0], TERMS, granted=True)
        assert spans[0].amounts == (0, 0, 0)
        fault(
            RequestAdjustedCapacityRequest((Adjustment("C1", (ask(0, 1, "5"),)),)),
            (whole.partition("<Rem")[0].replace("24.00", "5.00") + "</CapacityBlock>", ""),
        )

    def test_what_cannot_be_read_grants_nothing(self) -> None:
        (refusal,) = refusals(read(GRANT, (">24.00<", ">much<")))
        assert refusal.cable_id == "C1"
        for bad in ((ask(0, 1, "5"), ask(0, 1, "4")), (ask(0, 1, value("1", unit="Wh")),), (ask(1, 0, "5"),)):
            spans, notes = answered(asked("5"), *bad)
            assert spans[0].amounts == (0, 0, 0)
            assert notes == [16]

    @given(
        st.tuples(*[st.one_of(st.none(), st.integers(-500, 500))] * 3),
        st.tuples(*[st.one_of(st.none(), st.integers(-600, 600))] * 3),
        st.booleans(),
    )
    def test_it_is_the_smaller_of_wish_and_grant_never_below_0(
        self, wish: tuple[int | None, ...], given_: tuple[int | None, ...], counts: bool
    ) -> None:
        question = [Span(at(0), at(1), (wish[0], wish[1], wish[2]))]
        stated = [value(f"{one / 100:.2f}", phase) for phase, one in enumerate(given_, 1) if one is not None]
        blocks = (ask(0, 1, *stated), ask(3, 4, "50")) if stated else (ask(3, 4, "50"),)
        spans, notes = answered(question, *blocks, granted=counts)
        for mine, theirs, result in zip(wish, given_, spans[0].amounts, strict=True):
            assert result == (max(0, min(mine or 0, theirs or 0)) if counts else 0)
        assert 16 in notes


class TestWhetherDeltasCount:
    @pytest.mark.parametrize(
        ("result", "counts"),
        [
            (Result.success(), True),
            (Result(ResultType.SUCCESS), True),
            (Result(ResultType.FAILED, (NO_CAPACITY,)), True),
            (Result(ResultType.FAILED, (Detail("UNKNOWN_CABLE", "x"), NO_CAPACITY)), True),
            (Result(ResultType.FAILED, (Detail("UNKNOWN_CABLE", "x"),)), False),
            (Result(ResultType.FAILED), False),
            (Result(ResultType.NOT_ALLOWED, (NO_CAPACITY,)), False),
            (Result(ResultType.NOT_IMPLEMENTED, (NO_CAPACITY,)), False),
            (Result(ResultType.ERROR, (NO_CAPACITY,)), False),
        ],
    )
    def test_on_success_and_for_want_of_capacity_only(self, result: Result, counts: bool) -> None:
        assert deltas_count(result) is counts
        spans, notes = answered(asked("5"), ask(0, 1, "3"), granted=deltas_count(result))
        assert spans[0].amounts == ((300,) * 3 if counts else (0,) * 3)
        assert notes == ([] if counts else [16])


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    made = World(backup={"cap": 1.0})
    made.history(9)
    asyncio.run(made.dso.publish(MONDAY))
    yield made
    made.close()


class TestOurDso:
    """SUCCESS only when all was granted, else FAILED with NO_CAPACITY; every block asked, in the order asked."""

    def answer(self, world: World, *adjustments: Adjustment) -> RequestAdjustedCapacityResponse:
        reply = world.say("north", request(*adjustments))
        assert isinstance(reply, Envelope)
        assert isinstance(reply.body, RequestAdjustedCapacityResponse)
        assert reply.deviations == ()
        return reply.body

    def test_all_granted_is_success(self, world: World) -> None:
        body = self.answer(world, ask_dso(0.1, MONDAY + 40 * QUARTER))
        assert body.result.type is ResultType.SUCCESS
        (one,) = body.adjustments[0].blocks
        assert [(v.phase, str(v.value)) for v in one.capacity] == [(None, "0.10")]
        assert one.remaining

    def test_not_all_is_failed_with_no_capacity_and_every_block_in_the_order_asked(self, world: World) -> None:
        order = [44, 42, 43]
        blocks = tuple(b for k in order for b in ask_dso(5000, MONDAY + k * QUARTER).blocks)
        body = self.answer(world, Adjustment("cable-1", blocks))
        assert body.result.type is ResultType.FAILED
        assert "NO_CAPACITY" in {detail.code for detail in body.result.details}
        assert deltas_count(body.result)
        given_ = body.adjustments[0].blocks
        assert [(b.start, b.end) for b in given_] == [(b.start, b.end) for b in blocks]
        assert all(v.value < 5000 for b in given_ for v in b.capacity)
        assert all(min(v.value for v in b.remaining) <= Decimal("0.01") for b in given_)

    def test_what_is_refused_is_answered_with_0(self, world: World) -> None:
        gone = ask_dso(3, MONDAY + 400 * QUARTER)
        body = self.answer(world, gone)
        (one,) = body.adjustments[0].blocks
        assert written(body).count('<Capacity Unit="A">0.00</Capacity>') == 1
        assert [str(v.value) for v in one.capacity] == ["0.00"]
        assert body.result.type is ResultType.FAILED

    def test_the_remaining_capacity_is_what_is_left_after_it(self, world: World) -> None:
        def left(body: RequestAdjustedCapacityResponse) -> float:
            return min(float(v.value) for v in body.adjustments[0].blocks[0].remaining)

        when = MONDAY + 60 * QUARTER
        before = left(self.answer(world, ask_dso(0, when)))
        body = self.answer(world, ask_dso(1, when))
        assert left(body) == pytest.approx(before - float(body.adjustments[0].blocks[0].capacity[0].value))

    def test_a_refused_cable_does_not_hide_what_another_got(self, world: World) -> None:
        body = self.answer(world, ask_dso(0.1, MONDAY + 50 * QUARTER), ask_dso(1, MONDAY, cable="elsewhere"))
        assert body.result.type is ResultType.FAILED
        assert deltas_count(body.result)
        assert [str(b.capacity[0].value) for a in body.adjustments for b in a.blocks] == ["0.10", "0.00"]

    def test_a_give_back_is_taken_rounded_towards_0_and_never_more_than_was_assigned(self, world: World) -> None:
        fine = Adjustment("cable-1", (CapacityBlock(MONDAY + 70 * QUARTER, MONDAY + 71 * QUARTER, values(["-1.00"])),))
        body = self.answer(world, fine)
        assert [str(v.value) for v in body.adjustments[0].blocks[0].capacity] == ["-1.00"]
        body = self.answer(world, ask_dso(-5000, MONDAY + 72 * QUARTER))
        assert body.result.type is ResultType.FAILED
        assert all(-5000 < v.value < 0 for v in body.adjustments[0].blocks[0].capacity)


class TestAWholeAnswer:
    """Cable by cable; a cable that was not asked for counts as 0."""

    ASKED: ClassVar = {"C1": asked("5"), "C2": asked("4")}

    def grants(
        self, *adjustments: Adjustment, result: Result | None = None, refused: tuple[Refusal, ...] = ()
    ) -> tuple[list[int | None], list[int]]:
        body = RequestAdjustedCapacityResponse(adjustments, result or Result.success(), refused)
        granted, notes = granted_spans(self.ASKED, body, {"C1": TERMS, "C2": TERMS})
        assert list(granted) == ["C1", "C2"]
        return [spans[0].amounts[0] for spans in granted.values()], noted(notes)

    def test_each_cable_gets_its_own(self) -> None:
        one, two = Adjustment("C1", (ask(0, 1, "5"),)), Adjustment(" C2 ", (ask(0, 1, "3"),))
        assert self.grants(two, one) == ([500, 300], [])
        assert self.grants(one) == ([500, 0], [])
        assert self.grants(one, two, result=Result(ResultType.ERROR)) == ([0, 0], [16, 16])

    def test_another_cable_is_a_deviation(self) -> None:
        assert self.grants(Adjustment("C9", (ask(0, 1, "5"),))) == ([0, 0], [16])

    def test_a_cable_in_several_containers_is_read_as_one(self) -> None:
        halves = [Adjustment("C1", (ask(0, 1, value("5", phase)),)) for phase in (1, 2, 3)]
        assert self.grants(*halves)[0] == [500, 0]
        assert self.grants(halves[0], Adjustment("C1", (ask(0, 1, value("4", 1)),)))[0] == [0, 0]

    def test_a_cable_of_which_a_part_could_not_be_read_gets_nothing(self) -> None:
        bad = (Refusal("C1", "INVALID_VALUE", "x", "x"),)
        both = (Adjustment("C1", (ask(0, 1, "5"),)), Adjustment("C2", (ask(0, 1, "3"),)))
        assert self.grants(*both, refused=bad) == ([0, 300], [16])
