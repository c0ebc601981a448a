"""What the blocks of a message mean: hundredths of an ampere per phase over time. The door to the rooms behind it.

A message states amounts with units and phases (`ValueType`); read, they become spans of whole numbers, and written,
a grid of whole numbers becomes blocks. Every choice rounds towards less capacity. How a CSO lays spans on its planning
grid is its capacity book's business. Usage is read in `usage.py`. Decisions by number: docs/deviations.md.
"""

from gridroom.oscp.v10.adjustments import (
    ANSWERED,
    ASKED,
    NO_CAPACITY,
    answer_spans,
    deltas_count,
    granted_spans,
    request_spans,
)
from gridroom.oscp.v10.forecasts import FORECASTED, forecast_spans
from gridroom.oscp.v10.grids import Grid, amounts, forecast_blocks
from gridroom.oscp.v10.spans import PHASES, UNKNOWN, Amounts, CableRefused, CableTerms, Span, gather

__all__ = [
    "ANSWERED",
    "ASKED",
    "FORECASTED",
    "NO_CAPACITY",
    "PHASES",
    "UNKNOWN",
    "Amounts",
    "CableRefused",
    "CableTerms",
    "Grid",
    "Span",
    "amounts",
    "answer_spans",
    "deltas_count",
    "forecast_blocks",
    "forecast_spans",
    "gather",
    "granted_spans",
    "request_spans",
]
