"""Row 17: no example shows the answer to RequestAdjustedCapacity."""

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import RequestAdjustedCapacityResponse, Result
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from oscp_samples import GRANT, fault, read, written

RESULT_FIRST = PeerProfile(adjustment_first=False)


def parts(profile: PeerProfile) -> list[str]:
    text = written(GRANT, profile)
    return sorted(("Adjustment", "Result"), key=lambda name: text.index(f"<{name}>"))


def test_adjustment_stands_before_result_unless_the_profile_says_otherwise() -> None:
    assert parts(DEFAULT) == ["Adjustment", "Result"]
    assert parts(RESULT_FIRST) == ["Result", "Adjustment"]


@pytest.mark.parametrize("profile", [DEFAULT, RESULT_FIRST])
def test_either_order_is_read(profile: PeerProfile) -> None:
    envelope = soap.read(written(GRANT, profile).encode())
    assert envelope.body == GRANT
    assert envelope.deviations == ()


def test_result_may_stand_between_adjustments() -> None:
    text = written(GRANT)
    start, end = text.index("<Adjustment>"), text.index("</Adjustment>") + len("</Adjustment>")
    second = text[start:end].replace("C1", "C2")
    envelope = read(GRANT, ("</Result>", f"</Result>{second}"))
    assert [one.cable_id for one in envelope.body.adjustments] == ["C1", "C2"]  # type: ignore[union-attr]


def test_an_answer_may_come_without_adjustment_but_not_without_result() -> None:
    answer = RequestAdjustedCapacityResponse((), Result.success())
    assert soap.read(written(answer).encode()).body == answer
    start, end = written(GRANT).index("<Result>"), written(GRANT).index("</Result>") + len("</Result>")
    assert fault(GRANT, (written(GRANT)[start:end], "")).path.endswith("Response/Result")


def test_an_adjustment_without_blocks_grants_nothing() -> None:
    start, end = written(GRANT).index("<CapacityBlock>"), written(GRANT).index("</CapacityBlock>") + 16
    envelope = read(GRANT, (written(GRANT)[start:end], ""))
    assert [one.blocks for one in envelope.body.adjustments] == [()]  # type: ignore[union-attr]
    assert [one.row for one in envelope.deviations] == [16]
