"""Grids as pandapower writes them with `to_json`, read without it.

Each table is a data frame in orientation `split`, as JSON within the JSON.

Source: pandapower's documentation, "Save and Load Networks" and "Datastructure and Elements".
"""

import json
import math
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from gridroom.dso.register.entries import Batch
from gridroom.dso.register.grids import Line, Model, Winding
from gridroom.dso.register.values import Row, integer, number, unique_names, whole

LOADS = ("load", "asymmetric_load")
OTHERS = (
    *("sgen", "asymmetric_sgen", "storage", "motor", "gen", "shunt", "ward", "xward", "svc", "ssc", "vsc"),
    *("trafo3w", "impedance", "tcsc", "dcline", "line_dc", "load_dc", "source_dc"),
)
"""What the register has no place for; those with two ends are no way for us."""


def model(value: Mapping[str, Any], name: str, stem: str, batch: Batch) -> Model:
    """The grid of a file; what is broken is a finding.

    Args:
        value: The decoded JSON.
        name: The file's name, for findings.
        stem: Begins the ids of what has no name.
        batch: Gets the findings.
    """
    tables = _tables(value.get("_object"), name, batch)
    found = Model(name)
    names = unique_names(
        stem, {kind: {i: row.get("name") for i, row in tables[kind].items()} for kind in ("trafo", "line", *LOADS)}
    )
    for i, row in tables["bus"].items():
        volts = number(row, "vn_kv", least=0.0)
        if volts is None:
            batch.fault(f"{name}, bus {i}", f"vn_kv is {row.get('vn_kv')!r}, no voltage")
            found.refused.add(i)
        elif _in_service(row, found, "bus", i):
            found.volts[i] = volts * 1000
            found.names[i] = _text(row.get("name")) or f"{stem} bus {i}"
    open_ends = _switches(tables["switch"], found, name, batch)
    for i, row in tables["line"].items():
        _line(i, row, names["line", i], open_ends["l"], found, batch)
    for i, row in tables["trafo"].items():
        _trafo(i, row, names["trafo", i], open_ends["t"], found, batch)
    for kind in LOADS:
        for i, row in tables[kind].items():
            bus = _at(whole(row, "bus"), found, f"{kind} {i}", batch)
            if _in_service(row, found, kind, i) and bus is not None:
                found.loads.append((names[kind, i], bus))
    for i, row in tables["ext_grid"].items():
        bus = _at(whole(row, "bus"), found, f"ext_grid {i}", batch)
        if _in_service(row, found, "ext_grid", i) and bus is not None:
            found.sources.append((_text(row.get("name")) or found.names[bus], bus))
    for kind in OTHERS:
        found.left_out[f"no place for them in the register ({kind})"] += [f"{kind} {i}" for i in tables[kind]]
    found.left_out = defaultdict(list, {reason: ids for reason, ids in found.left_out.items() if ids})
    return found


def _tables(value: Any, name: str, batch: Batch) -> dict[str, dict[int, Row]]:
    """The tables that are looked at, row by index."""
    tables = {}
    for kind in ("bus", "line", "trafo", "switch", "ext_grid", *LOADS, *OTHERS):
        frame = value.get(kind) if isinstance(value, dict) else None
        try:
            tables[kind] = dict(_rows(frame))
        except ValueError as error:
            batch.fault(f"{name}, table {kind}", f"is no table of pandapower: {error}")
            tables[kind] = {}
    return tables


def _rows(frame: Any) -> Iterator[tuple[int, Row]]:
    """Rows of a data frame by their index; ValueError when it is none."""
    if frame is None:
        return
    text = frame.get("_object") if isinstance(frame, dict) else None
    try:
        table = json.loads(text, parse_int=integer) if isinstance(text, str) else text
    except RecursionError:
        raise ValueError("nested too deep") from None
    if not isinstance(table, dict):
        raise ValueError("it has no columns, index and data")
    columns, index, data = (table.get(part) for part in ("columns", "index", "data"))
    if not isinstance(columns, list) or not isinstance(index, list) or not isinstance(data, list):
        raise ValueError("it has no columns, index and data")
    if len(index) != len(data) or not all(isinstance(one, str) for one in columns):
        raise ValueError("columns, index and data do not fit each other")
    if not all(type(i) is int for i in index) or len(set(index)) < len(index):
        raise ValueError("its index is not of different whole numbers")
    for i, cells in zip(index, data, strict=True):
        if not isinstance(cells, list) or len(cells) != len(columns):
            raise ValueError(f"row {i} has not a value for each column")
        yield i, dict(zip(columns, cells, strict=True))


