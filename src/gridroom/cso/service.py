"""What a CSO does with its DSOs: what comes in changes the store, what is to go out is returned.

What it does with stations and drivers is in `charging.py`.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from gridroom.cso import usage
from gridroom.cso.book import Book, Outcome
from gridroom.cso.settings import Market
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store, day_of
from gridroom.oscp.v10 import blocks, soap
from gridroom.oscp.v10.letters import Letter, letter
from gridroom.oscp.v10.messages import (
    CableUsage,
    Detail,
    Deviation,
    Envelope,
    GetCapacityForecastRequest,
    HeartbeatRequest,
    HeartbeatResponse,
    Level,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.watch import HeartbeatWatch
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
    errors: list[Detail] = []
    remarks: list[Detail] = []
    notes: list[Deviation] = []
    applied = 0
    for forecast in blocks.gather(body.forecasts):
        key = CableKey(party, forecast.cable_id.strip())
        terms = market.terms.get(key)
        if terms is None:
            errors.append(_unknown(forecast.cable_id))
            continue
        book = store.book(key)
        try:
            capacity, remaining, found = blocks.forecast_spans(forecast, terms)
        except blocks.CableRefused as error:
            book, _ = book.refuse(made_at, now)
            errors.append(_error(error.refusal.code, f"{key.cable}: {error.refusal.message}"))
        else:
            book, outcome = book.accept(made_at, capacity, remaining, now)
            notes += found
            applied += outcome is not Outcome.SUPERSEDED
            if outcome is Outcome.SUPERSEDED:
                remarks.append(Detail("SUPERSEDED", _short(f"{key.cable}: a newer forecast is in force")))
            elif outcome is Outcome.LOWERED:
                notes.append(Deviation(14, "Header/DateTime", f"cable {key.cable}: {outcome.value}"))
        store.save_book(key, book)
    for refusal in body.refused:
        key = CableKey(party, refusal.cable_id.strip())
        if key in market.terms:
            store.save_book(key, store.book(key).refuse(made_at, now)[0])
            errors.append(_error(refusal.code, f"{key.cable}: {refusal.message}"))
        else:
            errors.append(_unknown(refusal.cable_id))
    if not errors:
        return Result(ResultType.SUCCESS, (*Result.success().details, *remarks)), notes
    count = Detail("APPLIED", f"{applied} cables applied.")
    return Result(ResultType.FAILED, (*errors, count, *remarks)), notes


def receive_heartbeat(
    store: Store, market: Market, party: str, body: HeartbeatRequest, now: datetime
) -> HeartbeatResponse:
    """The DSO's forecasting algorithm runs. Source: OSCP 1.0 section 3.2.7."""
    store.save_watch(party, _watch(store, market, party, now).heard(now, body.heartbeat_interval_s))
    return HeartbeatResponse(now, Result.success())


def settle(store: Store, market: Market, sent: Letter, answer: Envelope | None, now: datetime) -> None:
    """What an answer (None: given up) to one of our letters means."""
    if sent.operation == "UpdateAggregatedUsage" and answer is None and sent.attempts > 1:
        _report_again(store, market, sent)
    if sent.operation != "RequestAdjustedCapacity":
        return
    if _offered_no_more(answer):
        store.save_fact(f"no-adjustments:{sent.party}", True)
    for key in market.cables(sent.party):
        book = store.book(key)
        asked = next((a for a in book.asked if a.message_id == sent.message_id), None)
        if asked is None:
            continue
        if answer is None or not isinstance(answer.body, RequestAdjustedCapacityResponse):
            store.save_book(key, book.give_up(sent.message_id))
            continue
        body = answer.body
        counts = body.result.type is ResultType.SUCCESS or (
            body.result.type is ResultType.FAILED and any(d.code == "NO_CAPACITY" for d in body.result.details)
        )
        mine = next((a for a in body.adjustments if a.cable_id.strip() == key.cable), None)
        granted, _ = blocks.answer_spans(asked.spans, mine, market.terms[key], granted=counts)
        store.save_book(key, book.answer(sent.message_id, granted, answer.header.date_time or now))


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
        if not _silent(books, watch, now, heartbeats=peer.profile.heartbeat, block=market.block):
            continue
        if last is not None and now - last < ASK_AGAIN:
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
    for key in market.cables():
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
    return replace(known, cap_s=market.silence_cap_s)


def _silent(books: Sequence[Book], watch: HeartbeatWatch, now: datetime, *, heartbeats: bool, block: timedelta) -> bool:
    """Whether a DSO has nothing to show for itself: no heartbeat, or no forecast where none is sent."""
    never = any(book.heard_at is None for book in books)
    if heartbeats:
        return watch.silent(now) or (never and now - watch.last > block)
    heard = max((book.heard_at for book in books if book.heard_at is not None), default=watch.last)
    return now - heard > 2 * block


def _offered_no_more(answer: Envelope | None) -> bool:
    if answer is None or not isinstance(answer.body, RequestAdjustedCapacityResponse):
        return False
    result = answer.body.result
    return result.type is ResultType.NOT_IMPLEMENTED or any(d.code == "NOT_IMPLEMENTED" for d in result.details)


def _report_again(store: Store, market: Market, sent: Letter) -> None:
    """A report that the network lost: its blocks count as never reported."""
    body = soap.read(sent.data).body
    if not isinstance(body, UpdateAggregatedUsageRequest):
        return
    for usages in body.usages:
        for block in usages.blocks:
            store.forget_reported(CableKey(sent.party, usages.cable_id), block.start, market.block)


def _unknown(cable_id: str) -> Detail:
    return _error("UNKNOWN_CABLE", f"{cable_id.strip()[:200]}: no connection of ours on this cable")


def _error(code: str, message: str) -> Detail:
    return Detail(code, _short(message), Level.ERROR)


def _short(message: str) -> str:
    return message[:254]
