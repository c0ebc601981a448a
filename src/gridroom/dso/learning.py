"""From histories to what is expected now: the non-controllable load of cables and transformers, learned together.

What was learned depends on the history alone: not on when it was learned, in which pieces, or what was asked for
meanwhile. So all places are always learned together, and a day begins for all of them at once: what they share on a day
comes from the days before. Learners and pools that are lost are made anew from the history, to the same values.
"""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.dso import lessons
from gridroom.dso.cables import Cable, Node
from gridroom.dso.forecasting.calendar import Calendar
from gridroom.dso.forecasting.fleet import Fleet, Outlook, Quality
from gridroom.dso.forecasting.layout import Layout, Mask, Reals
from gridroom.dso.forecasting.pool import Pool
from gridroom.dso.forecasting.scores import CRITERIA, WINDOW_DAYS, Factors
from gridroom.dso.forecasting.state import State
from gridroom.dso.lessons import Learner
from gridroom.dso.loads import PHASES, loads_of
from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.dso.rules import Office, RiskClass, Rules
from gridroom.dso.store import Standing, Store
from gridroom.timegrid import DAY, EPOCH, midnight

PATIENCE = 4
"""Blocks that a missing measurement or report is waited for; then the block is not learned from.

As long as no later measurement came, nothing is lost by waiting on: many meters deliver a day at once.
"""

ATTENDED = timedelta(hours=2)
"""How far ahead a forecast is sure to be renewed in time; what lies beyond must hold unattended, at the lower risk."""

AT_ONCE = timedelta(days=7)
"""History that is read at once."""


SETTLED = timedelta(days=28)
"""After so long a transformer has learned what a cable adds to it."""

MUCH, LONG = 1_000_000, timedelta(days=28)
"""Values, and time, that are learned in a second or two; a block of time costs something however few are in it."""


@dataclass(frozen=True)
class Expectation:
    """What is expected of the coming blocks of a cable or transformer.

    Attributes:
        mean: Non-controllable load, shape (3, n); NaN where nothing is known. [0.01 A]
        bound: What it stays under but for the accepted risk, shape (3, n); infinite where nothing is known. [0.01 A]
        quality: What it rests on: `good`, `late` (nothing sure of the last hour), `stale` (nothing sure for two days),
            `cold` (less than a week learned), `borrowed` (less than a day: the shape of other cables) or `none`.
        newcomers: Of a transformer or substation the cables below it that it has not learned to carry yet.
    """

    mean: NDArray[np.float64]
    bound: NDArray[np.float64]
    quality: str
    newcomers: frozenset[str] = frozenset()


def expect(
    store: Store, office: Office, start: datetime, n: int, cables: Iterable[Cable] | None = None
) -> dict[str, Expectation]:
    """Learn all closed blocks that can be learned, and say what to expect of the next ones.

    Args:
        store: The memory.
        office: Cables and rules.
        start: Start of the block in force. [UTC]
        n: Number of blocks to look ahead.
        cables: Those that are asked for; all when not given. All are learned in any case.

    Returns:
        By id, for the cables and for the transformers and substations above them that have a limit and are measured.
    """
    school = _School(store, office, start)
    if not school.places:
        return {}
    school.learn()
    outlook, places = school.outlook(n), school.places
    bound = _bounds(outlook, school.fleet.common.factors, [_risk(office, one) for one in places], office.rules)
    asked = None if cables is None else {one.id for one in cables}
    if asked is not None:
        asked.update(*(office.register.above(one) for one in tuple(asked)))
    result = {}
    for i, place in enumerate(places):
        if asked is None or place.id in asked:
            here = slice(PHASES * i, PHASES * (i + 1))
            quality = Quality(int(outlook.quality[here].max())).name.lower()
            mean, most = outlook.mean[:, here].T.astype(float), bound[:, here].T.astype(float)
            result[place.id] = Expectation(mean, most, quality, school.newcomers.get(place.id, frozenset()))
    return result


