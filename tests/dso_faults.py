"""Builds of the DSO that promise what is not there, each in one way: name to (where, what, instead).

Forgetting only a grant's place in the division, but not that the CSO holds it, is not among them: the next forecast
takes it back, which is unfair but promises nothing (`test_dso_service.py` looks at it).
"""

from datetime import datetime
from typing import Any

import numpy as np

from gridroom.dso import allocation, backup, oscp10, service
from gridroom.dso.allocation import Division
from gridroom.dso.store import Store
from gridroom.storage import inbox
from gridroom.storage.columns import Ints
from gridroom.storage.outbox import Outbox

REAL_ROOM, REAL_DROP, REAL_ADJUST = backup.room, Outbox.drop, Store.adjust_held


def others_do_not_count(available: Ints, division: Division, _held: Ints, *rest: int) -> backup.Room:
    return REAL_ROOM(available, division, division.allotment, *rest)


def forgets_what_was_tried(outbox: Outbox, party: str, subjects: Any, now: datetime) -> list[str]:
    every = [one.message_id for one in outbox.waiting(party)]
    REAL_DROP(outbox, party, subjects, now)
    return every


def only_give_backs(store: Store, cable: str, party: str, start: datetime, change: Ints) -> None:
    REAL_ADJUST(store, cable, party, start, np.minimum(change, 0))


FAULTS: dict[str, tuple[object, str, object]] = {
    "a grant is given without looking at what others hold": (backup, "room", others_do_not_count),
    "what was granted is forgotten": (service, "_keep_adjustment", lambda *_: None),
    "a CSO is not reckoned to hold what it was granted": (Store, "adjust_held", only_give_backs),
    "raises go before reductions": (allocation, "sendable", lambda _available, target, *_held: target),
    "a forecast that was refused counts as taken": (oscp10, "_taken", lambda cables, _result: cables),
    "a retry acts twice": (inbox, "_remember", lambda _tx, _incoming, reply, _now: reply),
    "a forecast that was tried and replaced is forgotten": (Outbox, "drop", forgets_what_was_tried),
    "an answer bears an older DateTime than a forecast made before it": (
        Store,
        "after",
        lambda _store, _party, now: now,
    ),
}
