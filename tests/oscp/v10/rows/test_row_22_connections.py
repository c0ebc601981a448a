"""Row 22: references of connections are information."""

import pytest

from gridroom.oscp.v10.messages import Forecast, UpdateCableCapacityForecastRequest
from oscp_samples import FORECAST, REQUEST, USAGE, fault, read, rows, written

ID = "<CableId>C1</CableId>"


def references(inside: str, old: str = ID) -> tuple[tuple[str, ...], set[int]]:
    envelope = read(FORECAST, (old, inside))
    assert isinstance(envelope.body, UpdateCableCapacityForecastRequest)
    assert envelope.body.refused == ()
    assert [one.blocks for one in envelope.body.forecasts] == [one.blocks for one in FORECAST.forecasts]
    return envelope.body.forecasts[0].connections, rows(envelope)


@pytest.mark.parametrize("name", ["<ConnectionReferenceId>R{}</ConnectionReferenceId>"])
def test_nested_or_not_they_are_read_and_change_no_capacity(name: str) -> None:
    one, two = name.format(1), name.format(2)
    assert references(f"{ID}<Connection>{one}</Connection><Connection>{two}</Connection>") == (("R1", "R2"), set())
    assert references(f"{ID}<Connection>{one}{two}</Connection>") == (("R1", "R2"), set())
    assert references(f"{ID}{one}{two}") == (("R1", "R2"), set())
    assert references(f"{one}<Cable>{ID}{two}</Cable>", f"<Cable>{ID}</Cable>") == (("R1", "R2"), set())


@pytest.mark.parametrize("empty", ["<ConnectionReferenceId/>", "<ConnectionReferenceId> </ConnectionReferenceId>"])
def test_an_empty_one_is_a_deviation(empty: str) -> None:
    assert references(f"{ID}<Connection>{empty}</Connection>") == ((), {22})


def test_a_connection_without_reference_says_nothing() -> None:
    assert references(f"{ID}<Connection/>") == ((), set())


def test_one_that_holds_elements_breaks_the_schema() -> None:
    fault(FORECAST, (ID, f"{ID}<ConnectionReferenceId><a/></ConnectionReferenceId>"))


@pytest.mark.parametrize("message", [REQUEST, USAGE])
def test_in_requests_and_usage_they_are_ignored(message: object) -> None:
    inside = f"{ID}<Connection><ConnectionReferenceId>R</ConnectionReferenceId></Connection>"
    assert read(message, (ID, inside)).body == message  # type: ignore[arg-type]


def test_one_connection_per_reference_is_written() -> None:
    blocks = FORECAST.forecasts[0].blocks
    text = written(UpdateCableCapacityForecastRequest((Forecast("C1", blocks, ("R1", "R2")),)))
    each = "<Connection><ConnectionReferenceId>{}</ConnectionReferenceId></Connection>"
    assert f"<Cable>{ID}{each.format('R1')}{each.format('R2')}</Cable>" in text
