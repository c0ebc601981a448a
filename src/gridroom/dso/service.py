"""What the DSO does, as use cases: each changes the store and returns what is to be sent.

Chapter 2 of OSCP 1.0 tells the flow: measurements in, forecasts out, the CSO's three messages answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from gridroom import xml
from gridroom.dso import braking, learning, loads, planning, promises, usage
from gridroom.dso.cables import Cable
from gridroom.dso.planning import CableForecast, Plan
from gridroom.dso.recording import AHEAD
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Store
from gridroom.dso.tables import ALLOTMENTS, PLANS, USAGES
from gridroom.oscp.v10.usage import UsageSpan
from gridroom.storage.columns import Ints
from gridroom.timegrid import ceil, floor, index

OLDEST_REPORT = timedelta(days=31)
"""Use older than this is not reported any more."""


@dataclass(frozen=True)
class Outgoing:
    """Forecasts to be sent to one CSO.

    Attributes:
        party: The CSO.
        forecasts: One per cable.
        urgent: After a measured overload.
    """

    party: str
    forecasts: tuple[CableForecast, ...]
    urgent: bool = False


@dataclass(frozen=True)
class View:
    """What is known of a cable over a span, for reports; arrays of shape (3, n) in 0.01 A.

    Attributes:
        start: Start of the first block. [UTC]
        measured: Mean load, `NOT_MEASURED` where unknown.
        load: Measured less reported use of electric vehicles.
        forecast: Non-controllable load as forecast last before (or in) each block.
        margin: Safety margin of that forecast.
        available: Capacity for controllable load, `UNKNOWN` where none was issued.
        pool: Backup left.
        allotments: Per CSO.
        reported: Use per CSO as reported, `UNKNOWN` where not.
        denied: Per CSO what it asked for and did not get.
        issued: When the last plan was made. [UTC]
    """

    start: datetime
    measured: Ints
    load: Ints
    forecast: Ints
    margin: Ints
    available: Ints
    pool: Ints
    allotments: dict[str, Ints] = field(default_factory=dict)
    reported: dict[str, Ints] = field(default_factory=dict)
    denied: dict[str, Ints] = field(default_factory=dict)
    issued: datetime | None = None


def publish(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """Learn, forecast, divide, and tell every CSO: at least 24 hours from the block in force on."""
    start = floor(now, office.rules.block)
    expectations = learning.expect(store, office, start, office.rules.horizon)
    braked = braking.brake(store, office, now)
    plans = planning.issue(store, office, now, expectations)
    store.remember("published", now)
    return _by_party(planning.tell(store, plans), urgent=bool(braked))


def catch_up(store: Store, office: Office, now: datetime) -> datetime | None:
    """Before `publish`, again and again until it gives None: learn a week of a long history."""
    return learning.catch_up(store, office, floor(now, office.rules.block))


def watch(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """React to measured overloads: lower the coming blocks at once, whether or not a plan is in force."""
    plans = _lowered(store, office.rules, braking.brake(store, office, now), now)
    return _by_party(planning.tell(store, plans, only_news=True), urgent=True)


def settle(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """Send what acknowledgements, or their absence, have changed: raises held back, reductions beside one in doubt."""
    plans = planning.in_force(store, office.register.values(), office.rules, now)
    return _by_party(planning.tell(store, planning.calm(store, office, plans), only_news=True))


def heartbeat_due(store: Store, office: Office, now: datetime) -> bool:
    """Whether heartbeats go out now: the forecasting runs, and the last ones are an interval ago; notes it if so."""
    rules = office.rules
    published, last = store.moment("published"), store.moment("heartbeat")
    if published is None or not -AHEAD <= now - published <= 2 * rules.publish_every:
        return False  # a success that lies ahead was noted by a clock since set back: it proves nothing
    if last is not None and timedelta(0) <= now - last < rules.heartbeat_every - timedelta(seconds=1):
        return False
    store.remember("heartbeat", now)
    return True


def capacity_forecast(
    store: Store, office: Office, party: str, cable_ids: Sequence[str], now: datetime
) -> tuple[list[Outgoing], list[str]]:
    """A CSO asks for its forecasts again: what is to be sent, and the ids that are unknown to it.

    Where there is a long history to learn first, nothing is sent now: `publish` follows.

    Source: OSCP 1.0 section 3.2.4.
    """
    asked = {one: office.register.open_to(party, one) for one in (each.strip(xml.SPACE) for each in cable_ids)}
    found = [cable for cable in asked.values() if cable is not None] if asked else office.register.of(party)
    plans = planning.calm_in_force(store, office, found, now)
    plans |= _planned(store, office, [cable for cable in found if cable.id not in plans], now)
    told = planning.tell(store, {cable.id: plans[cable.id] for cable in found if cable.id in plans})
    outgoing = _by_party((to, forecast) for to, forecast in told if to == party)
    return outgoing, [one for one, cable in asked.items() if cable is None]


def check_usage(spans: Sequence[UsageSpan], now: datetime) -> None:
    """See that a report speaks of times that can be reported.

    Raises:
        ValueError: A block lies in the future or too far in the past.
    """
    if max((span.end for span in spans), default=now) > now + AHEAD:
        raise ValueError("a block ends in the future")
    if min((span.start for span in spans), default=now) < now - OLDEST_REPORT:
        raise ValueError(f"a block is older than {OLDEST_REPORT.days} days")


def aggregated_usage(
    store: Store, office: Office, party: str, cable: Cable, emsp: str | None, spans: Sequence[UsageSpan], now: datetime
) -> None:
    """A CSO reports what was used; a later report for the same blocks replaces the earlier.

    Args:
        store: The memory.
        office: Cables and rules.
        party: Who reports; has a contract on the cable.
        cable: Which cable.
        emsp: For whom, if it is told apart.
        spans: What was used; `check_usage` took it.
        now: The present moment. [UTC]

    Source: OSCP 1.0 section 3.2.6.
    """
    block = office.rules.block
    if not spans:
        return
    start, end = floor(min(span.start for span in spans), block), ceil(max(span.end for span in spans), block)
    n, key = index(end, start, block), (cable.id, party, emsp or "")
    old = store.read(USAGES, key, start, n)
    used = usage.to_cells(spans, start, n, block)
    current = usage.current_cells(spans, start, n, block)
    energy = usage.energy_cells(spans, start, n, block)
    settled = usage.settled(loads.reported_use(store, cable.id, party, start, n), start, block, now)
    cells = usage.replace_units(old, used, current, energy, float(cable.voltage_v), block, settled)
    store.write(USAGES, key, start, cells)
    record = {"emsp": emsp, "blocks": [_reported(span) for span in spans]}
    store.note(now, "usage", party, cable.id, record)


def view(store: Store, office: Office, cable: Cable, start: datetime, n: int) -> View:
    """What is known of a cable over a span."""
    plans = store.read(PLANS, (cable.id,), start, n)
    load = loads.load_of(store, office, cable.id, start, n)
    sheets = {party: store.read(ALLOTMENTS, (cable.id, party), start, n) for party in cable.parties}
    return View(
        start,
        load.measured,
        load.load,
        plans["forecast"],
        plans["margin"],
        plans["available"],
        plans["pool"],
        {party: sheet["allotment"] for party, sheet in sheets.items()},
        {party: loads.reported_use(store, cable.id, party, start, n) for party in cable.parties},
        {party: sheet["denied"] for party, sheet in sheets.items()},
        store.standing(cable.id).issued,
    )


def _by_party(told: Iterable[tuple[str, CableForecast]], *, urgent: bool = False) -> list[Outgoing]:
    """Party and forecast, as one bundle per party."""
    bundles: dict[str, list[CableForecast]] = {}
    for party, forecast in told:
        bundles.setdefault(party, []).append(forecast)
    return [Outgoing(party, tuple(forecasts), urgent) for party, forecasts in bundles.items()]


def _planned(store: Store, office: Office, cables: Sequence[Cable], now: datetime) -> dict[str, Plan]:
    """New plans of cables and of those that share a transformer or substation with them, by cable."""
    start = floor(now, office.rules.block)
    if not cables or learning.is_behind(store, office, start):
        return {}
    tops = dict.fromkeys(above[-1] for one in cables if (above := office.register.above(one.id)))
    together = [*cables, *(cable for top in tops for cable in office.register.below(top))]
    expectations = learning.expect(store, office, start, office.rules.horizon, together)
    return planning.issue(store, office, now, expectations)


def _lowered(store: Store, rules: Rules, cables: Sequence[Cable], now: datetime) -> dict[str, Plan]:
    """Plans of cables under their brakes, by cable; where none is in force, made of what the CSOs may hold."""
    start, plans = floor(now, rules.block), planning.in_force(store, cables, rules, now)
    basis = [(plan.cable, plan.available, plan.division.reserve) for plan in plans.values()]
    basis += _promised(store, [cable for cable in cables if cable.id not in plans], start, rules.horizon)
    standings, wanted = store.standings({cable.id for cable in cables}) if cables else {}, []
    for cable, before, reserve in basis:
        available = braking.braked(before, standings[cable.id], start, rules)
        wanted.append((cable, available, np.maximum(reserve - (before - available), 0)))
    return planning.share(store, start, wanted)


def _promised(store: Store, cables: Sequence[Cable], start: datetime, n: int) -> list[tuple[Cable, Ints, Ints]]:
    """Cables of which CSOs may hold something, how much within the limit, shape (3, n) [0.01 A], and no reserve."""
    holdings = promises.holdings(store, {cable.id for cable in cables}, start, n) if cables else {}
    found, last, zero = list[tuple[Cable, Ints]](), 0, np.zeros((3, n), dtype=np.int64)
    for cable in cables:
        most = sum((holdings[cable.id, party].most for party in cable.parties), zero)
        if most.any():
            last = max(last, int(np.flatnonzero(most.any(axis=0))[-1]) + 1)
            found.append((cable, np.minimum(most, np.array(cable.limit_ca, dtype=np.int64)[:, None])))
    return [(cable, most[:, :last], zero[:, :last]) for cable, most in found]


def _reported(span: UsageSpan) -> dict[str, object]:
    """A block of a usage report as it came, for the audit trail."""
    energy = [None if value is None else str(value) for value in span.energy_wh]
    return {
        "start": span.start.isoformat(),
        "end": span.end.isoformat(),
        "current_ca": list(span.current_ca),
        "energy_wh": energy,
        "total_ca": span.total_ca,
        "total_wh": None if span.total_wh is None else str(span.total_wh),
        "flagged": span.flagged,
    }
