"""Row 36: several cables in one Adjustment: its blocks hold for each, whole."""

import pytest

from gridroom.oscp.v10.blocks import request_spans
from gridroom.oscp.v10.messages import (
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    UpdateCableCapacityForecastRequest,
)
from oscp_samples import FORECAST, GRANT, REQUEST, TERMS, USAGE, fault, read, refusals, rows

SEVERAL = ("<CableId>C1</CableId>", "<CableId>C1</CableId><CableId>C9</CableId><CableId>C1</CableId>")


@pytest.mark.parametrize("body", [REQUEST, GRANT])
def test_each_cable_has_the_blocks_undivided(body: RequestAdjustedCapacityRequest) -> None:
    envelope = read(body, SEVERAL)
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest | RequestAdjustedCapacityResponse)
    assert [one.cable_id for one in envelope.body.adjustments] == ["C1", "C9"]
    for one in envelope.body.adjustments:
        assert [span.amounts for span in request_spans(one, TERMS)[0]] == [(2400, 2400, 2400)]
    assert rows(envelope) == {36}


def test_one_bad_value_refuses_them_all() -> None:
    envelope = read(REQUEST, SEVERAL, (">24.00<", ">x<"))
    assert [one.cable_id for one in refusals(envelope)] == ["C1", "C9"]


@pytest.mark.parametrize("body", [FORECAST, USAGE])
def test_elsewhere_it_is_not_known_how_to_share(body: UpdateCableCapacityForecastRequest) -> None:
    fault(body, ("<CableId>C1</CableId>", "<CableId>C1</CableId><CableId>C9</CableId>"))
