"""Row 23: two namespaces, one per service."""

import re

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE, OPERATIONS, Message, operation_of
from gridroom.oscp.v10.peer import HeaderError, Peer, read_request
from oscp_messages import ASK, EVERY, HEARTBEAT, REQUESTS, named
from oscp_samples import FORECAST, START, fault, read, rows, written

OTHER = {CSP_NAMESPACE: DSO_NAMESPACE, DSO_NAMESPACE: CSP_NAMESPACE}
DSO = Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}))


def service_of(message: Message) -> str:
    return OPERATIONS[operation_of(message)][0]


@pytest.mark.parametrize("name", ["Parties", "Priority", "DateTime"])
@pytest.mark.parametrize("message", EVERY, ids=named)
def test_a_header_of_either_namespace_is_read(message: Message, name: str) -> None:
    space = service_of(message)
    envelope = read(message, (f'<{name} xmlns="{space}">', f'<{name} xmlns="{OTHER[space]}">'))
    assert envelope.body == message
    assert (envelope.header.priority, envelope.header.date_time) == (0, START)
    assert rows(envelope) == {23}


@pytest.mark.parametrize("message", EVERY, ids=named)
def test_a_body_in_the_other_services_namespace_is_the_senders_fault(message: Message) -> None:
    name, space = named(message), service_of(message)
    error = fault(message, (f'<{name} xmlns="{space}"', f'<{name} xmlns="{OTHER[space]}"'))
    assert error.path == f"Envelope/Body/{name}"


@pytest.mark.parametrize("space", ["", "urn:oscp", "http://OSCP/CSP/2013/06", "http://oscp/csp/2013/06/"])
def test_so_is_one_in_no_namespace_or_a_strange_one(space: str) -> None:
    fault(HEARTBEAT, (f'Request xmlns="{CSP_NAMESPACE}"', f'Request xmlns="{space}"'))


@pytest.mark.parametrize("message", REQUESTS, ids=named)
def test_a_message_for_the_other_service_is_the_senders_fault(message: Message) -> None:
    data = written(message).encode()
    read_request(DSO, service_of(message), data, START)
    with pytest.raises(HeaderError, match="belongs to the service") as caught:
        read_request(DSO, OTHER[service_of(message)], data, START)
    assert caught.value.sender
    assert caught.value.subcode == "ActionNotSupported"


def test_children_in_the_other_namespace_or_none_are_read() -> None:
    for space in (DSO_NAMESPACE, ""):
        envelope = read(FORECAST, ("<CableId>C1", f'<CableId xmlns="{space}">C1'))
        assert envelope.body == FORECAST
        assert rows(envelope) == {23}


@pytest.mark.parametrize("spell", [str, str.lower])
def test_parties_and_priority_inside_a_body_are_ignored(spell: type[str]) -> None:
    inside = "<senderID>x</senderID><receiverID>y</receiverID><Priority>9</Priority>"
    inside = re.sub(r"(</?)(\w+)", lambda found: found[1] + spell(found[2]), inside)
    for message, first in ((FORECAST, "<Forecast>"), (HEARTBEAT, "<HeartBeatTimeInterval>"), (ASK, "<Cable>")):
        envelope = read(message, (first, f"{inside}{first}"))
        assert envelope.body == message
        assert (envelope.header.sender_id, envelope.header.priority) == ("dso", 0)
        assert rows(envelope) - {1} == {23}


@pytest.mark.parametrize("message", EVERY, ids=named)
def test_headers_and_body_are_written_in_the_services_namespace(message: Message) -> None:
    text, space = written(message), service_of(message)
    assert OTHER[space] not in text
    for name in ("Parties", "Priority", "DateTime", named(message)):
        assert f'<{name} xmlns="{space}"' in text


def test_headers_without_namespace_are_none_of_ours() -> None:
    text = written(HEARTBEAT).replace(f'<Parties xmlns="{CSP_NAMESPACE}">', "<Parties>")
    with pytest.raises(RemoteError, match="Parties is missing"):
        soap.read(text.encode())
