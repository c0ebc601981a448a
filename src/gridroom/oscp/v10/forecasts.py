"""What a forecast means: limits per phase over time. Source: OSCP 1.0 section 3.2.3; decisions: docs/deviations.md."""

import itertools

from gridroom.oscp.v10.ampere import least_of, per_phase
from gridroom.oscp.v10.messages import Deviation, Forecast
from gridroom.oscp.v10.spans import (
    Amounts,
    CableTerms,
    Span,
    agree,
    block_path,
    check_times,
    closed_spans,
    joined,
    refused,
)

FORECASTED = "Envelope/Body/UpdateCableCapacityForecastRequest/Forecast/ForecastedBlock"
"""Where the blocks of a cable stand; which container of several it is, the cable's id tells."""


def forecast_spans(forecast: Forecast, terms: CableTerms) -> tuple[list[Span], list[Span], list[Deviation]]:
    """Capacity and remaining (backup) capacity that a forecast states, sorted, without overlap.

    On a phase that a block does not state, its capacity is None (unknown, like a gap) and its remaining capacity 0.

    Args:
        forecast: One cable's forecast; repeated cables first go through `gather`.
        terms: What is known of the cable.

    Raises:
        CableRefused: A block ends before it starts, overlaps with another value, or has amounts that cannot be read.

    Source: OSCP 1.0 section 3.2.3; decisions 3, 4, 5, 13, 14, 15, 34.
    """
    cable, total, notes = forecast.cable_id, len(forecast.blocks), list[Deviation]()
    read: dict[tuple[object, object], tuple[Span, Span]] = {}
    for number, block in enumerate(forecast.blocks, 1):
        path = block_path(FORECASTED, number, total)
        check_times(block.start, block.end, cable, path)
        stated = per_phase(block.capacity, terms, cable, f"{path}/Capacity", notes, least_of)
        capacity = _within(stated, terms, cable, f"{path}/Capacity", notes)
        spare = per_phase(block.remaining, terms, cable, f"{path}/RemainingCapacity", notes, least_of)
        if any(value is not None and value < 0 for value in spare):
            notes.append(Deviation(3, f"{path}/RemainingCapacity", f"cable {cable}: negative, read as none available"))
        known = read.get((block.start, block.end))
        if known is not None:
            if not agree(known[0].amounts, capacity):
                raise refused(cable, path, "different values for the same time")
            notes.append(_repeated(known[0].amounts, capacity, cable, path))
            capacity, spare = joined(known[0].amounts, capacity), joined(known[1].amounts, spare)
        read[block.start, block.end] = Span(block.start, block.end, capacity), Span(block.start, block.end, spare)
    if any(later.start < earlier.start for earlier, later in itertools.pairwise(forecast.blocks)):
        notes.append(Deviation(14, FORECASTED, f"cable {cable}: blocks out of order, sorted"))
    try:
        limits = closed_spans(limit for limit, _ in read.values())
        left = closed_spans(Span(s.start, s.end, _at_least_none(s.amounts)) for _, s in read.values())
    except ValueError as error:
        raise refused(cable, FORECASTED, str(error)) from error
    return limits, left, notes


def _repeated(known: Amounts, again: Amounts, cable: str, path: str) -> Deviation:
    if known == again:
        return Deviation(15, path, f"cable {cable}: block repeated, counted once")
    return Deviation(5, path, f"cable {cable}: phases of one time in several blocks, joined")


def _within(stated: Amounts, terms: CableTerms, cable: str, path: str, notes: list[Deviation]) -> Amounts:
    """Between 0 and the cable's maximum. Decision 34."""
    cut: list[int | None] = []
    for value in stated:
        if value is not None and value < 0:
            notes.append(Deviation(34, path, f"cable {cable}: negative, read as 0"))
            value = 0
        if value is not None and terms.maximum_ca is not None and value > terms.maximum_ca:
            notes.append(Deviation(34, path, f"cable {cable}: above the maximum, cut"))
            value = terms.maximum_ca
        cut.append(value)
    return (cut[0], cut[1], cut[2])


def _at_least_none(spare: Amounts) -> Amounts:
    """Remaining capacity that is not stated, or negative, is none. Decision 3."""
    first, second, third = (max(0, value or 0) for value in spare)
    return (first, second, third)
