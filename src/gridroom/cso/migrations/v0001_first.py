"""The first tables: letters, books, sessions and profiles as one document each, histories as one array per day."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import Cells, Reals, UtcTime

revision = "cso_0001"
down_revision = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(255), primary_key=True)


def _document() -> sa.Column[bytes]:
    return sa.Column("document", sa.LargeBinary, nullable=False)


def upgrade() -> None:
    """Create them."""
    _letters()
    op.create_table("books", _key("dso"), _key("cable"), _document())
    for name in ("sessions", "held", "wishes"):
        op.create_table(name, _key("station"), _document())
    op.create_table("watches", _key("dso"), _document())
    op.create_table("facts", _key("name"), _document())
    day = sa.Column("day", sa.Date, primary_key=True)
    op.create_table("readings", _key("station"), day, sa.Column("cells", Reals((-1, 5)), nullable=False))
    day = sa.Column("day", sa.Date, primary_key=True)
    op.create_table("reported", _key("dso"), _key("cable"), day, sa.Column("cells", Cells(3), nullable=False))


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
