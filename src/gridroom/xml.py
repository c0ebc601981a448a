"""The one door for bytes that claim to be XML: safe parsing, limits, and the little that others need of a tree.

The only module that imports lxml. Checked before lxml sees a byte: DOCTYPE (so entities and external files), encodings
other than UTF-8, XML versions other than 1.0, size and number of elements.
"""

import re
import zlib
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import lru_cache
from xml.parsers import expat

from lxml import etree

Element = etree._Element
"""An element of a parsed document."""

SPACE = " \t\r\n"
"""White space in the sense of XML."""


class XmlError(Exception):
    """Bytes that are not the XML we read.

    Attributes:
        path: The element, or empty when there is no tree to point into.
        reason: What is wrong.
    """

    def __init__(self, reason: str, path: str = "") -> None:
        super().__init__(f"{path}: {reason}" if path else reason)
        self.path = path
        self.reason = reason


@dataclass(frozen=True)
class Limits:
    """What one document may cost.

    Attributes:
        max_bytes: Size, after inflating.
        max_depth: Elements inside each other.
        max_elements: Number of elements.
        max_attributes: Number of attributes (counted as `=` signs, so an upper bound).
        max_ratio: Inflated size over deflated size; honest forecasts reach 100.
    """

    max_bytes: int = 64 * 1024 * 1024
    max_depth: int = 64
    max_elements: int = 2_000_000
    max_attributes: int = 4_000_000
    max_ratio: int = 300


DEFAULT = Limits()
"""Limits that no honest message reaches."""

PIECE = 1 << 16
"""Bytes fed to and taken from the unpacker at a time, so that what waits is not copied over and over."""

MAX_MEMBERS = 1000
"""Most gzip members of one body."""


def inflate(data: bytes, limits: Limits = DEFAULT) -> bytes:
    """Contents of a gzip body, unpacked in pieces so that a bomb never gets large.

    Args:
        data: One or more gzip members.
        limits: Caps on the inflated size and on the ratio.

    Raises:
        XmlError: Not gzip, cut short, too large or too dense.
    """
    cap = min(limits.max_bytes, max(len(data), 1) * limits.max_ratio)
    pieces: list[bytes] = []
    size = members = begin = 0
    while begin < len(data):
        members += 1
        if members > MAX_MEMBERS:
            raise XmlError(f"the gzip body has more than {MAX_MEMBERS} members")
        member = zlib.decompressobj(31)
        while not member.eof:
            if begin >= len(data) and not member.unconsumed_tail:
                raise XmlError("the gzip body is cut short")
            fed = member.unconsumed_tail or data[begin : begin + PIECE]
            begin += 0 if member.unconsumed_tail else len(fed)
            try:
                piece = member.decompress(fed, PIECE)
            except zlib.error as error:
                raise XmlError("the body is not gzip") from error
            size += len(piece)
            if size > cap:
                raise XmlError(f"the gzip body inflates to more than {cap} bytes")
            pieces.append(piece)
        begin -= len(member.unused_data)
    return b"".join(pieces)


def parse(data: bytes, limits: Limits = DEFAULT) -> Element:
    """Root element of a UTF-8 document without DOCTYPE, comments and processing instructions left out.

    Args:
        data: The document.
        limits: What it may cost.

    Raises:
        XmlError: Refused, with the reason.

    >>> parse(b"<a><b>1</b></a>")[0].text
    '1'
    """
    if len(data) > limits.max_bytes:
        raise XmlError(f"the document is larger than {limits.max_bytes} bytes")
    if data.count(b"=") > limits.max_attributes:
        raise XmlError(f"the document has more than {limits.max_attributes} attributes")
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise XmlError(f"the document is not UTF-8 (byte {error.start})") from error
    _scan(data, limits.max_elements)
    parser = etree.XMLParser(
        encoding="utf-8",
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        remove_comments=True,
        remove_pis=True,
        huge_tree=False,
        recover=False,
    )
    try:
        root = etree.fromstring(data, parser)
    except (etree.XMLSyntaxError, ValueError) as error:
        if "Excessive depth" in str(error):  # the parser's own bound, above ours
            raise XmlError(f"elements are nested deeper than {limits.max_depth}") from error
        if "XML_PARSE_HUGE" in str(error):
            raise XmlError("a text, name or attribute is longer than 10 MB, the most that is read") from error
        raise XmlError(f"not well-formed XML: {_one_line(error)}") from error
    if root is None or root.getroottree().docinfo.internalDTD is not None:
        raise XmlError("a DOCTYPE is not allowed")
    if _deeper(limits.max_depth)(root):
        raise XmlError(f"elements are nested deeper than {limits.max_depth}")
    return root


def _scan(data: bytes, max_elements: int) -> None:
    """Refuse by expat what lxml must not see; stops at the root's start unless there may be too many elements."""
    scanner = expat.ParserCreate("UTF-8")
    count = 0

    def declaration(version: str, encoding: str | None, _standalone: int) -> None:
        if version != "1.0":
            raise XmlError(f"XML version {version[:20]} is not read, only 1.0")
        if encoding is not None and encoding.lower() not in {"utf-8", "utf8"}:
            raise XmlError(f"encoding {encoding[:40]} is not read, only UTF-8")

    def doctype(*_: object) -> None:
        raise XmlError("a DOCTYPE is not allowed")

    def start(_name: str, _attributes: object) -> None:
        nonlocal count
        count += 1
        if count > max_elements:
            raise XmlError(f"the document has more than {max_elements} elements")

    scanner.XmlDeclHandler = declaration
    scanner.StartDoctypeDeclHandler = doctype
    scanner.StartElementHandler = start
    whole = data.count(b"<") > max_elements
    try:
        for piece, last in _growing(data):
            scanner.Parse(piece, last)
            if count and not whole:
                return
    except expat.ExpatError as error:
        raise XmlError(f"not well-formed XML: {_one_line(error)}") from error


