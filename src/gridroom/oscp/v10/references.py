"""SOAP-encoded references, as some PHP clients write them: the same value once, then pointed at. Decision 33."""

from gridroom import xml
from gridroom.oscp.v10.tree import fail

ENCODING = "http://www.w3.org/2003/05/soap-encoding"
REF = f"{{{ENCODING}}}ref"
ID = f"{{{ENCODING}}}id"
MAX_COPIED = 8 * 1024 * 1024
"""Most bytes that references may be expanded to."""


def resolve(root: xml.Element, data: bytes) -> None:
    """Fill each element that points to another one with what that one holds.

    Args:
        root: The envelope, changed in place.
        data: Its bytes, to see quickly that there is nothing to do.

    Raises:
        RemoteError: A reference to nothing, to something that holds references, or too much altogether.
    """
    if b"soap-encoding" not in data and b"&#" not in data:
        return
    pointing = [element for element in root.iter() if REF in element.attrib]
    if not pointing:
        return
    targets: dict[str, xml.Element] = {}
    for element in root.iter():
        identity = element.get(ID)
        if identity is not None and targets.setdefault(identity, element) is not element:
            fail(element, f"the id {identity[:64]} is used twice")
    copied = 0
    for element in pointing:
        name = element.get(REF, "")
        target = targets.get(name)
        if target is None:
            fail(element, f"the reference {name[:64]} points to nothing in this message")
        if len(element) or (element.text or "").strip(xml.SPACE):
            fail(element, "both a reference and filled")
        if any(REF in inner.attrib for inner in target.iter()):
            fail(element, "a reference to something that holds references is not read")
        copied += len(xml.to_bytes(target))
        if copied > MAX_COPIED:
            fail(element, f"references expand to more than {MAX_COPIED} bytes")
    for element in pointing:
        xml.move_into(element, targets[element.get(REF, "")])
