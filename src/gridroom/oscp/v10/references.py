"""SOAP-encoded references, as PHP and older toolkits write them: a value once, then pointed at. Decision 33.

SOAP 1.2 (part 2, section 3.1.5) marks them `enc:id` and `enc:ref`, SOAP 1.1 (section 5.4.1) `id` and `href="#..."`;
the values may stand behind the message in the Body. What is pointed at may itself point on.
"""

from gridroom import xml
from gridroom.oscp.v10.names import BODIES
from gridroom.oscp.v10.tree import NAMES, fail

ENCODING = "http://www.w3.org/2003/05/soap-encoding"
"""Namespace of SOAP 1.2 encoding."""

REF = f"{{{ENCODING}}}ref"
"""Attribute that points to another element."""

ID = f"{{{ENCODING}}}id"
"""Attribute that is pointed at."""

MOST_TIMES = 8
"""How many times the length of a message its references may be expanded to, beside `FREE`."""

FREE = 256 * 1024
"""Most bytes that references may be expanded to: so many times the message, and so many for any message."""

MAX_HOPS = 8
"""Most references that lead from one to the next, inside each other or in a row."""


class References:
    """The references of one envelope, filled in place.

    Attributes:
        targets: What was pointed at.
        first: Path of the first reference; empty without any.
    """

    def __init__(self, most: int) -> None:
        """Begin.

        Args:
            most: Bytes that references may be expanded to.
        """
        self._most = most
        self.targets: set[xml.Element] = set()
        self.first = ""
        self._by_id: dict[str, xml.Element] = {}
        self._held: set[xml.Element] = set()
        self._open: dict[xml.Element, str] = {}
        self._sizes: dict[xml.Element, int] = {}
        self._copied = 0

    def fill(self, root: xml.Element) -> None:
        """Fill each element that points to another one with what that one holds.

        Raises:
            RemoteError: A reference to nothing, to itself, or too much altogether.
        """
        self._open = {element: name for element in root.iter() if (name := _pointed(element)) is not None}
        if not self._open:
            return
        self.first = xml.path_of(next(iter(self._open)))
        wanted = set(self._open.values())
        for element in root.iter():
            for name in wanted & ({element.get(ID, ""), element.get("id", "")} - {""}):
                if self._by_id.setdefault(name, element) is not element:
                    fail(element, f"the id {name[:64]} is used twice")
        self._held = set(self._by_id.values())
        for element in list(self._open):
            self._fill(element, ())

    def _fill(self, element: xml.Element, via: tuple[xml.Element, ...]) -> None:
        """Fill one element, after whatever its target holds or is."""
        name = self._open.get(element)
        if name is None:
            return  # filled on the way to another
        target = self._by_id.get(name)
        if target is None:
            fail(element, f"the reference {name[:64]} points to nothing in this message")
        if target in via:
            fail(element, f"the reference {name[:64]} leads back to itself")
        if len(via) >= MAX_HOPS:
            fail(element, f"more than {MAX_HOPS} references lead from one to the next")
        if target not in self._sizes:
            for inner in list(target.iter()):
                self._fill(inner, (*via, target))
            self._sizes[target] = len(xml.to_bytes(target))
            self.targets.add(target)
        if len(element) or xml.clean(element) not in ("", xml.clean(target)):  # ext-soap repeats the text of an amount
            fail(element, "both a reference and filled otherwise")
        self._copied += self._sizes[target]
        if self._copied > self._most:
            fail(element, f"references expand to more than {self._most} bytes")
        del self._open[element]
        _strip(element, REF, "href")
        for key, value in xml.attributes(target):
            if not key.startswith("{") and key != "id" and element.get(key, value) != value:
                fail(element, f"its {key} differs from that of what it points to")
        xml.move_into(element, target)
        if element not in self._held:
            _strip(element, ID, "id")


def resolve(root: xml.Element, data: bytes) -> References:
    """Fill each element that points to another one with what that one holds.

    Args:
        root: The envelope, changed in place.
        data: Its bytes, to see quickly that there is nothing to do.

    Raises:
        RemoteError: A reference to nothing, in a circle, or too much altogether.
    """
    found = References(MOST_TIMES * len(data) + FREE)
    if b"href" in data or b"soap-encoding" in data or (b"#" in data and b"&#" in data):
        found.fill(root)
        for target in found.targets:
            _strip(target, ID, "id")
    return found


def _strip(element: xml.Element, *names: str) -> None:
    """Take attributes away that have done their work: on an amount they would be unknown."""
    for name in names:
        element.attrib.pop(name, "")


def _pointed(element: xml.Element) -> str | None:
    """Id that an element points to; None when it is no reference.

    A link of another kind, as an extension may have it, is none of ours; one on an element of ours is.
    """
    marked, link = element.get(REF), element.get("href")
    if marked is not None:
        return marked.removeprefix("#")
    if link is None:
        return None
    local = xml.split(element.tag)[1].lower()
    return link.removeprefix("#") if link.startswith("#") or local in NAMES or local in BODIES else None
