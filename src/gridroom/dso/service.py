"""What the DSO does, as use cases: each changes the store and returns what is to be sent.

Chapter 2 of OSCP 1.0 tells the flow: measurements in, forecasts out, the CSO's three messages answered.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import numpy as np

from gridroom import xml
from gridroom.dso import backup, learning, planning, usage
from gridroom.dso.cables import Cable, Finding
from gridroom.dso.measurements import Reading, Received, accumulate, means
from gridroom.dso.planning import CableForecast, Plan
from gridroom.dso.rules import DAY, Office, Rules
from gridroom.dso.store import ALLOTMENTS, LOADS, PLANS, USAGES, Store
from gridroom.oscp.v10.answers import Ask
from gridroom.oscp.v10.blocks import Span
from gridroom.oscp.v10.usage import UsageSpan
from gridroom.storage.columns import Ints
from gridroom.timegrid import ceil, floor, index

AHEAD = timedelta(minutes=5)
"""How far another clock may be ahead of ours."""

MOST_DENIED = 2**31 - 1
"""Where the count of what was denied stops. [0.01 A]"""

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
class Assigned:
    """What came of one block of a request: the change assigned, and the backup that remains, per phase. [0.01 A]"""

    asked: Span
    amounts: tuple[int, ...]
    remaining: tuple[int, ...]


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


def record_measurements(
    store: Store, office: Office, readings: Iterable[Reading], now: datetime, cables: frozenset[str] | None = None
) -> Received:
    """Keep readings; those that cannot be kept are findings, the others stay.

    Args:
        store: The memory.
        office: Cables and rules.
        readings: In any order.
        now: The present moment. [UTC]
        cables: Those that the meter may speak for; None is all.
    """
    received, groups = Received(), dict[str, list[Reading]]()
    oldest = now - office.rules.history
    for reading in readings:
        where = reading.where
        if reading.cable not in office.register or (cables is not None and reading.cable not in cables):
            received.findings.append(Finding(where, "no such cable for this meter"))
        elif reading.end > now + AHEAD:
            received.findings.append(Finding(where, f"ends after now ({now.isoformat()})"))
        elif reading.start < oldest:
            received.findings.append(Finding(where, f"is older than measurements are kept ({oldest.isoformat()})"))
        else:
            groups.setdefault(reading.cable, []).append(reading)
    for cable, group in groups.items():
        one = _record(store, office.rules, cable, group)
        received.stored += one.stored
        received.repeated += one.repeated
        received.findings += one.findings
    return received


def publish(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """Learn, forecast, divide, and tell every CSO: at least 24 hours from the block in force on."""
    start = floor(now, office.rules.block)
    expectations = {
        cable.id: learning.expect(store, cable, office.rules, start, office.rules.horizon)
        for cable in office.register.values()
    }
    anew = any(one.learned > store.per_day for one in expectations.values())
    factor = learning.factor(store, office.rules, start, anew=anew)
    told: dict[str, list[CableForecast]] = {}
    urgent = False
    for cable in office.register.values():
        urgent = planning.brake(store, cable, office.rules, now) or urgent
        plan = planning.issue(store, cable, office.rules, now, expectations[cable.id], factor)
        for party, forecast in planning.tell(store, plan).items():
            told.setdefault(party, []).append(forecast)
    store.remember("published", now)
    return [Outgoing(party, tuple(forecasts), urgent) for party, forecasts in told.items()]


def watch(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """React to measured overloads: lower the coming blocks at once."""
    outgoing = []
    for cable in office.register.values():
        if planning.brake(store, cable, office.rules, now):
            plan = planning.in_force(store, cable, office.rules, now)
            if plan is not None:
                outgoing += _lowered(store, office.rules, plan)
    return outgoing


def settle(store: Store, office: Office, now: datetime) -> list[Outgoing]:
    """Send what acknowledgements, or their absence, have changed: raises held back, reductions beside one in doubt."""
    outgoing = []
    for cable in office.register.values():
        plan = planning.in_force(store, cable, office.rules, now)
        if plan is not None:
            told = planning.tell(store, plan, only_news=True)
            outgoing += [Outgoing(party, (forecast,)) for party, forecast in told.items()]
    return outgoing


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

    Source: OSCP 1.0 section 3.2.4.
    """
    asked = dict.fromkeys(cable_id.strip(xml.SPACE) for cable_id in cable_ids)
    unknown = [cable_id for cable_id in asked if office.register.open_to(party, cable_id) is None]
    cables = [office.register[one] for one in asked if one not in unknown] if asked else office.register.of(party)
    forecasts = []
    for cable in cables:
        plan = planning.in_force(store, cable, office.rules, now) or _planned(store, office, cable, now)
        forecasts.append(planning.tell(store, plan)[party])
    return ([Outgoing(party, tuple(forecasts))] if forecasts else []), unknown


