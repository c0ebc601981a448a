"""Peer profiles: Results and answers. Each switch against a peer that needs it, which the default does not suit."""

import pytest
from lxml import etree

from gridroom import xml
from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import DSO_NAMESPACE
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from oscp_messages import OK
from oscp_samples import GRANT, written

RESULT = """
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns="http://OSCP/DSO/2013/06/"
    targetNamespace="http://OSCP/DSO/2013/06/" elementFormDefault="qualified">
  <xs:complexType name="Detail"><xs:sequence>
    <xs:element name="Code"><xs:simpleType><xs:restriction base="xs:string">
      <xs:maxLength value="{longest}"/></xs:restriction></xs:simpleType></xs:element>
    <xs:element name="Level" type="xs:string"/>
    <xs:element name="Message" type="xs:string"/>
    {more}
  </xs:sequence></xs:complexType>
  <xs:complexType name="Result"><xs:sequence>
    <xs:element name="Type" type="xs:string"/>
    <xs:element name="Details"><xs:complexType><xs:sequence>
      <xs:element name="Detail" type="Detail" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
  </xs:sequence></xs:complexType>
  <xs:element name="GetCapacityForecastResponse"><xs:complexType><xs:sequence>
    <xs:element name="Result" type="Result"/></xs:sequence></xs:complexType></xs:element>
  <xs:element name="RequestAdjustedCapacityResponse"><xs:complexType><xs:sequence>
    <xs:element name="Result" type="Result"/>
    <xs:any processContents="skip" minOccurs="0" maxOccurs="unbounded" namespace="##targetNamespace"/>
  </xs:sequence></xs:complexType></xs:element>
</xs:schema>
"""
DESCRIPTION = '<xs:element name="Description" type="xs:string" minOccurs="0"/>'


def takes(text: str, *, longest: int = 100, more: str = DESCRIPTION) -> bool:
    """Whether a peer that validates what it gets, with a schema of its own, takes the answer."""
    schema = etree.XMLSchema(etree.fromstring(RESULT.format(longest=longest, more=more)))
    return bool(schema.validate(etree.fromstring(text.encode())[1][0]))


def test_a_peer_that_keeps_to_codes_of_15_characters_needs_the_short_one() -> None:
    assert not takes(written(OK), longest=15)
    assert takes(written(OK, PeerProfile(success_code="PROCESSED")), longest=15, more=DESCRIPTION)


def test_a_peer_whose_schema_is_the_table_knows_no_description() -> None:
    assert not takes(written(OK), more="")
    assert takes(written(OK, PeerProfile(description=False)), more="")


def test_a_peer_built_from_the_table_alone_needs_both() -> None:
    strict = PeerProfile(success_code="PROCESSED", description=False)
    assert takes(written(OK, strict), longest=15, more="")
    for half in (PeerProfile(success_code="PROCESSED"), PeerProfile(description=False)):
        assert not takes(written(OK, half), longest=15, more="")


class TestAdjustmentFirst:
    """A peer whose schema has Result first. Ours has it last: whoever built from that needs no switch."""

    RESULT_FIRST = PeerProfile(adjustment_first=False)

    def ours(self, text: str) -> list[str]:
        return wsdl.schema(DSO_NAMESPACE).findings(xml.parse(text.encode())[1][0])

    def test_it_needs_the_switch(self) -> None:
        assert not takes(written(GRANT))
        assert takes(written(GRANT, self.RESULT_FIRST))

    def test_a_peer_of_our_wsdl_needs_the_default(self) -> None:
        assert self.ours(written(GRANT)) == []
        assert self.ours(written(GRANT, self.RESULT_FIRST))


@pytest.mark.parametrize("profile", [DEFAULT, PeerProfile(success_code="PROCESSED", description=False)])
def test_the_peers_own_schema_takes_what_suits_it(profile: PeerProfile) -> None:
    assert takes(written(OK, profile))
