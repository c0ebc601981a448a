"""The register's CSV files: one per kind, recognised by its header line."""

import csv
import io
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal

from gridroom.dso.cables import Cable, Contract, Node, NodeKind, Phases, centiampere
from gridroom.dso.readings.measurements import not_as_many
from gridroom.dso.register.entries import Batch, Connection, Kind

EACH = ("limit_l1_a", "limit_l2_a", "limit_l3_a")
LIMITS = ("limit_a", *EACH, "phases")
LARGEST = Decimal(10**9)
"""Beyond this a number is nonsense, whatever it stands for."""

VOLTAGE = "230"

PLAIN = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
"""A number as it is meant in a file: `1_00` may be a slip for `1.00`, so it is none."""

MOST_SHOWN, MOST_FAULTS = 60, 5
"""Of a value that is wrong, what is told: so many characters; of a header line, so many columns."""

Row = Mapping[str, str]


@dataclass(frozen=True)
class _Columns:
    """A file's columns; the first one names the kind.

    Attributes:
        must: Those that must be there.
        may: Those that may.
        read: Makes key and entry of a row; raises ValueError with what is wrong.
    """

    must: tuple[str, ...]
    may: tuple[str, ...]
    read: Callable[[Row], tuple[object, object]]


def _node(kind: NodeKind) -> Callable[[Row], tuple[object, object]]:
    def read(row: Row) -> tuple[object, object]:
        limit = _limit(row) if any(row[name] for name in LIMITS[:-1]) or kind == "transformer" else None
        return row[kind], Node(row[kind], kind, limit, row["substation"] if kind == "transformer" else "")

    return read


def _cable(row: Row) -> tuple[object, object]:
    voltage = _number("voltage_v", row["voltage_v"] or VOLTAGE).quantize(Decimal("0.001"))
    cable = Cable(row["cable"], _limit(row), voltage_v=voltage, parent=row["transformer"], risk_class=row["risk_class"])
    return cable.id, cable


def _connection(row: Row) -> tuple[object, object]:
    return row["connection"], Connection(row["connection"], row["cable"], row["cso"])


def _contract(row: Row) -> tuple[object, object]:
    contracted = centiampere(_number("contracted_a", row["contracted_a"]))
    return (row["cable"], row["cso"]), Contract(row["cso"], contracted, (), _since(row["since"]))


COLUMNS: dict[Kind, _Columns] = {
    "contracts": _Columns(("cso", "cable", "contracted_a"), ("since",), _contract),
    "connections": _Columns(("connection", "cable"), ("cso",), _connection),
    "cables": _Columns(("cable",), ("transformer", *LIMITS, "voltage_v", "risk_class"), _cable),
    "transformers": _Columns(("transformer",), ("substation", *LIMITS), _node("transformer")),
    "substations": _Columns(("substation",), LIMITS, _node("substation")),
}


KINDS_BY_COLUMN: dict[str, Kind] = {one.must[0]: kind for kind, one in COLUMNS.items()}
FORM = f"a file of the register begins with {', '.join(KINDS_BY_COLUMN)} (small letters), or is a grid model in JSON"
"""What a file of the register looks like, for those who give another one."""


def columns_of(text: str) -> list[str]:
    """The names in the first line of a text."""
    first = text[:10_000].splitlines()[:1]
    return [name.strip().strip('"').strip() for name in first[0].split(",")] if first else []


def is_register(text: str) -> bool:
    r"""Whether a text begins as a CSV file of the register does.

    >>> is_register("cable,limit_a\n"), is_register("time,cable,L1,L2,L3\n")
    (True, False)
    """
    names = columns_of(text)
    return bool(names) and names[0] in KINDS_BY_COLUMN and "time" not in names  # readings have their time


def read_csv(text: str, name: str, batch: Batch) -> None:
    r"""Read a CSV file into a batch; what cannot be read is a finding with its row.

    Args:
        text: The file.
        name: Its name, for findings.
        batch: Gets entries and findings.

    >>> batch = Batch()
    >>> read_csv("cable,limit_a\nc1,200\nc2,many\n", "cables.csv", batch)
    >>> [str(one) for one in batch.findings], batch.entries["cables"]["c1"].limit_ca
    (["cables.csv row 3: limit_a: 'many' is no number"], (20000, 20000, 20000))
    """
    table = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = [cell.strip() for cell in next(table, [])]
        found = _recognised(header, name, batch)
        if found is None:
            return
        kind, names = found
        batch.kinds.add(kind)
        for cells in table:
            if any(cell.strip() for cell in cells):
                _take(kind, names, [cell.strip() for cell in cells], f"{name} row {table.line_num}", batch)
    except csv.Error as error:
        long = "a value has no end; is it a CSV file, and is each quotation mark closed?"
        why = long if "field limit" in str(error) else error
        batch.fault(f"{name} row {table.line_num}", f"cannot be read: {why}")
        batch.unread |= batch.kinds


