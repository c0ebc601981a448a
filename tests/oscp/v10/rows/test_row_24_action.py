"""Row 24: the body says what is asked; an Action that says something else is a mix-up."""

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import OPERATIONS, Message, operation_of
from gridroom.oscp.v10.names import action_of, content_type
from oscp_messages import ANSWERS, EVERY, HEARTBEAT, REQUESTS, named
from oscp_samples import fault, read, rows, written


def acted(message: Message, action: str) -> tuple[str, str]:
    return f">{action_of(message)}<", f">{action}<"


@pytest.mark.parametrize("message", REQUESTS, ids=named)
@pytest.mark.parametrize("before", ["", "http://OSCP/CSP/2013/06/", "urn:x:", "http://x/y#", "/a/b/"])
@pytest.mark.parametrize("ending", ["", "Request", "Message", "RequestMessage", "Response"])
def test_an_action_that_names_the_operation_another_way_is_a_deviation(
    message: Message, before: str, ending: str
) -> None:
    for action in (f"{before}{operation_of(message)}{ending}", f"{before}{operation_of(message).lower()}{ending}"):
        envelope = read(message, acted(message, action))
        assert envelope.body == message
        assert rows(envelope) == {24}


@pytest.mark.parametrize(
    "action", ["", "  ", "urn:something", "/Heart", "/Heartbeats", "http://x/", "Stop", "x" * 2000]
)
def test_one_that_names_nothing_of_ours_is_a_deviation(action: str) -> None:
    assert rows(read(HEARTBEAT, acted(HEARTBEAT, action))) == {24}


def test_none_at_all_is_a_deviation() -> None:
    text = written(HEARTBEAT)
    start, end = text.index("<Action"), text.index("</Action>") + len("</Action>")
    assert rows(read(HEARTBEAT, (text[start:end], ""))) == {24}


@pytest.mark.parametrize("message", EVERY, ids=named)
def test_one_that_names_another_operation_of_ours_is_a_mismatch(message: Message) -> None:
    for operation in set(OPERATIONS) - {operation_of(message)}:
        for action in (
            f"/{operation}",
            f"http://OSCP/DSO/2013/06/#{operation}Request",
            f"urn:{operation.upper()}Message",
        ):
            error = fault(message, acted(message, action))
            assert (error.subcode, error.path) == ("ActionMismatch", "Envelope/Header/Action")


def test_what_is_no_message_has_no_operation() -> None:
    with pytest.raises(LocalError, match="str"):
        operation_of("Heartbeat")  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["StopRequest", "HeartbeatsRequest", "Envelope", "SetChargingProfileRequest"])
def test_an_unknown_body_is_not_supported(name: str) -> None:
    error = fault(HEARTBEAT, ("<HeartbeatRequest", f"<{name}"), ("/HeartbeatRequest", f"/{name}"))
    assert error.subcode == "ActionNotSupported"


@pytest.mark.parametrize("message", EVERY, ids=named)
def test_the_action_is_written_as_in_the_examples_and_the_same_in_the_content_type(message: Message) -> None:
    action = f"/{named(message).removesuffix('Request')}"
    assert f">{action}</Action>" in written(message)
    assert soap.read(written(message).encode()).header.action == action
    assert content_type(action[1:]).endswith(f'action="{action}"')
    assert action.endswith("Response") == (message in ANSWERS)
