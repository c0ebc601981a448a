"""Row 35: what nobody knows is ignored where it can say nothing of an amount."""

import pytest

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import CSP_NAMESPACE, Message
from gridroom.oscp.v10.tree import MAX_KINDS
from oscp_messages import EVERY, HEARTBEAT, OK, named
from oscp_samples import FORECAST, GRANT, REQUEST, USAGE, changed, fault, read, rows, written

BLOCK = '<x:Security xmlns:x="urn:x" {}/></soap:Header>'
HEADER_END = "</soap:Header>"


def marked(attribute: str) -> tuple[str, str]:
    return HEADER_END, BLOCK.format(attribute)


class TestElements:
    @pytest.mark.parametrize("message", EVERY, ids=named)
    def test_at_the_end_of_a_body(self, message: Message) -> None:
        inside = "<Colour>red</Colour>"
        if "/>" in written(message).partition("<soap:Body>")[2]:
            pytest.skip("it is empty")
        envelope = read(message, (f"</{named(message)}>", f"{inside}</{named(message)}>"))
        assert envelope.body == message
        assert rows(envelope) == {35}

    @pytest.mark.parametrize(
        ("message", "place"),
        [
            *[(FORECAST, place) for place in ("Forecast", "ForecastedBlock", "Cable")],
            *[(REQUEST, place) for place in ("Adjustment", "CapacityBlock", "Cable")],
            *[(USAGE, place) for place in ("Usage", "UsageBlock", "Cable")],
            *[(GRANT, place) for place in ("Result", "Details", "Detail")],
        ],
    )
    def test_at_every_level(self, message: Message, place: str) -> None:
        for inside in ("<Colour>red</Colour>", '<x:Capacities xmlns:x="urn:x"><a b="c"/></x:Capacities>', "<Note/>"):
            envelope = read(message, (f"<{place}>", f"<{place}>{inside}"))
            assert envelope.body == message
            assert rows(envelope) == {35}

    def test_known_ones_of_another_message_too_if_they_say_nothing_of_an_amount(self) -> None:
        for message, place, inside in (
            (HEARTBEAT, "<HeartBeatTimeInterval>", "<CurrentTime>2026-01-01T10:00:00Z</CurrentTime>"),
            (OK, "<Result>", "<Forecast/>"),
            (FORECAST, "<ForecastedBlock>", None),
        ):
            text = f"{inside}{place}" if inside else f"{place}<Priority>1</Priority>"
            envelope = read(message, (place, text))
            assert envelope.body == message
            assert rows(envelope) == {35}

    @pytest.mark.parametrize("message", [FORECAST, REQUEST])
    def test_an_emsp_where_none_belongs(self, message: Message) -> None:
        name = {"UpdateCableCapacityForecastRequest": "Forecast"}.get(named(message), "Adjustment")
        envelope = read(message, (f"<{name}>", f"<{name}><EMSP>E</EMSP>"))
        assert (envelope.body, rows(envelope)) == (message, {35})

    def test_unknown_attributes_of_blocks_and_containers(self) -> None:
        for name in ("Forecast", "ForecastedBlock"):
            envelope = read(FORECAST, (f"<{name}>", f'<{name} colour="red">'))
            assert (envelope.body, rows(envelope)) == (FORECAST, {35})
            known = read(
                FORECAST, (f"<{name}>", f'<{name} xmlns:i="http://www.w3.org/2001/XMLSchema-instance" i:type="t">')
            )
            assert (known.body, known.deviations) == (FORECAST, ())

    def test_not_where_they_hold_an_amount_of_ours(self) -> None:
        for place in ("<Forecast>", "<ForecastedBlock>", "<Cable>"):
            hidden = '<Shell><Core><Capacity Unit="A">5</Capacity></Core></Shell>'
            assert "inside the unknown element Shell" in fault(FORECAST, (place, place + hidden)).reason

    def test_a_message_full_of_them_is_told_in_some_hundred_deviations(self) -> None:
        many = "".join(f"<N{n}/>" for n in range(500))
        envelope = read(FORECAST, ("<Forecast>", f"<Forecast>{many}"))
        assert (envelope.body, len(envelope.deviations)) == (FORECAST, MAX_KINDS)

    def test_comments_and_instructions(self) -> None:
        envelope = read(FORECAST, ("<Forecast>", "<!-- 5 A --><?a b?><Forecast>"), (">24.00<", ">2<!-- -->4.00<"))
        assert (envelope.body, envelope.deviations) == (FORECAST, ())

    def test_the_same_one_many_times_is_one_deviation(self) -> None:
        envelope = read(FORECAST, ("<Forecast>", f"{'<Colour/>' * 500}<Forecast>"))
        assert len(envelope.deviations) == 1


