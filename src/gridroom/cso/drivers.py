"""The drivers' endpoint: POST /wishes with `station`, `departure` (ISO 8601 with zone) and `energy_kwh`.

The operator's app or kiosk calls it with the bearer token of the configuration.
"""

import hmac
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import msgspec
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from gridroom.cso.charging import WishError

FIELDS = {"station", "departure", "energy_kwh"}
LONGEST = 4096
Take = Callable[[str, datetime | None, int | None], None]


def app(token: str, take: Take) -> Starlette:
    """The endpoint as an ASGI application.

    Args:
        token: Who gives it may declare wishes; empty lets nobody in.
        take: Takes station, departure [UTC] and energy [Wh]; may raise WishError.
    """

    async def wishes(request: Request) -> JSONResponse:
        scheme, _, given = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token or not hmac.compare_digest(given.strip().encode(), token.encode()):
            return _no(401, "authorization", "give the bearer token of this operator")
        try:
            take(*read(await _body(request)))
        except WishError as error:
            return _no(400, error.field, error.reason)
        return JSONResponse({"accepted": True}, 201)

    return Starlette(routes=[Route("/wishes", wishes, methods=["POST"])])


def read(data: bytes) -> tuple[str, datetime | None, int | None]:
    """A wish out of JSON: station, departure [UTC], energy [Wh].

    >>> read(b'{"station": "s1", "energy_kwh": 12.5}')
    ('s1', None, 12500)

    Raises:
        WishError: A field is missing, unknown or of the wrong kind.
    """
    try:
        wish = msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise WishError("body", f"not JSON: {error}") from error
    if not isinstance(wish, dict):
        raise WishError("body", "must be an object")
    for name in sorted(set(wish) - FIELDS):
        raise WishError(name, f"unknown; there are {', '.join(sorted(FIELDS))}")
    station = wish.get("station")
    if not isinstance(station, str) or not station:
        raise WishError("station", "missing" if station is None else "must be a text")
    return station, _departure(wish.get("departure")), _energy(wish.get("energy_kwh"))


def _departure(value: Any) -> datetime | None:
    if value is None:
        return None
    try:
        moment = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        raise WishError("departure", "must be a time such as 2026-01-31T17:30:00+01:00") from None
    if moment.tzinfo is None:
        raise WishError("departure", "has no zone; add Z or an offset such as +01:00")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise WishError("departure", "is out of range") from None


def _energy(value: Any) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value <= 1000:
        raise WishError("energy_kwh", "must be a number above 0 and at most 1000")
    return round(value * 1000)


async def _body(request: Request) -> bytes:
    data = b""
    async for piece in request.stream():
        data += piece
        if len(data) > LONGEST:
            raise WishError("body", f"has more than {LONGEST} bytes")
    return data


def _no(status: int, field: str, reason: str) -> JSONResponse:
    return JSONResponse({"accepted": False, "field": field, "error": f"{field}: {reason}"}, status)
