"""Row 21: which cables GetCapacityForecast asks for."""

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import GetCapacityForecastRequest
from oscp_messages import ASK
from oscp_samples import fault, read, rows, written

ALL = GetCapacityForecastRequest()
EMPTY = '<GetCapacityForecastRequest xmlns="http://OSCP/DSO/2013/06/"/>'


def filled(inside: str) -> str:
    return EMPTY.replace("/>", f">{inside}</GetCapacityForecastRequest>")


def test_none_is_all() -> None:
    envelope = read(ALL)
    assert (envelope.body, envelope.deviations) == (ALL, ())


def test_many_in_containers() -> None:
    envelope = read(ASK)
    assert (envelope.body, envelope.deviations) == (GetCapacityForecastRequest(("C1", "C2")), ())


def test_bare_or_both_or_twice() -> None:
    envelope = read(ALL, (EMPTY, filled("<CableID>C1</CableID>")))
    assert envelope.body == GetCapacityForecastRequest(("C1",))
    assert rows(envelope) == {1, 21}
    both = filled("<CableId>C1</CableId><Cable><CableId>C2</CableId><CableId>C1</CableId></Cable>")
    assert read(ALL, (EMPTY, both)).body == GetCapacityForecastRequest(("C1", "C2"))


@pytest.mark.parametrize("cable", ["<Cable/>", "<Cable><CableId/></Cable>", "<CableId> </CableId>"])
def test_a_cable_without_an_id_does_not_become_all(cable: str) -> None:
    fault(ALL, (EMPTY, filled(cable)))
    fault(ALL, (EMPTY, filled(f"<CableId>C1</CableId>{cable}")))


def test_an_id_has_at_most_200_characters() -> None:
    assert read(ALL, (EMPTY, filled(f"<CableId>{'x' * 200}</CableId>"))).body == GetCapacityForecastRequest(
        ("x" * 200,)
    )
    fault(ALL, (EMPTY, filled(f"<CableId>{'x' * 201}</CableId>")))


@pytest.mark.parametrize("odd", ["<Kabel>C1</Kabel>", "<Forecast><CableId>C1</CableId></Forecast>", "C1"])
def test_a_filter_that_cannot_be_understood_asks_for_all_and_is_told(odd: str) -> None:
    """More forecasts than wanted harm nobody; none could leave the asker without a limit."""
    envelope = read(ALL, (EMPTY, filled(odd)))
    assert envelope.body == ALL
    assert 21 in rows(envelope)


def test_one_cable_in_each_container_is_written() -> None:
    text = written(ASK)
    assert "<Cable><CableId>C1</CableId></Cable><Cable><CableId>C2</CableId></Cable>" in text
    assert EMPTY in written(ALL)
    assert soap.read(written(ALL).encode()).body == ALL
