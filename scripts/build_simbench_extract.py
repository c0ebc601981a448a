"""Make the street's feeder from SimBench: one low-voltage feeder, its households and a year of their shapes.

Usage: python scripts/build_simbench_extract.py SIMBENCH_FOLDER

SIMBENCH_FOLDER is the folder `networks/1-complete_data-mixed-all-0-sw` of the package `simbench` 1.6.3 (scenario 0: the
grid as it is today). Writes `feeder.json` and `feeder.npz` into `src/gridroom/sim/data/`. The data is under the Open
Database License 1.0; see the notice beside the files.
"""

import csv
import json
import sys
from collections import defaultdict
from pathlib import Path

import numpy as np

SUBNET = "LV6.201"
FIRST_BUS = "LV6.201 Bus 37_2"
TARGET = Path(__file__).parent.parent / "src" / "gridroom" / "sim" / "data"
UNIT = 1 / 10_000

Row = dict[str, str]


def rows(folder: Path, name: str) -> list[Row]:
    """The rows of one SimBench table."""
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file, delimiter=";"))


def walk(folder: Path) -> tuple[set[str], list[Row]]:
    """Nodes and lines of the feeder: what hangs from the busbar behind its first bus."""
    lines = [line for line in rows(folder, "Line.csv") if line["subnet"] == SUBNET]
    switches = [s for s in rows(folder, "Switch.csv") if s["subnet"] == SUBNET and s["cond"] == "1"]
    neighbours: dict[str, set[str]] = defaultdict(set)
    for edge in (*lines, *switches):
        neighbours[edge["nodeA"]].add(edge["nodeB"])
        neighbours[edge["nodeB"]].add(edge["nodeA"])
    (root,) = (t["nodeLV"] for t in rows(folder, "Transformer.csv") if t["subnet"] == SUBNET)
    first = next(line for line in lines if FIRST_BUS in (line["nodeA"], line["nodeB"]) and touches(line, root))
    seen, queue = {FIRST_BUS}, [FIRST_BUS]
    while queue:
        for node in neighbours[queue.pop()]:
            if node not in seen and bus(node) != bus(root):
                seen.add(node)
                queue.append(node)
    inside = [line for line in lines if line is first or {line["nodeA"], line["nodeB"]} <= seen]
    return seen, inside


def bus(node: str) -> str:
    """The busbar that a numbered terminal belongs to."""
    return node.split("_")[0]


def touches(line: Row, root: str) -> bool:
    """Whether a line starts at the busbar of the transformer."""
    return bus(root) in (bus(line["nodeA"]), bus(line["nodeB"]))


def shapes(folder: Path, names: list[str], reactive: float) -> np.ndarray:
    """Apparent power of each household shape, shape (shapes, 35136), as a share of the household's largest power."""
    with (folder / "LoadProfile.csv").open() as file:
        head = file.readline().strip().split(";")
    columns = [head.index(f"{name}_{kind}") for name in names for kind in ("pload", "qload")]
    table = np.loadtxt(folder / "LoadProfile.csv", delimiter=";", skiprows=1, usecols=columns)
    return np.hypot(table[:, 0::2], reactive * table[:, 1::2]).T


def main(folder: Path) -> None:
    """Write the extract."""
    nodes, lines = walk(folder)
    loads = [x for x in rows(folder, "Load.csv") if x["subnet"] == SUBNET and x["node"] in nodes]
    homes = [x for x in loads if x["profile"].startswith("H0")]
    names = sorted({x["profile"] for x in homes})
    reactive = float(np.mean([float(x["qLoad"]) / float(x["pLoad"]) for x in homes]))
    (kind,) = {line["type"] for line in lines}
    (rating,) = (float(x["iMax"]) for x in rows(folder, "LineType.csv") if x["id"] == kind)
    about = {
        "source": "SimBench 1.6.3, grid 1-complete_data-mixed-all-0-sw; data ODbL 1.0, contents DbCL 1.0",
        "subnet": SUBNET,
        "first_bus": FIRST_BUS,
        "cable_type": kind,
        "rating_a": rating,
        "length_m": round(1000 * sum(float(line["length"]) for line in lines)),
        "shapes": names,
        "unit": UNIT,
        "households": [
            {"id": x["id"], "shape": x["profile"], "power_w": round(float(x["pLoad"]) * 1e6)} for x in homes
        ],
    }
    (TARGET / "feeder.json").write_text(json.dumps(about, indent=1) + "\n")
    year = np.round(shapes(folder, names, reactive) / UNIT).astype(np.int16)
    np.savez_compressed(TARGET / "feeder.npz", shapes=year)
    print(f"{len(homes)} households of {len(loads)} loads, {about['length_m']} m {kind}, {rating:g} A, {year.shape}")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
