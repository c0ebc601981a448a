"""Grids of SimBench, as pandapower and power-grid-model write them, become the register; nonsense becomes findings.

What is expected was found by pandapower's own topology (scripts/build_grid_extracts.py).
"""

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.dso.register import check, read_csv
from gridroom.dso.register.entries import Batch, Entries, merged
from gridroom.dso.register.json_files import read_json

DATA = Path(__file__).parent / "data"
CODES = sorted(file.name.removesuffix(".expected.json") for file in DATA.glob("*.expected.json"))
SMALL = {kind: (DATA / f"1-LV-rural1--0-sw.{kind}.json").read_text() for kind in ("pandapower", "pgm")}


def taken(text: str, name: str = "grid.json") -> Batch:
    batch = Batch()
    read_json(text, name, batch)
    return batch


def errors(batch: Batch) -> list[str]:
    return [str(one) for one in batch.findings if one.severity == "error"]


def expected(code: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / f"{code}.expected.json").read_text())
    return found


def limits(ampere: float) -> tuple[int, int, int]:
    return (int(ampere * 100 + 1e-6),) * 3


@pytest.mark.parametrize("code", CODES)
def test_each_load_of_pandapowers_grid_hangs_on_the_cable_that_feeds_it(code: str) -> None:
    batch, truth = taken((DATA / f"{code}.pandapower.json").read_text()), expected(code)
    assert errors(batch) == []
    assert {one.id: one.cable for one in batch.entries["connections"].values()} == truth["feeders"]
    for line, ampere in truth["limits_a"].items():
        cable = batch.entries["cables"][line]
        assert (cable.limit_ca, cable.voltage_v, cable.parent) == (limits(ampere), 230, truth["transformer"])
    transformer = batch.entries["transformers"][truth["transformer"]]
    assert (transformer.limit_ca, transformer.parent) == (limits(truth["transformer_a"]), truth["substation"])
    assert batch.entries["substations"][truth["substation"]].limit_ca is None
    assert not any(one.severity == "error" for one in check(merged(Entries(), batch), [], []))


@pytest.mark.parametrize("code", CODES)
def test_power_grid_models_grid_is_the_same_under_numbers(code: str) -> None:
    batch, truth = taken((DATA / f"{code}.pgm.json").read_text(), "g.json"), expected(code)
    data = json.loads((DATA / f"{code}.pgm.json").read_text())
    ids = {
        kind: [one[0] if isinstance(one, list) else one["id"] for one in data["data"][kind]]
        for kind in ("line", "sym_load", "transformer", "source")
    }
    if data["attributes"]:
        assert data["attributes"]["line"][0] == "id"
    lines = dict(zip(truth["lines"], ids["line"], strict=True))
    feeders = zip(ids["sym_load"], truth["feeders"].values(), strict=True)
    assert errors(batch) == []
    assert {one.id: one.cable for one in batch.entries["connections"].values()} == {
        f"g sym_load {load}": f"g line {lines[line]}" for load, line in feeders
    }
    for line, ampere in truth["limits_a"].items():
        assert batch.entries["cables"][f"g line {lines[line]}"].limit_ca == limits(ampere)
    (transformer,) = batch.entries["transformers"].values()
    assert transformer.id == f"g transformer {ids['transformer'][0]}"
    assert transformer.limit_ca == limits(truth["transformer_a"])
    assert transformer.parent == f"g source {ids['source'][0]}"


# -- what a grid may look like ---------------------------------------------------------------------------------------


def pgm(**components: list[dict[str, Any]]) -> str:
    """A grid: busbar 1 behind a transformer, a line to node 2 and from there to node 3, a load at each."""
    data: dict[str, list[dict[str, Any]]] = {
        "node": [{"id": 0, "u_rated": 10_000.0}, *({"id": i, "u_rated": 400.0} for i in (1, 2, 3))],
        "transformer": [branch(10, 0, 1, sn=100_000.0, u1=10_000.0, u2=400.0)],
        "line": [branch(11, 1, 2, i_n=200.0), branch(12, 3, 2, i_n=200.0)],
        "sym_load": [{"id": 20, "node": 2, "status": 1}, {"id": 21, "node": 3, "status": 1}],
        "source": [{"id": 30, "node": 0, "status": 1}],
    }
    data = {kind: [*data.get(kind, []), *components.get(kind, [])] for kind in {**data, **components}}
    return json.dumps({"version": "1.0", "type": "input", "is_batch": False, "attributes": {}, "data": data})


def branch(number: int, begin: int, end: int, **more: Any) -> dict[str, Any]:
    return {"id": number, "from_node": begin, "to_node": end, "from_status": 1, "to_status": 1, **more}


