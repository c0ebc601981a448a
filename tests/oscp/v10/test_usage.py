"""What a report of many blocks costs (OSCP 1.0 section 3.2.6); its rules are in `rows/`, 4, 5, 13, 15 and 19."""

from gridroom.oscp.v10.messages import CableUsage
from gridroom.oscp.v10.usage import usage_spans
from oscp_samples import TERMS, used, value


def test_a_report_of_many_blocks_costs_no_more_than_its_length() -> None:
    blocks = tuple(used(i, i + 1, value("1", 1)) for i in range(20_000))
    spans, notes = usage_spans(CableUsage("A", blocks + blocks[:10]), TERMS)
    assert (len(spans), len(notes)) == (20_000, 10)
