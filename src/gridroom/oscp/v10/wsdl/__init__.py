"""The description of both services that ordinary SOAP toolkits generate clients and servers from.

WSDL 1.1 with XML Schema, document/literal, SOAP 1.2 only; the OSCP headers are header parts, WS-Addressing is left to
the toolkit. The files of this folder are usable as they lie here.
"""

from functools import cache
from importlib.resources import files

from gridroom import xml
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE

FILES = {CSP_NAMESPACE: "csp", DSO_NAMESPACE: "dso"}
PLACEHOLDER = "https://localhost/oscp"


def load(namespace: str, location: str) -> bytes:
    """The WSDL of a service as one document, its schema inside.

    Args:
        namespace: `CSP_NAMESPACE` or `DSO_NAMESPACE`.
        location: URL where the service is reached.

    >>> b'location="https://grid.example/oscp"' in load(DSO_NAMESPACE, "https://grid.example/oscp")
    True
    """
    address = xml.escape(location).replace('"', "&quot;")
    return _document(namespace).replace(PLACEHOLDER, address).encode()


@cache
def schema(namespace: str) -> xml.Schema:
    """The XML Schema of a service, to check messages with."""
    return xml.Schema(_file(f"{FILES[namespace]}.xsd").encode())


@cache
def _document(namespace: str) -> str:
    name = FILES[namespace]
    imported = f'<xs:schema><xs:import namespace="{namespace}" schemaLocation="{name}.xsd"/></xs:schema>'
    _, _, inline = _file(f"{name}.xsd").partition("?>")
    return _file(f"{name}.wsdl").replace(imported, inline.strip())


def _file(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
