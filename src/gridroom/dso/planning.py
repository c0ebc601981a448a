"""From what is expected to what each CSO may be told: capacity, brake, division, and reductions before raises."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gridroom.dso import allocation, capacity, learning, margin
from gridroom.dso.allocation import MILLION, Division
from gridroom.dso.cables import Cable
from gridroom.dso.learning import Expectation
from gridroom.dso.rules import Rules
from gridroom.dso.store import ALLOTMENTS, PLANS, Standing, Store
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints
from gridroom.timegrid import floor


@dataclass(frozen=True)
class CableForecast:
    """What one CSO is told of one cable.

    Attributes:
        cable: CableId.
        start: Start of the block in force. [UTC]
        limits: What it may use, shape (3, n). [0.01 A]
        remaining: Backup that may be asked for, shape (3, n). [0.01 A]
    """

    cable: str
    start: datetime
    limits: Ints
    remaining: Ints


@dataclass(frozen=True)
class Plan:
    """What is in force on a cable from `start` on: available for all CSOs, shape (3, n) [0.01 A], and its division."""

    cable: Cable
    start: datetime
    available: Ints
    division: Division


def issue(store: Store, cable: Cable, rules: Rules, now: datetime, expectation: Expectation, factor: float) -> Plan:
    """Make a new plan for a cable and keep it.

    Args:
        store: The memory.
        cable: Which cable.
        rules: How.
        now: The present moment. [UTC]
        expectation: What is expected from the block in force on.
        factor: The margin's factor.
    """
    start = floor(now, rules.block)
    outlook = expectation.outlook
    if expectation.quality != "good":
        factor = max(factor, margin.COLD)
    safety = factor * margin.scale(outlook)
    limit = np.array(cable.limit_ca, dtype=np.int64)
    expected = np.where(outlook.known & (expectation.quality != "none"), outlook.mean, np.inf)
    free = capacity.available(limit, expected, safety)
    available = braked(free, store.standing(cable.id), start, rules)
    store.write(
        PLANS,
        (cable.id,),
        start,
        {
            "forecast": np.rint(np.where(np.isfinite(expected), outlook.mean, limit[:, None])).astype(np.int64),
            "margin": np.ceil(safety).astype(np.int64),
        },
    )
    plan = share(store, cable, start, available, allocation.reserve_of(free, rules.backup_ppm, available))
    store.stand(cable.id, issued=now)
    record = {"quality": expectation.quality, "factor": factor}
    weights = {contract.party: contract.contracted_ca for contract in cable.contracts}
    why = allocation.explain(weights, rules.backup_ppm, plan.division)
    store.note(now, "division", "", cable.id, record | why)
    return plan


def share(store: Store, cable: Cable, start: datetime, available: Ints, reserve: Ints) -> Plan:
    """Divide what is available over the CSOs, less a reserve, and keep that."""
    n = available.shape[1]
    sheets = [store.read(ALLOTMENTS, (cable.id, party), start, n) for party in cable.parties]
    division = _divide(cable, available, [sheet["adjusted"] for sheet in sheets], reserve)
    issued = store.standing(cable.id).issued
    for i, (party, sheet) in enumerate(zip(cable.parties, sheets, strict=True)):
        entitled = np.maximum(division.allotment[i], store.held(cable.id, party, start, n)[0])
        if issued is not None and issued >= start:  # it was already told something about the block in force
            entitled[:, 0] = np.maximum(entitled[:, 0], sheet["entitled"][:, 0])
        values = {"allotment": division.allotment[i], "entitled": entitled}
        store.write(ALLOTMENTS, (cable.id, party), start, values)
    store.write(PLANS, (cable.id,), start, {"available": available, "reserve": division.reserve, "pool": division.pool})
    return Plan(cable, start, available, division)


def in_force(store: Store, cable: Cable, rules: Rules, now: datetime) -> Plan | None:
    """The plan issued last, from the block in force on; None when there is none or it is too old."""
    issued = store.standing(cable.id).issued
    if issued is None or now - issued > rules.good_for:
        return None
    start = floor(now, rules.block)
    sheet = store.read(PLANS, (cable.id,), start, rules.horizon)
    available = sheet["available"]
    known = int((available != UNKNOWN).all(axis=0).cumprod().sum())
    if known == 0:
        return None
    available = available[:, :known]
    adjusted = [store.read(ALLOTMENTS, (cable.id, party), start, known)["adjusted"] for party in cable.parties]
    return Plan(cable, start, available, _divide(cable, available, adjusted, sheet["reserve"][:, :known]))


def held(store: Store, plan: Plan) -> tuple[Ints, NDArray[np.bool_], Ints]:
    """What each CSO may hold, shape (p, 3, n) [0.01 A], who is in doubt, (p,), and what was sent last, (p, 3, n)."""
    n = plan.available.shape[1]
    found = [store.held(plan.cable.id, party, plan.start, n) for party in plan.cable.parties]
    most = np.array([one[0] for one in found], dtype=np.int64).reshape(-1, 3, n)
    newest = np.array([one[2] for one in found], dtype=np.int64).reshape(-1, 3, n)
    return most, np.array([one[1] for one in found], dtype=bool), newest


def tell(store: Store, plan: Plan, *, only_news: bool = False) -> dict[str, CableForecast]:
    """What each CSO may be told now, by party.

    Args:
        store: The memory.
        plan: The plan in force.
        only_news: Leave out those to whom nothing new is to be said.
    """
    most, doubtful, newest = held(store, plan)
    limits = allocation.sendable(plan.available, plan.division.allotment, most, doubtful)
    told = {}
    for i, party in enumerate(plan.cable.parties):
        news = ((limits[i] != newest[i]) & (newest[i] != UNKNOWN)).any()
        if news or not only_news:
            told[party] = CableForecast(plan.cable.id, plan.start, limits[i], plan.division.pool)
    return told


def brake(store: Store, cable: Cable, rules: Rules, now: datetime) -> bool:
    """Look at the newest reading; after an overload remember by how much the coming blocks are to be lowered.

    All CSOs together may then use what they last reported (at most what they were allotted), less the overload.
    Gives whether there was one. Each reading counts once.
    """
    standing = store.standing(cable.id)
    end, latest = standing.latest_end, standing.latest
    if end is None or latest is None or end == standing.watched or now - end > rules.block:
        return False
    store.stand(cable.id, watched=end)
    limit = np.array(cable.limit_ca, dtype=np.int64)
    excess = np.array(latest, dtype=np.int64) - limit * rules.threshold_ppm // MILLION
    if (excess <= 0).all():
        return False
    start = floor(now, rules.block)
    before = braked(limit[:, None], standing, start, rules)[:, 0]
    use = np.minimum(_use(store, cable, rules, start), before)
    low = np.where(excess > 0, np.maximum(use - excess, 0), before)
    store.stand(cable.id, braked_at=now, brake=tuple(int(value) for value in low))
    store.note(now, "brake", "", cable.id, {"measured_ca": list(latest), "brake_ca": low.tolist()})
    return True


def braked(available: Ints, standing: Standing, start: datetime, rules: Rules) -> Ints:
    """What is available under a cable's brake, if there is one: held for half of its time, then released evenly.

    Args:
        available: Without it, from the block in force on, shape (3, n). [0.01 A]
        standing: Where the cable stands.
        start: Start of the block in force. [UTC]
        rules: How long a brake lasts.
    """
    if standing.brake is None or standing.braked_at is None:
        return available
    since = start - standing.braked_at
    age = np.array([(since + i * rules.block) / rules.brake_hold for i in range(available.shape[1])])
    return capacity.released(available, np.array(standing.brake, dtype=np.int64), 2 * age - 1)


def _use(store: Store, cable: Cable, rules: Rules, start: datetime) -> Ints:
    """What the CSOs use now as far as known: as last reported, else all they were allotted, shape (3,). [0.01 A]"""
    total = np.zeros(3, dtype=np.int64)
    for party in cable.parties:
        allotted = store.read(ALLOTMENTS, (cable.id, party), start - rules.block, 2)["entitled"].max(axis=1)
        reported = learning.reported_use(store, cable.id, party, start - rules.block, 1)[:, 0]
        total += np.where(reported == UNKNOWN, allotted, np.minimum(reported, allotted))
    return total


def _divide(cable: Cable, available: Ints, adjusted: list[Ints], reserve: Ints) -> Division:
    weights = [contract.contracted_ca for contract in cable.contracts]
    changes = np.array(adjusted, dtype=np.int64).reshape(-1, *available.shape)
    return allocation.divide(available, weights, changes, reserve)
