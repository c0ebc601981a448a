"""Arbitrary HTTP requests for the OSCP application."""

import asyncio
import gzip
from datetime import timedelta
from functools import cache
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from fuzz.decider import Decider
from fuzz.talk import Side
from gridroom import xml
from gridroom.oscp.io.asgi import oscp_app
from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import CSP_NAMESPACE
from gridroom.oscp.v10.peer import Reply
from safety.letters import NOW

METHODS = ("POST", "POST", "POST", "GET", "HEAD", "PUT", "post", "")
PATHS = ("/", "/OSCP/ChargeServiceProviderServiceV10", "", "/%ff", "/\x00", "//", "/ä")
QUERIES = (b"", b"wsdl", b"WSDL=1", b"wsdl&x=%00", b"\xff\xfe", b"=")
HEADERS = (
    *(
        (b"content-type", b"application/soap+xml; charset=utf-8"),
        (b"content-type", b"text/xml;charset=UTF-8; action=x"),
    ),
    *((b"content-type", b"text/xml; charset=latin-1"), (b"content-encoding", b"gzip"), (b"content-encoding", b"br")),
    *((b"content-length", b"99999999999999999999"), (b"content-length", b"-1"), (b"content-length", "٣".encode())),
    *((b"host", b"there:99999999"), (b"host", b"[::1"), (b"host", b"\xff"), (b"accept", b"*/*")),
)
STATUSES = {200, 400, 403, 405, 413, 415, 500}


def fuzz_http(data: bytes) -> None:
    """Whatever the request: one answer, begun once and ended once, with a status that is meant."""
    _loop().run_until_complete(_ask(Decider(data)))


@cache
def _loop() -> asyncio.AbstractEventLoop:
    return asyncio.new_event_loop()


@cache
def _certificate() -> bytes:
    """A certificate of the party "dso"."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "dso")])
    proof = x509.SubjectAlternativeName([x509.UniformResourceIdentifier("urn:gridroom:party:dso")])
    made = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    made = made.serial_number(1).not_valid_before(NOW).not_valid_after(NOW + timedelta(days=1))
    signed = made.add_extension(proof, critical=False).sign(key, hashes.SHA256())
    return signed.public_bytes(serialization.Encoding.DER)


async def _ask(decider: Decider) -> None:
    side = Side("cso", "dso", CSP_NAMESPACE, decider)

    async def answer(party: str, data: bytes) -> Reply:
        assert party == "dso"
        return side.talk.receive(data, now=NOW)

    app = oscp_app(answer, lambda url: wsdl.load(CSP_NAMESPACE, url), limits=xml.Limits(max_bytes=100_000))
    method, path = METHODS[decider.below(len(METHODS))], PATHS[decider.below(len(PATHS))]
    headers = [HEADERS[decider.below(len(HEADERS))] for _ in range(decider.below(6))]
    if decider.below(2):
        headers.append((decider.piece(decider.below(20)).lower(), decider.piece(decider.below(40))))
    shown = decider.below(6)
    certificate = {3: None, 4: b"", 5: decider.piece(30) if shown == 5 else b""}.get(shown, _certificate())
    query = QUERIES[decider.below(len(QUERIES))]
    gone, zipped, parts = decider.below(16) == 1, decider.below(4) == 1, 1 + decider.below(3)
    body = decider.piece(200_000)
    body = gzip.compress(body, 1) if zipped else body
    size = len(body) // parts + 1
    pieces = [body[k * size : (k + 1) * size] for k in range(parts)]
    waiting: list[dict[str, Any]] = [{"type": "http.request", "body": one, "more_body": True} for one in pieces]
    waiting[-1]["more_body"] = False
    if gone:
        waiting[-1:] = [{"type": "http.disconnect"}]
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return waiting.pop(0) if waiting else {"type": "http.disconnect"}

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "path": path,
        "raw_path": path.encode(),
        "query_string": query,
        "root_path": "",
        "scheme": "https",
        "headers": headers,
        "server": ("127.0.0.1", 443),
        "client": ("127.0.0.1", 1),
        "extensions": {"gridroom.tls": {"client_cert": certificate}},
    }
    await app(scope, receive, send)
    if not sent:
        assert gone
        return
    assert sent[0]["type"] == "http.response.start"
    assert sent[0]["status"] in STATUSES, sent[0]
    assert [one.get("more_body", False) for one in sent[1:]][-1:] == [False]
