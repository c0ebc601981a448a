"""Row 20: an EMSP may be named in the container Usage, or in a block; written only where it is set."""

import pytest

from gridroom.oscp.v10.messages import CableUsage, UpdateAggregatedUsageRequest
from gridroom.oscp.v10.profile import PeerProfile
from oscp_samples import USAGE, fault, read, refusals, used, value, written


def emsps(*swaps: tuple[str, str]) -> list[str | None]:
    body = read(USAGE, *swaps).body
    assert isinstance(body, UpdateAggregatedUsageRequest)
    assert body.refused == ()
    return [one.emsp for one in body.usages]


def test_there_is_none_or_one() -> None:
    assert emsps() == [None]
    assert emsps(("<UsageBlock>", "<EMSP/><UsageBlock>")) == [None]
    assert emsps(("<UsageBlock>", "<EMSP> E1 </EMSP><UsageBlock>")) == ["E1"]
    fault(USAGE, ("<UsageBlock>", "<EMSP>E1</EMSP><EMSP>E1</EMSP><UsageBlock>"))
    fault(USAGE, ("<StartTime>", "<EMSP>E1</EMSP><emsp>E1</emsp><StartTime>"))


@pytest.mark.parametrize("place", ["<Cable>", "<UsageBlock>", "</UsageBlock></Usage>", "<StartTime>", "</UsageBlock>"])
def test_in_the_container_before_or_after_or_in_the_block(place: str) -> None:
    before = "</UsageBlock><EMSP>E1</EMSP></Usage>" if place.endswith("</Usage>") else f"<EMSP>E1</EMSP>{place}"
    assert emsps((place, before)) == ["E1"]


def test_blocks_of_several_emsps_in_one_container_are_told_apart() -> None:
    inside = written(USAGE).partition("<UsageBlock>")[2].partition("</UsageBlock>")[0]
    second = f"</UsageBlock><UsageBlock><EMSP>E2</EMSP>{inside}"
    assert emsps(("<StartTime>", "<EMSP>E1</EMSP><StartTime>"), ("</UsageBlock>", second + "</UsageBlock>")) == [
        "E1",
        "E2",
    ]


def test_the_same_in_both_places_is_one_and_two_different_ones_refuse_the_cable() -> None:
    both = (("<UsageBlock>", "<EMSP>E1</EMSP><UsageBlock>"), ("<StartTime>", "<EMSP>{}</EMSP><StartTime>"))
    assert emsps(both[0], (both[1][0], both[1][1].format("E1"))) == ["E1"]
    envelope = read(USAGE, both[0], (both[1][0], both[1][1].format("E2")))
    assert [one.code for one in refusals(envelope)] == ["INVALID_VALUE"]


@pytest.mark.parametrize("place", ["<UsageBlock>", "<StartTime>"])
def test_a_long_one_refuses_the_cable(place: str) -> None:
    assert emsps((place, f"<EMSP>{'x' * 200}</EMSP>{place}")) == ["x" * 200]
    envelope = read(USAGE, (place, f"<EMSP>{'x' * 201}</EMSP>{place}"))
    assert [one.code for one in refusals(envelope)] == ["INVALID_VALUE"]


def test_it_is_written_in_the_container_after_cable_where_set_and_wanted() -> None:
    block = (used(0, 1, value("1", 1)),)
    body = UpdateAggregatedUsageRequest((CableUsage("C1", block, "E1"), CableUsage("C2", block)))
    assert "<CableId>C1</CableId></Cable><EMSP>E1</EMSP><UsageBlock>" in written(body)
    assert written(body).count("EMSP>") == 2
    assert "EMSP" not in written(body, PeerProfile(emsp="never"))
