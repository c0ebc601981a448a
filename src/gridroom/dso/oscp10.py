"""The DSO's side of OSCP 1.0: what the use cases say, as messages and letters, and the other way round."""

import hashlib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from gridroom.dso import service
from gridroom.dso.cables import Cable
from gridroom.dso.planning import CableForecast
from gridroom.dso.rules import Office
from gridroom.dso.service import Assigned, Outgoing
from gridroom.dso.store import Store
from gridroom.oscp.v10.answers import answer_block, details, outcome, unknown_cable
from gridroom.oscp.v10.blocks import NO_CAPACITY, CableRefused, forecast_blocks, gather, request_spans
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
from gridroom.oscp.v10.usage import USED, usage_spans
from gridroom.storage.inbox import note_clock, note_deviations
from gridroom.storage.outbox import Outbox

log = structlog.get_logger()

URGENT = 1
"""Priority of forecasts after a measured overload."""

INVALID_VALUE = "INVALID_VALUE"

ADJUSTED = "RequestAdjustedCapacityRequest/Adjustment"
REPORTED = "UpdateAggregatedUsageRequest/Usage"

NewId = Callable[[], str]

SERVED = (GetCapacityForecastRequest, RequestAdjustedCapacityRequest, UpdateAggregatedUsageRequest)
"""What CSOs may send us."""


# -- letters out -----------------------------------------------------------------------------------------------------


def enqueue(
    store: Store, office: Office, peers: Mapping[str, Peer], outgoing: Iterable[Outgoing], now: datetime, new_id: NewId
) -> None:
    """Owe the forecasts to their CSOs, in the store's transaction; newer ones replace those that never left."""
    outbox = Outbox(store.tx)
    for one in outgoing:
        if not outbox.offered(one.party, "UpdateCableCapacityForecast"):
            continue  # the outbox shows it until the operator resumes it
        peer = peers[one.party]
        most = peer.profile.max_cables_per_message
        for first in range(0, len(one.forecasts), most):
            _owe(store, outbox, office, peer, one.forecasts[first : first + most], one.urgent, now, new_id())


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
    if sent.operation == "UpdateCableCapacityForecast":
        for cable in _taken(store.cables_in(sent.message_id), result):
            store.acknowledged(sent.message_id, cable)
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
    subject = _subject([one.cable for one in forecasts])
    replaced = {subject, *(_subject([one.cable]) for one in forecasts)}
    store.never_sent(outbox.drop(peer.party, replaced, now))
    made = store.after(peer.party, now)
    new = letter(peer, body, now=made, message_id=message_id, priority=URGENT if urgent else 0, subject=subject)
    outbox.put(replace(new, not_before=min(new.not_before, now)))
    store.dated(peer.party, new.date_time)
    for one in forecasts:
        limits = one.limits
        if peer.profile.phases == "smallest":
            limits = limits.min(axis=0, keepdims=True).repeat(3, axis=0)
        store.sent(message_id, peer.party, one.cable, new.date_time, one.start, limits)


def _subject(cables: Sequence[str]) -> str:
    """What a letter is about: a cable, or exactly these cables."""
    if len(cables) == 1:
        return f"forecast {cables[0]}"
    return f"forecasts {hashlib.sha256(repr(sorted(cables)).encode()).hexdigest()}"


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
            outgoing, unknown = service.capacity_forecast(store, office, peer.party, cable_ids, now)
            enqueue(store, office, peers, outgoing, now, new_id)
            refused = [_unknown(cable_id, "GetCapacityForecastRequest") for cable_id in unknown]
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
    refused, answers, short, served = _refused(office, peer, body.refused, ADJUSTED), list[Adjustment](), list[str](), 0
    for adjustment in gather(body.adjustments):
        cable = office.register.open_to(peer.party, adjustment.cable_id)
        try:
            spans, notes = request_spans(adjustment, cable.terms if cable else _ANY.terms)
        except CableRefused as error:
            refused.append(error.refusal if cable else _unknown(adjustment.cable_id, ADJUSTED))
            continue
        if cable is None:
            refused.append(_unknown(adjustment.cable_id, ADJUSTED))
            assigned = [Assigned(span, (0, 0, 0), (0, 0, 0)) for span in spans]
        else:
            _note(store, peer, notes)
            named = {(one.start, one.end) for one in adjustment.blocks if any(v.phase for v in one.capacity)}
            assigned = service.adjusted_capacity(store, office, peer.party, cable, spans, now, named=named)
            served += 1
            short += [adjustment.cable_id] if not all(one.whole for one in assigned) else []
        blocks = tuple(answer_block(one.asked, one.amounts, one.remaining, peer.profile) for one in assigned)
        answers.append(Adjustment(adjustment.cable_id, blocks))
    if not refused and not short:
        return RequestAdjustedCapacityResponse(tuple(answers), Result.success())
    shortage = Detail(NO_CAPACITY, _shortage(short), Level.WARN)
    result = Result(ResultType.FAILED, (*details(refused, served), shortage))
    return RequestAdjustedCapacityResponse(tuple(answers), result)


def _use(
    store: Store, office: Office, peer: Peer, body: UpdateAggregatedUsageRequest, now: datetime
) -> UpdateAggregatedUsageResponse:
    """Source: OSCP 1.0 section 3.2.6; decisions 15 and 19."""
    refused, served = _refused(office, peer, body.refused, REPORTED), 0
    for report in gather(body.usages):
        cable = office.register.open_to(peer.party, report.cable_id)
        if cable is None:
            refused.append(_unknown(report.cable_id, REPORTED))
            continue
        try:
            spans, notes = usage_spans(report, cable.terms)
            service.aggregated_usage(store, office, peer.party, cable, report.emsp, spans, now)
        except CableRefused as error:
            refused.append(error.refusal)
        except ValueError as error:
            refused.append(Refusal(report.cable_id, INVALID_VALUE, str(error), USED))
        else:
            _note(store, peer, notes)
            served += 1
    return UpdateAggregatedUsageResponse(outcome(refused, served))


def _refused(office: Office, peer: Peer, refused: Iterable[Refusal], where: str) -> list[Refusal]:
    """Cables refused while reading, each once."""
    found: dict[str, Refusal] = {}
    for one in refused:
        known = office.register.open_to(peer.party, one.cable_id) is not None
        found.setdefault(one.cable_id, one if known else _unknown(one.cable_id, where))
    return list(found.values())


_ANY = Cable("any", (1, 1, 1))
"""Stands for a cable that the party may not know, so that the answer is the same whether it exists."""


def _shortage(cables: Sequence[str]) -> str:
    if not cables:
        return "the amounts stated are assigned"
    return f"not all could be assigned on {', '.join(cables)}; the amounts stated are"[:254]


def _unknown(cable_id: str, where: str) -> Refusal:
    return unknown_cable(cable_id, f"Envelope/Body/{where}/Cable/CableId")


def _note(store: Store, peer: Peer, notes: Sequence[Deviation]) -> None:
    note_deviations(store.tx, peer.party, [(one.row, one.text) for one in notes])
