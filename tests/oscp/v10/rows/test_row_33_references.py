"""Row 33: values written once and pointed at. A reference is followed or refused, never dropped."""

import time

import pytest

from gridroom.oscp.v10 import references, soap
from gridroom.oscp.v10.messages import UpdateCableCapacityForecastRequest
from gridroom.oscp.v10.names import SOAP11, SOAP12
from oscp_samples import FORECAST, LEFT, REQUEST, USAGE, changed, fault, read, refusals, rows, written

ENC = 'xmlns:enc="http://www.w3.org/2003/05/soap-encoding"'
AMOUNT = '<Capacity Unit="A">24.00</Capacity>'
SPARE = '<RemainingCapacity Unit="A">1.00</RemainingCapacity>'
TIMES = "<StartTime>2026-01-01T10:00:00Z</StartTime><EndTime>2026-01-01T10:14:59Z</EndTime>"
BLOCK = f"<ForecastedBlock>{AMOUNT}{TIMES}{SPARE}</ForecastedBlock>"
END = "</UpdateCableCapacityForecastRequest>"


def behind(*values: str) -> tuple[str, str]:
    """Values behind the message in the Body, as SOAP 1.1 has them."""
    return END, END + "".join(values)


class TestFollowed:
    def check(self, *swaps: tuple[str, str]) -> None:
        envelope = read(FORECAST, *swaps)
        assert envelope.body == FORECAST
        assert rows(envelope) == {33}

    @pytest.mark.parametrize("sign", ["", "#"])
    def test_soap_1_2_with_or_without_the_sign_that_php_writes(self, sign: str) -> None:
        self.check(
            (AMOUNT, f'<Capacity {ENC} enc:id="r1" Unit="A">24.00</Capacity>'),
            (AMOUNT, f'<Capacity {ENC} enc:ref="{sign}r1"/>'),
        )

    def test_one_that_repeats_the_words_as_ext_soap_writes_it(self) -> None:
        first = (AMOUNT, f'<Capacity {ENC} enc:id="r1" Unit="A">24.00</Capacity>')
        self.check(first, (AMOUNT, f'<Capacity {ENC} enc:ref="#r1">24.00</Capacity>'))

    def test_forwards_and_many_times(self) -> None:
        self.check(
            (AMOUNT, f'<Capacity {ENC} enc:ref="r1"/>'),
            (AMOUNT, f'<Capacity {ENC} enc:id="r1" Unit="A">24.00</Capacity>'),
        )
        self.check(
            (AMOUNT, '<Capacity href="#a"/>'),
            (AMOUNT, '<Capacity href="#a"/>'),
            behind(AMOUNT.replace(" ", ' id="a" ', 1)),
        )

    def test_soap_1_1_inside_the_message(self) -> None:
        self.check((AMOUNT, '<Capacity id="r1" Unit="A">24.00</Capacity>'), (AMOUNT, '<Capacity href="#r1"/>'))

    def test_soap_1_1_behind_the_message_whatever_its_name(self) -> None:
        value = '<multiRef id="id0" Unit="A">24.00</multiRef>'
        self.check((AMOUNT, '<Capacity href="#id0"/>'), (AMOUNT, '<Capacity href="#id0"/>'), behind(value))

    def test_whole_blocks_and_what_they_point_on_to(self) -> None:
        inner = (
            '<ForecastedBlock xmlns="http://OSCP/CSP/2013/06/" id="b"><Capacity href="#c"/>'
            + TIMES
            + '<RemainingCapacity href="#s"/></ForecastedBlock>'
        )
        self.check(
            (BLOCK, '<ForecastedBlock href="#b"/>'),
            (BLOCK, '<ForecastedBlock href="#b"/>'),
            behind(inner, '<v id="s" Unit="A">1.00</v>', '<v id="c" href="#d"/>', '<v id="d" Unit="A">24.00</v>'),
        )

    def test_the_body_itself_and_in_a_soap_1_1_envelope(self) -> None:
        text = written(FORECAST).replace(SOAP12, SOAP11)
        inside = text.partition("<Forecast>")[2].partition(END)[0]
        name = "UpdateCableCapacityForecastRequest"
        start, end = text.index(f"<{name}"), text.index(END) + len(END)
        space = 'xmlns="http://OSCP/CSP/2013/06/"'
        body = f'<{name} {space} href="#m"/><m {space} id="m"><Forecast>{inside}</m>'
        envelope = soap.read((text[:start] + body + text[end:]).encode(), soap11=True)
        assert envelope.body == FORECAST

    def test_header_values_too(self) -> None:
        for old, new in (
            ("<senderID>dso</senderID>", '<senderID id="p">dso</senderID>'),
            ("<receiverID>cso<", '<receiverID id="q">cso<'),
        ):
            assert (
                read(FORECAST, (old, new), (AMOUNT, f'{AMOUNT}<x href="#{new.split(chr(34))[1]}"/>')).body == FORECAST
            )

    def test_types_and_ids_of_toolkits_do_no_harm(self) -> None:
        xsi = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="x:ValueType"'
        self.check(
            (AMOUNT, f'<Capacity id="r1" {xsi} Unit="A">24.00</Capacity>'),
            (AMOUNT, f'<Capacity href="#r1" {xsi.replace("ValueType", "other")}/>'),
        )

    def test_a_link_of_an_extension_is_none_of_ours(self) -> None:
        envelope = read(FORECAST, ("<Forecast>", '<Logo href="https://dso.example/logo.png"/><Forecast>'))
        assert (envelope.body, rows(envelope)) == (FORECAST, {35})


