"""The first tables: letters, and histories, forecasts and allotments as one array per cable and day."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import Cells, Reals, UtcTime

revision = "dso0001"
down_revision = None


def upgrade() -> None:
    """Create them."""
    _letters()
    op.create_table("loads", *_keys("cable"), *_arrays("sums", "scores"), _array("masks", rows=1))
    op.create_table("usages", *_keys("cable", "party", "emsp"), *_arrays("used", "energy"))
    op.create_table("plans", *_keys("cable"), *_arrays("forecast", "margin", "available", "reserve", "pool"))
    op.create_table("allotments", *_keys("cable", "party"), *_arrays("allotment", "adjusted", "entitled", "denied"))
    op.create_table(
        "cables",
        sa.Column("cable", sa.String(255), primary_key=True),
        sa.Column("learner", Reals),
        sa.Column("learned_until", UtcTime),
        sa.Column("issued", UtcTime),
        sa.Column("latest_end", UtcTime),
        sa.Column("latest", sa.JSON),
        sa.Column("watched", UtcTime),
        sa.Column("braked_at", UtcTime),
        sa.Column("brake", sa.JSON),
    )
    op.create_table(
        "sent",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("message_id", sa.String(255), nullable=False),
        sa.Column("cable", sa.String(255), nullable=False),
        sa.Column("party", sa.String(255), nullable=False),
        sa.Column("date_time", UtcTime, nullable=False),
        sa.Column("start", UtcTime, nullable=False),
        sa.Column("ends", UtcTime, nullable=False),
        sa.Column("limits", Cells, nullable=False),
        sa.Column("acknowledged", sa.Boolean, nullable=False),
        sa.UniqueConstraint("message_id", "cable"),
    )
    op.create_index("sent_cable", "sent", ["cable", "party"])
    op.create_table(
        "journal",
        sa.Column("number", sa.Integer, primary_key=True, autoincrement=True),
        sa.Column("at", UtcTime, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("party", sa.String(255), nullable=False),
        sa.Column("cable", sa.String(255), nullable=False),
        sa.Column("record", sa.JSON, nullable=False),
    )
    op.create_index("journal_at", "journal", ["at"])
    op.create_table(
        "factors",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("factor", sa.Float, nullable=False),
        sa.Column("scores", sa.Integer, nullable=False),
    )
    op.create_table(
        "facts",
        sa.Column("name", sa.String(300), primary_key=True),
        sa.Column("moment", UtcTime, nullable=False),
    )


def _letters() -> None:
    """Letters owed and answers given, as they were then; `gridroom.storage.letters` has them as they are now."""
    op.create_table(
        "outbox",
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
        sa.Column("data", sa.LargeBinary, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("note", sa.Text, nullable=False),
        sa.Column("settled", UtcTime),
    )
    op.create_index("outbox_waiting", "outbox", ["state", "party", "priority", "date_time"])
    op.create_table(
        "inbox",
        sa.Column("party", sa.String(255), primary_key=True),
        sa.Column("message_id", sa.String(255), primary_key=True),
        sa.Column("family", sa.String(255)),
        sa.Column("digest", sa.LargeBinary, nullable=False),
        sa.Column("wording", sa.LargeBinary, nullable=False),
        sa.Column("status", sa.Integer, nullable=False),
        sa.Column("answer", sa.LargeBinary, nullable=False),
        sa.Column("content_type", sa.String(255), nullable=False),
        sa.Column("until", UtcTime, nullable=False),
    )
    op.create_index("inbox_family", "inbox", ["party", "family"])
    op.create_index("inbox_until", "inbox", ["until"])
    op.create_table(
        "tallies",
        sa.Column("operation", sa.String(64), primary_key=True),
        sa.Column("sent", sa.Integer, nullable=False),
        sa.Column("acknowledged", sa.Integer, nullable=False),
        sa.Column("refused", sa.Integer, nullable=False),
    )
    op.create_table(
        "deviations",
        sa.Column("party", sa.String(255), primary_key=True),
        sa.Column("row", sa.Integer, primary_key=True),
        sa.Column("count", sa.Integer, nullable=False),
        sa.Column("latest", sa.Text, nullable=False),
    )


def _keys(*names: str) -> list[sa.Column[Any]]:
    texts: list[sa.Column[Any]] = [sa.Column(name, sa.String(255), primary_key=True) for name in names]
    return [*texts, sa.Column("day", sa.Date, primary_key=True)]


def _array(name: str, rows: int = 3) -> sa.Column[Any]:
    return sa.Column(name, Cells(rows), nullable=False)


def _arrays(*names: str) -> list[sa.Column[Any]]:
    return [_array(name) for name in names]