def _recognised(header: list[str], name: str, batch: Batch) -> tuple[Kind, list[str]] | None:
    """The kind that a header line is of, if it can be used."""
    where, first = f"{name} row 1", header[0] if header else ""
    kind = KINDS_BY_COLUMN.get(first)
    if kind is None:
        batch.unread |= COLUMNS.keys()
        known = ", ".join(KINDS_BY_COLUMN)
        separator = "; columns are separated by commas" if len(header) == 1 and re.search(r"[;\t]", first) else ""
        batch.fault(where, f"the first column must be one of {known}, not {shown(first)}{separator}")
        return None
    columns = COLUMNS[kind]
    allowed = (*columns.must, *columns.may)
    strange = [one for one in header if one not in allowed]
    faults = [f"there is no column {shown(one)}; there are {', '.join(allowed)}" for one in strange[:MOST_FAULTS]]
    faults += [f"and {len(strange) - MOST_FAULTS} more such columns"] if len(strange) > MOST_FAULTS else []
    faults += [f"column {one!r} is missing" for one in columns.must if one not in header]
    faults += [f"column {one!r} is there {header.count(one)} times" for one in allowed if header.count(one) > 1]
    for fault in faults:
        batch.fault(where, fault)
    if faults:
        batch.unread.add(kind)
        return None
    return kind, header


def _take(kind: Kind, names: list[str], cells: list[str], place: str, batch: Batch) -> None:
    if len(cells) != len(names):
        batch.fault(place, not_as_many(len(cells), len(names)))
        if kind == "contracts":
            batch.unread.add(kind)
        else:
            batch.refused.add((kind, cells[0]))
        return
    columns = COLUMNS[kind]
    row = dict.fromkeys((*columns.must, *columns.may), "") | dict(zip(names, cells, strict=True))
    empty = [name for name in columns.must if not row[name]]
    for each in empty:
        batch.fault(place, f"{each} is empty")
    named = (row["cable"], row["cso"]) if kind == "contracts" else row[columns.must[0]]
    if empty:
        batch.refused.add((kind, named))
        return
    try:
        key, entry = columns.read(row)
    except ValueError as error:
        batch.fault(place, str(error))
        batch.refused.add((kind, named))
        return
    batch.add(kind, key, entry, place)


def _limit(row: Row) -> Phases:
    """Limit per phase, 0 where there is no such phase. [0.01 A]"""
    phases = _phases(row["phases"])
    single, each = row["limit_a"], [row[name] for name in EACH]
    if single and any(each):
        raise ValueError(f"a limit is given twice: by limit_a and by {', '.join(EACH)}")
    if not single and not any(each):
        raise ValueError("it has no limit: give limit_a, or one for each phase")
    values = []
    for phase, (name, value) in enumerate(zip(EACH, each, strict=True), 1):
        if phase in phases:
            value, name = (single, "limit_a") if single else (value, name)
            if not value:
                raise ValueError(f"{name} is empty: say in `phases` which phases it has")
            values.append(_positive(name, value))
        elif value and _number(name, value) != 0:
            raise ValueError(f"{name}: `phases` says that there is no such phase")
        else:
            values.append(0)
    return values[0], values[1], values[2]


def _phases(text: str) -> set[int]:
    r"""Numbers of the phases in a text such as `L1 L3`, `L1L2L3` or `13`; all of them when it is empty."""
    if not text:
        return {1, 2, 3}
    if not re.fullmatch(r"(?:[Ll]?[123][\s+/;]*)+", text):
        raise ValueError(f"phases: {shown(text)} is not like 'L1 L2 L3'")
    return {int(digit) for digit in re.findall("[123]", text)}


def _positive(name: str, value: str) -> int:
    limit = centiampere(_number(name, value))
    if limit <= 0:
        raise ValueError(f"{name}: the limit must be above 0 A, not {value[:MOST_SHOWN]}")
    return limit


def _number(name: str, value: str) -> Decimal:
    if not PLAIN.fullmatch(value):
        comma = "; write a point for the comma" if re.fullmatch(r"-?\d+,\d+", value) else ""
        digits = "; write it with the digits 0 to 9 and a point" if re.search(r"\d", value) and not comma else ""
        raise ValueError(f"{name}: {shown(value)} is no number{comma or digits}")
    number = Decimal(value)
    if not number.is_finite() or abs(number) > LARGEST:
        raise ValueError(f"{name}: {shown(value)} is no number that can be used")
    return number


def shown(text: str) -> str:
    """A value that is wrong, not all of it when it is long.

    >>> shown("x"), len(shown("[" * 100_000))
    ("'x'", 63)
    """
    return repr(text if len(text) <= MOST_SHOWN else text[:MOST_SHOWN] + "…")


def _since(text: str) -> datetime | None:
    if not text:
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        raise ValueError(f"since: {shown(text)} is no time, such as 2026-01-05T00:00:00Z") from None
    if moment.tzinfo is None:
        raise ValueError(f"since: {shown(text)} needs a zone, such as 2026-01-05T00:00:00Z")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise ValueError(f"since: {shown(text)} is no time that can be used") from None
