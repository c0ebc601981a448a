"""What is odd about measured blocks: flags beside each, and counts per cable, day and reason."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import Cells

revision = "dso0004"
down_revision = "dso0003"


def upgrade() -> None:
    """Nothing is flagged so far."""
    op.add_column("loads", sa.Column("flags", Cells(1)))
    loads = sa.table("loads", sa.column("masks", sa.LargeBinary), sa.column("flags", sa.LargeBinary))
    length = sa.func.length(loads.c.masks)
    for (size,) in op.get_bind().execute(sa.select(length).distinct()).all():
        op.execute(loads.update().where(length == size).values(flags=bytes(size)))
    with op.batch_alter_table("loads") as table:
        table.alter_column("flags", nullable=False)
    op.create_table(
        "reading_counts",
        sa.Column("cable", sa.String(255), primary_key=True),
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("reason", sa.String(32), primary_key=True),
        sa.Column("count", sa.BigInteger, nullable=False),
    )
