"""The reaction to a measured overload: what may be used in the coming blocks is lowered at once, then released."""

from collections.abc import Mapping
from datetime import datetime

import numpy as np

from gridroom.dso import capacity, loads
from gridroom.dso.allocation import MILLION
from gridroom.dso.cables import Cable, Node
from gridroom.dso.readings.measurements import Series
from gridroom.dso.recording import AHEAD
from gridroom.dso.rules import Office, Rules
from gridroom.dso.store import Standing, Store
from gridroom.dso.tables import ALLOTMENTS
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.storage.columns import Ints
from gridroom.timegrid import floor


def brake(store: Store, office: Office, now: datetime) -> list[Cable]:
    """Look at the newest readings; after an overload remember by how much the coming blocks are to be lowered.

    On an overloaded cable all CSOs together may then use what they last reported (at most what they were allotted),
    less the overload. Of a transformer or substation the overload is divided over the cables below it, in proportion to
    what is used there. Each reading counts once.

    Args:
        store: The memory.
        office: Cables and rules.
        now: The present moment. [UTC]

    Returns:
        The cables on which less may be used.
    """
    register, rules = office.register, office.rules
    nodes = [node for node in register.nodes.values() if node.limit_ca is not None]
    places: list[Cable | Node] = [*register.values(), *nodes]
    standings = store.standings({one.id for one in places})
    fresh = [(one, standings[one.id]) for one in places if _unseen(standings.get(one.id), rules, now)]
    store.watched({one.id: standing.latest_end for one, standing in fresh})
    braked_ = dict[str, Cable]()
    for place, standing in fresh:
        excess = _excess(place, standing, rules)
        if (excess <= 0).all():
            continue
        below = (place,) if isinstance(place, Cable) else register.below(place.id)
        store.note(now, "brake", "", place.id, {"measured_ca": list(standing.latest or ())})
        _lower(store, below, excess, rules, now)
        braked_ |= {one.id: one for one in below}
    return list(braked_.values())


def is_overload(office: Office, series: Mapping[str, Series]) -> bool:
    """Whether a reading just taken in is above the threshold of its cable, transformer or substation."""
    register, rules = office.register, office.rules
    for name, one in series.items():
        place: Cable | Node | None = register.get(name) or register.nodes.get(name)
        if place is not None and place.limit_ca is not None and len(one):
            most = np.array(place.limit_ca, dtype=np.int64) * rules.threshold_ppm // MILLION
            if (one.current_ca.max(axis=1) > most).any():
                return True
    return False


def _excess(place: Cable | Node, standing: Standing, rules: Rules) -> Ints:
    """By how much the newest reading is above the threshold, shape (3,). [0.01 A]"""
    limit, latest = np.array(place.limit_ca, dtype=np.int64), np.array(standing.latest, dtype=np.int64)
    excess: Ints = latest - limit * rules.threshold_ppm // MILLION
    return excess


def _lower(store: Store, cables: tuple[Cable, ...], excess: Ints, rules: Rules, now: datetime) -> None:
    """Lower what may be used on cables by an excess that they share."""
    start = floor(now, rules.block)
    standings = store.standings({cable.id for cable in cables})
    limits = [np.array(cable.limit_ca, dtype=np.int64)[:, None] for cable in cables]
    before = [
        braked(limit, standings.get(cable.id, Standing()), start, rules)[:, 0]
        for cable, limit in zip(cables, limits, strict=True)
    ]
    use = [np.minimum(_use(store, cable, rules, start), most) for cable, most in zip(cables, before, strict=True)]
    total = np.maximum(sum(use, np.zeros(3, dtype=np.int64)), 1)
    for cable, most, mine in zip(cables, before, use, strict=True):
        share = -(-np.maximum(excess, 0) * mine // total)
        low = np.where(excess > 0, np.maximum(mine - share, 0), most)
        store.stand(cable.id, braked_at=now, brake=tuple(int(value) for value in low))
        store.note(now, "brake", "", cable.id, {"brake_ca": low.tolist()})


def _unseen(standing: Standing | None, rules: Rules, now: datetime) -> bool:
    """Whether there is a reading that was not looked at yet, is not too old, and of no clock that was ahead."""
    if standing is None or standing.latest_end is None or standing.latest is None:
        return False
    return standing.latest_end != standing.watched and -AHEAD <= now - standing.latest_end <= rules.block


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
        reported = loads.reported_use(store, cable.id, party, start - rules.block, 1)[:, 0]
        total += np.where(reported == UNKNOWN, allotted, np.minimum(reported, allotted))
    return total
