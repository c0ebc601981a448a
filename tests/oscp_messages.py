"""One of each message of OSCP 1.0, and what may be done to its tree: shared by the tests of the envelope's rows."""

from collections.abc import Callable

from lxml import etree

from gridroom.oscp.v10.messages import (
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Message,
    Result,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastResponse,
)
from oscp_samples import FORECAST, GRANT, REQUEST, START, USAGE, written

HEARTBEAT = HeartbeatRequest(300, 900)
ASK = GetCapacityForecastRequest(("C1", "C2"))
OK = GetCapacityForecastResponse(Result.success())

REQUESTS: tuple[Message, ...] = (FORECAST, HEARTBEAT, ASK, REQUEST, USAGE)
ANSWERS: tuple[Message, ...] = (
    UpdateCableCapacityForecastResponse(Result.success()),
    HeartbeatResponse(START, Result.success()),
    OK,
    GRANT,
    UpdateAggregatedUsageResponse(Result.success()),
)
EVERY = REQUESTS + ANSWERS


def named(message: Message) -> str:
    """How a parametrised test calls it."""
    return type(message).__name__


def reshaped(message: Message, change: Callable[[etree._Element], object]) -> bytes:
    """A written message after a change to its tree."""
    root = etree.fromstring(written(message).encode())
    change(root)
    return etree.tostring(root)


def find(root: etree._Element, name: str) -> list[etree._Element]:
    """Elements of that local name, in order."""
    return [one for one in root.iter() if etree.QName(one).localname == name]