def test_the_small_grid_of_these_tests() -> None:
    batch = taken(pgm(), "g.json")
    assert batch.findings == []
    assert {one.id: one.cable for one in batch.entries["connections"].values()} == dict.fromkeys(
        ("g sym_load 20", "g sym_load 21"), "g line 11"
    )


@pytest.mark.parametrize(
    ("components", "told"),
    [
        ({"line": [branch(13, 1, 3, i_n=50.0)]}, "line 'g line 11': meets g line 13 again: taken as one cable"),
        ({"sym_load": [{"id": 22, "node": 1, "status": 1}]}, "left out, loads on a busbar, on no cable: g sym_load 22"),
        (
            {"node": [{"id": 9, "u_rated": 400.0}], "sym_load": [{"id": 22, "node": 9, "status": 1}]},
            "loads that no cable of a transformer feeds: g sym_load 22",
        ),
        ({"line": [branch(13, 3, 7)]}, "line 13: is at node 7, which is not there"),
        ({"shunt": [{"id": 40, "node": 2}]}, "no place for them in the register: 1 of 'shunt'"),
        ({"transformer": [branch(14, 0, 1, sn=50_000.0)]}, "transformer 14': works beside 'g transformer 10'"),
        (
            {"node": [{"id": 4, "u_rated": 400.0}], "line": [branch(13, 2, 4, i_n=50.0)]},
            "carries more than lines further",
        ),
        (
            {"node": [{"id": 4, "u_rated": 20_000.0}], "transformer": [branch(14, 4, 0, sn=1e7)]},
            "transformers that feed no low-voltage grid: g transformer 14",
        ),
    ],
)
def test_what_is_odd_is_told_and_does_not_keep_the_rest_out(components: dict[str, Any], told: str) -> None:
    batch = taken(pgm(**components), "g.json")
    assert errors(batch) == []
    assert told in "\n".join(map(str, batch.findings))
    assert "g line 11" in batch.entries["cables"]


@pytest.mark.parametrize(
    ("components", "told"),
    [
        (
            {"line": [branch(13, 1, 4)], "node": [{"id": 4, "u_rated": 400.0}]},
            "leaves a busbar and has no rated current",
        ),
        ({"node": [{"id": 4, "u_rated": 0}]}, "node 4: u_rated is 0, no voltage"),
        ({"line": [branch(13, 2, 0)]}, "joins buses of 400 V and 10000 V"),
        (
            {
                "node": [{"id": 4, "u_rated": 400.0}],
                "line": [branch(13, 3, 4, i_n=9)],
                "transformer": [branch(14, 0, 4, sn=1e5)],
            },
            "leads from transformer 'g transformer 10' to g transformer 14: open it",
        ),
        (
            {"node": [{"id": 4, "u_rated": 400.0}], "transformer": [branch(14, 0, 4)]},
            "transformer 'g transformer 14': has no rated power",
        ),
        ({"line": [branch(11, 2, 3)]}, "line[2]: id 11 is there already"),
        ({"line": [{"from_node": 1}]}, "line[2]: is no component with an id"),
    ],
)
def test_what_leaves_a_limit_open_keeps_all_of_it_out(components: dict[str, Any], told: str) -> None:
    assert told in "\n".join(errors(taken(pgm(**components), "g.json")))


@pytest.mark.parametrize(
    "components",
    [
        {"line": [branch(13, 1, 3)]},
        {"node": [{"id": 4}], "line": [branch(13, 1, 4, i_n=9), branch(14, 4, 3, i_n=9)]},
        {"node": [{"id": 4}], "sym_load": [{"id": 30, "node": 4, "status": 1}]},
        {"line": [{"from_node": 1}]},
        {
            "node": [{"id": 4, "u_rated": 400.0}],
            "line": [branch(13, 3, 4, i_n=9)],
            "transformer": [branch(14, 0, 4, sn=1e5)],
        },
    ],
    ids=["a line without a rating", "lines at a bad node", "a load at a bad node", "a line without an id", "no tree"],
)
def test_what_follows_from_one_broken_component_is_not_told_too(components: dict[str, Any]) -> None:
    batch = taken(pgm(**components), "g.json")
    contracts = "cso,cable,contracted_a\nnorth,g line 11,5\nnorth,g line 13,5\n"
    read_csv(contracts, "contracts.csv", batch)
    findings = [*batch.findings, *check(merged(Entries(), batch), ["north"], [], batch)]
    assert len([str(one) for one in findings if one.severity == "error"]) <= 1 + (len(components) == 3)
    assert not [str(one) for one in findings if "there is no" in one.text or "left out" in one.text]


