"""From JSON back to bytes: what `gridroom decode` prints can be written again, and nothing else can."""

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.oscp.errors import LocalError, RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.compose import encode, from_json
from gridroom.oscp.v10.messages import Envelope, Fault, Header, Message
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.render import as_json
from oscp_drawn import expected, headers, messages, profiles

GOLDEN = Path(__file__).parent / "golden"
ASKED = ("6.1.1", "6.2", "6.3", "6.4", "6.5.1")
ANSWERED = ("6.1.2", "6.5.2")
NOW = datetime(2026, 1, 1, 12, 0, 0, 500000, tzinfo=UTC)
SUBCODES = st.sampled_from(["", "InvalidCardinality", "ActionNotSupported", "IdentityMismatch", "VersionMismatch"])

Json = dict[str, Any]


def decoded(data: bytes, *, soap11: bool = False) -> Json:
    result: Json = json.loads(json.dumps(as_json(soap.read_any(data, soap11=soap11))))
    return result


def golden(section: str) -> Json:
    return decoded((GOLDEN / f"{section}.xml").read_bytes())


def encoded(document: Json, profile: PeerProfile = PeerProfile()) -> bytes:  # noqa: B008
    return encode(json.dumps(document).encode(), message_id="fresh", now=NOW, profile=profile)


def amounts(body: Any) -> Any:
    """The same body with numbers as numbers: 0 is 0.00."""
    if isinstance(body, dict):
        return {name: float(one) if name == "value" else amounts(one) for name, one in body.items()}
    return [amounts(one) for one in body] if isinstance(body, list) else body


@settings(max_examples=120)
@given(headers, messages, profiles)
def test_what_was_encoded_decodes_to_the_same(header: Header, body: Message, profile: PeerProfile) -> None:
    if not type(body).__name__.endswith("Response"):
        header = replace(header, relates_to="")  # only an answer has it
    document = decoded(soap.write(header, body, profile))
    heard = copy.deepcopy(document)
    if document["body"].get("refused"):  # what contradicts itself can be drawn too: the writer does not judge that
        document["body"]["refused"] = []
    data = encoded(document, profile)
    envelope = soap.read(data)
    assert (envelope.header, envelope.body) == (expected(header, body), body)
    assert decoded(data) == heard


@pytest.mark.parametrize("section", ASKED)
def test_a_golden_request_reads_the_same_after_decode_and_encode(section: str) -> None:
    first = golden(section)
    second = decoded(encoded(first))
    for cable in first["body"].get("Adjustment", ()):  # the repeated blocks of 6.2 are written once, row 15
        blocks = cable["CapacityBlock"]
        cable["CapacityBlock"] = [one for n, one in enumerate(blocks) if one not in blocks[:n]]
    assert amounts(second["body"]) == amounts(first["body"])
    assert second["deviations"] == []
    assert second["header"].pop("DateTime")[:23] == first["header"].pop("DateTime")[:23]  # milliseconds, row 12
    assert second["header"] == first["header"]


@pytest.mark.parametrize("section", ANSWERED)
def test_a_golden_answer_lacks_what_we_must_write_and_reads_the_same_when_it_is_given(section: str) -> None:
    first = golden(section)
    with pytest.raises(LocalError, match=r'^header\.RelatesTo: an answer .* add "RelatesTo": "…"'):
        encoded(first)
    first["header"]["RelatesTo"] = "the request"
    second = decoded(encoded(first))
    assert second["deviations"] == []
    assert second["body"]["Result"]["Details"][0].pop("Message") == "MESSAGE_PROCESSED"  # never empty, row 10
    assert first["body"]["Result"]["Details"][0].pop("Message") == ""
    assert second["body"].pop("CurrentTime", "")[:23] == first["body"].pop("CurrentTime", "")[:23]
    assert second["body"] == first["body"]


def test_what_the_header_leaves_out_is_filled_in() -> None:
    document = golden("6.4")
    document["header"] = {"Parties": {"senderID": "cso", "receiverID": "dso"}}
    header = from_json(json.dumps(document).encode(), message_id="fresh", now=NOW)
    assert isinstance(header, Envelope)
    assert header.header == Header("fresh", "cso", "dso", NOW, priority=1)
    urgent = copy.deepcopy(document)
    urgent["header"]["Priority"] = -3
    assert decoded(encoded(urgent))["header"]["Priority"] == -3


@pytest.mark.parametrize(
    ("profile", "said"),
    [
        (PeerProfile(), b"00:14:59Z</EndTime>"),
        (PeerProfile(ends="exclusive"), b"00:15:00Z</EndTime>"),
        (PeerProfile(soap="1.1"), b"http://schemas.xmlsoap.org/soap/envelope/"),
        (PeerProfile(to_url="https://there.example/"), b">https://there.example/</To>"),
    ],
)
def test_the_profile_decides_how_it_is_written(profile: PeerProfile, said: bytes) -> None:
    data = encoded(golden("6.1.1"), profile)
    assert said in data
    assert decoded(data, soap11=True)["body"] == golden("6.1.1")["body"]


