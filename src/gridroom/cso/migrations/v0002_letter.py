"""What DSOs do not offer, their clocks, waiting times."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gridroom.storage import letters

revision = "cso_0002"
down_revision = "cso_0001"

OLD = "no-adjustments:"


def upgrade() -> None:
    """Create the tables; what was known of DSOs that grant nothing moves there."""
    letters.create_second(op)
    facts = sa.table("facts", sa.column("name", sa.String))
    found = list(op.get_bind().scalars(sa.select(facts.c.name).where(facts.c.name.startswith(OLD))))
    for name in found:
        op.execute(
            letters.STOPPED.insert().values(
                party=name.removeprefix(OLD),
                operation="RequestAdjustedCapacity",
                since=datetime.now(UTC),
                note="answered NOT IMPLEMENTED",
            )
        )
    op.execute(facts.delete().where(facts.c.name.startswith(OLD)))
