"""Row 1: one thing, several spellings; and what is unknown on an amount is never ignored."""

import re

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import OPERATIONS, Message
from oscp_messages import EVERY, HEARTBEAT, named
from oscp_samples import (
    FORECAST,
    GRANT,
    REQUEST,
    USAGE,
    changed,
    fault,
    only_second_cable,
    read,
    refusals,
    rows,
    written,
)


def respelled(message: Message, spell: str) -> str:
    """The message with every name in its body, and of its OSCP headers, spelled by a method of str."""

    def change(found: re.Match[str]) -> str:
        return f"{found[1]}{getattr(found[2], spell)()}"

    ours = re.compile(r"(</?)((?:Parties|senderID|receiverID|Priority|DateTime)\b)")
    head, _, body = written(message).partition("<soap:Body>")
    inside, _, tail = body.partition("</soap:Body>")
    return f"{ours.sub(change, head)}<soap:Body>{re.sub(r'(</?)([A-Za-z]+)', change, inside)}</soap:Body>{tail}"


@pytest.mark.parametrize("spell", ["lower", "upper", "swapcase"])
@pytest.mark.parametrize("message", EVERY, ids=named)
def test_letter_case_of_elements_does_not_count(message: Message, spell: str) -> None:
    envelope = soap.read(respelled(message, spell).encode())
    assert envelope.body == message
    assert rows(envelope) == {1}


@pytest.mark.parametrize("unit", ["unit", "UNIT", "unitOfMeasure", "UnitOfMeasure", "unitofmeasure"])
@pytest.mark.parametrize("phase", ["phase", "PHASE"])
def test_letter_case_of_attributes_does_not_count_and_unit_has_two_names(unit: str, phase: str) -> None:
    envelope = read(USAGE, ('Unit="Wh" Phase="1"', f'{unit}="Wh" {phase}="1"'))
    assert envelope.body == USAGE
    assert rows(envelope) == {1}


@pytest.mark.parametrize("ending", ["", "Request", "Message", "RequestMessage", "requestmessage"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_a_request_has_four_names(operation: str, ending: str) -> None:
    message = next(one for one in EVERY if named(one) == f"{operation}Request")
    text = re.sub(rf"(</?){operation}Request\b", rf"\1{operation}{ending}", written(message))
    envelope = soap.read(text.encode())
    assert envelope.body == message
    assert rows(envelope) == (set() if ending == "Request" else {1})


@pytest.mark.parametrize("ending", ["Response", "ResponseMessage"])
@pytest.mark.parametrize("operation", OPERATIONS)
def test_an_answer_has_two(operation: str, ending: str) -> None:
    message = next(one for one in EVERY if named(one) == f"{operation}Response")
    text = re.sub(rf"(</?){operation}Response\b", rf"\1{operation}{ending}", written(message))
    assert soap.read_reply(text.encode()).body == message  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("message", "old", "other"),
    [
        (FORECAST, "<StartTime>", "<startTime>2026-01-01T10:00:00Z</startTime>"),
        (FORECAST, "<EndTime>", "<endtime>2026-01-01T10:14:59Z</endtime>"),
        (FORECAST, "<CableId>", "<CableID>C7</CableID>"),
        (USAGE, "<UsageBlock>", "<EMSP>E</EMSP><emsp>F</emsp>"),
        (USAGE, "<StartTime>", "<EMSP>E</EMSP><emsp>E</emsp>"),
        (HEARTBEAT, "<ForecastTimeInterval>", "<forecastTimeInterval>900</forecastTimeInterval>"),
        (HEARTBEAT, "<senderID>", "<SenderID>dso</SenderID>"),
        (GRANT, "<Type>", "<type>SUCCESS</type>"),
        (GRANT, "<Result>", "<result><Type>FAILED</Type></result>"),
        (GRANT, "<Code>", "<code>X</code>"),
    ],
)
def test_one_name_in_two_spellings_where_one_may_stand_is_refused(message: Message, old: str, other: str) -> None:
    fault(message, (old, other + old))


def test_one_attribute_in_two_spellings_refuses_the_cable() -> None:
    assert only_second_cable(read(FORECAST, ('Unit="A"', 'Unit="A" unit="W"'))).code == "INVALID_VALUE"


@pytest.mark.parametrize("name", ["Capacity", "RemainingCapacity"])
@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('Unit="A"', 'Unit="A" Scale="10"'),
        ('Unit="A"', 'Unit="A" x:Unit="kW" xmlns:x="urn:x"'),
        ('Unit="A"', 'Unit="A" id="1"'),
        (">{}<", ">{}<Scale>10</Scale><"),
        (">{}<", "><Value>{}</Value><Value>1</Value><"),
        (">{}<", "><Value>{}</Value><Unit>kW</Unit><"),
        (">{}<", ">{}<Value>1</Value><"),
        (">{}<", "><Value Scale='2'>{}</Value><"),
        (">{}<", "><Value>{}</Value>1<"),
        (">{}<", "><Value xmlns='urn:x'>{}</Value><"),
    ],
)
def test_what_is_unknown_on_a_capacity_refuses_its_cable(name: str, old: str, new: str) -> None:
    number = {"Capacity": "24.00", "RemainingCapacity": "1.00"}[name]
    whole = f'<{name} Unit="A">{number}</{name}>'
    swapped = whole.replace(old.format(number), new.format(number))
    assert swapped != whole
    assert only_second_cable(read(FORECAST, (whole, swapped))).code in {"UNKNOWN_FIELD", "INVALID_VALUE"}