@settings(max_examples=60)
@given(st.booleans(), st.text("abc ü<&>", min_size=1, max_size=20).map(str.strip).filter(bool), SUBCODES)
def test_a_fault_can_be_written_too_or_is_refused(sender: bool, reason: str, subcode: str) -> None:
    error = RemoteError(reason, subcode=subcode, sender=sender)
    document = decoded(soap.write_fault(error, relates_to="m"))
    assert decoded(encoded(document)) == document
    said = {"Code": "Sender" if sender else "Receiver", "Subcode": subcode or None, "Reason": reason}
    if document["body"] != said:
        with pytest.raises(LocalError, match=r"^body: this Fault cannot be said"):
            encoded({**document, "body": said})


def test_a_fault_as_json_is_a_fault() -> None:
    text = b'{"message": "Fault", "header": {}, "body": {"Code": "Receiver", "Reason": "busy"}}'
    assert from_json(text, message_id="", now=NOW) == Fault(False, "busy")


def block(document: Json) -> Json:
    found: Json = document["body"]["Forecast"][0]["ForecastedBlock"][1]
    return found


BLOCK = "body.Forecast[0].ForecastedBlock[1]"
CABLE = "body.Forecast[0].Cable"
ONE = {"value": "1", "Unit": "A"}
Spoil = Callable[[Json], Any]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda d: d.pop("header"), "the document: Object missing required field `header`"),
        (lambda d: d.update(message="Forecast"), "message: expected one of UpdateCableCapacityForecastRequest, "),
        (lambda d: d.update(more=1), "the document: Object contains unknown field `more`"),
        (lambda d: d["header"].update(DateTime="soon"), "header.DateTime: a time must read like 2015-04-09T08:15:00Z"),
        (lambda d: d["header"].update(DateTime="2026-01-01T00:00:00"), "header.DateTime: expected a time in quotes"),
        (lambda d: d["header"].update(Priority="high"), "header.Priority: Expected `int | null`, got `str`"),
        (lambda d: d["header"].update(To="not a url"), "header.To: expected an address, which has no white space"),
        (lambda d: d["header"].update(RelatesTo="m"), "header.RelatesTo: only an answer relates to another message"),
        (
            lambda d: d["header"].update(Action="/Nonsense"),
            "header.Action: does not name this operation; write /Update",
        ),
        (lambda d: d["header"].update(Action="/Heartbeat"), "header.Action: does not name this operation; write /Up"),
        (lambda d: block(d)["Capacity"][0].update(value="24.001"), f"{BLOCK}.Capacity[0].value: 24.001 has more than"),
        (lambda d: d["header"].update(MessageID=" "), "header.MessageID: expected a text of 1 to 255 characters"),
        (lambda d: d["header"]["Parties"].update(senderID="x" * 65), "header.Parties.senderID: expected a text of 1"),
        (lambda d: d["body"].update(Forecast=[]), "body.Forecast: Expected `array` of length >= 1"),
        (lambda d: d["body"].update(refused=[{}]), "body: cables that were refused cannot be written; correct them"),
        (lambda d: block(d).update(EndTime="2015-04-09T00:15:00Z"), f"{BLOCK}: EndTime is not after StartTime"),
        (lambda d: block(d).update(EndTime="2015-04-09T00:29:59Z"), f"{BLOCK}: EndTime is the first moment after"),
        (lambda d: block(d).update(EndTime="2015-04-09T00:29:01.5Z"), f"{BLOCK}: StartTime and EndTime are whole sec"),
        (lambda d: block(d).update(Capacity=[]), f"{BLOCK}.Capacity: Expected `array` of length >= 1"),
        (lambda d: block(d)["Capacity"][0].update(value=24.0), f"{BLOCK}.Capacity[0].value: expected a number in quo"),
        (lambda d: block(d)["Capacity"][0].update(value="24,0"), f"{BLOCK}.Capacity[0].value: a number must read like"),
        (lambda d: block(d)["Capacity"][0].update(value="9" * 99), f"{BLOCK}.Capacity[0].value: 999"),
        (lambda d: block(d)["Capacity"][0].update(Unit="Wh"), f"{BLOCK}.Capacity[0].Unit: expected one of A, W, kW"),
        (lambda d: block(d)["Capacity"][0].update(Phase=4), f"{BLOCK}.Capacity[0].Phase: expected 1, 2, 3, or null"),
        (lambda d: block(d)["Capacity"][0].update(Phase=True), f"{BLOCK}.Capacity[0].Phase: expected 1, 2, 3, or null"),
        (
            lambda d: block(d).update(Capacity=block(d)["Capacity"] * 2),
            f"{BLOCK}: Capacity names no Phase once, or each",
        ),
        (
            lambda d: block(d)["RemainingCapacity"].append({"value": "1", "Unit": "A", "Phase": 1}),
            f"{BLOCK}: RemainingCapacity names no Phase once, or each Phase once",
        ),
        (
            lambda d: d["body"]["Forecast"][0]["ForecastedBlock"].append({**block(d), "Capacity": [ONE]}),
            "body.Forecast[0]: two blocks from 2015-04-09T00:15:00+00:00 to 2015-04-09T00:30:00+00:00 differ",
        ),
        (
            lambda d: block(d).update(EndTime="2015-04-09T00:31:00Z"),
            "body.Forecast[0]: the block from 2015-04-09T00:30:00+00:00 begins before the one before it ends",
        ),
        (lambda d: block(d).pop("StartTime"), f"{BLOCK}: Object missing required field `StartTime`"),
        (lambda d: d["body"]["Forecast"][0]["Cable"].update(CableId=""), f"{CABLE}.CableId: expected a text of 1 to"),
        (lambda d: d["body"]["Forecast"][0]["Cable"].update(CableID="x"), f"{CABLE}: Object contains unknown field"),
        (lambda d: d["body"]["Forecast"][0]["Cable"].update(CableId="\x00"), f"{CABLE}.CableId: a control character"),
    ],
)
def test_what_cannot_be_written_is_told_with_its_place(spoil: Spoil, told: str) -> None:
    document = golden("6.1.1")
    spoil(document)
    with pytest.raises(LocalError) as error:
        encoded(document)
    assert str(error.value).startswith(told)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("section", "spoil", "told"),
    [
        (
            "6.2",
            lambda d: d["body"]["Adjustment"][0]["CapacityBlock"][0].update(
                RemainingCapacity=[{"value": "1", "Unit": "A"}]
            ),
            "body.Adjustment[0].CapacityBlock[0].RemainingCapacity: Expected `array` of length <= 0",
        ),
        (
            "6.3",
            lambda d: d["body"]["Usage"][0]["UsageBlock"][0].update(Usage=[ONE, ONE | {"value": "2"}]),
            "body.Usage[0].UsageBlock[0]: Usage names no Phase once, or each Phase once",
        ),
        ("6.5.1", lambda d: d["body"].update(HeartBeatTimeInterval=0), "body.HeartBeatTimeInterval: Expected `int` >"),
        ("6.5.2", lambda d: d["body"]["Result"].update(Type="FINE"), "body.Result.Type: expected one of SUCCESS, FAIL"),
        (
            "6.5.2",
            lambda d: d["body"]["Result"]["Details"][0].update(Code="A" * 16),
            "body.Result.Details[0].Code: expected a text of 1 to 15 characters",
        ),
    ],
)
def test_what_other_messages_cannot_say_is_told_with_its_place(section: str, spoil: Spoil, told: str) -> None:
    document = golden(section)
    document["header"]["RelatesTo"] = "m" if section == "6.5.2" else None
    spoil(document)
    with pytest.raises(LocalError) as error:
        encoded(document)
    assert str(error.value).startswith(told)