def _one_line(error: Exception) -> str:
    text = getattr(error, "msg", None) or str(error)  # lxml's str() adds a file name, which is always "<string>"
    return " ".join(text.split()).replace(" , ", ", ")


def _growing(data: bytes) -> Iterator[tuple[bytes, bool]]:
    """Pieces of doubling size, so that the start is cheap and a long prolog is not read many times over."""
    begin, size = 0, 256
    while begin + size < len(data):
        yield data[begin : begin + size], False
        begin, size = begin + size, size * 2
    yield data[begin:], True


@lru_cache(maxsize=16)
def _deeper(depth: int) -> etree.XPath:
    return etree.XPath("boolean(" + "/*" * (depth + 1) + ")")


def split(name: str) -> tuple[str, str]:
    """Namespace and local name.

    >>> split("{urn:x}a"), split("a")
    (('urn:x', 'a'), ('', 'a'))
    """
    if name.startswith("{"):
        namespace, _, local = name[1:].partition("}")
        return namespace, local
    return "", name


def path_of(element: Element, root: Element | None = None) -> str:
    """Where an element stands, such as `Envelope/Body/Forecast[2]/Cable`; numbers from 1 where a name repeats.

    Args:
        element: The element.
        root: Where to begin, left out of the path; the document by default.

    >>> path_of(parse(b"<a><b/><b><c/></b></a>")[1][0])
    'a/b[2]/c'
    """
    steps: list[str] = []
    at: Element | None = element
    while at is not None and at is not root:
        steps.append(_step(at))
        at = at.getparent()
    return "/".join(reversed(steps))


def _step(element: Element) -> str:
    name = split(element.tag)[1][:100]
    before = sum(1 for _ in element.itersiblings(element.tag, preceding=True))
    if before or next(element.itersiblings(element.tag), None) is not None:
        return f"{name}[{before + 1}]"
    return name


def text_of(element: Element) -> str:
    """Text of an element that holds only text, outer white space removed.

    Raises:
        XmlError: It holds elements.
    """
    if len(element):
        raise XmlError("text was expected, not elements", path_of(element))
    return (element.text or "").strip(SPACE)


def clean(element: Element) -> str:
    """Text before the first child, outer white space removed, whatever else the element holds."""
    return (element.text or "").strip(SPACE)


def mixed(root: Element, levels: int = 0) -> list[Element]:
    """Elements that hold both elements and text.

    Args:
        root: The document.
        levels: How deep to look, the root being the first level; the fewer the cheaper. 0 looks everywhere.

    >>> [path_of(element) for element in mixed(parse(b"<a><b>1</b><c>2<d/></c><e> <f/></e></a>"))]
    ['a/c']
    """
    return [element for element in _mixed(levels)(root) if isinstance(element, Element)]  # type: ignore[union-attr]


@lru_cache(maxsize=16)
def _mixed(levels: int) -> etree.XPath:
    steps = ["/*" * level for level in range(1, levels + 1)] or ["//*"]
    return etree.XPath("|".join(f"{step}[*][text()[normalize-space()]]" for step in steps))


def attributes(element: Element) -> list[tuple[str, str]]:
    """Name and value of each attribute; a name in a namespace reads `{namespace}local`."""
    return [(str(name), str(value)) for name, value in element.items()]


def move_into(element: Element, source: Element) -> None:
    """Give an empty element a copy of what another one holds: attributes, text and children."""
    for name, value in attributes(source):
        if name not in element.attrib:
            element.set(name, value)
    element.text = source.text
    element.extend([deepcopy(child) for child in source])


def to_bytes(element: Element) -> bytes:
    """The element as a document, without XML declaration."""
    return etree.tostring(element, with_tail=False)


_UNSAYABLE = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def escape(text: str) -> str:
    """Text as it stands between two tags.

    Raises:
        ValueError: A character that XML 1.0 cannot carry.

    >>> escape("a < b & c")
    'a &lt; b &amp; c'
    """
    if _UNSAYABLE.search(text):
        raise ValueError("a control character cannot be written in XML")
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace("\r", "&#13;")


def sayable(text: str) -> str:
    """Text for people, with what XML 1.0 cannot carry replaced by a question mark."""
    return _UNSAYABLE.sub("?", text)


class Schema:
    """An XML Schema; validates trees after parsing, never inside the parser (which crashes on a DOCTYPE)."""

    def __init__(self, xsd: bytes) -> None:
        self._schema = etree.XMLSchema(parse(xsd))

    def findings(self, element: Element) -> list[str]:
        """What is wrong with an element, one line each; empty when it is valid."""
        self._schema.validate(parse(to_bytes(element)))
        return [str(entry.message) for entry in self._schema.error_log]  # type: ignore[attr-defined]
