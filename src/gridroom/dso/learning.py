"""From histories to what is expected now: the non-controllable load of a cable, learned block by block."""

from dataclasses import dataclass
from datetime import datetime

import numpy as np

from gridroom.dso import forecast, margin
from gridroom.dso.cables import Cable
from gridroom.dso.forecast import Outlook, State
from gridroom.dso.measurements import NOT_MEASURED, means
from gridroom.dso.rules import DAY, Rules
from gridroom.dso.store import ALLOTMENTS, LOADS, NOTHING, USAGES, Store
from gridroom.dso.usage import non_controllable
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints
from gridroom.timegrid import index

PATIENCE = 4
"""Blocks that a missing measurement or report is waited for; then the block is not learned from."""

WARM_DAYS = 7
"""Days to be learned before the margin is estimated."""

LARGEST_SCORE = 1_000_000


@dataclass(frozen=True)
class Expectation:
    """What is expected of the coming blocks of a cable.

    Attributes:
        outlook: The forecast.
        quality: `good`; `cold` (less than a week learned); `stale` (the last hour was not measured); `none`.
        learned: Blocks learned just now.
    """

    outlook: Outlook
    quality: str
    learned: int


def load_of(store: Store, cable: Cable, rules: Rules, start: datetime, n: int) -> tuple[Ints, Ints]:
    """Non-controllable load of a cable, shape (3, n) [0.01 A], and which blocks can be learned from, shape (n,)."""
    cells = store.read(LOADS, (cable.id,), start, n)
    measured = means(cells["sums"], cells["masks"])
    ends = [start + (i + 1) * rules.block for i in range(n)]
    contracts = len(cable.contracts)
    reported, entitled = np.full((contracts, 3, n), UNKNOWN), np.zeros((contracts, 3, n), dtype=np.int64)
    expected = np.zeros((contracts, n), dtype=np.int64)
    for p, contract in enumerate(cable.contracts):
        expected[p] = [contract.since is None or end > contract.since for end in ends]
        if not expected[p].any():
            continue
        reported[p] = reported_use(store, cable.id, contract.party, start, n)
        entitled[p] = store.read(ALLOTMENTS, (cable.id, contract.party), start, n)["entitled"]
    return non_controllable(measured, reported, entitled, expected)


def reported_use(store: Store, cable: str, party: str, start: datetime, n: int) -> Ints:
    """Use that a CSO reported, over all its EMSPs, shape (3, n) [0.01 A]; `UNKNOWN` where it reported none."""
    total = np.full((3, n), UNKNOWN, dtype=np.int64)
    for emsp in store.reporters(cable, party):
        used = store.read(USAGES, (cable, party, emsp), start, n)["used"]
        total = np.where(used == UNKNOWN, total, np.maximum(total, 0) + used)
    return total


def expect(store: Store, cable: Cable, rules: Rules, start: datetime, n: int) -> Expectation:
    """Learn all closed blocks of a cable that can be learned, and say what to expect of the next ones.

    Args:
        store: The memory.
        cable: Which cable.
        rules: How.
        start: Start of the block in force. [UTC]
        n: Number of blocks to look ahead.
    """
    standing = store.standing(cable.id)
    state = store.learner(standing)
    since = standing.learned_until or store.first_measured(cable.id) or start
    closed = max(0, index(start, since, rules.block))
    load, learnable = load_of(store, cable, rules, since, closed)
    kinds, slots = forecast.clock(since, closed + n, rules.block, rules.zone)
    done, scores = _learn(state, load, learnable, kinds, slots)
    if done:
        store.write(LOADS, (cable.id,), since, {"scores": scores[:, :done]})
        store.stand(cable.id, learner=state.pack(), learned_until=since + done * rules.block)
    current = forecast.copy(state)
    for i in range(done, closed):
        _follow(current, load[:, i], bool(learnable[i]), int(kinds[i]), int(slots[i]))
    recent = load_of(store, cable, rules, start - PATIENCE * rules.block, PATIENCE)[0]
    stale = bool((recent == NOT_MEASURED).any(axis=0).all())
    outlook = forecast.predict(current, kinds[closed:], slots[closed:], stale=stale)
    return Expectation(outlook, _quality(current, stale, store.per_day), done)


def factor(store: Store, rules: Rules, start: datetime, *, anew: bool) -> float:
    """The margin's factor of today, from the scores of the last four weeks on all cables.

    Args:
        store: The memory.
        rules: The risk accepted.
        start: Start of the block in force. [UTC]
        anew: Estimate it again, since a history was learned just now.
    """
    today = start.date()
    known = None if anew else store.factor(today)
    if known is None:
        scores = store.scores(today - margin.WINDOW_DAYS * DAY, today - DAY)
        known = margin.factor(scores, rules.risk)
        store.keep_factor(today, known, scores.size)
    return known


def _learn(state: State, load: Ints, learnable: Ints, kinds: Ints, slots: Ints) -> tuple[int, Ints]:
    """Learn in order, in place; gives how many blocks were dealt with, and their scores, shape (3, n)."""
    n = load.shape[1]
    scores = np.full((3, n), NOTHING, dtype=np.int64)
    warm = WARM_DAYS * state.count.shape[1]
    for i in range(n):
        kind, slot = int(kinds[i]), int(slots[i])
        if not learnable[i]:
            if i >= n - PATIENCE:
                return i, scores
            _follow(state, load[:, i], False, kind, slot)
            continue
        if state.count[kind, slot] >= 3 and state.learned >= warm:
            scores[:, i] = _score(forecast.predict(state, kinds[i : i + 1], slots[i : i + 1]), load[:, i])
        forecast.learn(state, load[:, i].astype(np.float64), kind, slot)
    return n, scores


def _score(outlook: Outlook, load: Ints) -> Ints:
    error = (load - outlook.mean[:, 0]) / margin.scale(outlook)[:, 0]
    return np.clip(np.rint(error * 1000), -LARGEST_SCORE, LARGEST_SCORE).astype(np.int64)


def _follow(state: State, load: Ints, trusted: bool, kind: int, slot: int) -> None:
    if (load == NOT_MEASURED).any():
        state.drift[:] *= forecast.DRIFT_DECAY
    else:
        forecast.follow(state, load.astype(np.float64), kind, slot, only_up=not trusted)


def _quality(state: State, stale: bool, per_day: int) -> str:
    if not state.learned:
        return "none"
    if stale:
        return "stale"
    return "good" if state.learned >= WARM_DAYS * per_day else "cold"
