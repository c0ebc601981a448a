"""Row 26: an id is anything; a uuid with another number behind it is the same message once more."""

import itertools
from dataclasses import replace
from uuid import UUID

import pytest

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.conversation import Conversation
from gridroom.oscp.v10.letters import Peer, letter
from gridroom.oscp.v10.messages import (
    DSO_NAMESPACE,
    Envelope,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Response,
    Result,
    UpdateAggregatedUsageResponse,
)
from gridroom.oscp.v10.receiving import (
    Incoming,
    family_of,
)
from gridroom.oscp.v10.replying import (
    Reply,
)
from oscp_messages import HEARTBEAT, OK
from oscp_samples import HEADER, REQUEST, START, USAGE, fault, read, rows, written

ID = "6f1b1e3c-0d5a-4c9b-9d5e-0a4f3c0b7a11"
WHOLE = '<MessageID xmlns="http://www.w3.org/2005/08/addressing">id-1</MessageID>'


@pytest.mark.parametrize("name", ["1", "x" * 255, f"{ID}:1", "urn:uuid:" + ID, "a b", "<é>&"])
def test_any_text_of_1_to_255_characters_is_an_id(name: str) -> None:
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    envelope = read(HEARTBEAT, (">id-1<", f">{escaped}<"))
    assert (envelope.header.message_id, envelope.deviations) == (name, ())


@pytest.mark.parametrize("new", ["", WHOLE.replace("id-1", ""), WHOLE.replace("id-1", " \n")])
def test_a_request_without_one_lacks_a_required_header(new: str) -> None:
    assert fault(HEARTBEAT, (WHOLE, new)).subcode == "MessageAddressingHeaderRequired"


def test_one_over_255_characters_is_refused() -> None:
    assert fault(HEARTBEAT, (">id-1<", f">{'x' * 256}<")).path.endswith("MessageID")
    with pytest.raises(LocalError, match="255"):
        soap.write(replace(HEADER, message_id="x" * 256), HEARTBEAT)


def test_an_answer_without_one_is_a_deviation() -> None:
    assert rows(read(OK, (WHOLE.replace("id-1", "id-2"), ""))) == {26}


class Office:
    """A DSO that counts what it did."""

    def __init__(self) -> None:
        self.acted: list[str] = []
        numbers = itertools.count(1)
        cso = Peer("cso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}))
        self.line = Conversation(cso, DSO_NAMESPACE, self.act, lambda: f"answer-{next(numbers)}")

    def act(self, incoming: Incoming) -> Response:
        self.acted.append(incoming.message_id)
        match incoming.envelope.body:
            case GetCapacityForecastRequest():
                return GetCapacityForecastResponse(Result.success())
            case RequestAdjustedCapacityRequest(adjustments=asked):
                return RequestAdjustedCapacityResponse(asked, Result.success())
        return UpdateAggregatedUsageResponse(Result.success())

    def say(self, message_id: str, body: Message = REQUEST) -> Reply:
        return self.line.receive(soap.write(replace(HEADER, message_id=message_id), body), now=START)


class TestNumbers:
    """`uuid:number`, as chapter 6 has it."""

    @pytest.mark.parametrize("first", [f"{ID}:1", f"{ID.upper()}:7", f"urn:uuid:{ID}:0"])
    def test_another_number_and_the_same_body_is_a_replay(self, first: str) -> None:
        office = Office()
        answer, again = (soap.read(office.say(one).data) for one in (first, first.rpartition(":")[0].lower() + ":99"))
        assert office.acted == [first]
        assert again.body == answer.body
        assert again.header.relates_to.endswith(":99")
        assert office.line.deviations[26] == 1

    def test_another_number_and_another_body_is_another_message(self) -> None:
        office = Office()
        office.say(f"{ID}:1", REQUEST)
        office.say(f"{ID}:2", USAGE)
        assert len(office.acted) == 2

    @pytest.mark.parametrize("body", [GetCapacityForecastRequest(), GetCapacityForecastRequest(("C1",))])
    def test_never_for_messages_whose_bodies_are_all_alike(self, body: Message) -> None:
        office = Office()
        office.say(f"{ID}:1", body)
        office.say(f"{ID}:2", body)
        assert len(office.acted) == 2

    def test_so_every_heartbeat_counts(self) -> None:
        peer = Peer("cso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}))
        body = HeartbeatRequest(300, 900)
        envelope = soap.read(soap.write(replace(HEADER, message_id=f"{ID}:1"), body))
        assert Incoming(peer, envelope, b"", b"").family is None

    @pytest.mark.parametrize("pair", [(ID, f"{ID}:1"), (f"{ID}:1", ID), (f"{ID}:7", ID.upper())])
    def test_the_bare_uuid_is_one_of_its_family(self, pair: tuple[str, str]) -> None:
        """Two grants for one request would be one too many, whichever of the two comes first."""
        office = Office()
        answer, again = (soap.read(office.say(one).data) for one in pair)
        assert office.acted == [pair[0]]
        assert (again.body, again.header.relates_to) == (answer.body, pair[1])
        assert office.line.deviations[26] == 1

    @pytest.mark.parametrize(
        "pair", [("call:1", "call:2"), (ID, f"{ID[:-1]}2"), (f"{ID}:1", f"{ID[:-1]}2:1"), (f"{ID}-1", f"{ID}-2")]
    )
    def test_only_a_uuid_before_the_number_makes_a_family(self, pair: tuple[str, str]) -> None:
        office = Office()
        for one in pair:
            office.say(one)
        assert office.acted == list(pair)

    def test_a_retry_of_the_retry_gets_the_same_bytes(self) -> None:
        office = Office()
        office.say(f"{ID}:1")
        assert office.say(f"{ID}:2") == office.say(f"{ID}:2")


def test_the_very_same_id_gets_the_first_answer_byte_for_byte() -> None:
    office = Office()
    assert office.say("m") == office.say("m")
    assert office.acted == ["m"]


def test_we_write_the_bare_id_that_we_are_given_and_the_same_on_a_retry() -> None:
    peer = Peer("cso", frozenset({"cso"}), "cso", "dso", frozenset({"dso"}), "https://cso.example/")
    line = Conversation(peer, DSO_NAMESPACE, Office().act, lambda: str(UUID(ID)))
    first = line.send(HEARTBEAT, now=START)
    line.settle(first, None, b"", now=START, jitter=0)
    (again,) = line.due(START)
    assert again.data == first.data
    envelope = soap.read_any(again.data)
    assert isinstance(envelope, Envelope)
    assert envelope.header.message_id == letter(peer, HEARTBEAT, now=START, message_id=ID).message_id == ID
    assert family_of(ID) == ID


def test_the_id_is_named_in_a_fault_even_where_the_rest_cannot_be_read() -> None:
    for swap in (("<HeartbeatRequest", "<StopRequest"), (">300<", ">0<"), ("<senderID>dso</senderID>", "")):
        swaps = (swap, ("/HeartbeatRequest", "/StopRequest")) if "Stop" in swap[1] else (swap,)
        assert fault(HEARTBEAT, *swaps).relates_to == "id-1"
    text = written(HEARTBEAT).replace(WHOLE, WHOLE * 2)
    with pytest.raises(Exception, match="MessageID appears 2 times") as caught:
        soap.read(text.encode())
    assert caught.value.relates_to == ""  # type: ignore[attr-defined]
