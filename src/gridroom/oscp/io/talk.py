"""A conversation over the network, for programs that keep their letters in memory.

Source: OSCP 1.0 sections 5.1 (SOAP over HTTPS) and 5.3 (retries); rows 26 and 29 of the deviations.
"""

import asyncio
import random
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from uuid import uuid4

from gridroom.oscp.io.asgi import Answer, oscp_app
from gridroom.oscp.io.client import OscpClient, Post
from gridroom.oscp.io.server import serve
from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import Request, Response
from gridroom.oscp.v10.peer import Again, Conversation, Delivered, GivenUp, Incoming, Peer, Reply
from gridroom.oscp.v10.replying import (
    refuse_stranger,
)
from gridroom.oscp.v10.soap import content_type

Ask = Callable[[Request], Awaitable[Delivered | GivenUp]]
"""Sends a request to the peer and gives its outcome."""


@asynccontextmanager
async def talking(
    peer: Peer,
    service: str,
    handle: Callable[[Incoming], Response],
    server: ssl.SSLContext,
    client: ssl.SSLContext,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
) -> AsyncIterator[Ask]:
    """Talk with one peer in both directions until the block is left: our service listens, what it gives asks.

    For several peers put the same parts together: a `Conversation` each, `answering` all of them, and `ask`.

    Args:
        peer: The other side.
        service: Namespace of the service that we host, `DSO_NAMESPACE` or `CSP_NAMESPACE`.
        handle: Acts on a request and gives the answer; may raise RemoteError for a Fault.
        server: TLS of our service, such as `gridroom.security.tls.server_context` makes.
        client: TLS towards theirs.
        host: Address to listen on.
        port: Port to listen on; 0 takes a free one.

    Raises:
        OSError: The address cannot be listened on.

    Source: OSCP 1.0 sections 5.1 and 5.2.
    """
    conversation = Conversation(peer, service, handle, lambda: str(uuid4()))
    app = oscp_app(answering(service, {peer.party: conversation}), lambda url: wsdl.load(service, url, peer.profile))
    started = await serve(app, host=host, port=port, ssl_context=server)
    try:
        async with OscpClient(client) as posting:
            yield lambda body: ask(conversation, posting.post, body)
    finally:
        await started.close()


def utc_now() -> datetime:
    """The present moment. [UTC]"""
    return datetime.now(UTC)


async def ask(
    conversation: Conversation,
    post: Post,
    body: Request,
    *,
    priority: int | None = None,
    now: Callable[[], datetime] = utc_now,
) -> Delivered | GivenUp:
    """Send a request and wait for its outcome; tries again where that helps, under the same id.

    Args:
        conversation: With whom.
        post: `OscpClient.post`.
        body: What is asked.
        priority: Other than the usual one of the operation.
        now: The clock. [UTC]

    Returns:
        `Delivered` with the answer, whose Result may still say FAILED; or `GivenUp` with the reason.

    Raises:
        LocalError: The request cannot be written.

    Source: OSCP 1.0 section 5.3.
    """
    letter, peer = conversation.send(body, now=now(), priority=priority), conversation.peer
    while True:
        response = await post(peer.url, letter.data, content_type(letter.operation, peer.profile))
        verdict = conversation.settle(
            letter,
            response.status,
            response.data,
            now=now(),
            jitter=random.random(),
            retry_after=response.retry_after,
        )
        if not isinstance(verdict, Again):
            return verdict
        letter = conversation.waiting[letter.message_id]
        await asyncio.sleep(max(0.0, (verdict.not_before - now()).total_seconds()))


def answering(
    service: str, conversations: Mapping[str, Conversation], *, now: Callable[[], datetime] = utc_now
) -> Answer:
    """What `oscp_app` needs to let each party talk in its own conversation, and nobody else in any.

    Args:
        service: Namespace of the service that we host.
        conversations: By party, the name that its certificate proves.
        now: The clock. [UTC]

    Source: OSCP 1.0 section 3.2.1 (Parties); row 29 of the deviations.
    """

    async def answer(party: str, data: bytes) -> Reply:
        conversation = conversations.get(party)
        if conversation is None:
            return refuse_stranger(party, data, now=now(), service=service)
        return conversation.receive(data, now=now())

    return answer
