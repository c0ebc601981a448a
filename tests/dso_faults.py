"""Builds of the DSO that promise what is not there, each in one way: name to (where, what, instead).

Two halves of "what was granted is forgotten" are not among them. If only the division forgets a grant, the next
forecast takes it back: unfair, but nothing is promised. If only what the CSO holds forgets it, the division still
reserves it, so it shows only where less is there afterwards, the reduction gets lost and another asks: too rare to wait
for.
"""

from collections.abc import Iterable
from datetime import datetime

from gridroom.dso import adjustment, allocation, backup, oscp10, promises
from gridroom.dso.allocation import Division
from gridroom.storage import inbox
from gridroom.storage.columns import Ints
from gridroom.storage.outbox import Outbox

REAL_ROOM, REAL_WITHDRAW = backup.room, Outbox.withdraw


def others_do_not_count(available: Ints, division: Division, _held: Ints, *rest: int) -> backup.Room:
    return REAL_ROOM(available, division, division.allotment, *rest)


def forgets_what_was_tried(outbox: Outbox, message_ids: Iterable[str], now: datetime) -> list[str]:
    every = list(message_ids)
    REAL_WITHDRAW(outbox, every, now)
    return every


FAULTS: dict[str, tuple[object, str, object]] = {
    "a grant is given without looking at what others hold": (backup, "room", others_do_not_count),
    "what was granted is forgotten": (adjustment, "_keep_adjustment", lambda *_: None),
    "raises go before reductions": (allocation, "sendable", lambda _available, target, *_held: target),
    "a forecast that was refused counts as taken": (oscp10, "_taken", lambda cables, _result: cables),
    "a retry acts twice": (inbox, "is_remembered", lambda _body: False),
    "a forecast that was tried and replaced is forgotten": (Outbox, "withdraw", forgets_what_was_tried),
    "an answer bears an older DateTime than a forecast made before it": (
        promises,
        "after",
        lambda _store, _party, now: now,
    ),
}
