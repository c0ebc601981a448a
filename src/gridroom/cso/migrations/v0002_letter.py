"""What DSOs do not offer, their clocks, waiting times."""

from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import UtcTime

revision = "cso_0002"
down_revision = "cso_0001"

OLD = "no-adjustments:"


def upgrade() -> None:
    """Create the tables; what was known of DSOs that grant nothing moves there."""
    stopped = op.create_table(
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
    facts = sa.table("facts", sa.column("name", sa.String))
    found = list(op.get_bind().scalars(sa.select(facts.c.name).where(facts.c.name.startswith(OLD))))
    for name in found:
        op.execute(
            stopped.insert().values(
                party=name.removeprefix(OLD),
                operation="RequestAdjustedCapacity",
                since=datetime.now(UTC),
                note="answered NOT IMPLEMENTED",
            )
        )
    op.execute(facts.delete().where(facts.c.name.startswith(OLD)))
