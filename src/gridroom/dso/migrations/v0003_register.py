"""The register: substations, transformers, cables, connections and contracts, a table each."""

from typing import Any

import sqlalchemy as sa
from alembic import op

from gridroom.storage.columns import UtcTime

revision = "dso0003"
down_revision = "dso0002"


def upgrade() -> None:
    """Create them, empty: until now they stood in dso.toml."""
    op.create_table("register_substations", _key("substation"), *_limits(nullable=True))
    op.create_table("register_transformers", _key("transformer"), _text("substation"), *_limits(nullable=True))
    op.create_table(
        "register_cables",
        _key("cable"),
        _text("transformer"),
        _text("risk_class"),
        *_limits(nullable=False),
        sa.Column("voltage_mv", sa.BigInteger, nullable=False),
    )
    op.create_table("register_connections", _key("connection"), _text("cable"), _text("cso"))
    op.create_table(
        "register_contracts",
        _key("cable"),
        _key("cso"),
        sa.Column("contracted_ca", sa.BigInteger, nullable=False),
        sa.Column("since", UtcTime),
    )
    op.create_table("register_revision", sa.Column("number", sa.Integer, primary_key=True))


def _key(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String(255), primary_key=True)


def _text(name: str) -> sa.Column[Any]:
    return sa.Column(name, sa.String(255), nullable=False)


def _limits(*, nullable: bool) -> list[sa.Column[Any]]:
    return [sa.Column(f"limit_l{phase}_ca", sa.BigInteger, nullable=nullable) for phase in (1, 2, 3)]
