"""Posts letters over mutual TLS. Never raises for what a network does: that is an outcome like any other."""

import asyncio
import re
import ssl
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from types import TracebackType
from typing import NamedTuple

import httpx2

from gridroom import xml
from gridroom.oscp.v10.peer import CERTIFICATE_REFUSED
from gridroom.oscp.v10.soap import soap_action

MAX_ANSWER = 16 * 1024 * 1024
"""Longest answer that is read. [bytes]"""

KEEP_ALIVE = 60.0
"""How long an unused connection is kept; less than the server keeps it. [s]"""

_CERTIFICATE_ALERT = re.compile("CERTIFICATE|UNKNOWN_CA")


class Response(NamedTuple):
    """Outcome of a post.

    Attributes:
        status: HTTP status; None when the network failed; `CERTIFICATE_REFUSED` when a certificate was refused.
        data: Body of the answer; without an answer what went wrong, as text.
        retry_after: What the other side asked to wait. [s]
    """

    status: int | None
    data: bytes
    retry_after: float | None = None


Post = Callable[[str, bytes, str], Awaitable[Response]]
"""Posts (url, data, content type)."""


class OscpClient:
    """Posts to any number of services, over connections that are kept open; call it, or `post`."""

    def __init__(self, ssl_context: ssl.SSLContext, timeout: float = 30.0) -> None:
        """Prepare to post.

        Args:
            ssl_context: Our certificate and whom we trust.
            timeout: For connecting, sending and reading together. [s]
        """
        self._timeout = timeout
        self._client = httpx2.AsyncClient(
            verify=ssl_context,
            trust_env=False,
            http2=False,
            follow_redirects=False,
            timeout=timeout,
            limits=httpx2.Limits(keepalive_expiry=KEEP_ALIVE),
            headers={"accept-encoding": "gzip", "user-agent": "gridroom"},
        )

    async def __aenter__(self) -> "OscpClient":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._client.aclose()

    async def __call__(self, url: str, data: bytes, content_type: str) -> Response:
        """Same as `post`."""
        return await self.post(url, data, content_type)

    async def post(self, url: str, data: bytes, content_type: str) -> Response:
        """Post an envelope; what the network does wrong is in the response."""
        try:
            async with asyncio.timeout(self._timeout):
                return await self._post(url, data, content_type)
        except (httpx2.HTTPError, httpx2.InvalidURL, OSError) as error:  # TimeoutError is an OSError
            status = CERTIFICATE_REFUSED if _certificate_refused(error) else None
            return Response(status, f"{type(error).__name__} {error}".strip().encode())

    async def _post(self, url: str, data: bytes, content_type: str) -> Response:
        headers = {"content-type": content_type}
        if content_type.startswith("text/xml"):
            headers["soapaction"] = soap_action(data)
        async with self._client.stream("POST", url, content=data, headers=headers) as response:
            pieces, size = [], 0
            async for piece in response.aiter_raw():
                size += len(piece)
                if size > MAX_ANSWER:
                    return Response(None, f"the answer has more than {MAX_ANSWER} bytes".encode())
                pieces.append(piece)
            body = b"".join(pieces)
            if response.headers.get("content-encoding", "").strip().lower() == "gzip":
                try:
                    body = xml.inflate(body, xml.Limits(max_bytes=MAX_ANSWER))
                except xml.XmlError as error:
                    return Response(None, f"the answer cannot be read: {error.reason}".encode())
            return Response(response.status_code, body, retry_after(response.headers.get("retry-after", "")))


def retry_after(value: str, now: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks to wait; None when it says nothing readable. Source: RFC 9110, 10.2.3.

    >>> retry_after("120"), retry_after("soon")
    (120.0, None)
    """
    value = value.strip()
    if value.isascii() and value.isdigit():
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max(0.0, (moment - (now or datetime.now(UTC))).total_seconds())


def _certificate_refused(error: BaseException | None) -> bool:
    """Whether TLS failed for a certificate, theirs (we refused it) or ours (they did)."""
    while error is not None:
        if isinstance(error, ssl.SSLError):
            said = f"{error.reason or ''} {error}".upper()
            return isinstance(error, ssl.SSLCertVerificationError) or bool(_CERTIFICATE_ALERT.search(said))
        error = error.__cause__ or error.__context__
    return False
