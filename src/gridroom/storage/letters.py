"""Tables of the letters that an actor owes and has received; one place for all actors.

Here they are as they are now. Migrations name the columns as they were then: a change here needs a migration of each
actor, and no older one may change with it.
"""

import sqlalchemy as sa

from gridroom.storage.columns import UtcTime

METADATA = sa.MetaData()

OUTBOX = sa.Table(
    "outbox",
    METADATA,
    sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
    sa.Column("message_id", sa.String(255), nullable=False, unique=True),
    sa.Column("party", sa.String(255), nullable=False),
    sa.Column("operation", sa.String(64), nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("date_time", UtcTime, nullable=False),
    sa.Column("subject", sa.String(255), nullable=False),
    sa.Column("expires", UtcTime, nullable=False),
    sa.Column("not_before", UtcTime, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("data", sa.LargeBinary, nullable=False),  # emptied when the letter is settled
    sa.Column("state", sa.String(16), nullable=False),  # waiting, delivered, given up
    sa.Column("note", sa.Text, nullable=False),  # why it waits or was given up
    sa.Column("settled", UtcTime),
    sa.Index("outbox_waiting", "state", "party", "priority", "date_time"),
)
"""Letters to other parties, from the transaction that caused them until they are pruned."""

INBOX = sa.Table(
    "inbox",
    METADATA,
    sa.Column("party", sa.String(255), primary_key=True),
    sa.Column("message_id", sa.String(255), primary_key=True),
    sa.Column("family", sa.String(255)),  # the uuid of an id such as <uuid>:2
    sa.Column("digest", sa.LargeBinary, nullable=False),  # of what the body says
    sa.Column("wording", sa.LargeBinary, nullable=False),  # of the bytes
    sa.Column("status", sa.Integer, nullable=False),
    sa.Column("answer", sa.LargeBinary, nullable=False),
    sa.Column("content_type", sa.String(255), nullable=False),
    sa.Column("until", UtcTime, nullable=False),
    sa.Index("inbox_family", "party", "family"),
    sa.Index("inbox_until", "until"),
)
"""Answers given, for whoever asks again."""

TALLIES = sa.Table(
    "tallies",
    METADATA,
    sa.Column("operation", sa.String(64), primary_key=True),
    sa.Column("sent", sa.Integer, nullable=False),
    sa.Column("acknowledged", sa.Integer, nullable=False),
    sa.Column("refused", sa.Integer, nullable=False),
)
"""How many letters of each operation were sent (tried at least once), and how they were answered."""

DEVIATIONS = sa.Table(
    "deviations",
    METADATA,
    sa.Column("party", sa.String(255), primary_key=True),
    sa.Column("row", sa.Integer, primary_key=True),
    sa.Column("count", sa.Integer, nullable=False),
    sa.Column("latest", sa.Text, nullable=False),
)
"""Readings that had to be tolerated, counted per peer."""

STOPPED = sa.Table(
    "stopped",
    METADATA,
    sa.Column("party", sa.String(255), primary_key=True),
    sa.Column("operation", sa.String(64), primary_key=True),
    sa.Column("since", UtcTime, nullable=False),
    sa.Column("note", sa.Text, nullable=False),
)
"""What peers do not offer (NOT IMPLEMENTED): not sent again until the operator says so."""

CLOCKS = sa.Table(
    "clocks",
    METADATA,
    sa.Column("party", sa.String(255), primary_key=True),
    sa.Column("ahead_ms", sa.BigInteger, nullable=False),
    sa.Column("at", UtcTime, nullable=False),
)
"""How far each peer's clock was ahead of ours when it was seen last; negative is behind."""

WAITS = sa.Table(
    "waits",
    METADATA,
    sa.Column("kind", sa.String(16), primary_key=True),  # urgent, normal, low
    sa.Column("letters", sa.Integer, nullable=False),
    sa.Column("total_ms", sa.BigInteger, nullable=False),
    sa.Column("longest_ms", sa.BigInteger, nullable=False),
    sa.Column("shed", sa.Integer, nullable=False),
)
"""From receipt to processed, per class of priority."""
