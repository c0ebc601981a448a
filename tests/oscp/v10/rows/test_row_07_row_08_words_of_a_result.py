"""Rows 7 and 8: the words for an outcome. One that nobody knows is never success."""

import itertools

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.judge import Again, Delivered, judge
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import (
    Detail,
    Envelope,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    Request,
    Result,
    ResultType,
)
from gridroom.oscp.v10.values import RESULT_TYPES
from oscp_messages import ANSWERS, OK, named
from oscp_samples import GRANT, START, changed, read, rows, written

DSO = Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), "https://dso.example/")
CASES = (str.upper, str.lower, str.title, str.swapcase)


def type_read(word: str) -> tuple[ResultType, set[int]]:
    envelope = read(OK, ("<Type>SUCCESS</Type>", f"<Type>{word}</Type>"))
    assert isinstance(envelope.body, GetCapacityForecastResponse)
    return envelope.body.result.type, rows(envelope)


def answer_to(body: Request, data: bytes) -> Envelope:
    verdict = judge(letter(DSO, body, now=START, message_id="m1"), DSO, 200, data, START, 0.5)
    assert isinstance(verdict, Delivered), verdict
    return verdict.envelope


class TestRow07:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("word", ["SUCCES", "SUCCESS", "OK"])
    def test_three_words_in_any_letter_case_are_success(self, word: str, case: type[str]) -> None:
        assert type_read(case(word)) == (ResultType.SUCCESS, set() if case(word) == "SUCCESS" else {7})

    @pytest.mark.parametrize("word", ["FINE", "", "SUCCESSFUL", "UNSUCCESSFUL", "NOT OK", "TRUE", "0", "SUCCE SS X"])
    def test_any_other_word_is_an_error_never_success(self, word: str) -> None:
        assert type_read(word) == (ResultType.ERROR, {7})

    @pytest.mark.parametrize("word", ["OK", "success"])
    def test_the_answer_of_3_2_4_may_hold_only_the_word(self, word: str) -> None:
        start, end = written(OK).index("<Result>"), written(OK).index("</Result>") + len("</Result>")
        envelope = soap.read((written(OK)[:start] + word + written(OK)[end:]).encode())
        assert envelope.body == GetCapacityForecastResponse(Result(ResultType.SUCCESS))
        assert rows(envelope) == {7}

    def test_an_answer_to_get_capacity_forecast_without_a_body_is_success(self) -> None:
        envelope = answer_to(GetCapacityForecastRequest(), b" \n")
        assert envelope.body == GetCapacityForecastResponse(Result(ResultType.SUCCESS))
        assert rows(envelope) == {7}

    def test_to_nothing_else_it_is_an_answer(self) -> None:
        one = letter(DSO, HeartbeatRequest(300, 900), now=START, message_id="m1")
        assert isinstance(judge(one, DSO, 200, b"", START, 0.5), Again)

    def test_success_is_written_with_two_s(self) -> None:
        assert "<Type>SUCCESS</Type>" in written(OK)


class TestRow08:
    @pytest.mark.parametrize("case", CASES)
    @pytest.mark.parametrize("between", [" ", "_", "", "-", "  "])
    @pytest.mark.parametrize("words", [("NOT", "ALLOWED"), ("NOT", "IMPLEMENTED")])
    def test_two_words_with_anything_between(self, words: tuple[str, str], between: str, case: type[str]) -> None:
        kind = ResultType(" ".join(words))
        spelled = case(between.join(words))
        assert type_read(spelled) == (kind, set() if spelled == kind else {8})

    @pytest.mark.parametrize("kind", ResultType)
    def test_every_type_is_written_as_the_table_has_it_with_a_space(self, kind: ResultType) -> None:
        text = written(GetCapacityForecastResponse(Result(kind, (Detail("X", "x"),))))
        assert f"<Type>{kind.value}</Type>" in text
        assert soap.read(text.encode()).deviations == ()


@pytest.mark.parametrize("message", ANSWERS, ids=named)
def test_every_answer_tells_all_five(message: object) -> None:
    for kind in ResultType:
        data = changed(message, ("<Type>SUCCESS</Type>", f"<Type>{kind}</Type>"))  # type: ignore[arg-type]
        assert soap.read(data).body.result.type is kind  # type: ignore[union-attr]


def test_no_spelling_means_two_things() -> None:
    assert set(RESULT_TYPES.values()) == set(ResultType)
    assert all(one == one.lower() and one.isalpha() for one in RESULT_TYPES)
    assert not {"".join(pair) for pair in itertools.product(("not", "un"), ("success", "succes", "ok"))} & set(
        RESULT_TYPES
    )
    assert GRANT.result.type is ResultType.SUCCESS
