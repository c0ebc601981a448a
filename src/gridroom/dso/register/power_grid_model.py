"""Inputs of power-grid-model as its JSON format of version 1.0 has them, read without it.

A component is a list of objects, or a list of lists whose columns `attributes` names. Source: power-grid-model's
documentation, "Serialization" and "Components".
"""

import math
from collections.abc import Mapping
from typing import Any

from gridroom.dso.register.entries import Batch
from gridroom.dso.register.grids import Line, Model, Winding
from gridroom.dso.register.values import Row, number, whole

NODES, SOURCES, LOADS = "node", "source", ("sym_load", "asym_load")
LINES, LINKS, TRANSFORMERS = ("line", "asym_line"), "link", "transformer"
KNOWN = (NODES, SOURCES, *LOADS, *LINES, LINKS, TRANSFORMERS)


def model(value: Mapping[str, Any], name: str, stem: str, batch: Batch) -> Model:
    """The grid of a file; what is broken is a finding.

    Args:
        value: The decoded JSON.
        name: The file's name, for findings.
        stem: Begins all ids, which are only numbers there.
        batch: Gets the findings.
    """
    found = Model(name)
    version, data = value.get("version"), value.get("data")
    if version != "1.0" or value.get("type") != "input" or value.get("is_batch") is not False:
        batch.fault(name, "must be of version 1.0, type input and no batch")
        return found
    if not isinstance(data, dict):
        batch.fault(name, "data holds no components")
        return found
    rows = {kind: _rows(kind, data.get(kind), value.get("attributes"), name, batch) for kind in KNOWN}
    for i, row in rows[NODES].items():
        volts = number(row, "u_rated", least=0.0)
        if volts is None:
            batch.fault(f"{name}, node {i}", f"u_rated is {row.get('u_rated')!r}, no voltage")
            found.refused.add(i)
        else:
            found.volts[i], found.names[i] = volts, f"{stem} node {i}"
    for kind in LINES:
        for i, row in rows[kind].items():
            ends = _ends(row, found, f"{kind} {i}", batch)
            if ends:
                rated = number(row, "i_n", least=0.0)
                found.lines.append(Line(f"{stem} {kind} {i}", ends[0], ends[1] if len(ends) > 1 else None, rated))
    for i, row in rows[LINKS].items():
        ends = _ends(row, found, f"link {i}", batch)
        if len(ends) == 2:
            found.joined.append((ends[0], ends[1]))
    for i, row in rows[TRANSFORMERS].items():
        _transformer(i, row, stem, found, batch)
    for kind in (*LOADS, SOURCES):
        listed = found.sources if kind == SOURCES else found.loads
        for i, row in rows[kind].items():
            node = _at(whole(row, "node"), found, f"{kind} {i}", batch)
            if _status(row, "status") and node is not None:
                listed.append((f"{stem} {kind} {i}", node))
    for kind, listed_rows in data.items():
        if kind not in KNOWN and isinstance(listed_rows, list) and listed_rows:
            found.left_out["no place for them in the register"].append(f"{len(listed_rows)} of {str(kind)[:40]!r}")
    return found


def _rows(kind: str, listed: Any, attributes: Any, name: str, batch: Batch) -> dict[int, Row]:
    """The components of a kind by id."""
    where, rows = f"{name}, {kind}", dict[int, Row]()
    if listed is None:
        return rows
    columns = attributes.get(kind) if isinstance(attributes, dict) else None
    if not isinstance(listed, list):
        batch.fault(where, "is no list")
        return rows
    for place, one in enumerate(listed):
        row: Any = one
        if isinstance(one, list):
            names = columns if isinstance(columns, list) and all(isinstance(each, str) for each in columns) else []
            row = dict(zip(names, one, strict=True)) if len(names) == len(one) else None
        number_of = whole(row, "id") if isinstance(row, dict) else None
        if number_of is None:
            batch.fault(f"{where}[{place}]", "is no component with an id, or does not fit its attributes")
        elif number_of in rows:
            batch.fault(f"{where}[{place}]", f"id {number_of} is there already")
        else:
            rows[number_of] = row
    return rows


def _ends(row: Row, found: Model, what: str, batch: Batch) -> list[int]:
    """The nodes that a branch is connected to."""
    nodes = [_at(whole(row, column), found, what, batch) for column in ("from_node", "to_node")]
    if None in nodes:
        return []
    connected = (_status(row, "from_status"), _status(row, "to_status"))
    return [node for node, there in zip(nodes, connected, strict=True) if there and node is not None]


def _transformer(i: int, row: Row, stem: str, found: Model, batch: Batch) -> None:
    """The side with the lower rated voltage is the low one."""
    ends = _ends(row, found, f"transformer {i}", batch)
    if len(ends) < 2:
        found.left_out["transformers that are not connected"].append(f"transformer {i}")
        return
    volts = [number(row, side, least=0.0) or found.volts[end] for side, end in zip(("u1", "u2"), ends, strict=True)]
    high, low = ends if volts[0] >= volts[1] else ends[::-1]
    power = number(row, "sn", least=0.0)
    rated = None if power is None else power / (math.sqrt(3) * min(volts))
    found.windings.append(Winding(f"{stem} transformer {i}", high, low, rated))


def _status(row: Row, column: str) -> bool:
    return whole(row, column) == 1


def _at(node: int | None, found: Model, what: str, batch: Batch) -> int | None:
    """The node if it is there; otherwise what is at it is left out."""
    if node in found.volts:
        return node
    if node not in found.refused:
        batch.remark(f"{found.name}, {what}", f"is at node {node}, which is not there: left out")
    return None
