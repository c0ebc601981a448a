"""From what is expected to what each CSO may be told: capacity, brake, division, and reductions before raises."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from gridroom.dso import allocation, braking, capacity, promises, tree
from gridroom.dso.allocation import Division
from gridroom.dso.cables import Cable, Node, Register
from gridroom.dso.learning import Expectation
from gridroom.dso.promises import Holding
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Standing, Store
from gridroom.dso.tables import ALLOTMENTS, PLANS
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints
from gridroom.timegrid import EPOCH, floor

MOST_CA = 10_000_000
"""No load of a low-voltage cable is above this. [0.01 A]"""


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


def issue(store: Store, office: Office, now: datetime, expectations: Mapping[str, Expectation]) -> dict[str, Plan]:
    """Make new plans for cables and keep them; nothing above them is asked for more than it has.

    Args:
        store: The memory.
        office: Cables and rules.
        now: The present moment. [UTC]
        expectations: What is expected from the block in force on, per cable and per transformer above.

    Returns:
        By cable.
    """
    rules, start = office.rules, floor(now, office.rules.block)
    cables = [office.register[one] for one in expectations if one in office.register]
    free = {cable.id: _free(np.array(cable.limit_ca), expectations[cable.id]) for cable in cables}
    n = max((one.bound.shape[1] for one in expectations.values()), default=0)
    holdings = promises.holdings(store, {one.id for one in cables}, start, n)
    allowed = _within(office, cables, free, expectations, holdings)
    held_by = {one.id: _limits_above(office, one) for one in cables if (allowed[one.id] < free[one.id]).any()}
    standings = store.standings({one.id for one in cables})
    forecasts, wanted = dict[tuple[str, ...], dict[str, Ints]](), []
    for cable in cables:
        forecasts[cable.id,] = _forecast(cable, expectations[cable.id])
        available = braking.braked(allowed[cable.id], standings.get(cable.id, Standing()), start, rules)
        wanted.append((cable, available, allocation.reserve_of(allowed[cable.id], rules.backup_ppm, available)))
    store.write_all(PLANS, start, forecasts)
    plans = _shared(store, start, wanted, holdings, standings)
    store.issued(plans, now)
    store.note_all(
        now,
        "division",
        "",
        {one: _why(plan, expectations[one], rules, held_by.get(one, [])) for one, plan in plans.items()},
    )
    return plans


def _forecast(cable: Cable, expected: Expectation) -> dict[str, Ints]:
    """Forecast and margin as they are kept, shape (3, n) [0.01 A]; where nothing is known the whole limit counts."""
    limit = np.array(cable.limit_ca, dtype=np.int64)[:, None]
    bound = np.where(np.isfinite(expected.bound), np.minimum(expected.bound, MOST_CA), limit)
    mean = np.where(np.isfinite(expected.mean), expected.mean, limit)
    forecast = np.clip(np.rint(mean), -MOST_CA, MOST_CA).astype(np.int64)
    return {"forecast": forecast, "margin": np.maximum(np.ceil(bound).astype(np.int64) - forecast, 0)}


def _why(plan: Plan, expected: Expectation, rules: Rules, held_by: list[str]) -> dict[str, object]:
    """What a plan rests on; and what is above it that leaves it less than its own limit does."""
    weights = {contract.party: contract.contracted_ca for contract in plan.cable.contracts}
    risk = rules.risk_of(plan.cable)
    record = {"quality": expected.quality, "risk": risk.risk, "criterion": risk.criterion}
    record |= {"held_by": held_by} if held_by else {}
    return record | allocation.explain(weights, rules.backup_ppm, plan.division)


def _limits_above(office: Office, cable: Cable) -> list[str]:
    """The transformer and substation above a cable, as far as they have a limit."""
    register = office.register
    return [node for node in register.above(cable.id) if register.nodes[node].limit_ca is not None]


def _free(limit: Ints, expected: Expectation) -> Ints:
    """What a limit leaves for charging, shape (3, n). [0.01 A]"""
    return capacity.available(limit, expected.mean, expected.bound - expected.mean)


def _within(
    office: Office,
    cables: list[Cable],
    free: Mapping[str, Ints],
    expectations: Mapping[str, Expectation],
    holdings: Mapping[tuple[str, str], Holding],
) -> dict[str, Ints]:
    """What each cable may be given within the limits above it.

    Of a transformer or substation that is measured, that is its limit less its own expected load and margin; otherwise
    each cable below counts with the most that it may draw itself.
    """
    nodes = [node for one in cables for node in office.register.above(one.id)]
    if not nodes:
        return dict(free)
    register = Register(cables, [office.register.nodes[one] for one in dict.fromkeys(nodes)])
    n = next(iter(free.values())).shape[1]
    room = [_room(register, node, expectations, n) for node in register.nodes.values()]
    zero = np.zeros((3, n), dtype=np.int64)
    held = np.array([sum((holdings[one.id, party].most for party in one.parties), zero) for one in cables])
    sure = ~np.array([any(holdings[one.id, party].doubtful for party in one.parties) for one in cables])
    parents, above = tree.places(register)
    wanted = np.array([free[one.id] for one in cables])
    given = tree.within(wanted, parents, np.array(room), above, held)
    if not sure.all():  # a letter is without answer: what its cable may still hold is not there for the others
        taken = tree.sums(np.where(sure[:, None, None], 0, np.maximum(given, held)), parents, above)
        rest = tree.within(wanted[sure], parents[sure], np.maximum(np.array(room) - taken, 0), above, held[sure])
        given[sure] = np.minimum(given[sure], rest)
    return {one.id: given[i] for i, one in enumerate(cables)}


def _room(register: Register, node: Node, expectations: Mapping[str, Expectation], n: int) -> Ints:
    """What a node has for charging on the cables below it, shape (3, n). [0.01 A]

    What it expects itself does not contain the cables that came lately: they count on top of it.
    """
    if node.limit_ca is None:
        return np.full((3, n), tree.UNLIMITED)
    limit = np.array(node.limit_ca, dtype=np.int64)
    drawn, added = np.zeros((3, n)), np.zeros((3, n))
    own = expectations.get(node.id)
    for cable in register.below(node.id):
        most = np.array(cable.limit_ca, dtype=float)[:, None]
        bound = np.clip(expectations[cable.id].bound, 0, most)
        drawn += bound
        if own is not None and cable.id in own.newcomers:
            added += bound
    if own is not None:  # where it is not known yet what flows through it, the cables tell
        drawn = np.where(np.isfinite(own.bound), own.bound + added, drawn)
    return capacity.available(limit, drawn, np.zeros_like(drawn))


def share(store: Store, start: datetime, wanted: Iterable[tuple[Cable, Ints, Ints]]) -> dict[str, Plan]:
    """Divide what is available of cables over the CSOs, less a reserve, and keep that; by cable."""
    plans, lengths = dict[str, Plan](), defaultdict[int, list[tuple[Cable, Ints, Ints]]](list)
    for one in wanted:
        lengths[one[1].shape[1]].append(one)
    for n, some in lengths.items():
        ids = {cable.id for cable, _, _ in some}
        plans |= _shared(store, start, some, promises.holdings(store, ids, start, n), store.standings(ids))
    return plans


def _shared(
    store: Store,
    start: datetime,
    wanted: Iterable[tuple[Cable, Ints, Ints]],
    holdings: Mapping[tuple[str, str], Holding],
    standings: Mapping[str, Standing],
) -> dict[str, Plan]:
    """The same for cables with what is available and the reserve of each."""
    wanted = list(wanted)
    n = max((available.shape[1] for _, available, _ in wanted), default=0)
    sheets = store.read_all(ALLOTMENTS, {cable.id for cable, _, _ in wanted}, start, n)
    plans, divided, allotted = (
        dict[str, Plan](),
        dict[tuple[str, ...], dict[str, Ints]](),
        dict[tuple[str, ...], dict[str, Ints]](),
    )
    for cable, available, reserve in wanted:
        mine = [sheets[cable.id, party] for party in cable.parties]
        division = _divide(cable, available, [sheet["adjusted"] for sheet in mine], reserve)
        issued = standings.get(cable.id, Standing()).issued
        for i, (party, sheet) in enumerate(zip(cable.parties, mine, strict=True)):
            entitled = np.maximum(division.allotment[i], holdings[cable.id, party].most)
            if issued is not None and issued >= start:  # it was already told something about the block in force
                entitled[:, 0] = np.maximum(entitled[:, 0], sheet["entitled"][:, 0])
            allotted[cable.id, party] = {"allotment": division.allotment[i], "entitled": entitled}
        divided[cable.id,] = {"available": available, "reserve": division.reserve, "pool": division.pool}
        plans[cable.id] = Plan(cable, start, available, division)
    store.write_all(ALLOTMENTS, start, allotted)
    store.write_all(PLANS, start, divided)
    return plans


def in_force(store: Store, cables: Iterable[Cable], rules: Rules, now: datetime) -> dict[str, Plan]:
    """The plans issued last, from the block in force on, by cable; left out where there is none or it is too old.

    Whatever was issued, no more is there than the limit that the cable has now: the backup bears the difference first.
    """
    every, start = {cable.id: cable for cable in cables}, floor(now, rules.block)
    standings = store.standings(every) if every else {}
    made = {one: standings[one].issued for one in every if one in standings}
    fresh = [one for one, issued in made.items() if issued is not None and now - issued <= rules.good_for]
    sheets, found = (store.read_all(sheet, fresh, start, rules.horizon) for sheet in (PLANS, ALLOTMENTS))
    result = {}
    for one in fresh:
        cable, issued = every[one], sheets[one,]["available"]
        known = int((issued != UNKNOWN).all(axis=0).cumprod().sum())
        if known > 0:
            issued = issued[:, :known]
            available = np.minimum(issued, np.array(cable.limit_ca, dtype=np.int64)[:, None])
            reserve = np.maximum(sheets[one,]["reserve"][:, :known] - (issued - available), 0)
            adjusted = [found[one, party]["adjusted"][:, :known] for party in cable.parties]
            result[one] = Plan(cable, start, available, _divide(cable, available, adjusted, reserve))
    return result


def calm(store: Store, office: Office, plans: Mapping[str, Plan]) -> dict[str, Plan]:
    """The plans of cables, but nothing is raised where another cable below the same node is still held to too much.

    Reductions go before raises within a cable (see `allocation.sendable`), and so they do below a transformer.

    Args:
        store: The memory.
        office: Cables and rules.
        plans: Those in force, of all cables that hang below the same nodes.
    """
    above = {one: office.register.above(one) for one in plans}
    if not any(above.values()):
        return dict(plans)
    start = next(iter(plans.values())).start
    n = max(one.available.shape[1] for one in plans.values())
    holdings, crowded = promises.holdings(store, plans, start, n), dict[str, NDArray[np.bool_]]()
    zero = np.zeros((3, n), dtype=np.int64)
    most = {one: sum((holdings[one, party].most for party in plan.cable.parties), zero) for one, plan in plans.items()}
    for one, plan in plans.items():
        over = np.zeros((3, n), dtype=bool)
        known = plan.available.shape[1]
        over[:, :known] = most[one][:, :known] > plan.available
        for node in above[one]:
            crowded[node] = crowded.get(node, np.zeros((3, n), dtype=bool)) | over
    result = {}
    for one, plan in plans.items():
        known = plan.available.shape[1]
        full = np.any([crowded[node][:, :known] for node in above[one]], axis=0) if above[one] else False
        capped = np.where(full, np.minimum(plan.available, most[one][:, :known]), plan.available)
        result[one] = replace(plan, available=capped)
    return result


def calm_in_force(store: Store, office: Office, cables: Iterable[Cable], now: datetime) -> dict[str, Plan]:
    """The plans in force of cables, see `in_force`, in view of the cables beside them, see `calm`."""
    asked = {cable.id: cable for cable in cables}
    tops = dict.fromkeys(above[-1] for one in asked if (above := office.register.above(one)))
    beside = [cable for top in tops for cable in office.register.below(top)]
    plans = calm(store, office, in_force(store, [*asked.values(), *beside], office.rules, now))
    return {one: plans[one] for one in asked if one in plans}


def held(store: Store, plans: Mapping[str, Plan]) -> dict[str, Ints]:
    """The most that each CSO may hold, by cable, shape (p, 3, n) each. [0.01 A]"""
    holdings = _holdings(store, plans)
    return {one: _held(plan, holdings)[0] for one, plan in plans.items()}


def _holdings(store: Store, plans: Mapping[str, Plan]) -> Mapping[tuple[str, str], Holding]:
    """What CSOs may hold over the longest of some plans of one moment."""
    start, n = max(((plan.start, plan.available.shape[1]) for plan in plans.values()), default=(EPOCH, 0))
    return promises.holdings(store, plans, start, n) if plans else {}


def _held(plan: Plan, holdings: Mapping[tuple[str, str], Holding]) -> tuple[Ints, NDArray[np.bool_], Ints]:
    """What each CSO may hold, shape (p, 3, n) [0.01 A], who is in doubt, (p,), and what was sent last, (p, 3, n)."""
    n = plan.available.shape[1]
    found = [holdings[plan.cable.id, party] for party in plan.cable.parties]
    most = np.array([one.most[:, :n] for one in found], dtype=np.int64).reshape(-1, 3, n)
    newest = np.array([one.newest[:, :n] for one in found], dtype=np.int64).reshape(-1, 3, n)
    return most, np.array([one.doubtful for one in found], dtype=bool), newest


def tell(store: Store, plans: Mapping[str, Plan], *, only_news: bool = False) -> Iterator[tuple[str, CableForecast]]:
    """What each CSO may be told now of each of some plans in force: party and forecast.

    Args:
        store: The memory.
        plans: By cable.
        only_news: Leave out those to whom nothing new is to be said.
    """
    holdings = _holdings(store, plans)
    for plan in plans.values():
        yield from _told(plan, holdings, only_news=only_news).items()


def _told(plan: Plan, holdings: Mapping[tuple[str, str], Holding], *, only_news: bool) -> dict[str, CableForecast]:
    most, doubtful, newest = _held(plan, holdings)
    limits = allocation.sendable(plan.available, plan.division.allotment, most, doubtful)
    told = {}
    for i, party in enumerate(plan.cable.parties):
        news = ((limits[i] != newest[i]) & (newest[i] != UNKNOWN)).any()
        if news or not only_news:
            told[party] = CableForecast(plan.cable.id, plan.start, limits[i], plan.division.pool)
    return told


def _divide(cable: Cable, available: Ints, adjusted: list[Ints], reserve: Ints) -> Division:
    weights = [contract.contracted_ca for contract in cable.contracts]
    changes = np.array(adjusted, dtype=np.int64).reshape(-1, *available.shape)
    return allocation.divide(available, weights, changes, reserve)