class TestRefused:
    @pytest.mark.parametrize("target", ["r9", "", "#", "https://dso.example/values.xml#r1", "cid:values"])
    @pytest.mark.parametrize("attribute", [f"{ENC} enc:ref", "href"])
    def test_one_that_leads_nowhere(self, attribute: str, target: str) -> None:
        first = (AMOUNT, '<Capacity id="r1" Unit="A">24.00</Capacity>')
        assert "points to nothing" in fault(FORECAST, first, (AMOUNT, f'<Capacity {attribute}="{target}"/>')).reason

    def test_it_is_never_zero_or_empty(self) -> None:
        for name in ("Capacity", "RemainingCapacity"):
            fault(FORECAST, (AMOUNT, AMOUNT + f'<{name} href="#x"/>'))
        fault(USAGE, ("<UsageBlock>", '<EMSP href="#x"/><UsageBlock>'))
        fault(REQUEST, ("<CableId>C1</CableId>", '<CableId href="#x"/>'))

    def test_one_that_is_filled(self) -> None:
        first = (AMOUNT, '<Capacity id="r1" Unit="A">24.00</Capacity>')
        for inside in ("5", "<Value>5</Value>"):
            error = fault(FORECAST, first, (AMOUNT, f'<Capacity href="#r1">{inside}</Capacity>'))
            assert "both a reference and filled otherwise" in error.reason

    def test_one_that_says_otherwise_than_its_target(self) -> None:
        first = (AMOUNT, '<Capacity id="r1" Unit="A">24.00</Capacity>')
        assert "Unit differs" in fault(FORECAST, first, (AMOUNT, '<Capacity Unit="W" href="#r1"/>')).reason
        read(FORECAST, first, (AMOUNT, '<Capacity Unit="A" href="#r1"/>'))

    def test_an_id_twice(self) -> None:
        whole = '<Capacity id="r1" Unit="A">24.00</Capacity>'
        error = fault(FORECAST, (AMOUNT, whole), (AMOUNT, whole), (SPARE, '<RemainingCapacity href="#r1"/>'))
        assert "used twice" in error.reason

    @pytest.mark.parametrize(
        "swaps",
        [
            (("<Cable>", '<Cable id="r"><Connection href="#r"/>'),),
            ((AMOUNT, '<Capacity id="a" href="#b"/>'), (AMOUNT, '<Capacity id="b" href="#a"/>')),
            ((AMOUNT, '<Capacity id="a" href="#a"/>'),),
            (
                (BLOCK, '<ForecastedBlock id="a"><Capacity href="#b"/></ForecastedBlock>'),
                (
                    BLOCK,
                    '<ForecastedBlock xmlns="http://OSCP/CSP/2013/06/" id="b"><Capacity href="#a"/></ForecastedBlock>',
                ),
            ),
        ],
    )
    def test_a_circle(self, swaps: tuple[tuple[str, str], ...]) -> None:
        assert "leads back to itself" in fault(FORECAST, *swaps).reason

    def test_too_many_in_a_row(self) -> None:
        chain = [f'<v id="c{n}" href="#c{n + 1}"/>' for n in range(references.MAX_HOPS)]
        last = f'<v id="c{references.MAX_HOPS}" Unit="A">24.00</v>'
        first = (AMOUNT, '<Capacity href="#c{}"/>')
        assert read(FORECAST, (AMOUNT, '<Capacity href="#c2"/>'), behind(*chain[2:], last)).body == FORECAST
        assert (
            "lead from one to the next" in fault(FORECAST, (first[0], first[1].format(0)), behind(*chain, last)).reason
        )

    def test_a_bomb(self) -> None:
        """Ten values of ten values of ten values ... would be a million amounts."""
        layers = [f'<v id="l{n}">' + f'<v href="#l{n + 1}"/>' * 10 + "</v>" for n in range(4)]
        last = '<v id="l4">' + "<Capacity>24</Capacity>" * 100 + "</v>"
        begun = time.process_time()
        assert (
            "expand to more than" in fault(FORECAST, (AMOUNT, '<Capacity href="#l0"/>'), behind(*layers, last)).reason
        )
        assert time.process_time() - begun < 5

    def test_something_behind_the_message_that_nothing_points_at(self) -> None:
        assert fault(FORECAST, behind('<v id="x" Unit="A">5</v>')).path == "Envelope/Body"

    def test_an_id_that_nothing_points_at_is_unknown_on_an_amount(self) -> None:
        assert [one.code for one in refusals(read(REQUEST, (AMOUNT, AMOUNT.replace(" ", ' id="a" ', 1))))] == [
            "UNKNOWN_FIELD"
        ]

    def test_a_reference_with_a_disguised_namespace_is_seen(self) -> None:
        disguised = 'xmlns:enc="http://www.w3.org/2003/05/soap&#45;encoding"'
        fault(USAGE, ("<UsageBlock>", f'<EMSP {disguised} enc:ref="r"/><UsageBlock>'))


def test_the_understood_amounts_are_those_pointed_at() -> None:
    data = changed(
        FORECAST,
        (AMOUNT, '<Capacity href="#s"/>'),
        (SPARE, '<RemainingCapacity id="s" Unit="A">1.00</RemainingCapacity>'),
    )
    body = soap.read(data).body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    assert body.forecasts[0].blocks[0].capacity == LEFT


def test_none_is_written() -> None:
    for message in (FORECAST, REQUEST, USAGE):
        assert "href" not in written(message)
        assert "soap-encoding" not in written(message)


def test_its_fault_names_the_message() -> None:
    """Some toolkits read no answer without RelatesTo (row 25)."""
    assert fault(FORECAST, (AMOUNT, '<Capacity href="#nothing"/>')).relates_to == "id-1"
    assert fault(FORECAST, ("<soap:Body>", "<soap:Body><x/>")).relates_to == "id-1"
