"""Ports for servers that tests start."""

import random
import socket
from contextlib import ExitStack, suppress


def free_ports(count: int) -> list[int]:
    """Ports on loopback that nobody listens on, and that no system gives to outgoing connections meanwhile."""
    with ExitStack() as stack:
        found: list[int] = []
        for port in random.SystemRandom().sample(range(15_000, 30_000), 1_000):
            with suppress(OSError):
                stack.enter_context(socket.create_server(("127.0.0.1", port)))
                found.append(port)
            if len(found) == count:
                return found
    raise OSError("no free ports")
