"""The one door for bytes."""

import contextlib
import gzip
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom import xml

SMALL = xml.Limits(max_bytes=1000, max_depth=4, max_elements=10, max_attributes=5, max_ratio=100)


def refusal(data: bytes, limits: xml.Limits = SMALL) -> str:
    with pytest.raises(xml.XmlError) as caught:
        xml.parse(data, limits)
    return caught.value.reason


@pytest.mark.parametrize(
    "data",
    [
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a [<!ENTITY e "x">]><a>&e;</a>',
        b'<!DOCTYPE a SYSTEM "file:///etc/hostname"><a/>',
        b'<?xml version="1.0"?><!-- a comment --><!DOCTYPE a><a/>',
        b"<!--" + b"-x" * 300 + b"--><!DOCTYPE a><a/>",
    ],
)
def test_any_doctype_is_refused(data: bytes) -> None:
    assert "DOCTYPE" in refusal(data)


@pytest.mark.parametrize("encoding", ["ISO-8859-1", "UTF-16", "utf-7", "US-ASCII"])
def test_a_declared_encoding_other_than_utf_8_is_refused(encoding: str) -> None:
    assert "UTF-8" in refusal(f'<?xml version="1.0" encoding="{encoding}"?><a/>'.encode())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp037"])
def test_bytes_in_another_encoding_are_refused(encoding: str) -> None:
    refusal('<?xml version="1.0"?><a>é</a>'.encode(encoding))


def test_xml_1_1_is_refused() -> None:
    refusal(b'<?xml version="1.1"?><a/>')


@pytest.mark.parametrize("start", [b"", b"\xef\xbb\xbf", b'<?xml version="1.0" encoding="utf-8"?>', b"<!-- c -->\n"])
def test_what_may_stand_before_the_root(start: bytes) -> None:
    assert xml.parse(start + "<a>é</a>".encode(), SMALL).text == "é"


def test_size_depth_elements_and_attributes_are_capped() -> None:
    assert "larger" in refusal(b"<a>" + b"x" * 1000 + b"</a>")
    assert "deeper" in refusal(b"<a>" * 5 + b"</a>" * 5)
    assert xml.parse(b"<a>" * 4 + b"</a>" * 4, SMALL).tag == "a"
    assert "elements" in refusal(b"<a>" + b"<b/>" * 10 + b"</a>")
    assert len(xml.parse(b"<a>" + b"<b></b>" * 9 + b"</a>", SMALL)) == 9
    assert "attributes" in refusal(b'<a b="" c="" d="" e="" f="" g=""/>')


def test_comments_cannot_hide_the_number_of_elements() -> None:
    assert "elements" in refusal(b"<a><!--" + b"</" * 20 + b"-->" + b"<b/>" * 10 + b"</a>")


@pytest.mark.parametrize("data", [b"", b"   ", b"<a>", b"<a/><b/>", b"<a>\x00</a>", b"<a>&e;</a>", b"hello", b"\xff"])
def test_what_is_not_well_formed_is_refused(data: bytes) -> None:
    refusal(data)


@given(st.binary(max_size=200))
def test_no_bytes_raise_anything_but_xml_error(data: bytes) -> None:
    with contextlib.suppress(xml.XmlError):
        xml.parse(data)


def test_comments_and_instructions_do_not_split_text() -> None:
    assert xml.text_of(xml.parse(b"<a>24<!-- -->.<?x y?>00<![CDATA[1]]></a>")) == "24.001"


@given(st.binary(max_size=3000))
def test_inflate_undoes_gzip(data: bytes) -> None:
    assert xml.inflate(gzip.compress(data)) == data


def test_inflate_reads_several_members() -> None:
    assert xml.inflate(gzip.compress(b"ab", mtime=0) + gzip.compress(b"c", mtime=0)) == b"abc"


def test_a_gzip_bomb_stops_at_the_cap() -> None:
    with pytest.raises(xml.XmlError, match="inflates"):
        xml.inflate(gzip.compress(b"a" * 100_000_000))


@pytest.mark.parametrize(
    "data",
    [b"no gzip", gzip.compress(b"abc" * 50)[:-9], gzip.compress(b"abc") + b"trailing"],
    ids=["none", "cut", "trailing"],
)
def test_a_broken_gzip_body_is_refused(data: bytes) -> None:
    with pytest.raises(xml.XmlError):
        xml.inflate(data)


@given(st.text(max_size=50))
def test_escaped_text_reads_back(text: str) -> None:
    try:
        escaped = xml.escape(text)
    except ValueError:
        assert xml.sayable(text) != text
        return
    assert (xml.parse(f"<a>{escaped}</a>".encode()).text or "") == text


def test_paths_number_what_repeats() -> None:
    root = xml.parse(b'<e:a xmlns:e="urn:e"><b/><c/><b><d/></b></e:a>')
    assert [xml.path_of(element) for element in root.iter()] == ["a", "a/b[1]", "a/c", "a/b[2]", "a/b[2]/d"]
    assert xml.path_of(root[2][0], root) == "b[2]/d"


def test_text_of_an_element_with_children_is_refused() -> None:
    with pytest.raises(xml.XmlError, match="a/b"):
        xml.text_of(xml.parse(b"<a><b>1<c/></b></a>")[0])


def test_a_schema_names_what_is_wrong() -> None:
    xsd = b'<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema"><xs:element name="a" type="xs:int"/></xs:schema>'
    schema = xml.Schema(xsd)
    assert schema.findings(xml.parse(b"<a>1</a>")) == []
    assert "xs:int" in schema.findings(xml.parse(b"<a>x</a>"))[0]


def test_inflate_does_not_choke_on_a_crowd_of_members() -> None:
    with pytest.raises(xml.XmlError, match="members"):
        xml.inflate(gzip.compress(b"", mtime=0) * 200_000)


@pytest.mark.parametrize("extra", [-1, 0, 1])
def test_inflate_reads_members_that_end_anywhere(extra: int) -> None:
    first = gzip.compress(random.Random(1).randbytes(xml.PIECE - 23 + extra), 0)
    second = gzip.compress(random.Random(2).randbytes(3 * xml.PIECE), 1)
    assert xml.inflate(first + second) == gzip.decompress(first + second)
    with pytest.raises(xml.XmlError, match="cut short"):
        xml.inflate((first + second)[:-1])
