"""What a CSO does with its DSOs: what comes in changes the store, what is to go out is returned.

What it does with stations and drivers is in `charging.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from gridroom import xml
from gridroom.cso import usage
from gridroom.cso.book import Book, Outcome
from gridroom.cso.settings import Market
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store, day_of
from gridroom.oscp.v10 import answers, blocks, soap
from gridroom.oscp.v10.letters import Letter, letter
from gridroom.oscp.v10.messages import (
    CableUsage,
    Detail,
    Deviation,
    Envelope,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    Refusal,
    RequestAdjustedCapacityResponse,
    Result,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.receiving import CLOCK_AHEAD
from gridroom.oscp.v10.watch import HeartbeatWatch
from gridroom.storage.inbox import note_deviations
from gridroom.storage.outbox import Outbox
from gridroom.timegrid import floor

LATE_USAGE = timedelta(hours=24)
"""How long usage is corrected when readings come late."""

ASK_AGAIN = timedelta(minutes=10)
FIRST_INTERVAL_S = 300
NewId = Callable[[], str]


def receive_forecast(
    store: Store, market: Market, party: str, made_at: datetime, body: UpdateCableCapacityForecastRequest, now: datetime
) -> tuple[Result, list[Deviation]]:
    """Take forecasts in, each cable by itself.

    Args:
        store: The memory.
        market: The world as configured.
        party: The DSO, from its certificate.
        made_at: DateTime of the message. [UTC]
        body: The message.
        now: The present moment. [UTC]

    Source: OSCP 1.0 sections 3.2.3 and 3.2.8; docs/deviations.md, section Semantics.
    """
    refused: list[Refusal] = []
    remarks: list[Detail] = []
    notes: list[Deviation] = []
    applied = 0
    for forecast in blocks.gather(body.forecasts):
        key = CableKey(party, forecast.cable_id.strip(xml.SPACE))
        terms = market.terms.get(key)
        if terms is None:
            refused.append(answers.unknown_cable(key.cable))
            continue
        book = store.book(key)
        try:
            capacity, remaining, found = blocks.forecast_spans(forecast, terms)
        except blocks.CableRefused as error:
            book, _ = book.refuse(made_at, now)
            refused.append(replace(error.refusal, cable_id=key.cable))
        else:
            book, outcome = book.accept(made_at, capacity, remaining, now)
            notes += found
            applied += outcome is not Outcome.SUPERSEDED
            if outcome is Outcome.SUPERSEDED:
                remarks.append(Detail("SUPERSEDED", f"{key.cable}: a newer forecast is in force"))
            elif outcome is Outcome.LOWERED:
                notes.append(Deviation(14, "Header/DateTime", f"cable {key.cable}: {outcome.value}"))
        store.save_book(key, book)
    for refusal in answers.judged(body.refused, {key.cable for key in market.terms if key.dso == party}):
        key = CableKey(party, refusal.cable_id)
        if key in market.terms:
            store.save_book(key, store.book(key).refuse(made_at, now)[0])
        refused.append(refusal)
    return answers.outcome(refused, applied, remarks), notes


def receive_heartbeat(
    store: Store, market: Market, party: str, made_at: datetime, body: HeartbeatRequest, now: datetime
) -> HeartbeatResponse:
    """The DSO's forecasting algorithm ran when it made this, however late it arrives. Source: section 3.2.7."""
    ran = min(now, made_at + CLOCK_AHEAD)
    store.save_watch(party, _watch(store, market, party, now).heard(ran, body.heartbeat_interval_s))
    return HeartbeatResponse(now, Result.success())


def settle(store: Store, market: Market, sent: Letter, answer: Envelope | None, now: datetime) -> None:
    """What an answer (None: given up) to one of our letters means."""
    if sent.operation == "UpdateAggregatedUsage" and answer is None and sent.attempts > 1:
        _report_again(store, market, sent)
    notes = list(answer.deviations) if answer is not None else []
    if sent.operation == "RequestAdjustedCapacity":
        notes += _adjusted(store, market, sent, answer, now)
    note_deviations(store.tx, sent.party, [(note.row, note.text) for note in notes])


def _adjusted(store: Store, market: Market, sent: Letter, answer: Envelope | None, now: datetime) -> list[Deviation]:
    """Source: OSCP 1.0 section 3.2.5; decision 16."""
    found = {key: store.book(key) for key in market.cables(sent.party)}
    asked = {key: one for key, book in found.items() for one in book.asked if one.message_id == sent.message_id}
    if answer is None or not isinstance(answer.body, RequestAdjustedCapacityResponse):
        for key in asked:
            store.save_book(key, found[key].give_up(sent.message_id))
        return []
    spans = {key.cable: one.spans for key, one in asked.items()}
    terms = {key.cable: market.terms[key] for key in asked}
    granted, notes = blocks.granted_spans(spans, answer.body, terms)
    for key, one in asked.items():
        at = _answered_at(answer, one.sent_at, now)
        store.save_book(key, found[key].answer(sent.message_id, granted[key.cable], at))
    return notes


