"""What is learned: states of cables apart, what all series share in one place. All is learned anew from the history."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import Counts, Reals, UtcTime

revision = "dso0005"
down_revision = "dso0004"


def upgrade() -> None:
    """The forecast of before cannot be carried over: histories are kept, so the next publish learns them."""
    op.drop_table("factors")
    with op.batch_alter_table("loads") as table:
        table.drop_column("scores")
    with op.batch_alter_table("cables") as table:
        table.drop_column("learner")
    cables = sa.table("cables", sa.column("learned_until"))
    op.execute(cables.update().values(learned_until=None))
    op.create_table(
        "learners",
        sa.Column("cable", sa.String(255), primary_key=True),
        sa.Column("state", Reals((-1, 3), "<f4"), nullable=False),
    )
    op.create_table(
        "pools",
        sa.Column("day", sa.Date, primary_key=True),
        sa.Column("total", Reals(), nullable=False),
        sa.Column("today", Reals(), nullable=False),
        sa.Column("counts", Counts((3, 5, 2000)), nullable=False),
        sa.Column("scored", Counts((3, 5, 2000)), nullable=False),
        sa.Column("pace", Reals((3, 5)), nullable=False),
    )
    op.create_table(
        "below",
        sa.Column("node", sa.String(255), primary_key=True),
        sa.Column("cable", sa.String(255), primary_key=True),
        sa.Column("since", UtcTime),
    )
