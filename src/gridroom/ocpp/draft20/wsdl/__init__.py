"""The description of both services of chapter 4 that ordinary SOAP toolkits generate clients and servers from.

WSDL 1.1 with XML Schema, document/literal, SOAP 1.2; chargePointIdentity is a header part of each request. The files of
this folder are usable as they lie here.
"""

from functools import cache
from importlib.resources import files

from gridroom import xml
from gridroom.ocpp.draft20.names import CP, CS

SERVICES = ("cp", "cs")
"""`cp` is hosted by the local controller (SetChargingProfile), `cs` by the CSO (MeterValues)."""

NAMESPACES = {"cp": CP, "cs": CS}
"""Namespace of each service."""

PLACEHOLDER = "https://localhost/ocpp"
"""Stands in the files where a service's URL comes."""


def load(service: str, location: str) -> bytes:
    """The WSDL of a service as one document, its schema inside.

    Args:
        service: One of `SERVICES`.
        location: URL where the service is reached.

    >>> b'location="https://cso.example/ocpp"' in load("cs", "https://cso.example/ocpp")
    True
    """
    return _document(service).replace(PLACEHOLDER, _quoted(location)).encode()


def documents(service: str, location: str) -> dict[str, bytes]:
    """The WSDL of a service and the schema that it imports, by file name, to lie in one folder.

    Args:
        service: One of `SERVICES`.
        location: URL where the service is reached.

    >>> sorted(documents("cs", "https://cso.example/ocpp"))
    ['cs.wsdl', 'cs.xsd']
    """
    described = _file(f"{service}.wsdl").replace(PLACEHOLDER, _quoted(location))
    return {f"{service}.wsdl": described.encode(), f"{service}.xsd": _file(f"{service}.xsd").encode()}


@cache
def schema(service: str) -> xml.Schema:
    """The XML Schema of a service, to check messages with."""
    return xml.Schema(_file(f"{service}.xsd").encode())


@cache
def _document(service: str) -> str:
    imported = f'<xs:schema><xs:import namespace="{NAMESPACES[service]}" schemaLocation="{service}.xsd"/></xs:schema>'
    _, _, inline = _file(f"{service}.xsd").partition("?>")
    return _file(f"{service}.wsdl").replace(imported, inline.strip())


def _quoted(location: str) -> str:
    return xml.escape(location).replace('"', "&quot;")


def _file(name: str) -> str:
    return files(__name__).joinpath(name).read_text(encoding="utf-8")
