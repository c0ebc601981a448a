"""The register in the DSO's database: a table per kind, and a number that tells when it was changed."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import sqlalchemy as sa

from gridroom.dso.cables import Cable, Contract, Node, Phases
from gridroom.dso.register.entries import KINDS, Connection, Entries, Kind
from gridroom.dso.tables import METADATA
from gridroom.storage.columns import UtcTime

LIMITS = ("limit_l1_ca", "limit_l2_ca", "limit_l3_ca")


def _table(name: str, keys: tuple[str, ...], texts: tuple[str, ...], *others: sa.Column[Any]) -> sa.Table:
    return sa.Table(
        name,
        METADATA,
        *(sa.Column(key, sa.String(255), primary_key=True) for key in keys),
        *(sa.Column(text, sa.String(255), nullable=False) for text in texts),
        *others,
    )


def _limits(*, nullable: bool = False) -> list[sa.Column[Any]]:
    return [sa.Column(name, sa.BigInteger, nullable=nullable) for name in LIMITS]


SUBSTATIONS = _table("register_substations", ("substation",), (), *_limits(nullable=True))
"""Where the cables begin; without limits it is unlimited. [0.01 A]"""

TRANSFORMERS = _table("register_transformers", ("transformer",), ("substation",), *_limits(nullable=True))
"""What stands in a substation and feeds cables. [0.01 A]"""

CABLES = _table(
    "register_cables",
    ("cable",),
    ("transformer", "risk_class"),
    *_limits(),
    sa.Column("voltage_mv", sa.BigInteger, nullable=False),
)
"""Cables: limit per phase [0.01 A], 0 where there is no such phase; phase to neutral [0.001 V]."""

CONNECTIONS = _table("register_connections", ("connection",), ("cable", "cso"))
"""Who is tied to which cable."""

CONTRACTS = _table(
    "register_contracts",
    ("cable", "cso"),
    (),
    sa.Column("contracted_ca", sa.BigInteger, nullable=False),
    sa.Column("since", UtcTime),
)
"""What each CSO has contracted, per phase. [0.01 A]"""

REVISION = sa.Table("register_revision", METADATA, sa.Column("number", sa.Integer, primary_key=True))
"""One row: how often the register was changed."""


@dataclass(frozen=True)
class _Sheet:
    """How the entries of a kind stand in their table."""

    table: sa.Table
    key: Callable[[Any], tuple[Any, ...]]
    to_row: Callable[[Any, Any], Mapping[str, Any]]
    from_row: Callable[[Any], Any]


def _node(kind: Any) -> Callable[[Any], Node]:
    def from_row(row: Any) -> Node:
        limit = None if row.limit_l1_ca is None else _of(row)
        return Node(row[0], kind, limit, row.substation if kind == "transformer" else "")

    return from_row


def _of(row: Any) -> Phases:
    return row.limit_l1_ca, row.limit_l2_ca, row.limit_l3_ca


def _by_phase(limit: Phases | None) -> dict[str, int | None]:
    return dict(zip(LIMITS, limit or (None, None, None), strict=True))


def _cable(row: Any) -> Cable:
    return Cable(
        row.cable,
        _of(row),
        voltage_v=Decimal(row.voltage_mv) / 1000,
        parent=row.transformer,
        risk_class=row.risk_class,
    )


def _single(key: str) -> tuple[Any, ...]:
    return (key,)


SHEETS: dict[Kind, _Sheet] = {
    "substations": _Sheet(
        SUBSTATIONS,
        _single,
        lambda key, one: {"substation": key, **_by_phase(one.limit_ca)},
        _node("substation"),
    ),
    "transformers": _Sheet(
        TRANSFORMERS,
        _single,
        lambda key, one: {"transformer": key, "substation": one.parent, **_by_phase(one.limit_ca)},
        _node("transformer"),
    ),
    "cables": _Sheet(
        CABLES,
        _single,
        lambda key, one: {
            "cable": key,
            "transformer": one.parent,
            "risk_class": one.risk_class,
            "voltage_mv": int(one.voltage_v * 1000),
            **_by_phase(one.limit_ca),
        },
        _cable,
    ),
    "connections": _Sheet(
        CONNECTIONS,
        _single,
        lambda key, one: {"connection": key, "cable": one.cable, "cso": one.party},
        lambda row: Connection(row.connection, row.cable, row.cso),
    ),
    "contracts": _Sheet(
        CONTRACTS,
        tuple,
        lambda key, one: {"cable": key[0], "cso": key[1], "contracted_ca": one.contracted_ca, "since": one.since},
        lambda row: Contract(row.cso, row.contracted_ca, (), row.since),
    ),
}


def read(tx: sa.Connection) -> Entries:
    """All that is in the register, ordered by id."""
    found = dict[str, Any]()
    for kind, sheet in SHEETS.items():
        keys = [column for column in sheet.table.c if column.primary_key]
        rows = tx.execute(sa.select(sheet.table).order_by(*keys))
        width = len(keys)
        found[kind] = {row[0] if width == 1 else tuple(row[:width]): sheet.from_row(row) for row in rows}
    return Entries(**found)


def write(tx: sa.Connection, new: Entries) -> dict[Kind, int]:
    """Make the register this, and note that it changed if it did.

    Returns:
        How many entries of each kind were added, changed or removed.
    """
    old, changes = read(tx), dict[Kind, int]()
    for kind in KINDS:
        before, after, sheet = old.of(kind), new.of(kind), SHEETS[kind]
        stale = [key for key in before if key not in after or before[key] != after[key]]
        fresh = [key for key in after if key not in before or before[key] != after[key]]
        changes[kind] = len(set(stale) | set(fresh))
        keys = [column for column in sheet.table.c if column.primary_key]
        if stale:
            same = [column == sa.bindparam(f"old_{column.name}") for column in keys]
            gone = [dict(zip((f"old_{column.name}" for column in keys), sheet.key(key), strict=True)) for key in stale]
            tx.execute(sheet.table.delete().where(*same), gone)
        if fresh:
            tx.execute(sheet.table.insert(), [sheet.to_row(key, after[key]) for key in fresh])
    if any(changes.values()):
        number = revision(tx)
        tx.execute(REVISION.delete())
        tx.execute(REVISION.insert().values(number=number + 1))
    return changes


def revision(tx: sa.Connection) -> int:
    """A number that is another one after each change of the register."""
    return tx.scalar(sa.select(sa.func.max(REVISION.c.number))) or 0
