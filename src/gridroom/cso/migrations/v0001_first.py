"""The first tables: letters, books, sessions and profiles as one document each, histories as one array per day."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage import letters
from gridroom.storage.columns import Cells, Reals

revision = "cso_0001"
down_revision = None


def _key(name: str) -> sa.Column[str]:
    return sa.Column(name, sa.String(255), primary_key=True)


def _document() -> sa.Column[bytes]:
    return sa.Column("document", sa.LargeBinary, nullable=False)


def upgrade() -> None:
    """Create them."""
    letters.create(op)
    op.create_table("books", _key("dso"), _key("cable"), _document())
    for name in ("sessions", "held", "wishes"):
        op.create_table(name, _key("station"), _document())
    op.create_table("watches", _key("dso"), _document())
    op.create_table("facts", _key("name"), _document())
    day = sa.Column("day", sa.Date, primary_key=True)
    op.create_table("readings", _key("station"), day, sa.Column("cells", Reals((-1, 5)), nullable=False))
    day = sa.Column("day", sa.Date, primary_key=True)
    op.create_table("reported", _key("dso"), _key("cable"), day, sa.Column("cells", Cells(3), nullable=False))
