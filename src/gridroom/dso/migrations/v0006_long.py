"""Errors are remembered longer too: what was learned is learned anew from the history."""

import sqlalchemy as sa
from alembic import op

revision = "dso0006"
down_revision = "dso0005"


def upgrade() -> None:
    """States of before have fewer rows: histories are kept, so the next publish learns them."""
    for name in ("learners", "pools"):
        op.execute(sa.table(name).delete())
    cables = sa.table("cables", sa.column("learned_until"))
    op.execute(cables.update().values(learned_until=None))
