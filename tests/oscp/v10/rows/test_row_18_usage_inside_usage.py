"""Row 18: Usage is a container, and a value in it; they are told apart by where they stand."""

from pathlib import Path

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CableUsage, UpdateAggregatedUsageRequest
from oscp_samples import USAGE, at, fault, read, used, value, written

GOLDEN = Path(__file__).parents[1] / "golden"


def test_the_15_containers_of_6_3() -> None:
    body = soap.read((GOLDEN / "6.3.xml").read_bytes()).body
    assert isinstance(body, UpdateAggregatedUsageRequest)
    assert [len(one.blocks) for one in body.usages] == [1] * 15
    assert {len(block.usage) for one in body.usages for block in one.blocks} == {2}


def test_one_container_or_many_and_several_values_in_each_block() -> None:
    for count in (1, 2, 40):
        usages = tuple(
            CableUsage(f"C{n}", (used(0, 1, value("1", 1), value("2", 2)), used(1, 2, value("3", 1))))
            for n in range(count)
        )
        envelope = read(UpdateAggregatedUsageRequest(usages))
        assert envelope.body == UpdateAggregatedUsageRequest(usages)
        assert envelope.deviations == ()


def test_their_letter_case_does_not_matter_either() -> None:
    envelope = read(
        USAGE,
        ("<Usage>", "<usage>"),
        ("</Usage></Up", "</usage></Up"),
        ("<Usage Unit", "<USAGE Unit"),
        ("24.00</Usage>", "24.00</USAGE>"),
    )
    assert envelope.body == USAGE


def test_a_value_where_a_container_belongs_is_refused_and_the_other_way_round() -> None:
    assert "CableId" in fault(USAGE, ("<Usage>", '<Usage Unit="Wh" Phase="1">5</Usage><Usage>')).path
    inner = '<Usage Unit="Wh" Phase="1">24.00</Usage>'
    nested = f"<Usage><Cable><CableId>C2</CableId></Cable>{inner}</Usage>"
    body = read(USAGE, (inner, nested)).body
    assert isinstance(body, UpdateAggregatedUsageRequest)
    assert body.usages == ()
    assert [one.code for one in body.refused] == ["INVALID_UNIT"]


def test_a_container_per_cable_and_emsp_is_written() -> None:
    block = (used(0, 1, value("1", 1)),)
    body = UpdateAggregatedUsageRequest(
        (CableUsage("C1", block), CableUsage("C1", block, "E1"), CableUsage("C2", block))
    )
    text = written(body)
    assert text.count("<Usage><Cable>") == 3
    assert at(1) == body.usages[0].blocks[0].end
