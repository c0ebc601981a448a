"""The tables of chapter 3, field by field: how often each may stand in header, containers, Result and heartbeat.

What is missing or too often breaks the schema, and the message is refused whole, with the element's path.
"""

import re
from copy import deepcopy

import pytest

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Message
from oscp_messages import EVERY, HEARTBEAT, OK, find, named, reshaped
from oscp_samples import FORECAST, GRANT, REQUEST, USAGE, fault, read, refusals, written

FIELDS: list[tuple[Message, str, str]] = [
    *[(one, name, "1..1") for one in EVERY[:5] for name in ("MessageID", "Parties", "DateTime")],
    *[(one, name, "1..1") for one in EVERY for name in ("senderID", "receiverID")],
    *[(one, name, "0..1") for one in EVERY for name in ("Action", "To", "Priority")],
    *[(one, "ReplyTo", "0..1") for one in EVERY[:5]],
    *[(one, name, "0..1") for one in EVERY[5:] for name in ("MessageID", "RelatesTo", "DateTime")],
    *[(one, "Parties", "1..1") for one in EVERY[5:]],
    *[(one, "Result", "1..1") for one in EVERY[5:]],
    *[(one, "Type", "1..1") for one in EVERY[5:]],
    *[(one, name, "0..*") for one in EVERY[5:] for name in ("Details", "Detail")],
    *[(one, name, "0..1") for one in EVERY[5:] for name in ("Code", "Level", "Message")],
    (FORECAST, "Forecast", "1..*"),
    (FORECAST, "Cable", "1..1"),
    (FORECAST, "CableId", "1..1"),
    (FORECAST, "ForecastedBlock", "1..*"),
    (REQUEST, "Adjustment", "1..*"),
    (REQUEST, "Cable", "1..*"),
    (REQUEST, "CableId", "1..*"),
    (REQUEST, "CapacityBlock", "1..*"),
    (GRANT, "Adjustment", "0..*"),
    (GRANT, "Cable", "1..*"),
    (GRANT, "CapacityBlock", "0..*"),
    (USAGE, "Usage", "1..*"),
    (USAGE, "Cable", "1..1"),
    (USAGE, "CableId", "1..1"),
    (USAGE, "UsageBlock", "1..*"),
    (EVERY[2], "Cable", "0..*"),
    (HEARTBEAT, "HeartBeatTimeInterval", "1..1"),
    (HEARTBEAT, "ForecastTimeInterval", "1..1"),
    (EVERY[6], "CurrentTime", "1..1"),
]


def times(message: Message, name: str, count: int) -> bytes:
    """The message with the first element of that name so many times, and no other one of that name beside it."""

    def change(root: object) -> None:
        first, *_ = find(root, name)  # type: ignore[arg-type]
        parent = first.getparent()
        assert parent is not None
        place = parent.index(first)
        others = [one for one in parent if one.tag == first.tag]
        parent[place : place + 1] = [deepcopy(first) for _ in range(count)]
        for one in others[1:]:
            parent.remove(one)

    return reshaped(message, change)


@pytest.mark.parametrize(
    ("message", "name", "card"), FIELDS, ids=[f"{named(one)}-{name}-{card}" for one, name, card in FIELDS]
)
def test_each_field_as_often_as_the_table_says(message: Message, name: str, card: str) -> None:
    least, most = card[0], card[-1]
    allowed = {0: least == "0", 1: True, 2: most == "*"}
    for count, good in allowed.items():
        data = times(message, name, count)
        if good:
            soap.read(data)
        else:
            with pytest.raises(RemoteError) as caught:
                soap.read(data)
            assert caught.value.sender
            assert name in f"{caught.value.path} {caught.value.reason}"


class TestPlaces:
    def test_every_refused_cable_is_told_with_its_place(self) -> None:
        envelope = read(FORECAST, (">24.00<", ">x<"), (">24.00<", ">y<"))
        assert envelope.body.forecasts == ()  # type: ignore[union-attr]
        assert [one.cable_id for one in refusals(envelope)] == ["C1", "C2"]
        assert [re.findall(r"Forecast\[(\d)]", one.path)[0] for one in refusals(envelope)] == ["1", "2"]

    def test_what_is_missing_names_where_it_is_missing(self) -> None:
        for old in (
            "<StartTime>2026-01-01T10:00:00Z</StartTime>",
            "<EndTime>2026-01-01T10:14:59Z</EndTime>",
            '<Capacity Unit="A">24.00</Capacity>',
            "<Cable><CableId>C1</CableId></Cable>",
            "<CableId>C1</CableId>",
        ):
            name = re.findall(r"<(\w+)", old)[-1 if "Cable" in old else 0]
            path = fault(FORECAST, (old, "")).path
            assert path.startswith("Envelope/Body/UpdateCableCapacityForecastRequest/Forecast[1]/")
            assert path.endswith(f"/{name}")

    def test_structure_is_judged_before_values(self) -> None:
        text = written(FORECAST).replace(">24.00<", ">x<", 1)
        start = text.rindex("<StartTime>")
        text = text[:start] + text[text.rindex("</StartTime>") + len("</StartTime>") :]
        with pytest.raises(RemoteError) as caught:
            soap.read(text.encode())
        assert caught.value.path.endswith("Forecast[2]/ForecastedBlock/StartTime")


class TestHeartbeat:
    """Section 3.2.7."""

    @pytest.mark.parametrize("name", ["HeartBeatTimeInterval", "ForecastTimeInterval"])
    @pytest.mark.parametrize("seconds", ["0", "-300", "5 min", "", "1e3", "300.0", "9" * 10])
    def test_intervals_are_whole_seconds_above_0(self, name: str, seconds: str) -> None:
        old = {"HeartBeatTimeInterval": "300", "ForecastTimeInterval": "900"}[name]
        assert fault(HEARTBEAT, (f">{old}<", f">{seconds}<")).path == f"Envelope/Body/HeartbeatRequest/{name}"

    def test_the_clock_in_the_answer_may_name_another_zone(self) -> None:
        answer = EVERY[6]
        clock = "<CurrentTime>2026-01-01T10:00:00.000Z</CurrentTime>"
        for text, row in (
            ("2026-01-01T11:00:00+01:00", {11}),
            ("2026-01-01T10:00:00", {11}),
            ("2026-01-01T10:00:00Z", set()),
        ):
            envelope = read(answer, (clock, f"<CurrentTime>{text}</CurrentTime>"))
            assert envelope.body == answer
            assert {one.row for one in envelope.deviations} == row
        assert fault(answer, (clock, "<CurrentTime>soon</CurrentTime>")).path.endswith("CurrentTime")


def test_the_table_names_every_message() -> None:
    assert {named(one) for one, _, _ in FIELDS} == {named(one) for one in EVERY}
    assert OK in EVERY
