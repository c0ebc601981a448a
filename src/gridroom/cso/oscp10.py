"""The CSO's OSCP 1.0 edge: where it answers, and which use case a message of a DSO belongs to."""

from collections.abc import Mapping
from datetime import datetime

import sqlalchemy as sa
import structlog
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from gridroom import xml
from gridroom.cso import service
from gridroom.cso.settings import Market
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.io.asgi import Answer, oscp_app
from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    HeartbeatRequest,
    Response,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
)
from gridroom.oscp.v10.peer import Incoming, Reply, refuse_stranger
from gridroom.storage import inbox
from gridroom.storage.database import Database
from gridroom.timegrid import floor

log = structlog.get_logger()

TOLD_BLOCKS = 3
PATH = "/OSCP/ChargeServiceProviderServiceV10"


def endpoint(answer: Answer, mapping: Mapping[str, str] | None) -> ASGIApp:
    """The service at its path; there is nothing anywhere else.

    Args:
        answer: Answers an envelope from a party.
        mapping: Certificates that name no gridroom party.
    """
    service_app = oscp_app(answer, lambda url: wsdl.load(CSP_NAMESPACE, url), mapping=mapping)
    nothing = PlainTextResponse(f"There is nothing here; there is {PATH}\n", 404)

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        here = scope.get("path", "").rstrip("/") == PATH
        await (service_app if here else nothing)(scope, receive, send)

    return app


def receive(db: Database, market: Market, party: str, data: bytes, now: datetime, new_id: service.NewId) -> Reply:
    """Answer an envelope from the party that a certificate proves."""
    peer = market.peers.get(party)
    if peer is None:
        return refuse_stranger(party, data, now=now, service=CSP_NAMESPACE)

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        return _handle(Store(tx), market, incoming, now)

    return inbox.receive(db, peer, CSP_NAMESPACE, data, now, handle, new_id)


def _handle(store: Store, market: Market, incoming: Incoming, now: datetime) -> Response:
    party, body = incoming.peer.party, incoming.envelope.body
    match body:
        case UpdateCableCapacityForecastRequest():
            made_at = incoming.envelope.header.date_time or now
            result, notes = service.receive_forecast(store, market, party, made_at, body, now)
            odd = [(note.row, note.text) for note in notes] + _strange_connections(market, party, body)
            inbox.note_deviations(store.tx, party, odd)
            for name in sorted({forecast.cable_id.strip(xml.SPACE) for forecast in body.forecasts}):
                _tell(store, market, CableKey(party, name), result.type.value, now)
            return UpdateCableCapacityForecastResponse(result)
        case HeartbeatRequest():
            made_at = incoming.envelope.header.date_time or now
            return service.receive_heartbeat(store, market, party, made_at, body, now)
        case _:
            raise RemoteError("a CSO does not offer this", path="Envelope/Body", subcode="ActionNotSupported")


def _strange_connections(market: Market, party: str, body: UpdateCableCapacityForecastRequest) -> list[tuple[int, str]]:
    """Row and text for each reference in a forecast that is none of ours; it changes nothing. Decision 22."""
    return [
        (22, f"cable {forecast.cable_id}: connection {reference[:64]} is none of ours")
        for forecast in body.forecasts
        if (known := market.connections.get(CableKey(party, forecast.cable_id))) is not None
        for reference in forecast.connections
        if reference not in known
    ]


def _tell(store: Store, market: Market, key: CableKey, result: str, now: datetime) -> None:
    """Log what a forecast leaves us of a cable: the running block and the next ones. [A]"""
    if key in market.terms:
        limits = store.book(key).limits(now, floor(now, market.block), TOLD_BLOCKS, market.block)
        told = " ".join("/".join(f"{ca / 100:g}" for ca in phases) for phases in limits.T)
        log.info("forecast came", cable=key.cable, result=result, next_blocks_a=told)
