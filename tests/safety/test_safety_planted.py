"""The safety properties find the bugs that they are there for: each is planted once, and must be found.

Found means: by a message that the sound build passes in `test_safety_message.py`, so no false alarm counts as a find.
"""

from random import Random

import pytest
from structlog.testing import capture_logs

from safety.planted import Bug, planted
from safety.properties import CHECKS, MESSAGES
from safety.roads import Modules

MODULES = Modules()

AMOUNTS, AMPERE, SPANS = "oscp.v10.amounts", "oscp.v10.ampere", "oscp.v10.spans"
BODIES, CONTAINERS, VALUES, TREE = "oscp.v10.bodies", "oscp.v10.containers", "oscp.v10.values", "oscp.v10.tree"
FORECASTS, ADJUSTMENTS, USAGE = "oscp.v10.forecasts", "oscp.v10.adjustments", "oscp.v10.usage"
BOOK = "cso.book"

BUGS = [
    Bug(
        "an unknown attribute is ignored",
        *("reading", AMOUNTS),
        'raise ValueRefused("UNKNOWN_FIELD", f"unknown attribute {local[:64]}", element)',
        'return ""',
    ),
    Bug(
        "a value that is nil and filled counts",
        *("reading", AMOUNTS),
        'raise ValueRefused("INVALID_VALUE", "nil is no value", element)',
        'return ""',
    ),
    Bug(
        "any phase that is no phase is all of them",
        *("reading", AMOUNTS, "_refuse_phase(element, raw)\n    return", "return None  # type: ignore\n    return"),
    ),
    Bug("W is read as A", *("reading", AMPERE, 'if value.unit != "A":', 'if value.unit == "kW":')),
    Bug(
        "power without Phase is that of each phase",
        *("reading", AMPERE, "shared = 1 if value.phase else terms.phases", "shared = 1"),
    ),
    Bug(
        "the largest of several values holds",
        *("reading", AMPERE, "    return min(values)\n", "    return max(values)\n"),
    ),
    Bug(
        "a missing phase is as another",
        *(
            "reading",
            AMPERE,
            "if p in read else None for p in PHASES",
            "if p in read else max(read.values())[0] for p in PHASES",
        ),
    ),
    Bug(
        "a negative limit is taken without its sign",
        *("reading", FORECASTS, "            value = 0\n", "            value = -value\n"),
    ),
    Bug("limits are not cut at the maximum", *("forecast", FORECASTS, "value = terms.maximum_ca\n", "pass\n")),
    Bug("of two overlapping blocks the larger holds", *("reading", SPANS, "min(x, y)", "max(x, y)")),
    Bug(
        "a gap is as its neighbours", *("reading", SPANS, "SLACK = timedelta(seconds=1)", "SLACK = timedelta(hours=1)")
    ),
    Bug(
        "a seam beside an unknown phase is unknown",
        *("reading", SPANS, "joined if span.start < last.end else least", "least"),
    ),
    Bug("an offset is dropped", *("reading", VALUES, "return moment - (offset", "return moment - 0 * (offset")),
    Bug("times without zone are always UTC", *("reading", BODIES, "    if reader.zoneless:\n", "    if False:\n")),
    Bug(
        "digits of other scripts are read",
        *("reading", VALUES, r"(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+)", r"(?:\d+(?:\.\d*)?|\.\d+)"),
    ),
    Bug("an unknown element may hide a limit", *("reading", TREE, "if name.lower() in AMOUNTS and", "if False and")),
    Bug("the rest of a refused cable counts", *("request", CONTAINERS, "if one.cable_id not in bad", "")),
    Bug("a refused forecast has no effect", *("forecast", BOOK, "doubted=True", "doubted=False")),
    Bug(
        "unknown time has the older forecast alone",
        *("forecast", BOOK, "least(self.older.sample(points), offline)", "self.older.sample(points)"),
    ),
    Bug("an old forecast replaces a newer one", *("forecast", BOOK, "if not clearly_newer:", "if False:")),
    Bug(
        "more may be granted than was asked",
        *("answer", ADJUSTMENTS, "max(0, min(wish or 0, got or 0))", "max(0, got or 0)"),
    ),
    Bug("what was asked is granted", *("answer", ADJUSTMENTS, "max(0, min(wish or 0, got or 0))", "max(0, wish or 0)")),
    Bug("any answer grants", *("answer", ADJUSTMENTS, "if granted else 0", "if True else 0")),
    Bug("of several changes the largest counts", *("request", AMPERE, "min(values, key=abs)", "max(values, key=abs)")),
    Bug(
        "of different changes for one time the first counts",
        *("request", ADJUSTMENTS, "if not agree(known.amounts, amounts):", "if False:"),
    ),
    Bug(
        "current alone counts, though the energy is less",
        *("usage", USAGE, "low, high = min(known)", "high, low = min(known)"),
    ),
    Bug(
        "use without Phase counts for each",
        *("usage", USAGE, "means.get(phase, [])", "means.get(phase, means.get(None, []))"),
    ),
    Bug(
        "a use without Unit is in ampere",
        *("usage", AMOUNTS, "unit = unit or self.kind.default_unit", 'unit = unit or "A"'),
    ),
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.does)
def test_a_planted_bug_is_found(bug: Bug) -> None:
    check, db = CHECKS[bug.check], MODULES.db
    with planted(bug, db) as broken, capture_logs():
        for seed in range(MESSAGES[bug.check]):
            try:
                check(Random(seed), broken)
            except AssertionError:
                return
    pytest.fail(f"not found in {MESSAGES[bug.check]} messages")
