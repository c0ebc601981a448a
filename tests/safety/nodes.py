"""Messages as bare trees, written without our writer: any spelling, any damage. Shared by safety and fuzzing."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random
from xml.sax.saxutils import escape

CSP = "http://OSCP/CSP/2013/06/"
DSO = "http://OSCP/DSO/2013/06/"
SOAP = "http://www.w3.org/2003/05/soap-envelope"
WSA = "http://www.w3.org/2005/08/addressing"
XSI = "http://www.w3.org/2001/XMLSchema-instance"
ENC = "http://www.w3.org/2003/05/soap-encoding"
FOREIGN = "urn:somebody:else"
PREFIXES = {SOAP: "e", WSA: "a", XSI: "xsi", ENC: "enc", FOREIGN: "f", CSP: "c", DSO: "d"}


@dataclass(eq=False)
class Node:
    """An element: namespace, name, attributes by (namespace, name), text before its children."""

    name: str
    namespace: str = ""
    text: str = ""
    children: list["Node"] = field(default_factory=list)
    attributes: dict[tuple[str, str], str] = field(default_factory=dict)

    def copy(self) -> "Node":
        inside = [child.copy() for child in self.children]
        return Node(self.name, self.namespace, self.text, inside, dict(self.attributes))

    def walk(self) -> Iterator["Node"]:
        yield self
        for child in self.children:
            yield from child.walk()

    def named(self, *names: str) -> list["Node"]:
        wanted = {name.lower() for name in names}
        return [node for node in self.walk() if node.name.lower() in wanted]

    def parent_of(self, wanted: "Node") -> "Node | None":
        return next((node for node in self.walk() if any(child is wanted for child in node.children)), None)


def to_bytes(root: Node, chance: Random | None = None) -> bytes:
    """The tree as a document; with chance, in one of the many layouts that mean the same."""
    names = dict(PREFIXES)
    declared = " ".join(f'xmlns:{prefix}="{namespace}"' for namespace, prefix in names.items())
    return _written(root, names, chance, f" {declared}").encode()


def _written(node: Node, names: dict[str, str], chance: Random | None, extra: str = "") -> str:
    tag = f"{names[node.namespace]}:{node.name}" if node.namespace else node.name
    attributes = "".join(
        f' {names[namespace] + ":" if namespace else ""}{name}="{escape(value, {chr(34): "&quot;"})}"'
        for (namespace, name), value in node.attributes.items()
    )
    space = chance.choice(["", "", "", "\n  ", "\t"]) if chance and node.children else ""
    inside = "".join(space + _written(child, names, chance) for child in node.children)
    return f"<{tag}{extra}{attributes}>{_text(node.text, chance)}{inside}{space}</{tag}>"


def _text(text: str, chance: Random | None) -> str:
    """Text in one of the ways that XML has for it: references, CDATA, with comments and instructions inside."""
    if not text or chance is None or chance.random() < 0.9:
        return escape(text)
    place = chance.randint(0, len(text))
    before, after = escape(text[:place]), escape(text[place:])
    match chance.randrange(5):
        case 0:
            return f"{before}<!-- 1 -->{after}"
        case 1:
            return f"{before}<?x 1?>{after}"
        case 2:
            return f"<![CDATA[{text}]]>" if "]]>" not in text else before + after
        case 3:
            return "".join(f"&#{ord(letter)};" for letter in text)
        case _:
            return f" {before}{after}\n"