def test_of_a_ring_the_smallest_line_counts() -> None:
    batch = taken(pgm(line=[branch(13, 1, 3, i_n=50.0)]), "g.json")
    assert batch.entries["cables"]["g line 11"].limit_ca == (5_000, 5_000, 5_000)
    assert Counter(one.cable for one in batch.entries["connections"].values()) == {"g line 11": 2}


def test_an_open_switch_ends_a_cable() -> None:
    """Node 3 is fed by a line of its own; the one between 2 and 3 is open."""
    text = pgm(line=[branch(13, 1, 3, i_n=50.0)]).replace(
        '"id": 12, "from_node": 3, "to_node": 2, "from_status": 1',
        '"id": 12, "from_node": 3, "to_node": 2, "from_status": 0',
    )
    batch = taken(text, "g.json")
    assert batch.findings == []
    assert {one.id: one.cable for one in batch.entries["connections"].values()} == {
        "g sym_load 20": "g line 11",
        "g sym_load 21": "g line 13",
    }


def test_what_only_the_register_knows_outlasts_another_import_of_the_grid() -> None:
    batch = taken(pgm(), "g.json")
    before = merged(Entries(), batch)
    cable, connection = before.cables["g line 11"], before.connections["g sym_load 20"]
    told = Entries(
        before.substations,
        before.transformers,
        {cable.id: type(cable)(**{**_fields(cable), "risk_class": "hospital"})},
        {connection.id: type(connection)(connection.id, connection.cable, "north")},
    )
    after = merged(told, batch, replace_kinds=True)
    assert after.cables["g line 11"].risk_class == "hospital"
    assert [after.connections[f"g sym_load {n}"].party for n in (20, 21)] == ["north", ""]


def _fields(one: Any) -> dict[str, Any]:
    return {name: getattr(one, name) for name in one.__dataclass_fields__}


# -- nonsense ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{", "is no JSON"),
        ("{}", "neither a grid of pandapower"),
        ("[" * 100_000, "nested too deep"),
        ('{"_class": "pandapowerNet", "_object": []}', "no transformer with a low-voltage side"),
        ('{"_class": "pandapowerNet", "_object": {"bus": {"_object": "[1]"}}}', "table bus: is no table of pandapower"),
        ('{"version": "2.0", "type": "input", "is_batch": false, "data": {}}', "must be of version 1.0"),
        ('{"version": "1.0", "type": "update", "is_batch": false, "data": {}}', "must be of version 1.0"),
        ('{"version": "1.0", "type": "input", "is_batch": false, "data": []}', "data holds no components"),
        ('{"version": "1.0", "type": "input", "is_batch": false, "data": {"node": 1}}', "node: is no list"),
    ],
)
def test_what_is_no_grid_is_told(text: str, told: str) -> None:
    assert told in "\n".join(errors(taken(text)))


nonsense = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(0, 50)
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["1e999", "[[[", '{"columns":["a"],"index":[0],"data":[[1]]}', "l", "b", "t", 10**400]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)


def spoiled(value: Any, draw: Callable[[st.SearchStrategy[Any]], Any]) -> Any:
    """A copy with one place replaced, wherever it lies; tables within texts are opened."""
    if isinstance(value, str) and value.startswith("{") and draw(st.booleans()):
        return json.dumps(spoiled(json.loads(value), draw))
    if isinstance(value, dict | list) and value and draw(st.integers(0, 9)):
        keys = list(value) if isinstance(value, dict) else list(range(len(value)))
        key = draw(st.sampled_from(keys))
        copy = value.copy()
        if draw(st.integers(0, 9)):
            copy[key] = spoiled(value[key], draw)
        else:
            del copy[key]
        return copy
    return draw(nonsense)


@settings(max_examples=200)
@given(st.sampled_from(sorted(SMALL)), st.integers(1, 4), st.data())
def test_a_grid_with_nonsense_in_it_gives_findings_or_a_register_and_never_more(
    kind: str, times: int, data: st.DataObject
) -> None:
    value = json.loads(SMALL[kind])
    for _ in range(times):
        value = spoiled(value, data.draw)
    batch = taken(json.dumps(value))
    for finding in check(merged(Entries(), batch), ["north"], []):
        assert finding.text
    for cable in batch.entries["cables"].values():
        assert min(cable.limit_ca) > 0
    assert batch.findings or batch.entries["cables"]


@settings(max_examples=100)
@given(st.sampled_from(sorted(SMALL)), st.integers(0, 100_000), st.text(max_size=20), st.integers(0, 200))
def test_a_damaged_text_gives_findings_or_a_register_and_never_more(kind: str, at: int, put: str, cut: int) -> None:
    text = SMALL[kind]
    at %= len(text)
    batch = taken(text[:at] + put + text[at + cut :])
    assert batch.findings or batch.entries["cables"]
