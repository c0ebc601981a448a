"""What peers do not offer, their clocks, waiting times; and usage per unit, as section 3.2.6 replaces it."""

import sqlalchemy as sa
from alembic import op

from gridroom.storage import letters
from gridroom.storage.columns import Cells

revision = "dso0002"
down_revision = "dso0001"


def upgrade() -> None:
    """Create the tables; what was used counts as the current that was stated."""
    letters.create_second(op)
    op.add_column("usages", sa.Column("current", Cells(3)))
    op.execute('UPDATE usages SET "current" = used')
    with op.batch_alter_table("usages") as usages:
        usages.alter_column("current", nullable=False)
