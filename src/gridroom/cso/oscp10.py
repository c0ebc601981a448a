"""The CSO's OSCP 1.0 edge: which use case a message of a DSO belongs to."""

from datetime import datetime

import sqlalchemy as sa

from gridroom.cso import service
from gridroom.cso.settings import Market
from gridroom.cso.store import Store
from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10.letters import Peer
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    HeartbeatRequest,
    Response,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
)
from gridroom.oscp.v10.peer import Incoming, Reply, write_fault
from gridroom.storage import inbox
from gridroom.storage.database import Database


def receive(db: Database, market: Market, party: str, data: bytes, now: datetime, new_id: service.NewId) -> Reply:
    """Answer an envelope from the party that a certificate proves."""
    peer = market.peers.get(party)
    if peer is None:
        stranger = Peer(party, frozenset(), "", "", frozenset())
        error = RemoteError(f"{party} is no DSO that we work with", path="Envelope/Header/Parties/senderID")
        return write_fault(error, stranger, now=now)

    def handle(tx: sa.Connection, incoming: Incoming) -> Response:
        return _handle(Store(tx), market, incoming, now)

    return inbox.receive(db, peer, CSP_NAMESPACE, data, now, handle, new_id)


def _handle(store: Store, market: Market, incoming: Incoming, now: datetime) -> Response:
    party, body = incoming.peer.party, incoming.envelope.body
    match body:
        case UpdateCableCapacityForecastRequest():
            made_at = incoming.envelope.header.date_time or now
            result, notes = service.receive_forecast(store, market, party, made_at, body, now)
            inbox.note_deviations(store.tx, party, [(note.row, note.text) for note in notes])
            return UpdateCableCapacityForecastResponse(result)
        case HeartbeatRequest():
            return service.receive_heartbeat(store, market, party, body, now)
        case _:
            raise RemoteError("a CSO does not offer this", path="Envelope/Body", subcode="ActionNotSupported")
