"""OSCP over HTTPS with certificates on both sides: thin shells around what `gridroom.oscp.v10` decides.

`talking` is all of it for one peer. Its parts: `serve` an `oscp_app` that is `answering` conversations, and `ask`
through an `OscpClient`.

Source: OSCP 1.0 sections 5.1 and 5.2.
"""

from gridroom.oscp.io.asgi import oscp_app
from gridroom.oscp.io.client import OscpClient, Response
from gridroom.oscp.io.identity import party_of
from gridroom.oscp.io.server import Deadlines, Started, serve
from gridroom.oscp.io.talk import answering, ask, talking

__all__ = [
    "Deadlines",
    "OscpClient",
    "Response",
    "Started",
    "answering",
    "ask",
    "oscp_app",
    "party_of",
    "serve",
    "talking",
]