@pytest.mark.parametrize("name", [None, "", "/Heartbeat", "/HeartbeatResponse", "http://OSCP/CSP/2013/06/Heartbeat"])
def test_an_action_that_names_the_operation_is_fine_and_so_is_none(name: str | None) -> None:
    document = golden("6.5.2")
    document["header"] |= {"Action": name, "RelatesTo": "m"}
    assert soap.read(encoded(document)).header.action == "/HeartbeatResponse"


def test_zeros_behind_the_second_decimal_are_no_loss() -> None:
    document = golden("6.1.1")
    block(document)["Capacity"][0]["value"] = "24.5000"
    assert block(decoded(encoded(document)))["Capacity"][0]["value"] == "24.50"


def test_the_header_of_a_fault_is_told_to_be_smaller() -> None:
    fault = {"message": "Fault", "header": golden("6.4")["header"], "body": {"Code": "Sender", "Reason": "no"}}
    with pytest.raises(
        LocalError, match=r"^header: that of a Fault holds RelatesTo only; leave out Parties, MessageID"
    ):
        encoded(fault)
    fault["header"] = {"RelatesTo": "m", "Colour": "red"}
    with pytest.raises(LocalError, match="Colour"):
        encoded(fault)


@pytest.mark.parametrize("data", [b"", b"\xff", b"[1, 2]", b"{", b"null", b'"text"', b'{"message": "Fault"}', b"<a/>"])
def test_anything_else_is_refused_in_one_line(data: bytes) -> None:
    with pytest.raises(LocalError) as error:
        encode(data, message_id="fresh", now=NOW)
    assert "\n" not in str(error.value)
