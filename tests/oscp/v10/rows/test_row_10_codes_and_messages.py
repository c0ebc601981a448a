"""Row 10: codes, messages, levels and descriptions of a Result's details."""

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Detail, GetCapacityForecastResponse, Level, Result, ResultType
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from oscp_messages import OK
from oscp_samples import read, rows, written

DETAIL = "<Detail><Code>MESSAGE_PROCESSED</Code><Level>INFO</Level><Message>Processed.</Message>"


def details(*swaps: tuple[str, str]) -> tuple[tuple[Detail, ...], set[int]]:
    envelope = read(OK, *swaps)
    assert isinstance(envelope.body, GetCapacityForecastResponse)
    return envelope.body.result.details, rows(envelope)


def without(name: str) -> tuple[str, str]:
    text = written(OK)
    start, end = text.index(f"<{name}>"), text.index(f"</{name}>") + len(f"</{name}>")
    return text[start:end], ""


def answer(*told: Detail, kind: ResultType = ResultType.FAILED, profile: PeerProfile = DEFAULT) -> str:
    return written(GetCapacityForecastResponse(Result(kind, told)), profile)


class TestReading:
    @pytest.mark.parametrize(
        ("length", "read", "noted"), [(1, 1, set()), (15, 15, set()), (16, 16, {10}), (64, 64, {10}), (65, 64, {10})]
    )
    def test_a_code_of_any_length_to_64(self, length: int, read: int, noted: set[int]) -> None:
        told, found = details((">MESSAGE_PROCESSED</Code>", f">{'x' * length}</Code>"))
        assert (told[0].code, found) == ("x" * read, noted)

    def test_the_examples_own_code_is_no_deviation(self) -> None:
        assert details() == ((Detail("MESSAGE_PROCESSED", "Processed."),), set())

    @pytest.mark.parametrize(
        ("old", "new"), [("<Message>Processed.</Message>", "<Message/>"), ("<Message>Processed.</Message>", "")]
    )
    def test_an_empty_or_absent_message(self, old: str, new: str) -> None:
        assert details((old, new)) == ((Detail("MESSAGE_PROCESSED", ""),), {10})

    def test_a_message_over_254_characters_is_cut(self) -> None:
        told, found = details((">Processed.<", f">{'m' * 255}<"))
        assert (told[0].message, found) == ("m" * 254, {10})

    def test_details_absent(self) -> None:
        assert details(without("Details")) == ((), {10})

    def test_detail_absent_inside_details(self) -> None:
        assert details(without("Detail")) == ((), {10})

    def test_details_without_the_inner_detail(self) -> None:
        assert details(("<Detail>", ""), ("</Detail>", "")) == ((Detail("MESSAGE_PROCESSED", "Processed."),), {10})

    def test_many_details_in_one_holder_or_each_in_its_own(self) -> None:
        second = "<Detail><Code>B</Code><Level>WARN</Level><Message>b</Message></Detail>"
        both = (Detail("MESSAGE_PROCESSED", "Processed."), Detail("B", "b", Level.WARN))
        assert details(("</Detail>", f"</Detail>{second}")) == (both, set())
        assert details(("</Details>", f"</Details><Details>{second}</Details>")) == (both, set())

    def test_unknown_children_are_ignored(self) -> None:
        told, found = details(("<Detail>", "<Detail><Extra>1</Extra>"), ("<Type>", "<Mood>good</Mood><Type>"))
        assert (told, found) == ((Detail("MESSAGE_PROCESSED", "Processed."),), {35})

    def test_an_absent_code(self) -> None:
        assert details(("<Code>MESSAGE_PROCESSED</Code>", "")) == ((Detail("", "Processed."),), {10})

    @pytest.mark.parametrize("level", Level)
    def test_every_level_in_any_letter_case(self, level: Level) -> None:
        for word in (level.value, level.value.lower()):
            assert details((">INFO<", f">{word}<"))[0][0].level is level

    @pytest.mark.parametrize("word", ["FATAL", "", "WARNING", "3"])
    def test_an_unknown_level_is_tolerated(self, word: str) -> None:
        told, found = details((">INFO<", f">{word}<"))
        assert (told[0].level, found) == (Level.INFO, {10})

    def test_an_absent_level_too(self) -> None:
        assert details(("<Level>INFO</Level>", ""))[1] == {10}


class TestWriting:
    def test_the_code_beside_success_is_that_of_the_examples_or_the_short_one(self) -> None:
        assert "<Code>MESSAGE_PROCESSED</Code>" in answer(kind=ResultType.SUCCESS)
        short = answer(kind=ResultType.SUCCESS, profile=PeerProfile(success_code="PROCESSED"))
        assert "<Code>PROCESSED</Code>" in short

    @pytest.mark.parametrize("code", ["x" * 16, "MESSAGE_PROCESSES", "", " A", "A ", "\x00"])
    def test_every_other_code_has_1_to_15_characters(self, code: str) -> None:
        assert f"<Code>{'x' * 15}</Code>" in answer(Detail("x" * 15, "m"))
        with pytest.raises(LocalError, match="Code"):
            answer(Detail(code, "m"))

    def test_the_message_is_filled_and_at_most_254_characters(self) -> None:
        assert f"<Message>{'m' * 254}</Message>" in answer(Detail("CODE", "m" * 300))
        assert "<Message>CODE</Message>" in answer(Detail("CODE", " "))
        assert "<Message>a ? b &lt;&amp;</Message>" in answer(Detail("CODE", "a \x00 b <&"))

    def test_the_description_is_the_code_or_absent(self) -> None:
        assert "<Description>CODE</Description>" in answer(Detail("CODE", "m"))
        assert "Description" not in answer(Detail("CODE", "m"), profile=PeerProfile(description=False))

    @pytest.mark.parametrize("kind", ResultType)
    def test_a_result_without_details_gets_the_plainest(self, kind: ResultType) -> None:
        (told,) = soap.read(answer(kind=kind).encode()).body.result.details  # type: ignore[union-attr]
        assert told.message
        assert told.level is (Level.INFO if kind is ResultType.SUCCESS else Level.ERROR)

    @pytest.mark.parametrize("level", Level)
    def test_every_level_is_written(self, level: Level) -> None:
        assert f"<Level>{level.value}</Level>" in answer(Detail("X", "x", level))
