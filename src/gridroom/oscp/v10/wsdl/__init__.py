"""The description of both services that ordinary SOAP toolkits generate clients and servers from.

WSDL 1.1 with XML Schema, document/literal, SOAP 1.2; the OSCP headers are header parts, WS-Addressing is left to the
toolkit. The files of this folder are usable as they lie here. They describe what we write to a peer built from chapter
6; for a peer whose profile wants SOAP 1.1, or Result before Adjustment, the functions here give its own description.
A schema that allows both orders at once costs generated classes their typed members (docs/foreign.md).
"""

from functools import cache
from importlib.resources import files

from gridroom import xml
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile

FILES = {CSP_NAMESPACE: "csp", DSO_NAMESPACE: "dso"}
"""Namespace of a service to the name of its files."""

PLACEHOLDER = "https://localhost/oscp"
"""Stands in the files where a service's URL comes."""

_RESULT = '        <xs:element name="Result" type="tns:Result"/>\n'
_GRANTED = '        <xs:element name="Adjustment" type="tns:AdjustmentType" minOccurs="0" maxOccurs="unbounded"/>\n'
_SOAP11 = (("wsdl/soap12/", "wsdl/soap/"), ("soap12", "soap"), ("Soap12", "Soap11"))


def load(namespace: str, location: str, profile: PeerProfile = DEFAULT) -> bytes:
    """The WSDL of a service as one document, its schema inside.

    Args:
        namespace: `CSP_NAMESPACE` or `DSO_NAMESPACE`.
        location: URL where the service is reached.
        profile: How the peer that it is for reads; `soap` and `adjustment_first` count.

    >>> b'location="https://grid.example/oscp"' in load(DSO_NAMESPACE, "https://grid.example/oscp")
    True
    """
    name = FILES[namespace]
    imported = f'<xs:schema><xs:import namespace="{namespace}" schemaLocation="{name}.xsd"/></xs:schema>'
    _, _, inline = _schema(namespace, profile).partition("?>")
    return _described(namespace, location, profile).replace(imported, inline.strip()).encode()


def documents(namespace: str, location: str, profile: PeerProfile = DEFAULT) -> dict[str, bytes]:
    """The WSDL of a service and the schema that it imports, by file name, to lie in one folder.

    Args:
        namespace: `CSP_NAMESPACE` or `DSO_NAMESPACE`.
        location: URL where the service is reached.
        profile: How the peer that they are for reads.

    >>> sorted(documents(DSO_NAMESPACE, "https://grid.example/oscp"))
    ['dso.wsdl', 'dso.xsd']
    """
    name = FILES[namespace]
    described = _described(namespace, location, profile)
    return {f"{name}.wsdl": described.encode(), f"{name}.xsd": _schema(namespace, profile).encode()}


@cache
def schema(namespace: str, profile: PeerProfile = DEFAULT) -> xml.Schema:
    """The XML Schema of a service, to check messages with: all that is written to a peer fits its profile's schema."""
    return xml.Schema(_schema(namespace, profile).encode())


def _described(namespace: str, location: str, profile: PeerProfile) -> str:
    text = _file(f"{FILES[namespace]}.wsdl")
    for old, new in _SOAP11 if profile.soap == "1.1" else ():
        text = text.replace(old, new)
    return text.replace(PLACEHOLDER, _quoted(location))


def _schema(namespace: str, profile: PeerProfile) -> str:
    text = _file(f"{FILES[namespace]}.xsd")
    return text if profile.adjustment_first else text.replace(_GRANTED + _RESULT, _RESULT + _GRANTED)


def _quoted(location: str) -> str:
    return xml.escape(location).replace('"', "&quot;")


@cache
def _file(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
