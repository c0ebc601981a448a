"""An OSCP service as an ASGI application: bytes in, bytes out; what they say is decided elsewhere.

Source: OSCP 1.0 sections 5.1 and 5.2; SOAP 1.2 part 2 chapter 7 (the binding to HTTP).
"""

from collections.abc import Awaitable, Callable, Mapping

from starlette.datastructures import URL
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gridroom import xml
from gridroom.oscp.io.identity import certificate_of, party_of
from gridroom.oscp.v10.peer import Reply

__all__ = ["Answer", "Reply", "Wsdl", "oscp_app"]

Answer = Callable[[str, bytes], Awaitable[Reply]]
"""Answers an envelope from a party."""

Wsdl = Callable[[str], bytes]
"""The service's WSDL for the URL under which it was called."""

MEDIA_TYPES = frozenset({"application/soap+xml", "text/xml"})
"""Media types of SOAP 1.2 and 1.1."""


class RefusedError(Exception):
    """A request that never becomes a message.

    Attributes:
        status: HTTP status.
        reason: Text for people.
    """

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason


def oscp_app(
    answer: Answer,
    wsdl: Wsdl,
    *,
    mapping: Mapping[str, str] | None = None,
    limits: xml.Limits = xml.DEFAULT,
) -> ASGIApp:
    """The application of one service; it answers on every path that it is mounted on.

    Args:
        answer: Gets the party that the certificate proves and the envelope.
        wsdl: Served at `?wsdl`.
        mapping: Certificates of others, as of `identity.party_of`.
        limits: Size of a body, before and after inflating.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        try:
            response = await respond(request)
        except RefusedError as refused:
            response = _refusal(refused)
        except ClientDisconnect:
            return
        await response(scope, receive, send)

    async def respond(request: Request) -> Response:
        if request.method == "GET" and request.scope["query_string"].partition(b"=")[0].lower() == b"wsdl":
            url = URL(scope={**request.scope, "query_string": b""})  # a query may be any bytes, a path any characters
            location = xml.sayable(str(url))
            return Response(wsdl(location), media_type="text/xml; charset=utf-8")
        if request.method != "POST":
            raise RefusedError(405, "POST a SOAP message, or GET ?wsdl")
        party = _party(request, mapping)
        _check_media_type(request)
        reply = await answer(party, await _body(request, limits))
        return Response(reply.data, reply.status, {"content-type": reply.content_type})

    return app


def _party(request: Request, mapping: Mapping[str, str] | None) -> str:
    certificate = certificate_of(request.scope)
    if certificate is None:
        raise RefusedError(403, "No client certificate: this service is for parties that show one")
    party = party_of(certificate, mapping)
    if party is None:
        raise RefusedError(
            403, "The client certificate names no party (URI urn:gridroom:party:<id>, or one configured here)"
        )
    return party


def _check_media_type(request: Request) -> None:
    given, *parameters = request.headers.get("content-type", "").split(";")
    if given.strip().lower() not in MEDIA_TYPES:
        raise RefusedError(
            415, f"Content-Type {given.strip() or 'missing'!r}: application/soap+xml or text/xml is read here"
        )
    for parameter in parameters:
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "charset" and value.strip(" \"'").lower() not in {"utf-8", "utf8", "us-ascii"}:
            raise RefusedError(415, f"charset {value.strip()}: only utf-8 is read here")


async def _body(request: Request, limits: xml.Limits) -> bytes:
    encoding = request.headers.get("content-encoding", "identity").strip().lower()
    if encoding not in {"identity", "gzip", "x-gzip", ""}:
        raise RefusedError(415, f"Content-Encoding {encoding!r}: gzip or none is read here")
    announced = request.headers.get("content-length", "")
    if announced.isdigit() and int(announced) > limits.max_bytes:
        raise RefusedError(413, f"The body has more than {limits.max_bytes} bytes")
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > limits.max_bytes:
            raise RefusedError(413, f"The body has more than {limits.max_bytes} bytes")
        pieces.append(piece)
    data = b"".join(pieces)
    if encoding not in {"gzip", "x-gzip"}:
        return data
    try:
        return xml.inflate(data, limits)
    except xml.XmlError as error:
        raise RefusedError(400, f"The gzip body cannot be read: {error.reason}") from error


def _refusal(refused: RefusedError) -> Response:
    headers = {"allow": "GET, POST"} if refused.status == 405 else {}
    if refused.status == 413:
        headers["connection"] = "close"
    return PlainTextResponse(refused.reason + "\n", refused.status, headers)
