"""What peers do not offer, their clocks, waiting times; and usage per unit, as section 3.2.6 replaces it."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import Cells, UtcTime

revision = "dso0002"
down_revision = "dso0001"


def upgrade() -> None:
    """Create the tables; what was used counts as the current that was stated."""
    op.create_table(
        "stopped",
        sa.Column("party", sa.String(255), primary_key=True),
        sa.Column("operation", sa.String(64), primary_key=True),
        sa.Column("since", UtcTime, nullable=False),
        sa.Column("note", sa.Text, nullable=False),
    )
    op.create_table(
        "clocks",
        sa.Column("party", sa.String(255), primary_key=True),
        sa.Column("ahead_ms", sa.BigInteger, nullable=False),
        sa.Column("at", UtcTime, nullable=False),
    )
    op.create_table(
        "waits",
        sa.Column("kind", sa.String(16), primary_key=True),
        sa.Column("letters", sa.Integer, nullable=False),
        sa.Column("total_ms", sa.BigInteger, nullable=False),
        sa.Column("longest_ms", sa.BigInteger, nullable=False),
        sa.Column("shed", sa.Integer, nullable=False),
    )
    op.add_column("usages", sa.Column("current", Cells(3)))
    op.execute('UPDATE usages SET "current" = used')
    with op.batch_alter_table("usages") as usages:
        usages.alter_column("current", nullable=False)
