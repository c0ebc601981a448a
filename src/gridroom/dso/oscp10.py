"""The DSO's side of OSCP 1.0: what the use cases say, as messages and letters, and the other way round."""

import hashlib
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
from gridroom.oscp.v10.blocks import CableRefused, amounts, forecast_blocks, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
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
    ValueType,
)
from gridroom.oscp.v10.peer import Incoming, Letter, Peer, letter, result_of
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.oscp.v10.usage import USED, usage_spans
from gridroom.storage.inbox import note_deviations
from gridroom.storage.outbox import Outbox

log = structlog.get_logger()

URGENT = 1
"""Priority of forecasts after a measured overload."""

UNKNOWN_CABLE = "UNKNOWN_CABLE"
NO_CAPACITY = "NO_CAPACITY"
INVALID_VALUE = "INVALID_VALUE"

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
        if peer.profile.heartbeat:
            outbox.drop(peer.party, "heartbeat", now)
            outbox.put(letter(peer, body, now=now, message_id=new_id(), subject="heartbeat"))


def answered(store: Store, sent: Letter, answer: Envelope | None) -> None:
    """A letter has its answer, or was given up: what the CSO may hold now is noted.

    A forecast that was refused or given up may have been applied: its capacity stays reckoned with.
    """
    if answer is None:
        return
    result = result_of(answer.body)  # type: ignore[arg-type]
    note_deviations(store.tx, sent.party, [(one.row, one.text) for one in answer.deviations])
    if result.type is not ResultType.SUCCESS:
        words = "; ".join(f"{one.code} {one.message}" for one in result.details)
        log.warning(
            "a CSO refused", party=sent.party, operation=sent.operation, result=result.type.value, details=words
        )
    elif sent.operation == "UpdateCableCapacityForecast":
        store.acknowledged(sent.message_id)
    elif isinstance(answer.body, HeartbeatResponse):
        log.debug("heartbeat answered", party=sent.party, their_clock=answer.body.current_time.isoformat())


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
            return GetCapacityForecastResponse(_result(refused, sum(len(one.forecasts) for one in outgoing)))
        case RequestAdjustedCapacityRequest():
            return _adjust(store, office, peer, body, now)
        case UpdateAggregatedUsageRequest():
            return _use(store, office, peer, body, now)
    raise TypeError(type(body).__name__)  # the peer lets only the three messages of this service through


def _adjust(
    store: Store, office: Office, peer: Peer, body: RequestAdjustedCapacityRequest, now: datetime
) -> RequestAdjustedCapacityResponse:
    """Source: OSCP 1.0 section 3.2.5; decision 16."""
    refused, answers, short, served = list(body.refused), list[Adjustment](), list[str](), 0
    for adjustment in _joined(body.adjustments):
        cable = office.register.open_to(peer.party, adjustment.cable_id)
        try:
            spans, notes = request_spans(adjustment, cable.terms if cable else _ANY.terms)
        except CableRefused as error:
            refused.append(
                error.refusal if cable else _unknown(adjustment.cable_id, "RequestAdjustedCapacityRequest/Adjustment")
            )
            continue
        if cable is None:
            refused.append(_unknown(adjustment.cable_id, "RequestAdjustedCapacityRequest/Adjustment"))
            assigned = [Assigned(span, (0, 0, 0), (0, 0, 0)) for span in spans]
        else:
            _note(store, peer, notes)
            uniform = all(value.phase is None for block in adjustment.blocks for value in block.capacity)
            assigned = service.adjusted_capacity(store, office, peer.party, cable, spans, now, uniform=uniform)
            served += 1
            short += [adjustment.cable_id] if not all(one.whole for one in assigned) else []
        blocks = tuple(_answer(one, peer.profile) for one in assigned)
        answers.append(Adjustment(adjustment.cable_id, blocks))
    if not refused and not short:
        return RequestAdjustedCapacityResponse(tuple(answers), Result.success())
    details = [*_details(refused, served), Detail(NO_CAPACITY, _shortage(short), Level.WARN)]
    return RequestAdjustedCapacityResponse(tuple(answers), Result(ResultType.FAILED, tuple(details)))


def _use(
    store: Store, office: Office, peer: Peer, body: UpdateAggregatedUsageRequest, now: datetime
) -> UpdateAggregatedUsageResponse:
    """Source: OSCP 1.0 section 3.2.6; decisions 15 and 19."""
    refused, served = list(body.refused), 0
    for report in _gathered(body.usages):
        cable = office.register.open_to(peer.party, report.cable_id)
        if cable is None:
            refused.append(_unknown(report.cable_id, "UpdateAggregatedUsageRequest/Usage"))
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
    return UpdateAggregatedUsageResponse(_result(refused, served))


_ANY = Cable("any", (1, 1, 1))
"""Stands for a cable that the party may not know, so that the answer is the same whether it exists."""


def _answer(assigned: Assigned, profile: PeerProfile) -> CapacityBlock:
    """One block of the answer, with the phases that were asked. Decision 6."""
    asked = assigned.asked
    whole = all(value is not None for value in asked.amounts) or all(value is None for value in asked.amounts)
    if whole:
        way = replace(profile, phases="per-phase")
        capacity = amounts(assigned.amounts, way)
    else:
        stated = zip((1, 2, 3), asked.amounts, assigned.amounts, strict=True)
        capacity = tuple(
            replace(amounts((given, given, given), profile)[0], phase=phase)
            for phase, wish, given in stated
            if wish is not None
        )
    remaining: tuple[ValueType, ...] = amounts(assigned.remaining, profile)
    return CapacityBlock(asked.start, asked.end, capacity, remaining)


def _joined(adjustments: Iterable[Adjustment]) -> list[Adjustment]:
    """Repeated cables as one, so that the rules for repeated blocks apply. Decision 15."""
    found: dict[str, list[Adjustment]] = {}
    for one in adjustments:
        found.setdefault(one.cable_id.strip(), []).append(one)
    return [replace(same[0], blocks=tuple(block for one in same for block in one.blocks)) for same in found.values()]


def _gathered(usages: Iterable[CableUsage]) -> list[CableUsage]:
    """Repeated containers of a cable and EMSP as one. Decision 15."""
    found: dict[tuple[str, str | None], list[CableUsage]] = {}
    for one in usages:
        found.setdefault((one.cable_id.strip(), one.emsp), []).append(one)
    return [replace(same[0], blocks=tuple(block for one in same for block in one.blocks)) for same in found.values()]


def _result(refused: Sequence[Refusal], applied: int) -> Result:
    """SUCCESS, or FAILED with a detail per refused cable and one with the number applied."""
    if not refused:
        return Result.success()
    return Result(ResultType.FAILED, tuple(_details(refused, applied)))


def _details(refused: Sequence[Refusal], applied: int) -> list[Detail]:
    errors = [
        Detail(one.code[:15], f"{one.cable_id}: {one.message} ({one.path})"[:254], Level.ERROR) for one in refused
    ]
    return [*errors, Detail("MESSAGE_PROCESSED", f"{applied} cables applied", Level.INFO)]


def _shortage(cables: Sequence[str]) -> str:
    if not cables:
        return "the amounts stated are assigned"
    return f"not all could be assigned on {', '.join(cables)}; the amounts stated are"[:254]


def _unknown(cable_id: str, where: str) -> Refusal:
    text = "you have no connections on such a cable"
    return Refusal(cable_id, UNKNOWN_CABLE, text, f"Envelope/Body/{where}/Cable/CableId")


def _note(store: Store, peer: Peer, notes: Sequence[Deviation]) -> None:
    note_deviations(store.tx, peer.party, [(one.row, one.text) for one in notes])
