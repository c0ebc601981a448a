"""What an operator should see of an actor's letters: the same for all actors."""

from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime

import sqlalchemy as sa

from gridroom.storage import desk, inbox
from gridroom.storage.outbox import Outbox, Tally


def statistics(tx: sa.Connection, messages: Mapping[str, Tally]) -> dict[str, object]:
    """How letters fared, and what is odd about peers.

    Args:
        tx: The transaction.
        messages: What is to be told of messages that the outbox has not counted.

    Returns:
        `messages` sent, `deviations` per peer, `abandoned` letters, what is `stopped` because a peer does not offer it,
        `clocks` of peers against ours [s], `waits` from receipt to processed; all of it fit for JSON.
    """
    outbox = Outbox(tx)
    return {
        "messages": {name: asdict(tally) for name, tally in {**messages, **outbox.counts()}.items()},
        "deviations": {party: {str(row): n for row, n in rows.items()} for party, rows in inbox.deviations(tx).items()},
        "abandoned": _lines(outbox.abandoned()),
        "stopped": _lines(outbox.stopped()),
        "clocks": inbox.clocks(tx),
        "waits": desk.told(tx),
    }


def _lines(found: list[tuple[str, str, str, datetime]]) -> list[list[str]]:
    return [[party, operation, note, at.isoformat()] for party, operation, note, at in found]