def catch_up(store: Store, office: Office, start: datetime) -> datetime | None:
    """Learn a week of a history that is longer: so `expect` has little to do, and others come to the store between.

    Args:
        store: The memory.
        office: Cables and rules.
        start: Start of the block in force. [UTC]

    Returns:
        How far that came [UTC]; None when there was little to learn, and nothing was done.
    """
    if not is_behind(store, office, start):
        return None
    school = _School(store, office, start)
    school.learn(once=True)
    return school.calendar.moment(school.first + len(school.loads))


def is_behind(store: Store, office: Office, start: datetime) -> bool:
    """Whether there is so much history to learn that `catch_up` has to be called first."""
    found = _Standings(store, office)
    since = (found.since(one.id) for one in found.places if not found.is_silent(one.id))
    lags = [start - one for one in since if one is not None and one < start - AT_ONCE]
    values = PHASES * (sum(lags, timedelta(0)) // office.rules.block)
    return values > MUCH or max(lags, default=timedelta(0)) > LONG


class _Standings:
    """What there is to be learned: all cables, and what above them has a limit and is measured."""

    def __init__(self, store: Store, office: Office) -> None:
        everything: list[Cable | Node] = [*office.register.values(), *office.register.nodes.values()]
        self.found = store.standings([one.id for one in everything])
        unlearned = [one.id for one in everything if self._of(one.id).learned_until is None]
        self.first = store.first_days(unlearned)
        self.places = [one for one in everything if isinstance(one, Cable) or (one.limit_ca and self.since(one.id))]

    def _of(self, place: str) -> Standing:
        return self.found.get(place, Standing())

    def since(self, place: str) -> datetime | None:
        """From when on a place is to be learned. [UTC]"""
        return self._of(place).learned_until or self.first.get(place)

    def heard(self, place: str) -> datetime | None:
        """End of its newest measurement. [UTC]"""
        return self._of(place).latest_end

    def is_silent(self, place: str) -> bool:
        """Whether nothing came since it was learned."""
        since, heard = self.since(place), self.heard(place)
        return since is not None and heard is not None and heard <= since


class _School:
    """All places, learned together from where each stands.

    A place of which nothing was measured any more stands still, however long; the others go on.
    """

    def __init__(self, store: Store, office: Office, start: datetime) -> None:
        self.store, self.office = store, office
        rules = office.rules
        self.calendar, self.layout = Calendar(rules.block, rules.zone, rules.holidays), Layout(rules.block)
        self.closed = self.first = self.calendar.number(start)
        found = _Standings(store, office)
        self.places = found.places
        self.newcomers = _newcomers(store, office, [one for one in self.places if isinstance(one, Node)], start)
        kept, pool = lessons.learners(store, (one.id for one in self.places)), lessons.pool(store)
        reached = [one.until for one in kept.values()] + ([midnight(pool[0])] if pool else [])
        ahead = max(reached, default=start) > start + DAY  # learned while a clock was wrong
        if pool is None or ahead or self._much_is_new(found.first, kept, pool[0]):
            lessons.unlearn(store)
            found, kept, pool = _Standings(store, office), {}, None
        self.pool_day: date | None = None if pool is None else pool[0]
        since = [kept[one.id].until if one.id in kept else found.first.get(one.id) for one in self.places]
        heard = [found.heard(one.id) for one in self.places]
        self.at = np.array([min(self.calendar.number(one), self.closed) if one else self.closed for one in since])
        self.heard = np.array([-((EPOCH - one) // rules.block) if one else self.closed for one in heard])
        limits = np.array([one.limit_ca or (0, 0, 0) for one in self.places], dtype=np.float32).ravel()
        criteria = sorted({CRITERIA.index(one.criterion) for one in rules.classes})
        self.fleet = Fleet(self.calendar, limits, criteria, self._state(kept), None if pool is None else pool[1])
        self.past: tuple[date, Fleet] | None = None

    @property
    def still(self) -> Mask:
        """Places that stand still, shape (places,)."""
        return (self.at >= self.heard) & (self.at < self.closed - PATIENCE)

    def _much_is_new(self, first: dict[str, datetime], kept: dict[str, Learner], open_day: date) -> bool:
        """Whether more history lies before the open day and is not learned yet, than was learned."""
        opened = self.calendar.number(midnight(open_day))
        days = (first[one.id] for one in self.places if one.id in first and one.id not in kept)
        new = sum(max(0, opened - self.calendar.number(day)) for day in days)
        if not new:
            return False
        learned = sum(float(State.unpack(self.layout, one.state).learned.mean()) for one in kept.values())
        return new > max(learned, self.layout.slots)

    def _state(self, kept: dict[str, Learner]) -> State:
        """What is known of each place."""
        if not kept:
            return State.empty(self.layout, PHASES * len(self.places))
        rows = State.empty(self.layout, PHASES * len(self.places)).pack()
        for i, place in enumerate(self.places):
            if place.id in kept:
                rows[:, PHASES * i : PHASES * (i + 1)] = kept[place.id].state
        return State.unpack(self.layout, rows)

    def learn(self, *, once: bool = False) -> None:
        """All that can be learned, block by block, or a week of it; what was learned is kept."""
        before = self.at.copy()
        while True:
            self._read()
            self._take()
            if once or self.first + len(self.loads) >= self.closed:
                break
        moved = np.flatnonzero(self.at != before)
        if moved.size and self.pool_day is not None:
            packed = self.fleet.state.pack()
            lessons.keep_learners(
                self.store,
                (
                    (self.places[i].id, self.calendar.moment(int(self.at[i])), packed[:, PHASES * i : PHASES * (i + 1)])
                    for i in moved
                ),
            )
            lessons.keep_pool(self.store, self.pool_day, self.fleet.pool)

    def _read(self) -> None:
        """Loads from where the first one stands, shape (blocks, series), and which can be learned, (blocks, places)."""
        active = ~self.still
        self.first = int(self.at[active].min()) if active.any() else self.closed
        n = min(self.closed - self.first, AT_ONCE // self.office.rules.block)
        self.loads = np.full((n, PHASES * len(self.places)), np.nan, dtype=np.float32)
        self.learnable = np.zeros((n, len(self.places)), dtype=bool)
        due = {one.id: i for i, one in enumerate(self.places) if active[i] and self.at[i] < self.first + n}
        if not due:
            return
        for place, found in loads_of(self.store, self.office, due, self.calendar.moment(self.first), n).items():
            i = due[place]
            load = np.where(found.trusted == NOT_MEASURED, np.nan, found.trusted)
            self.loads[:, PHASES * i : PHASES * (i + 1)] = load.T
            self.learnable[:, i] = found.learnable

    def _take(self) -> None:
        """Learn what was read, up to where a place has to be waited for at the end of a day."""
        patient = self.closed - PATIENCE
        given_up = np.minimum(patient, self.heard)
        for number in range(self.first, self.first + len(self.loads)):
            if number % self.layout.slots == 0 and ((self.at < number) & (self.at >= patient)).any():
                return
            i = number - self.first
            due = (self.at == number) & (self.learnable[i] | (number < given_up))
            if due.any():
                sure = np.repeat(self.learnable[i], PHASES)
                self._open(number).advance(number, self.loads[i], np.repeat(due, PHASES), sure)
                self.at[due] += 1

    def _open(self, number: int) -> Fleet:
        """Begin the day of a block, if it is a new one."""
        today = self.calendar.moment(number).date()
        if self.pool_day is None:
            self.pool_day = today
        if today < self.pool_day:
            return self._over(today)
        while self.pool_day < today:
            lessons.keep_pool(self.store, self.pool_day, self.fleet.pool)
            self.fleet.turn(lessons.scored(self.store, self.pool_day - WINDOW_DAYS * DAY))
            self.pool_day += DAY
        return self.fleet

    def _over(self, day: date) -> Fleet:
        """For a day that is over: with what all shared then, and without telling the others anything."""
        if self.past is None or self.past[0] != day:
            kept, fleet = lessons.pool(self.store, day), self.fleet
            pool = _unheard(fleet.pool if kept is None else kept[1])
            self.past = day, Fleet(fleet.calendar, fleet.limits, fleet.criteria, fleet.state, pool)
        return self.past[1]

    def outlook(self, n: int) -> Outlook:
        """What is expected of `n` blocks, in view of those too that cannot be learned yet."""
        fleet, still = self.fleet, self.still
        since = int(np.where(still, self.closed, self.at).min())
        for number in range(since, self.closed):
            i = number - self.first
            sure, behind = np.repeat(self.learnable[i], PHASES), np.repeat((self.at <= number) & ~still, PHASES)
            fleet.glance(number, self.loads[i], sure, behind)
        waited = np.where(still, self.closed - self.at, 0)
        outlook = fleet.outlook(self.closed, n, np.repeat(waited, PHASES) if still.any() else None)
        seen = ~np.isnan(self.loads[since - self.first :]).all(axis=0)
        never = (fleet.state.learned == 0) & ~seen
        outlook.mean[:, never], outlook.quality[never] = np.nan, Quality.NONE
        return outlook


def _unheard(pool: Pool) -> Pool:
    """The same, for those that are not to be counted in."""
    return replace(pool, today=pool.today.blank(), scored=np.zeros_like(pool.scored))


def _newcomers(store: Store, office: Office, nodes: list[Node], start: datetime) -> dict[str, frozenset[str]]:
    """The cables that came below nodes, by a change of the register, less than `SETTLED` ago."""
    kept, result = lessons.below(store, [node.id for node in nodes]), {}
    for node in (one.id for one in nodes):
        known = kept.get(node)
        new = None if known is None else start  # what it is learned with from the beginning is not new
        now = {cable.id: (known or {}).get(cable.id, new) for cable in office.register.below(node)}
        if now != known:
            lessons.keep_below(store, node, now)
        result[node] = frozenset(cable for cable, since in now.items() if since is not None and start - since < SETTLED)
    return result


def _risk(office: Office, place: Cable | Node) -> RiskClass:
    """The risk accepted of a place; of a transformer or substation the strictest of the cables below it."""
    if isinstance(place, Cable):
        return office.rules.risk_of(place)
    below = [office.rules.classes[0], *(office.rules.risk_of(cable) for cable in office.register.below(place.id))]
    criterion = min((one.criterion for one in below), key=CRITERIA.index)
    return RiskClass("", min(one.risk for one in below), criterion)


def _bounds(outlook: Outlook, factors: Factors, risks: list[RiskClass], rules: Rules) -> Reals:
    """Load that is exceeded with the accepted risk only, further ahead with that of the tail, shape (n, S)."""
    attended = ATTENDED // rules.block
    bounds = np.empty_like(outlook.mean)
    for criterion in {one.criterion for one in risks}:
        which, i = np.repeat([one.criterion == criterion for one in risks], PHASES), CRITERIA.index(criterion)
        levels = {one.risk for one in risks} | {min(one.risk, rules.tail_risk) for one in risks}
        at = {level: factors.at(i, level) for level in levels}
        near = np.repeat(np.array([at[one.risk] for one in risks]).T, PHASES, axis=1)
        tail = np.repeat(np.array([at[min(one.risk, rules.tail_risk)] for one in risks]).T, PHASES, axis=1)
        bound = outlook.bound(tail, i)
        bound[:attended] = outlook.bound(near, i)[:attended]
        bounds[:, which] = bound[:, which]
    return bounds
