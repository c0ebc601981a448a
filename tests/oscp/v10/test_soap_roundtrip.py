"""Reading undoes writing, for every message; and what we write fits our schema."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gridroom import xml
from gridroom.oscp.v10 import soap, wsdl
from gridroom.oscp.v10.messages import OPERATIONS, Header, HeartbeatRequest, Message, operation_of
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from oscp_drawn import START, expected, headers, messages, profiles


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(headers, messages, profiles)
def test_reading_undoes_writing(header: Header, body: Message, profile: PeerProfile) -> None:
    data = soap.write(header, body, profile)
    envelope = soap.read(data)
    assert envelope.body == body
    assert envelope.header == expected(header, body)
    assert envelope.deviations == ()


every_profile = st.builds(
    PeerProfile,
    soap=st.sampled_from(["1.2", "1.1"]),
    phases=st.sampled_from(["smallest", "per-phase"]),
    ends=st.sampled_from(["inclusive", "exclusive"]),
    success_code=st.sampled_from(["MESSAGE_PROCESSED", "PROCESSED"]),
    description=st.booleans(),
    adjustment_first=st.booleans(),
    emsp=st.sampled_from(["after-cable", "never"]),
)


def findings(data: bytes, namespace: str, profile: PeerProfile = DEFAULT) -> list[str]:
    envelope = xml.parse(data)
    schema = wsdl.schema(namespace, profile)
    ours = [element for element in envelope[0] if xml.split(element.tag)[0] == namespace]
    assert len(ours) == 3
    return [line for element in (*ours, envelope[1][0]) for line in schema.findings(element)]


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(headers, messages, every_profile)
def test_what_we_write_fits_the_schema_of_its_profile(header: Header, body: Message, profile: PeerProfile) -> None:
    namespace = OPERATIONS[operation_of(body)][0]
    assert findings(soap.write(header, body, profile), namespace, profile) == []


def test_the_schema_check_can_fail() -> None:
    data = soap.write(Header("id", "a", "b", START, to="https://x"), HeartbeatRequest(300, 900))
    assert findings(data.replace(b">300<", b">soon<"), "http://OSCP/CSP/2013/06/")


@pytest.mark.parametrize("soap_version", ["1.1", "1.2"])
def test_soap_1_1_only_where_allowed(soap_version: str) -> None:
    profile = PeerProfile(soap="1.1" if soap_version == "1.1" else "1.2")
    data = soap.write(Header("id", "a", "b", START, to="https://x"), HeartbeatRequest(300, 900), profile)
    assert soap.read(data, soap11=True).body == HeartbeatRequest(300, 900)