class TestHeaders:
    @pytest.mark.parametrize("value", ["1", "true", " 1 ", "yes", ""])
    def test_one_that_must_be_understood_and_is_not(self, value: str) -> None:
        error = fault(HEARTBEAT, marked(f'soap:mustUnderstand="{value}"'))
        assert (error.sender, error.subcode) == (True, "MustUnderstand")
        assert error.path == "Envelope/Header/Security"

    @pytest.mark.parametrize("value", ["0", "false"])
    def test_one_that_need_not_be(self, value: str) -> None:
        assert read(HEARTBEAT, marked(f'soap:mustUnderstand="{value}"')).deviations == ()
        assert read(HEARTBEAT, marked("")).deviations == ()

    @pytest.mark.parametrize("role", ["next", "ultimateReceiver", ""])
    def test_our_own_roles(self, role: str) -> None:
        full = f"http://www.w3.org/2003/05/soap-envelope/role/{role}" if role else ""
        assert fault(HEARTBEAT, marked(f'soap:mustUnderstand="1" soap:role="{full}"')).subcode == "MustUnderstand"

    @pytest.mark.parametrize("role", ["http://www.w3.org/2003/05/soap-envelope/role/none", "urn:another"])
    def test_one_for_somebody_else(self, role: str) -> None:
        assert read(HEARTBEAT, marked(f'soap:mustUnderstand="1" soap:role="{role}"')).deviations == ()

    def test_ours_may_be_marked(self) -> None:
        for name in ("Action", "MessageID", "Parties", "Priority"):
            envelope = read(HEARTBEAT, (f"<{name} ", f'<{name} soap:mustUnderstand="1" '))
            assert (envelope.body, envelope.deviations) == (HEARTBEAT, ())

    @pytest.mark.parametrize("space", [CSP_NAMESPACE, "http://www.w3.org/2005/08/addressing"])
    def test_one_that_looks_like_ours_is_a_deviation(self, space: str) -> None:
        for name in ("Prority", "messageId"):
            envelope = read(HEARTBEAT, (HEADER_END, f'<{name} xmlns="{space}">9</{name}>{HEADER_END}'))
            assert (envelope.header.priority, rows(envelope)) == (0, {35})


class TestEnvelopes:
    @pytest.mark.parametrize(
        "place", ["<soap:Envelope", "<?xml version='1.0'?><soap:Envelope", "\n<!-- a --><soap:Envelope"]
    )
    @pytest.mark.parametrize(
        "doctype", ["<!DOCTYPE a>", '<!DOCTYPE a SYSTEM "file:///etc/passwd">', '<!DOCTYPE a [<!ENTITY b "c">]>']
    )
    def test_a_doctype_is_refused(self, place: str, doctype: str) -> None:
        assert "DOCTYPE" in fault(HEARTBEAT, ("<soap:Envelope", place.replace("<soap", f"{doctype}<soap"))).reason

    def test_the_body_holds_one_element(self) -> None:
        assert fault(HEARTBEAT, ("</soap:Body>", "<x/></soap:Body>")).path == "Envelope/Body"
        assert fault(HEARTBEAT, ("</soap:Envelope>", "<x/></soap:Envelope>")).path == "Envelope"
        assert fault(HEARTBEAT, ("</soap:Envelope>", "<soap:Body/></soap:Envelope>")).path == "Envelope"

    def test_an_envelope_without_header_lacks_what_a_request_needs(self) -> None:
        text = written(HEARTBEAT)
        start, end = text.index("<soap:Header>"), text.index(HEADER_END) + len(HEADER_END)
        assert fault(HEARTBEAT, (text[start:end], "")).subcode == "MessageAddressingHeaderRequired"

    def test_elements_too_deep_are_refused_in_our_words(self) -> None:
        for depth in (100, 300):
            assert (
                "nested deeper than 64"
                in fault(HEARTBEAT, ("<soap:Body>", "<soap:Body>" + "<a>" * depth + "</a>" * depth)).reason
            )


def test_nothing_unknown_is_written() -> None:
    for message in EVERY:
        assert soap.read(changed(message)).deviations == ()
