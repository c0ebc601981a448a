"""Make the test grids of the register's import: low-voltage grids of SimBench, as two packages write them.

Usage: python scripts/build_grid_extracts.py

Needs simbench 1.6.3, pandapower 3.5.6 and power-grid-model 1.12.110, in an environment of their own. Writes into
`tests/dso/data/`, for each grid: `<code>.pandapower.json` (by pandapower's `to_json`), `<code>.pgm.json` (by
power-grid-model's serializer, after its validation) and `<code>.expected.json`: which line that leaves the busbar feeds
each load, as pandapower's own topology says, and the ratings. The data is under the Open Database License 1.0; see the
notice beside the files.
"""

import json
import math
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import networkx
import numpy as np
import pandapower
import pandas
import simbench
from pandapower.topology import create_nxgraph
from power_grid_model import initialize_array
from power_grid_model.utils import json_serialize_to_file
from power_grid_model.validation import assert_valid_input_data

CODES = ("1-LV-rural1--0-sw", "1-LV-rural3--0-sw", "1-LV-semiurb4--0-sw", "1-LV-urban6--0-sw")
COMPACT = ("1-LV-rural3--0-sw", "1-LV-urban6--0-sw")
"""Those that power-grid-model writes as lists of lists, with their attributes beside."""

TARGET = Path(__file__).parent.parent / "tests" / "dso" / "data"


def main() -> None:
    """Write all of them."""
    warnings.simplefilter("ignore")
    TARGET.mkdir(exist_ok=True)
    for code in CODES:
        net = simbench.get_simbench_net(code)
        expected = json.dumps(truth(net), indent=1, ensure_ascii=False) + "\n"
        (TARGET / f"{code}.expected.json").write_text(expected)
        compact = code in COMPACT
        json_serialize_to_file(
            TARGET / f"{code}.pgm.json", translated(net), use_compact_list=compact, indent=None if compact else 2
        )
        pandapower.to_json(slim(net), str(TARGET / f"{code}.pandapower.json"))


def truth(net: Any) -> dict[str, Any]:
    """Where each load hangs: the first line on its way from the busbar, found with networkx."""
    graph = create_nxgraph(net, include_trafos=False, multi=True)
    busbar = int(net.trafo.lv_bus.iloc[0])
    feeders = {}
    for load, bus in zip(net.load.name, net.load.bus, strict=True):
        path = networkx.shortest_path(graph, busbar, bus)
        lines = [key for a, b in pairwise(path) for key in graph[a][b] if key[0] == "line"]
        feeders[load] = net.line.name[lines[0][1]]
    ratings = dict(
        zip(net.line.name, (net.line.max_i_ka * net.line.parallel * net.line.df * 1000).round(6), strict=True)
    )
    trafo = net.trafo.iloc[0]
    return {
        "transformer": trafo["name"],
        "transformer_a": round(1000 * trafo.sn_mva / (math.sqrt(3) * trafo.vn_lv_kv), 6),
        "substation": net.ext_grid.name.iloc[0],
        "limits_a": {line: ratings[line] for line in sorted(set(feeders.values()))},
        "feeders": feeders,
        "lines": list(net.line.name),
    }


def slim(net: Any) -> Any:
    """Without profiles and the tables of results, which no register needs."""
    for name in list(net.keys()):
        if name in ("profiles", "loadcases", "std_types") or name.startswith("res_"):
            del net[name]
        elif isinstance(net[name], pandas.DataFrame):
            net[name] = net[name][sorted(net[name].columns)]  # SimBench adds them in an order of chance
    return net


def translated(net: Any) -> dict[str, Any]:
    """The same grid in power-grid-model's terms; its ids count on from kind to kind."""
    count = iter(range(10**6))
    nodes = {bus: next(count) for bus in net.bus.index}
    ends = {(s.element, s.bus): s.closed for s in net.switch[net.switch.et == "l"].itertuples()}
    parts = {
        "node": {"id": list(nodes.values()), "u_rated": net.bus.vn_kv * 1000},
        "line": {
            "id": [next(count) for _ in net.line.index],
            "from_node": net.line.from_bus.map(nodes),
            "to_node": net.line.to_bus.map(nodes),
            "from_status": [ends.get((i, bus), True) for i, bus in net.line.from_bus.items()],
            "to_status": [ends.get((i, bus), True) for i, bus in net.line.to_bus.items()],
            "r1": net.line.r_ohm_per_km * net.line.length_km,
            "x1": net.line.x_ohm_per_km * net.line.length_km,
            "c1": net.line.c_nf_per_km * net.line.length_km * 1e-9,
            "tan1": 0.0,
            "i_n": net.line.max_i_ka * 1000,
        },
        "link": _links(net, nodes, count),
        "transformer": {
            "id": [next(count) for _ in net.trafo.index],
            "from_node": net.trafo.hv_bus.map(nodes),
            "to_node": net.trafo.lv_bus.map(nodes),
            **{"from_status": 1, "to_status": 1, "winding_from": 2, "winding_to": 1, "clock": 5},
            "u1": net.trafo.vn_hv_kv * 1000,
            "u2": net.trafo.vn_lv_kv * 1000,
            "sn": net.trafo.sn_mva * 1e6,
            "uk": net.trafo.vk_percent / 100,
            "pk": net.trafo.vkr_percent / 100 * net.trafo.sn_mva * 1e6,
            "i0": net.trafo.i0_percent / 100,
            "p0": net.trafo.pfe_kw * 1000,
            **{"tap_side": 0, "tap_pos": 0, "tap_min": 0, "tap_max": 0, "tap_size": 0.0},
        },
        "sym_load": {
            "id": [next(count) for _ in net.load.index],
            "node": net.load.bus.map(nodes),
            "status": 1,
            "type": 0,
            "p_specified": net.load.p_mw * 1e6,
            "q_specified": net.load.q_mvar * 1e6,
        },
        "source": {"id": [next(count)], "node": net.ext_grid.bus.map(nodes), "status": 1, "u_ref": 1.0},
    }
    data = {kind: _array(kind, columns) for kind, columns in parts.items() if len(columns["id"])}
    assert_valid_input_data(data)
    return data


def _links(net: Any, nodes: dict[int, int], count: Any) -> dict[str, Any]:
    switches = net.switch[net.switch.et == "b"]
    return {
        "id": [next(count) for _ in switches.index],
        "from_node": switches.bus.map(nodes),
        "to_node": switches.element.map(nodes),
        "from_status": switches.closed,
        "to_status": switches.closed,
    }


def _array(kind: str, columns: dict[str, Any]) -> Any:
    array = initialize_array("input", kind, len(columns["id"]))
    for name, values in columns.items():
        array[name] = np.asarray(values)
    return array


if __name__ == "__main__":
    main()