@pytest.mark.parametrize(
    ("old", "new"), [('Unit="Wh"', 'Unit="Wh" Scale="10"'), (">24.00<", ">24.00<Scale>10</Scale><")]
)
def test_so_does_what_is_unknown_on_a_usage(old: str, new: str) -> None:
    assert [one.code for one in refusals(read(USAGE, (old, new)))] == ["UNKNOWN_FIELD"]


def test_the_number_may_stand_in_a_child_value() -> None:
    for child in ("Value", "value"):
        envelope = read(FORECAST, (">24.00<", f"><{child}>24.00</{child}><"))
        assert envelope.body == FORECAST
        assert rows(envelope) == {1}


def test_xsi_and_enc_attributes_are_known() -> None:
    attributes = (
        'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="d" xsi:nil="false" '
        'xmlns:enc="http://www.w3.org/2003/05/soap-encoding" enc:itemType="d"'
    )
    envelope = read(FORECAST, ('<Capacity Unit="A"', f'<Capacity Unit="A" {attributes}'))
    assert envelope == soap.read(changed(FORECAST))


class TestAmountsInTheWrongPlace:
    """What changes or states an amount is not lost because it stands beside the amount."""

    @pytest.mark.parametrize("place", ["<ForecastedBlock>", "<Cable><CableId>C1"])
    @pytest.mark.parametrize(
        "stray",
        [
            "<Unit>W</Unit>",
            "<unitOfMeasure>W</unitOfMeasure>",
            "<Phase>1</Phase>",
            "<Value>5</Value>",
            "<Usage Unit='A'>5</Usage>",
            "<CapacityBlock/>",
            "<Detail/>",
        ],
    )
    def test_beside_a_block_or_in_it_refuses_the_cable(self, place: str, stray: str) -> None:
        new = f"<ForecastedBlock>{stray}" if place == "<ForecastedBlock>" else f"{stray}{place}"
        assert only_second_cable(read(FORECAST, (place, new))).code == "UNKNOWN_FIELD"

    @pytest.mark.parametrize(
        "stray", ['<Capacity Unit="A">5</Capacity>', "<StartTime>2026-01-01T10:00:00Z</StartTime>"]
    )
    def test_a_capacity_or_time_outside_its_block_refuses_the_cable(self, stray: str) -> None:
        assert only_second_cable(read(FORECAST, ("<Forecast>", f"<Forecast>{stray}"))).code == "UNKNOWN_FIELD"

    @pytest.mark.parametrize("stray", ['<Capacity Unit="A">5</Capacity>', "<Unit>W</Unit>", "<EndTime/>"])
    def test_inside_the_cable_the_message_is_refused(self, stray: str) -> None:
        assert "does not belong here" in fault(FORECAST, ("<CableId>", f"{stray}<CableId>")).reason

    @pytest.mark.parametrize("name", ["Unit", "unit", "unitOfMeasure", "Phase"])
    @pytest.mark.parametrize("holder", ["Forecast", "ForecastedBlock"])
    def test_an_amounts_attribute_on_its_holder_refuses_the_cable(self, holder: str, name: str) -> None:
        assert only_second_cable(read(FORECAST, (f"<{holder}>", f'<{holder} {name}="W">'))).code == "UNKNOWN_FIELD"

    def test_in_a_request_and_its_answer_too(self) -> None:
        for message in (REQUEST, GRANT):
            envelope = read(message, ("<Adjustment>", "<Adjustment><Capacity>1</Capacity>"))
            assert [one.code for one in refusals(envelope)] == ["UNKNOWN_FIELD"]

    def test_outside_of_every_container_the_message_is_refused(self) -> None:
        error = fault(FORECAST, ("<Forecast>", '<Capacity Unit="A">5</Capacity><Forecast>'))
        assert error.path.endswith("Request/Capacity")
        fault(GRANT, ("<Adjustment>", '<Capacity Unit="A">5</Capacity><Adjustment>'))

    @pytest.mark.parametrize(
        ("message", "old", "new"),
        [
            (FORECAST, "<ForecastedBlock>", "<ForecastedBlock>16.00"),
            (FORECAST, "</Capacity><StartTime>", "</Capacity>16.00<StartTime>"),
            (FORECAST, "</Forecast>", "</Forecast>16.00"),
            (FORECAST, "<soap:Body>", "<soap:Body>16.00"),
            (USAGE, "<Usage><Cable>", "<Usage>1<Cable>"),
            (GRANT, "</Adjustment>", "</Adjustment>1"),
        ],
    )
    def test_text_between_elements_is_refused(self, message: Message, old: str, new: str) -> None:
        assert "text stands between" in fault(message, (old, new)).reason

    def test_text_in_what_nobody_knows_is_not_ours(self) -> None:
        for place in ("<Forecast>", "<ForecastedBlock>"):
            envelope = read(FORECAST, (place, f"{place}<Note>so <b>it</b> is</Note>"))
            assert envelope.body == FORECAST


def test_a_known_name_in_a_foreign_namespace_is_refused() -> None:
    assert "namespace" in fault(FORECAST, ("<Capacity ", '<Capacity xmlns="urn:foreign" ')).reason


def test_the_examples_spelling_is_written() -> None:
    names = set(re.findall(r"<([A-Za-z]+)[ >/]", "".join(written(one).partition("<soap:Body>")[2] for one in EVERY)))
    assert names <= {
        *("UpdateCableCapacityForecastRequest", "UpdateCableCapacityForecastResponse", "HeartbeatRequest"),
        *("HeartbeatResponse", "GetCapacityForecastRequest", "GetCapacityForecastResponse"),
        *("RequestAdjustedCapacityRequest", "RequestAdjustedCapacityResponse", "UpdateAggregatedUsageRequest"),
        *("UpdateAggregatedUsageResponse", "Forecast", "ForecastedBlock", "Cable", "CableId", "Capacity"),
        *("RemainingCapacity", "StartTime", "EndTime", "Adjustment", "CapacityBlock", "Usage", "UsageBlock"),
        *("HeartBeatTimeInterval", "ForecastTimeInterval", "CurrentTime", "Result", "Type", "Details", "Detail"),
        *("Code", "Level", "Message", "Description"),
    }
