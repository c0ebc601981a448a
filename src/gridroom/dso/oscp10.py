"""The DSO's side of OSCP 1.0: what the use cases say, as messages and letters, and the other way round."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from gridroom import xml
from gridroom.dso import adjustment, promises, service
from gridroom.dso.cables import Cable
from gridroom.dso.planning import CableForecast
from gridroom.dso.rules import Office
from gridroom.dso.service import Outgoing
from gridroom.dso.store import Store
from gridroom.oscp.v10.answers import Ask, adjusted, judged, outcome, unknown_cable
from gridroom.oscp.v10.blocks import CableRefused, CableTerms, forecast_blocks, gather
from gridroom.oscp.v10.messages import (
    Adjustment,
    Detail,
    Deviation,
    Envelope,
    Forecast,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    HeartbeatRequest,
    HeartbeatResponse,
    Level,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Response,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.peer import Incoming, Letter, Peer, letter, result_of
from gridroom.oscp.v10.usage import USED, UsageSpan, usage_spans
from gridroom.storage.inbox import note_clock, note_deviations
from gridroom.storage.outbox import Outbox

log = structlog.get_logger()

URGENT = 1
"""Priority of forecasts after a measured overload."""

FORECAST = "UpdateCableCapacityForecast"

INVALID_VALUE = "INVALID_VALUE"

STOPPED = Result(
    ResultType.NOT_ALLOWED,
    (Detail("NOT_OFFERED", "You do not offer UpdateCableCapacityForecast: the operator must resume it.", Level.ERROR),),
)
"""Who once said that it takes no forecasts is sent none, so none is promised."""

ASKED_FOR = "Envelope/Body/GetCapacityForecastRequest/Cable/CableId"
REPORTED = USED.rpartition("/")[0]

NewId = Callable[[], str]

SERVED = (GetCapacityForecastRequest, RequestAdjustedCapacityRequest, UpdateAggregatedUsageRequest)
"""What CSOs may send us."""


# -- letters out -----------------------------------------------------------------------------------------------------


def enqueue(
    store: Store, office: Office, peers: Mapping[str, Peer], outgoing: Iterable[Outgoing], now: datetime, new_id: NewId
) -> None:
    """Owe the forecasts to their CSOs, in the store's transaction.

    A message goes out no more, tried or not, when newer ones hold forecasts of all its cables. One that was tried may
    have arrived, so what it said stays reckoned with.
    """
    outbox = Outbox(store.tx)
    for one in outgoing:
        peer = peers.get(one.party)
        if peer is None or not outbox.offered(one.party, FORECAST):
            continue  # its contract ended and it is no peer any more; or the outbox shows it until it is resumed
        older = [sent.message_id for sent in outbox.waiting(peer.party) if sent.operation == FORECAST]
        most = peer.profile.max_cables_per_message
        for first in range(0, len(one.forecasts), most):
            _owe(store, outbox, office, peer, one.forecasts[first : first + most], one.urgent, now, new_id())
        newest = promises.newest(store, peer.party) if older else set()
        promises.never_sent(store, outbox.withdraw([each for each in older if each not in newest], now))


def beat(store: Store, office: Office, peers: Mapping[str, Peer], now: datetime, new_id: NewId) -> None:
    """Owe a heartbeat to each CSO that wants them, if they are due. Source: OSCP 1.0 section 3.2.7."""
    if not service.heartbeat_due(store, office, now):
        return
    rules, outbox = office.rules, Outbox(store.tx)
    body = HeartbeatRequest(int(rules.heartbeat_every.total_seconds()), int(rules.publish_every.total_seconds()))
    for peer in peers.values():
        if peer.profile.heartbeat and outbox.offered(peer.party, "Heartbeat"):
            outbox.drop(peer.party, "heartbeat", now)
            outbox.put(letter(peer, body, now=now, message_id=new_id(), subject="heartbeat"))


def answered(store: Store, sent: Letter, answer: Envelope | None, now: datetime) -> None:
    """A letter has its answer, or was given up: what the CSO may hold now is noted.

    A forecast that was refused or given up may have been applied: its capacity stays reckoned with. In a message that
    was refused for some cables the others count as taken, where the answer leaves no doubt which ones.
    """
    if answer is None:
        return
    result = result_of(answer.body)  # type: ignore[arg-type]
    note_deviations(store.tx, sent.party, [(one.row, one.text) for one in answer.deviations])
    if isinstance(answer.body, HeartbeatResponse):
        note_clock(store.tx, sent.party, answer.body.current_time, now)
    if sent.operation == FORECAST:
        promises.acknowledged(store, sent.message_id, *_taken(promises.cables_in(store, sent.message_id), result))
    for one in result.details:
        if one.code == "SUPERSEDED":
            log.warning("a CSO holds a newer forecast than this", party=sent.party, details=one.message)
    if result.type is not ResultType.SUCCESS:
        words = "; ".join(f"{one.code} {one.message}" for one in result.details)
        log.warning(
            "a CSO refused", party=sent.party, operation=sent.operation, result=result.type.value, details=words
        )


def _taken(cables: Sequence[str], result: Result) -> Sequence[str]:
    """The cables of a message whose forecasts a CSO took.

    After FAILED those that no ERROR Detail names, if each such Detail begins with one cable's id and the number applied
    fits; else none, for what is only believed to be reduced must not be given to others.
    """
    if result.type is ResultType.SUCCESS:
        return cables
    if result.type is not ResultType.FAILED:
        return ()
    errors = [one.message for one in result.details if one.level is Level.ERROR]
    named = [[cable for cable in cables if text.startswith(f"{cable}:")] for text in errors]
    refused = {found[0] for found in named if len(found) == 1}
    applied = [re.match(r"\d+", one.message) for one in result.details if one.level is Level.INFO]
    counts = {int(found[0]) for found in applied if found}
    rest = [cable for cable in cables if cable not in refused]
    certain = len(refused) == len(errors) and all(len(found) == 1 for found in named) and counts == {len(rest)}
    return rest if certain else ()


def _owe(
    store: Store,
    outbox: Outbox,
    office: Office,
    peer: Peer,
    forecasts: Sequence[CableForecast],
    urgent: bool,
    now: datetime,
    message_id: str,
) -> None:
    block = office.rules.block
    body = UpdateCableCapacityForecastRequest(
        tuple(
            Forecast(
                one.cable,
                forecast_blocks(one.start, block, one.limits, one.remaining, peer.profile),
                _connections(office.register[one.cable], peer.party),
            )
            for one in forecasts
        )
    )
    made = promises.after(store, peer.party, now)
    new = letter(peer, body, now=made, message_id=message_id, priority=URGENT if urgent else 0)
    outbox.put(replace(new, not_before=min(new.not_before, now)))
    promises.dated(store, peer.party, new.date_time)
    smallest = peer.profile.phases == "smallest"
    limits = (one.limits.min(axis=0, keepdims=True).repeat(3, axis=0) if smallest else one.limits for one in forecasts)
    told = [(one.cable, one.start, each) for one, each in zip(forecasts, limits, strict=True)]
    promises.sent(store, message_id, peer.party, new.date_time, told)


def _connections(cable: Cable, party: str) -> tuple[str, ...]:
    return next(contract.connections for contract in cable.contracts if contract.party == party)


# -- letters in ------------------------------------------------------------------------------------------------------


def handle(
    store: Store, office: Office, peers: Mapping[str, Peer], incoming: Incoming, now: datetime, new_id: NewId
) -> Response:
    """Act on a CSO's message, in the store's transaction, and answer it."""
    peer, body = incoming.peer, incoming.envelope.body
    match body:
        case GetCapacityForecastRequest(cable_ids=cable_ids):
            if not Outbox(store.tx).offered(peer.party, FORECAST):
                return GetCapacityForecastResponse(STOPPED)
            outgoing, unknown = service.capacity_forecast(store, office, peer.party, cable_ids, now)
            enqueue(store, office, peers, outgoing, now, new_id)
            refused = [unknown_cable(cable_id, ASKED_FOR) for cable_id in unknown]
            return GetCapacityForecastResponse(outcome(refused, sum(len(one.forecasts) for one in outgoing)))
        case RequestAdjustedCapacityRequest():
            return _adjust(store, office, peer, body, now)
        case UpdateAggregatedUsageRequest():
            return _use(store, office, peer, body, now)
    raise TypeError(type(body).__name__)  # the peer lets only the three messages of this service through


def _adjust(
    store: Store, office: Office, peer: Peer, body: RequestAdjustedCapacityRequest, now: datetime
) -> RequestAdjustedCapacityResponse:
    """Source: OSCP 1.0 section 3.2.5; decision 16."""
    terms = _terms(office, peer, [*body.adjustments, *body.refused])
    cables = {cable_id: office.register[cable_id.strip(xml.SPACE)] for cable_id in terms}
    hearing = adjustment.Hearing(store, office, peer.party, cables.values(), now)

    def assign(cable_id: str, asked: Sequence[Ask]) -> list[tuple[Sequence[int], Sequence[int]]]:
        return [(one.amounts, one.remaining) for one in hearing.assign(cables[cable_id], asked)]

    answer, notes = adjusted(body, terms, assign, peer.profile)
    hearing.keep()
    _note(store, peer, notes)
    return answer


def _use(
    store: Store, office: Office, peer: Peer, body: UpdateAggregatedUsageRequest, now: datetime
) -> UpdateAggregatedUsageResponse:
    """Source: OSCP 1.0 section 3.2.6; decisions 15 and 19."""
    refused = {
        one.cable_id: one
        for one in judged(body.refused, _terms(office, peer, body.refused), f"{REPORTED}/Cable/CableId")
    }
    read: dict[str, list[tuple[str | None, list[UsageSpan], list[Deviation]]]] = {}
    for report in gather(body.usages):
        cable = office.register.open_to(peer.party, report.cable_id)
        try:
            if cable is None:
                raise CableRefused(unknown_cable(report.cable_id, f"{REPORTED}/Cable/CableId"))
            spans, notes = usage_spans(report, cable.terms)
            service.check_usage(spans, now)
        except CableRefused as error:
            refused.setdefault(report.cable_id, error.refusal)
        except ValueError as error:
            refused.setdefault(report.cable_id, Refusal(report.cable_id, INVALID_VALUE, str(error), USED))
        else:
            read.setdefault(report.cable_id, []).append((report.emsp, spans, notes))
    served = {cable_id: parts for cable_id, parts in read.items() if cable_id not in refused}
    for cable_id, parts in served.items():
        for emsp, spans, notes in parts:
            cable = office.register[cable_id.strip(xml.SPACE)]
            service.aggregated_usage(store, office, peer.party, cable, emsp, spans, now)
            _note(store, peer, notes)
    return UpdateAggregatedUsageResponse(outcome(list(refused.values()), len(served)))


def _terms(office: Office, peer: Peer, said: Iterable[Adjustment | Refusal]) -> dict[str, CableTerms]:
    """Those of the cables in a message on which its sender has connections."""
    found = {one.cable_id: office.register.open_to(peer.party, one.cable_id) for one in said}
    return {cable_id: cable.terms for cable_id, cable in found.items() if cable is not None}


def _note(store: Store, peer: Peer, notes: Sequence[Deviation]) -> None:
    note_deviations(store.tx, peer.party, [(one.row, one.text) for one in notes])
