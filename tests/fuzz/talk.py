"""Two peers back to back over a line that loses, doubles, mangles and delays what they say."""

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import count

from fuzz.decider import Decider
from gridroom.oscp.errors import LocalError, RemoteError
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Request,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Response,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.peer import Again, Conversation, Delivered, GivenUp, Incoming, Letter, Peer
from safety.letters import NOW, QUARTER

STEPS = 60
PAUSES = (1, 30, 600, 21_600, 90_000, -120)
TEN = (ValueType(Decimal(10)),)


@dataclass
class Side:
    """One of the two, and what it did."""

    name: str
    other: str
    namespace: str
    decider: Decider
    now: datetime = NOW
    acted: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        numbers = count(1)
        peer = Peer(self.other, frozenset({self.other}), self.other, self.name, frozenset({self.name}), "https://there")
        self.talk = Conversation(
            peer, self.namespace, self._handle, lambda: f"{self.name:0<8}-0000-4000-8000-{next(numbers):012d}"
        )

    def _handle(self, incoming: Incoming) -> Response:
        """Take it, take it badly, refuse it, or fail; only what is done and remembered counts as an effect."""
        how = self.decider.below(8)
        if how == 1:
            raise RemoteError("not now", sender=False)
        if how == 2:
            return _answer(incoming, Result(ResultType.ERROR), self.now)
        self.acted[incoming.message_id] += 1
        if how == 3:
            raise RemoteError("not so", path="Envelope/Body")
        return _answer(incoming, Result(ResultType.FAILED) if how == 4 else Result.success(), self.now)


def fuzz_talk(data: bytes) -> None:
    """Two conversations: no exception, each letter comes to an end, each message has at most one effect."""
    decider = Decider(data)
    dso, cso = Side("dso", "cso", DSO_NAMESPACE, decider), Side("cso", "dso", CSP_NAMESPACE, decider)
    kept: list[tuple[Side, bytes]] = []
    for _ in range(STEPS):
        if not decider.left:
            break
        side, there = (dso, cso) if decider.below(2) else (cso, dso)
        match decider.below(6):
            case 0 | 1:
                body = _request(side.name, decider, side.now)
                subject = ("", "cable")[decider.below(2)]
                try:
                    side.talk.send(body, now=side.now, subject=subject, priority=decider.below(5) - 2)
                except LocalError:
                    continue
            case 2 | 3:
                for letter in side.talk.due(side.now):
                    _carry(side, there, letter, kept, decider)
            case 4:
                pause = timedelta(seconds=PAUSES[decider.below(len(PAUSES))])
                for one in (dso, cso) if decider.below(2) else (side,):
                    one.now += pause
            case _:
                side.talk.memory.prune(side.now)
                if kept:
                    listener, old = kept[decider.below(len(kept))]
                    _check(listener.talk.receive(decider.mangled(old), now=listener.now).status)
    for one in (dso, cso):
        assert all(times == 1 for times in one.acted.values()), one.acted


def _carry(side: Side, there: Side, letter: Letter, kept: list[tuple[Side, bytes]], decider: Decider) -> None:
    """One try of a letter."""
    kept.append((there, letter.data))
    status: int | None = None
    data = b"lost"
    if decider.below(4):
        for _ in range(1 + decider.below(2)):
            reply = there.talk.receive(decider.mangled(letter.data), now=there.now)
            _check(reply.status)
            status, data = reply.status, decider.mangled(reply.data)
    if not decider.below(6):
        status, data = ((None, b""), (503, b"busy"), (200, b""), (495, b"refused"))[decider.below(4)]
    jitter, pause = decider.below(100) / 100, (None, 0.0, 1e9, -5.0)[decider.below(4)]
    verdict = side.talk.settle(letter, status, data, now=side.now, jitter=jitter, retry_after=pause)
    assert isinstance(verdict, Again | Delivered | GivenUp)
    assert (letter.message_id in side.talk.waiting) == isinstance(verdict, Again)


def _check(status: int) -> None:
    assert status in (200, 400, 500), status


def _request(name: str, decider: Decider, now: datetime) -> Request:
    cable = f"C{decider.below(3)}"
    start = now.replace(microsecond=0, second=0)
    if name == "dso":
        if decider.below(2):
            return HeartbeatRequest(300, 900)
        block = ForecastedBlock(start, start + QUARTER, TEN)
        return UpdateCableCapacityForecastRequest((Forecast(cable, (block,)),))
    match decider.below(3):
        case 0:
            return GetCapacityForecastRequest((cable,))
        case 1:
            return UpdateAggregatedUsageRequest((CableUsage(cable, (UsageBlock(start - QUARTER, start, TEN),)),))
        case _:
            return RequestAdjustedCapacityRequest((Adjustment(cable, (CapacityBlock(start, start + QUARTER, TEN),)),))


def _answer(incoming: Incoming, result: Result, now: datetime) -> Response:
    match incoming.envelope.body:
        case UpdateCableCapacityForecastRequest():
            return UpdateCableCapacityForecastResponse(result)
        case HeartbeatRequest():
            return HeartbeatResponse(now, result)
        case GetCapacityForecastRequest():
            return GetCapacityForecastResponse(result)
        case UpdateAggregatedUsageRequest():
            return UpdateAggregatedUsageResponse(result)
        case _:
            return RequestAdjustedCapacityResponse((), result)
