"""JSON from strangers: read with every size and type checked, so that nothing in it can do more than be refused."""

import json
from pathlib import Path

from gridroom.dso.register import pandapower, power_grid_model
from gridroom.dso.register.entries import Batch
from gridroom.dso.register.grids import MODELLED, Model, take
from gridroom.dso.register.values import integer

LARGEST_JSON = 64 * 2**20
"""Longest JSON file that is read. [bytes]"""


def is_grid(text: str) -> bool:
    """Whether a text begins as JSON does."""
    return text.lstrip().startswith("{")


def read_json(text: str, name: str, batch: Batch) -> None:
    """Read the model of a grid into a batch; what cannot be read is a finding.

    Args:
        text: The file.
        name: Its name, for findings; without its ending it begins the ids of what has no name.
        batch: Gets entries and findings.
    """
    faults = len(batch.findings)
    model = _model(text, name, batch)
    if model is None or any(one.severity == "error" for one in batch.findings[faults:]):
        batch.unread |= MODELLED
        return
    take(model, batch)
    batch.models |= {one for one, place in batch.places.items() if place == name}


def _model(text: str, name: str, batch: Batch) -> Model | None:
    """The grid in a text, whatever may be wrong with it, or None when there is none."""
    if len(text) > LARGEST_JSON:
        batch.fault(name, f"is larger than {LARGEST_JSON >> 20} MiB: take out what the register does not need")
        return None
    try:
        value = json.loads(text, parse_int=integer)
    except RecursionError:
        batch.fault(name, "is nested too deep to be a grid")
        return None
    except ValueError as error:
        batch.fault(name, f"is no JSON: {error}")
        return None
    stem = Path(name).stem
    if not isinstance(value, dict):
        value = {}
    if value.get("_class") == "pandapowerNet":
        return pandapower.model(value, name, stem, batch)
    if "is_batch" in value and "data" in value:
        return power_grid_model.model(value, name, stem, batch)
    batch.fault(name, "is neither a grid of pandapower (to_json) nor an input of power-grid-model (version 1.0)")
    return None
