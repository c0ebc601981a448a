"""Row 9: what is not offered, and what is only not possible now."""

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import (
    OPERATIONS,
    Detail,
    GetCapacityForecastResponse,
    Level,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
)
from gridroom.oscp.v10.results import declined, not_offered
from oscp_messages import OK
from oscp_samples import read, written

REFUSALS = [kind for kind in ResultType if kind is not ResultType.SUCCESS]


def test_not_implemented_as_type_is_not_offered() -> None:
    assert not_offered(Result(ResultType.NOT_IMPLEMENTED))


@pytest.mark.parametrize("code", ["NOT_IMPLEMENTED", "NOT IMPLEMENTED", "NotImplemented", "not_implemented"])
@pytest.mark.parametrize("kind", REFUSALS)
def test_so_it_is_as_the_code_of_a_detail(kind: ResultType, code: str) -> None:
    envelope = read(OK, ("<Type>SUCCESS<", f"<Type>{kind}<"), (">MESSAGE_PROCESSED<", f">{code}<"))
    assert not_offered(envelope.body.result)  # type: ignore[union-attr]


@pytest.mark.parametrize("kind", [kind for kind in REFUSALS if kind is not ResultType.NOT_IMPLEMENTED])
def test_not_allowed_alone_means_not_now_and_so_do_the_others(kind: ResultType) -> None:
    assert not not_offered(Result(kind, (Detail("BUSY", "Not now.", Level.WARN), Detail("NO_CAPACITY", "None."))))


def test_success_is_offered_whatever_its_details_say() -> None:
    assert not not_offered(Result(ResultType.SUCCESS, (Detail("NOT_IMPLEMENTED", "Some part."),)))


@pytest.mark.parametrize("operation", OPERATIONS)
def test_each_section_has_its_own_type_and_the_code_tells_what_is_meant(operation: str) -> None:
    kind = ResultType.NOT_ALLOWED if operation == "RequestAdjustedCapacity" else ResultType.NOT_IMPLEMENTED
    result = declined(operation)
    assert result.type is kind
    body = RequestAdjustedCapacityResponse((), result) if operation == "RequestAdjustedCapacity" else None
    text = written(body or GetCapacityForecastResponse(result))
    assert f"<Type>{kind}</Type>" in text
    assert "<Code>NOT_IMPLEMENTED</Code>" in text
    assert not_offered(soap.read(text.encode()).body.result)  # type: ignore[union-attr]