def adjusted_capacity(
    store: Store, office: Office, party: str, cable: Cable, asked: Sequence[Ask], now: datetime
) -> list[Assigned]:
    """A CSO asks for more, or gives back: what is assigned, block by block, in the order asked.

    Args:
        store: The memory.
        office: Cables and rules.
        party: Who asks; has a contract on the cable.
        cable: Which cable.
        asked: Signed changes, without overlap on one phase.
        now: The present moment. [UTC]

    Source: OSCP 1.0 section 3.2.5; decision 6.
    """
    rules = office.rules
    plan = planning.in_force(store, cable, rules, now)
    if plan is None:
        result = [Assigned(one.span, (0, 0, 0), (0, 0, 0)) for one in asked]
        _count_denied(store, party, cable, result, floor(now, rules.block), rules)
        store.note(now, "adjustment", party, cable.id, _explanation(result))
        return result
    i, n = cable.parties.index(party), plan.available.shape[1]
    near = rules.backup_near // rules.block
    most = planning.held(store, plan)[0]
    room = backup.room(plan.available, plan.division, most, i, rules.backup_cap_ppm, near)
    before = room.own.copy()
    result = []
    for one in asked:
        cells, whole = _cells(one.span, plan.start, n, rules)
        amounts, remaining = backup.serve(room, one.span, cells, whole, uniform=one.uniform)
        result.append(Assigned(one.span, amounts, tuple(int(value) for value in remaining)))
    _keep_adjustment(store, party, plan, i, room, before)
    _count_denied(store, party, cable, result, plan.start, rules)
    store.note(now, "adjustment", party, cable.id, _explanation(result))
    return result


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
    store.write(USAGES, key, start, usage.replace_units(old, used, current, energy, float(cable.voltage_v), block))
    record = {"emsp": emsp, "blocks": [_reported(span) for span in spans]}
    store.note(now, "usage", party, cable.id, record)


def view(store: Store, office: Office, cable: Cable, start: datetime, n: int) -> View:
    """What is known of a cable over a span."""
    plans = store.read(PLANS, (cable.id,), start, n)
    sums = store.read(LOADS, (cable.id,), start, n)
    sheets = {party: store.read(ALLOTMENTS, (cable.id, party), start, n) for party in cable.parties}
    return View(
        start,
        means(sums["sums"], sums["masks"]),
        learning.load_of(store, cable, office.rules, start, n)[0],
        plans["forecast"],
        plans["margin"],
        plans["available"],
        plans["pool"],
        {party: sheet["allotment"] for party, sheet in sheets.items()},
        {party: learning.reported_use(store, cable.id, party, start, n) for party in cable.parties},
        {party: sheet["denied"] for party, sheet in sheets.items()},
        store.standing(cable.id).issued,
    )