def _switches(table: Mapping[int, Row], found: Model, name: str, batch: Batch) -> dict[str, set[tuple[int, int]]]:
    """Closed switches join buses; gives the ends (element, bus) that are open, by kind of element."""
    open_ends: dict[str, set[tuple[int, int]]] = {"l": set(), "t": set()}
    for i, row in table.items():
        kind, bus, element, closed = row.get("et"), whole(row, "bus"), whole(row, "element"), row.get("closed")
        if kind not in ("l", "t", "b") or bus is None or element is None or not isinstance(closed, bool):
            batch.remark(f"{name}, switch {i}", "is not understood; what it joins counts as not joined by it")
            if kind in open_ends and bus is not None and element is not None:
                open_ends[kind].add((element, bus))
        elif kind in open_ends:
            if not closed:
                open_ends[kind].add((element, bus))
        elif closed and bus in found.volts and element in found.volts:
            found.joined.append((bus, element))
    return open_ends


def _line(i: int, row: Row, line_id: str, open_ends: set[tuple[int, int]], found: Model, batch: Batch) -> None:
    if not _in_service(row, found, "line", i):
        return
    ends = [_at(whole(row, column), found, f"line {i}", batch) for column in ("from_bus", "to_bus")]
    joined = [bus for bus in ends if bus is not None and (i, bus) not in open_ends]
    if joined and None not in ends:
        rated = _times(number(row, "max_i_ka", least=0.0), 1000, _factor(row))
        found.lines.append(Line(line_id, joined[0], joined[1] if len(joined) > 1 else None, rated))


def _trafo(i: int, row: Row, trafo_id: str, open_ends: set[tuple[int, int]], found: Model, batch: Batch) -> None:
    if not _in_service(row, found, "trafo", i):
        return
    high, low = (_at(whole(row, column), found, f"trafo {i}", batch) for column in ("hv_bus", "lv_bus"))
    if high is None or low is None:
        return
    if (i, high) in open_ends or (i, low) in open_ends:
        found.left_out["transformers behind an open switch"].append(trafo_id)
        return
    volts, power = number(row, "vn_lv_kv", least=0.0), number(row, "sn_mva", least=0.0)
    rated = None if volts is None or power is None else power * 1000 / (math.sqrt(3) * volts)
    found.windings.append(Winding(trafo_id, high, low, _times(rated, 1, _factor(row))))


def _factor(row: Row) -> float | None:
    """How many in parallel, derating, and the share of the rating that may be used; None when that is nonsense."""
    parallel, derating, share = (
        1.0 if row.get(column) is None else number(row, column, least=0.0)
        for column in ("parallel", "df", "max_loading_percent")
    )
    if parallel is None or derating is None or share is None:
        return None
    allowed = 1.0 if row.get("max_loading_percent") is None else min(1.0, share / 100)
    return parallel * derating * allowed


def _times(value: float | None, by: float, factor: float | None) -> float | None:
    return None if value is None or factor is None else value * by * factor


def _in_service(row: Row, found: Model, kind: str, i: int) -> bool:
    if row.get("in_service", True) is True:
        return True
    found.left_out[f"out of service ({kind})"].append(f"{kind} {i}")
    return False


def _at(bus: int | None, found: Model, what: str, batch: Batch) -> int | None:
    """The bus if it is there; otherwise what is at it is left out."""
    if bus in found.volts:
        return bus
    if bus not in found.refused:
        batch.remark(f"{found.name}, {what}", f"is at bus {bus}, which is not there or out of service: left out")
    return None


def _text(value: Any) -> str:
    return value.strip() if isinstance(value, str) else ""
