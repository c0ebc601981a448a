"""The door for meters: POST /measurements with a client certificate, JSON or CSV; and GET /health."""

import io
from collections.abc import Callable, Mapping
from datetime import timedelta

import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from gridroom.dso.readings.files import read_csv
from gridroom.dso.readings.measurements import Delivery, DeliveryError, Received
from gridroom.dso.readings.messages import LARGEST, broken, read_json
from gridroom.oscp.io.identity import certificate_of, party_of
from gridroom.storage.failures import DatabaseError

log = structlog.get_logger()

MOST_COLUMNS = 3_000
"""Of a meter's CSV: each costs as much as a hundred rows, and others wait meanwhile."""

Record = Callable[[Delivery, str], Received]
"""Keeps what a meter delivers."""


def meter_app(record: Record, meters: frozenset[str], block: timedelta) -> dict[str, ASGIApp]:
    """Applications by path.

    Args:
        record: Keeps the readings of a meter.
        meters: The meters that are known.
        block: Length of a block, the span of a CSV row that names none.
    """

    async def measurements(request: Request) -> Response:
        if request.method != "POST":
            return PlainTextResponse("POST readings here\n", 405, {"allow": "POST"})
        certificate = certificate_of(request.scope)
        meter = party_of(certificate, kind="meter") if certificate else None
        if meter not in meters or meter is None:
            return PlainTextResponse(f"The certificate is of no meter known here ({meter or 'none named'})\n", 403)
        data = await _body(request)
        if data is None:
            return PlainTextResponse(f"A delivery has at most {LARGEST} bytes\n", 413)
        try:
            csv = request.headers.get("content-type", "").split(";")[0].strip().lower() == "text/csv"
            delivery = _of_csv(data, block) if csv else read_json(data, block)
        except DeliveryError as error:
            record(broken(error), meter)
            text = not csv and not data.lstrip().startswith((b"{", b"["))
            return PlainTextResponse(f"{error}{'; CSV is sent with content-type: text/csv' * text}\n", 400)
        received = record(delivery, meter)
        texts = [str(finding) for finding in received.findings]
        answer = {"stored": received.stored, "repeated": received.repeated, "findings": texts}
        return JSONResponse(answer, 422 if texts and not received.stored and not received.repeated else 200)

    async def health(request: Request) -> Response:
        return PlainTextResponse("ok\n" if request.method in ("GET", "HEAD") else "GET\n")

    return {"/measurements": _app(measurements), "/health": _app(health)}


def pages_app(pages: Mapping[str, ASGIApp]) -> ASGIApp:
    """One application out of several, by exact path; a final slash does not count."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        page = pages.get(scope.get("path", "").rstrip("/"))
        if page is None:
            page = PlainTextResponse(f"There is nothing here; there is {', '.join(pages)}\n", 404)
        await page(scope, receive, send)

    return app


def _app(respond: Callable[[Request], object]) -> ASGIApp:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            response = await respond(Request(scope, receive))  # type: ignore[misc]
        except ClientDisconnect:
            return
        except DatabaseError as error:
            log.error("readings are not stored, the meter is told to come again", error=str(error))
            response = PlainTextResponse("The readings are not stored: send them again later\n", 503)
        await response(scope, receive, send)

    return app


def _of_csv(data: bytes, block: timedelta) -> Delivery:
    if data.partition(b"\n")[0].count(b",") > MOST_COLUMNS:
        raise DeliveryError(f"row 1: a delivery has at most {MOST_COLUMNS} columns; import it by file")
    return read_csv(io.BytesIO(data), block)


async def _body(request: Request) -> bytes | None:
    pieces, size = [], 0
    async for piece in request.stream():
        size += len(piece)
        if size > LARGEST:
            return None
        pieces.append(piece)
    return b"".join(pieces)