def _record(store: Store, rules: Rules, cable: str, readings: list[Reading]) -> Received:
    start = floor(min(reading.start for reading in readings), rules.block)
    n = index(ceil(max(reading.end for reading in readings), rules.block), start, rules.block)
    cells = store.read(LOADS, (cable,), start, n)
    received = accumulate(readings, start, rules.block, cells["sums"], cells["masks"])
    if received.stored:
        store.write(LOADS, (cable,), start, {"sums": cells["sums"], "masks": cells["masks"]})
    standing = store.standing(cable)
    newest = max(readings, key=lambda reading: reading.end)
    if standing.latest_end is None or newest.end > standing.latest_end:
        store.stand(cable, latest_end=newest.end, latest=newest.current_ca)
    if received.stored and standing.learned_until is not None and start < standing.learned_until - DAY:
        store.stand(cable, learner=None, learned_until=None)  # an older history came in: learn it all again
    return received


def _planned(store: Store, office: Office, cable: Cable, now: datetime) -> Plan:
    start = floor(now, office.rules.block)
    expectation = learning.expect(store, cable, office.rules, start, office.rules.horizon)
    factor = learning.factor(store, office.rules, start, anew=expectation.learned > store.per_day)
    return planning.issue(store, cable, office.rules, now, expectation, factor)


def _lowered(store: Store, rules: Rules, plan: Plan) -> list[Outgoing]:
    standing = store.standing(plan.cable.id)
    available = planning.braked(plan.available, standing, plan.start, rules)
    reserve = np.maximum(plan.division.reserve - (plan.available - available), 0)
    lowered = planning.share(store, plan.cable, plan.start, available, reserve)
    told = planning.tell(store, lowered, only_news=True)
    return [Outgoing(party, (forecast,), urgent=True) for party, forecast in told.items()]


def _cells(span: Span, start: datetime, n: int, rules: Rules) -> tuple[slice, slice]:
    """Blocks that a span touches and that are not over, and those that it covers."""
    first, last = index(span.start, start, rules.block), index(ceil(span.end, rules.block), start, rules.block)
    touched = slice(max(0, first), max(0, last)) if last <= n else slice(0, 0)
    inner = index(ceil(span.start, rules.block), start, rules.block), index(span.end, start, rules.block)
    return touched, slice(max(0, inner[0]), max(0, min(n, inner[1])))


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


def _count_denied(
    store: Store, party: str, cable: Cable, result: Iterable[Assigned], start: datetime, rules: Rules
) -> None:
    """Backup asked for and not granted, for whoever plans the grid. Source: OSCP 1.0 section 3.2.3."""
    key, n = (cable.id, party), rules.horizon
    denied = store.read(ALLOTMENTS, key, start, n)["denied"]
    before = denied.copy()
    for one in result:
        first, last = (
            index(one.asked.start, start, rules.block),
            index(ceil(one.asked.end, rules.block), start, rules.block),
        )
        cells = slice(max(0, first), max(0, min(n, last)))
        for phase, (wish, got) in enumerate(zip(one.asked.amounts, one.amounts, strict=True)):
            denied[phase, cells] += min(max(0, (wish or 0) - max(got, 0)), MOST_DENIED)
    if (denied != before).any():
        store.write(ALLOTMENTS, key, start, {"denied": np.minimum(denied, MOST_DENIED)})


def _keep_adjustment(store: Store, party: str, plan: Plan, i: int, room: backup.Room, before: Ints) -> None:
    key, n = (plan.cable.id, party), before.shape[1]
    sheet = store.read(ALLOTMENTS, key, plan.start, n)
    change = room.own - before
    values = {
        "allotment": room.own,
        "adjusted": np.where(change != 0, room.own - plan.division.base[i], sheet["adjusted"]),
        "entitled": np.maximum(sheet["entitled"], room.own),
    }
    store.write(ALLOTMENTS, key, plan.start, values)
    store.write(PLANS, (plan.cable.id,), plan.start, {"pool": room.pool})
    store.adjust_held(plan.cable.id, party, plan.start, change)


def _explanation(result: Sequence[Assigned]) -> dict[str, object]:
    blocks = [
        {
            "start": one.asked.start.isoformat(),
            "end": one.asked.end.isoformat(),
            "asked_ca": list(one.asked.amounts),
            "assigned_ca": list(one.amounts),
            "remaining_ca": list(one.remaining),
        }
        for one in result
    ]
    return {"rule": "first come, first served, within what the others may not hold", "blocks": blocks}
