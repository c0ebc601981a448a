"""Row 36: the containers that the tables leave out, and how many cables share one."""

import pytest

from gridroom.oscp.v10.containers import MAX_SHARING
from gridroom.oscp.v10.messages import Adjustment, Message, RequestAdjustedCapacityRequest
from oscp_messages import named
from oscp_samples import FORECAST, GRANT, REQUEST, USAGE, fault, read, refusals, rows, written

CABLE = "<Cable><CableId>C1</CableId></Cable>"
HOLDERS = {"Forecast": FORECAST, "Adjustment": REQUEST, "Usage": USAGE}


def alone(message: Message) -> tuple[tuple[str, str], ...]:
    """The container taken away, of a message with one cable."""
    if message is USAGE:
        return ("<Usage>", ""), ("</UsageBlock></Usage>", "</UsageBlock>")
    return ("<Adjustment>", ""), ("</Adjustment>", "")


@pytest.mark.parametrize("message", [FORECAST, REQUEST, USAGE, GRANT], ids=named)
def test_a_bare_cable_id_is_read(message: Message) -> None:
    envelope = read(message, (CABLE, "<CableId>C1</CableId>"))
    assert (envelope.body, rows(envelope)) == (message, {36})


@pytest.mark.parametrize("message", [REQUEST, USAGE, GRANT], ids=named)
def test_without_a_container_a_message_is_one_cable(message: Message) -> None:
    envelope = read(message, *alone(message))
    assert (envelope.body, rows(envelope)) == (message, {36})
    assert read(message, *alone(message), (CABLE, "<CableId>C1</CableId>")).body == message


@pytest.mark.parametrize("message", [REQUEST, USAGE], ids=named)
def test_without_a_container_there_is_only_one(message: Message) -> None:
    for second in ("<CableId>C2</CableId>", "<Cable><CableId>C2</CableId></Cable>"):
        assert "one cable" in fault(message, *alone(message), (CABLE, CABLE + second)).reason


@pytest.mark.parametrize("second", ["<CableId>C9</CableId>", "<Cable><CableId>C9</CableId></Cable>"])
def test_several_cables_share_the_blocks_of_an_adjustment(second: str) -> None:
    envelope = read(REQUEST, (CABLE, CABLE + second))
    blocks = REQUEST.adjustments[0].blocks
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
    assert set(envelope.body.adjustments) == {Adjustment("C1", blocks), Adjustment("C9", blocks)}
    assert rows(envelope) == {36}


def test_the_same_cable_twice_in_an_adjustment_is_one() -> None:
    assert read(REQUEST, (CABLE, CABLE * 2)).body == REQUEST


def test_a_bad_block_refuses_each_cable_that_shares_it() -> None:
    envelope = read(REQUEST, (CABLE, f"{CABLE}<CableId>C9</CableId>"), (">24.00<", ">x<"))
    assert {one.cable_id for one in refusals(envelope)} == {"C1", "C9"}


def test_only_so_many_share() -> None:
    many = "".join(f"<CableId>K{n}</CableId>" for n in range(MAX_SHARING))
    assert len(read(REQUEST, (CABLE, many)).body.adjustments) == MAX_SHARING  # type: ignore[union-attr]
    fault(REQUEST, (CABLE, many + CABLE))


@pytest.mark.parametrize("message", [FORECAST, USAGE], ids=named)
def test_several_in_one_forecast_or_usage_are_the_senders_fault(message: Message) -> None:
    for second in ("<CableId>C9</CableId>", "<Cable><CableId>C9</CableId></Cable>", CABLE):
        assert "one cable" in fault(message, (CABLE, CABLE + second)).reason
    fault(message, ("<CableId>C1</CableId>", "<CableId>C1</CableId><CableId>C9</CableId>"))


@pytest.mark.parametrize("message", [FORECAST, REQUEST, USAGE, GRANT], ids=named)
def test_without_a_cable_the_message_is_refused(message: Message) -> None:
    assert fault(message, (CABLE, "")).path.endswith("/Cable/CableId")
    assert fault(message, (CABLE, "<Cable/>")).path.endswith("/Cable/CableId")


@pytest.mark.parametrize("message", [FORECAST, REQUEST, USAGE], ids=named)
def test_beside_a_container_nothing_of_a_cable_may_stand(message: Message) -> None:
    name = next(name for name, one in HOLDERS.items() if one is message)
    for stray in (CABLE, "<CableId>C1</CableId>", "<UsageBlock/>"):
        assert f"must stand inside {name}" in fault(message, (f"<{name}>", f"{stray}<{name}>")).reason


@pytest.mark.parametrize("message", [FORECAST, REQUEST, USAGE], ids=named)
def test_a_body_without_any_container_is_refused(message: Message) -> None:
    body = written(message).partition("<soap:Body>")[2].partition("</soap:Body>")[0]
    empty = body[: body.index(">")] + "/>"
    assert "is missing" in fault(message, (body, empty)).reason


@pytest.mark.parametrize("cable", ["", " ", "x" * 201])
def test_a_cable_id_of_another_length_refuses_only_its_cable(cable: str) -> None:
    envelope = read(FORECAST, (">C1<", f">{cable}<"))
    assert [(one.cable_id, one.code) for one in refusals(envelope)] == [("", "INVALID_CABLE")]
    assert [one.cable_id for one in envelope.body.forecasts] == ["C2"]  # type: ignore[union-attr]


def test_outer_white_space_of_a_cable_id_is_removed_and_all_else_counts() -> None:
    assert read(FORECAST, (">C1<", ">\n C1 <")).body == FORECAST
    for text in ("c1", "C 1", "C1\u00a0"):
        assert read(FORECAST, (">C1<", f">{text}<")).body.forecasts[0].cable_id == text  # type: ignore[union-attr]


@pytest.mark.parametrize("message", [FORECAST, REQUEST, USAGE, GRANT], ids=named)
def test_the_examples_containers_are_written_with_one_cable_each(message: Message) -> None:
    text = written(message)
    name = next((name for name, one in HOLDERS.items() if one is message), "Adjustment")
    assert text.count(f"<{name}><Cable><CableId>") == text.count("<CableId>")
