"""What the properties and the fuzzer beside this file found once, each as a case of its own."""

from datetime import timedelta
from decimal import Decimal

import pytest

from fuzz.http import fuzz_http
from fuzz.targets import fuzz_dso
from gridroom.ocpp import convert
from gridroom.ocpp.errors import PayloadError
from gridroom.oscp.errors import LocalError, RemoteError
from gridroom.oscp.v10 import compose, soap
from gridroom.oscp.v10.blocks import CableRefused, CableTerms, forecast_spans, gather, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    RequestAdjustedCapacityRequest,
    UpdateCableCapacityForecastRequest,
    ValueType,
)
from safety.letters import NOW, QUARTER, envelope, leaf
from safety.nodes import CSP, DSO, FOREIGN, Node, to_bytes

SECOND = timedelta(seconds=1)
TEN = (ValueType(Decimal(10)),)


def block(name: str = "ForecastedBlock", amount: str = "5.00", namespace: str = CSP, start: int = 0) -> Node:
    begin = NOW + start * QUARTER
    times = [
        leaf(namespace, name, f"{at:%Y-%m-%dT%H:%M:%SZ}")
        for name, at in (("StartTime", begin), ("EndTime", begin + QUARTER))
    ]
    return Node(name, namespace, "", [leaf(namespace, "Capacity", amount, Unit="A"), *times])


def container(name: str, *inside: Node, namespace: str = CSP) -> Node:
    cable = Node("Cable", namespace, "", [leaf(namespace, "CableId", "C1")])
    return Node(name, namespace, "", [cable, *inside])


def forecast(*containers: Node) -> bytes:
    body = Node("UpdateCableCapacityForecastRequest", CSP, "", list(containers))
    return to_bytes(envelope(CSP, body, sender="dso", receiver="cso"))


def request(*containers: Node) -> bytes:
    body = Node("RequestAdjustedCapacityRequest", DSO, "", list(containers))
    return to_bytes(envelope(DSO, body, sender="cso", receiver="dso"))


@pytest.mark.parametrize("namespace", [FOREIGN, CSP, ""])
def test_an_unknown_element_must_not_hide_a_limit(namespace: str) -> None:
    hidden = Node("Extension", namespace, "", [block()])
    with pytest.raises(RemoteError, match="must not stand inside the unknown element Extension"):
        soap.read(forecast(container("Forecast", block(amount="20.00"), hidden)))


def test_each_of_several_unknown_elements_is_looked_into() -> None:
    harmless = Node("Extension", CSP, "", [leaf(CSP, "Note", "5")])
    hidden = Node("Extension", CSP, "", [block()])
    assert soap.read(forecast(container("Forecast", block(), harmless)))
    with pytest.raises(RemoteError, match="Capacity must not stand"):
        soap.read(forecast(container("Forecast", block(), harmless, hidden)))


def test_a_limit_of_a_foreign_extension_is_none_of_ours() -> None:
    theirs = Node("Extension", FOREIGN, "", [leaf(FOREIGN, "Capacity", "5")])
    assert soap.read(forecast(container("Forecast", block(), theirs)))


def test_an_amount_in_cable_refuses_the_message() -> None:
    odd = container("Forecast", block())
    odd.children[0].children.append(leaf(CSP, "Capacity", "5"))
    with pytest.raises(RemoteError, match="Capacity does not belong here"):
        soap.read(forecast(odd))


def test_a_cable_refused_in_one_container_is_refused_in_all() -> None:
    good = container("Adjustment", block("CapacityBlock", namespace=DSO), namespace=DSO)
    bad = container("Adjustment", block("CapacityBlock", "x", DSO, start=1), namespace=DSO)
    body = soap.read(request(good, bad)).body
    assert isinstance(body, RequestAdjustedCapacityRequest)
    assert not body.adjustments
    assert [one.cable_id for one in body.refused] == ["C1"]


def test_where_two_blocks_overlap_by_a_second_what_one_of_them_states_holds() -> None:
    first, second = block(amount="5.00"), block(amount="7.00", start=1)
    second.children[0].attributes["", "Phase"] = "1"
    second.children[1].text = f"{NOW + QUARTER - SECOND:%Y-%m-%dT%H:%M:%SZ}"
    body = soap.read(forecast(container("Forecast", first, second))).body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    spans = forecast_spans(gather(body.forecasts)[0], CableTerms())[0]
    seam = next(one for one in spans if one.start == NOW + QUARTER - SECOND)
    assert seam.amounts == (500, 500, 500)


def test_blocks_of_an_hour_do_not_hide_that_times_without_zone_are_an_hour_off() -> None:
    local = block(start=4)
    local.children[1].text = local.children[1].text.removesuffix("Z")
    local.children[2].text = f"{NOW + 8 * QUARTER:%Y-%m-%dT%H:%M:%S}"
    body = soap.read(forecast(container("Forecast", local))).body
    assert isinstance(body, UpdateCableCapacityForecastRequest)
    assert [one.code for one in body.refused] == ["INVALID_TIME"]


def test_a_request_within_a_second_is_refused_since_its_answer_cannot_be_written() -> None:
    half = timedelta(seconds=0.5)
    with pytest.raises(CableRefused, match="whole seconds"):
        request_spans(Adjustment("C1", (CapacityBlock(NOW + half, NOW + QUARTER, TEN),)), CableTerms())
    asked = container("Adjustment", block("CapacityBlock", namespace=DSO), namespace=DSO)
    asked.children[1].children[1].text = "2026-03-01T12:00:00.5Z"
    fuzz_dso(request(asked))


@pytest.mark.parametrize(
    "choices", [b"\x03\x01\x00\x00\x00\x04", b"\x03\x04\x00\x00\x00\x01", b"\x03\x03\x00\x00\x00\x01"]
)
def test_any_path_and_any_query_are_answered(choices: bytes) -> None:
    """GET with a query that is not UTF-8; GET ?wsdl at a path with a control character, and at another."""
    fuzz_http(choices)


def test_json_that_is_nested_too_deep_is_a_mistake_of_whoever_wrote_it() -> None:
    with pytest.raises(LocalError, match="too deeply nested"):
        compose.encode(b'{"message":' * 5000, message_id="1", now=NOW)


def test_an_exponent_beyond_all_numbers_is_no_number() -> None:
    with pytest.raises(PayloadError, match="neither XML nor JSON"):
        convert.convert(b'[2,"1","StopTransaction",{"meterStop":1e' + b"4" * 30 + b"}]", convert.Version.OCPP201)


def test_references_expand_to_a_small_multiple_of_the_message() -> None:
    enc = b'xmlns:q="http://www.w3.org/2003/05/soap-encoding"'
    head, _, tail = forecast(container("Forecast", block(), leaf(CSP, "Connection", "HERE"))).partition(b"HERE")
    head, tail = head.removesuffix(b"<c:Connection>"), tail.removeprefix(b"</c:Connection>")
    many = b"<Connection %s q:id='r'>%s</Connection>" % (enc, b"<x>y</x>" * 4000)
    with pytest.raises(RemoteError, match="references expand to more than"):
        soap.read(head + many + b"<Connection %s q:ref='r'/>" % enc * 300 + tail)