def _answered_at(answer: Envelope, sent_at: datetime, now: datetime) -> datetime:
    """When the DSO answered, by its clock; the latest that it may be where the answer does not tell. [UTC]

    A give-back holds until a forecast made after this moment, so too late is safe and too early is not.
    """
    made = answer.header.date_time
    return now + CLOCK_AHEAD if made is None or made < sent_at - CLOCK_AHEAD else made


def ask_again(store: Store, market: Market, now: datetime, new_id: NewId) -> list[Letter]:
    """GetCapacityForecast for each DSO that has been silent, or has never sent a forecast. Source: section 3.2.4."""
    outbox = Outbox(store.tx)
    letters = []
    for party, peer in market.peers.items():
        watch = _watch(store, market, party, now)
        books = [store.book(key) for key in market.cables(party)]
        last = store.fact(f"asked:{party}", datetime)
        if any(one.operation == "GetCapacityForecast" for one in outbox.waiting(party)):
            continue
        if not outbox.offered(party, "GetCapacityForecast"):
            continue
        if not _silent(books, watch, now, heartbeats=peer.profile.heartbeat, block=market.block):
            continue
        if last is not None and timedelta(0) <= now - last < ASK_AGAIN:
            continue
        store.save_fact(f"asked:{party}", now)
        letters.append(letter(peer, GetCapacityForecastRequest(), now=now, message_id=new_id()))
    return letters


def report(store: Store, market: Market, now: datetime, new_id: NewId) -> list[Letter]:
    """UpdateAggregatedUsage of closed blocks that were not reported, or came out differently since. Section 3.2.6."""
    end = floor(now, market.block)
    n = LATE_USAGE // market.block
    start = end - n * market.block
    since = store.fact("since", datetime)
    if since is None:
        since = end
        store.save_fact("since", since)
    due = np.array([start + k * market.block >= since for k in range(n)])
    found: dict[str, list[CableUsage]] = {}
    outbox = Outbox(store.tx)
    wanted = {party for party in market.peers if outbox.offered(party, "UpdateAggregatedUsage")}
    for key in market.cables():
        if key.dso not in wanted:
            continue
        parts = [
            station.turned(usage.energy(store.readings(station.identity, start, end), start, n, market.block))
            for station in market.register.on(key)
        ]
        current = usage.to_cells(usage.sums(parts, n))
        cells = usage.to_report(current, store.reported(key, start, n, market.block), due)
        voltage_v = market.terms[key].voltage_v or usage.NOMINAL_V
        message = usage.Report(key.cable, cells, start, voltage_v).usage(market.block)
        if message.blocks:
            store.save_reported(key, start, cells, market.block)
            found.setdefault(key.dso, []).append(message)
    letters = []
    for party, usages in found.items():
        peer = market.peers[party]
        most = peer.profile.max_cables_per_message
        for first in range(0, len(usages), most):
            body = UpdateAggregatedUsageRequest(tuple(usages[first : first + most]))
            letters.append(letter(peer, body, now=now, message_id=new_id()))
    return letters


def prune(store: Store, market: Market, now: datetime) -> None:
    """Forget what is older than configured."""
    store.prune(day_of(now - market.keep))


def _watch(store: Store, market: Market, party: str, now: datetime) -> HeartbeatWatch:
    known = store.watch(party)
    if known is None:
        known = HeartbeatWatch(now, FIRST_INTERVAL_S, market.silence_cap_s)
        store.save_watch(party, known)
    return replace(known, last=min(known.last, now), cap_s=market.silence_cap_s)  # our clock may have been set back


def _silent(books: Sequence[Book], watch: HeartbeatWatch, now: datetime, *, heartbeats: bool, block: timedelta) -> bool:
    """Whether a DSO has nothing to show for itself: no heartbeat, or no forecast where none is sent."""
    never = any(book.heard_at is None for book in books)
    if heartbeats:
        return watch.silent(now) or (never and now - watch.last > block)
    heard = max((book.heard_at for book in books if book.heard_at is not None), default=watch.last)
    return now - heard > 2 * block


def _report_again(store: Store, market: Market, sent: Letter) -> None:
    """A report that the network lost: its blocks count as never reported."""
    body = soap.read(sent.data).body
    if not isinstance(body, UpdateAggregatedUsageRequest):
        return
    for usages in body.usages:
        for block in usages.blocks:
            store.forget_reported(CableKey(sent.party, usages.cable_id), block.start, market.block)
