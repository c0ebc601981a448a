"""Reported use of electric vehicles: from reports to a grid, and from measured load to non-controllable load.

Whatever is not clearly reported subtracts nothing, so a CSO that is silent or reports too much gains nothing.
Source: OSCP 1.0 section 3.2.6; decision 19 in docs/deviations.md.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.readings.measurements import NOT_MEASURED
from gridroom.oscp.v10.blocks import UNKNOWN
from gridroom.oscp.v10.usage import UsageSpan
from gridroom.storage.columns import Ints

SETTLED = timedelta(days=1)
"""So long after its block a report may still be put right; after that it may take back, and claim no more."""


def to_cells(spans: Iterable[UsageSpan], start: datetime, n: int, block: timedelta) -> Ints:
    """Mean use per phase and block that may be subtracted, rounded down.

    Args:
        spans: Reported blocks without overlap.
        start: Start of the first cell. [UTC]
        n: Number of cells.
        block: Length of a cell.

    Returns:
        Shape (3, n) [0.01 A]; `UNKNOWN` where the report does not cover the whole cell.
    """
    return _means(((span, span.subtractable_ca) for span in spans), start, n, block)


def current_cells(spans: Iterable[UsageSpan], start: datetime, n: int, block: timedelta) -> Ints:
    """Mean current per phase and block as stated in ampere, at least 0, rounded down.

    Returns:
        Shape (3, n) [0.01 A]; a phase left out is 0; `UNKNOWN` where no current is stated for the whole cell.
    """
    stated = [span for span in spans if any(value is not None for value in span.current_ca)]
    return _means(((span, tuple(max(0, v or 0) for v in span.current_ca)) for span in stated), start, n, block)


def settled(reported_ca: Ints, start: datetime, block: timedelta, now: datetime) -> NDArray[np.bool_]:
    """Where no later report may raise any more what is subtracted: of blocks reported before and long over.

    Args:
        reported_ca: What the CSO reported so far, over all its EMSPs, shape (3, n), `UNKNOWN` where nothing. [0.01 A]
        start: Start of the first cell. [UTC]
        block: Length of a cell.
        now: The present moment. [UTC]

    Returns:
        Shape (3, n).

    >>> from datetime import UTC
    >>> start, quarter = datetime(2026, 1, 5, tzinfo=UTC), timedelta(minutes=15)
    >>> settled(np.array([[700, 700, UNKNOWN]]), start, quarter, start + SETTLED + 2 * quarter).tolist()
    [[True, False, False]]
    """
    over = max(0, -(-(now - SETTLED - start) // block) - 1)  # ended more than a day ago
    result: NDArray[np.bool_] = (reported_ca != UNKNOWN) & (np.arange(reported_ca.shape[1]) < over)
    return result


def replace_units(
    old: Mapping[str, Ints],
    used_ca: Ints,
    current_ca: Ints,
    energy_wh: Ints,
    volt: float,
    block: timedelta,
    settled_: NDArray[np.bool_],
) -> dict[str, Ints]:
    """A report laid over what was reported before: it replaces the units that it states, the others stay.

    What may be subtracted is then the smaller of both units again; where it is settled, it is never raised: what was
    measured and looked like an overload then is not explained away weeks later.

    Args:
        old: Cells known by now: `used` and `current` [0.01 A], `energy` [Wh]; shape (3, n) each.
        used_ca: What the new report alone lets subtract, `UNKNOWN` where it says nothing.
        current_ca: Its currents, per `current_cells`.
        energy_wh: Its energies, per `energy_cells`.
        volt: Nominal voltage. [V]
        block: Length of a cell.
        settled_: Where what may be subtracted is never raised, per `settled`, shape (3, n).

    Source: OSCP 1.0 section 3.2.6; decision 19.
    """
    fresh = used_ca != UNKNOWN
    in_ampere, in_wh = current_ca != UNKNOWN, (energy_wh != NOT_MEASURED).any(axis=0) & fresh
    by_energy = np.floor(np.maximum(old["energy"], 0) * (timedelta(hours=1) / block) / volt * 100).astype(np.int64)
    used = np.where(~in_ampere & (old["current"] != UNKNOWN), np.minimum(used_ca, old["current"]), used_ca)
    used = np.where(~in_wh & (old["energy"] != NOT_MEASURED), np.minimum(used, by_energy), used)
    used = np.where(settled_, np.minimum(used, np.maximum(old["used"], 0)), used)
    return {
        "used": np.where(fresh, used, old["used"]),
        "current": np.where(fresh & in_ampere, current_ca, old["current"]),
        "energy": np.where(in_wh, energy_wh, old["energy"]),
    }


def energy_cells(spans: Iterable[UsageSpan], start: datetime, n: int, block: timedelta) -> Ints:
    """Reported energy per phase and block, shape (3, n) [Wh], spread evenly over each span; `NOT_MEASURED` if none.

    Rounded down, so that no more is subtracted from a load than was reported.
    """
    sums, stated = np.zeros((3, n)), np.zeros((3, n), dtype=bool)
    for span in spans:
        seconds = span.end - span.start
        first, last = max(0, (span.start - start) // block), min(n, -(-(span.end - start) // block))
        for cell in range(first, last):
            part = min(span.end, start + (cell + 1) * block) - max(span.start, start + cell * block)
            for phase, energy in enumerate(span.energy_wh):
                if energy is not None:
                    sums[phase, cell] += float(energy) * (part / seconds)
                    stated[phase, cell] = True
    limit = 2**31 - 1
    return np.where(stated, np.clip(np.floor(sums), -limit, limit), NOT_MEASURED).astype(np.int64)


def non_controllable(measured_ca: Ints, reported_ca: Ints, entitled_ca: Ints, expected: Ints) -> tuple[Ints, Ints]:
    """Load of a cable that nobody steers: measured less what the CSOs report, by the safe rules.

    Of each report no more counts than the CSO was entitled to, and all reports together no more than was measured on
    that phase. A missing report subtracts nothing.

    Args:
        measured_ca: Shape (3, n), `NOT_MEASURED` where unknown. [0.01 A]
        reported_ca: Per CSO, shape (p, 3, n), `UNKNOWN` where not reported. [0.01 A]
        entitled_ca: Allotted and granted per CSO, shape (p, 3, n). [0.01 A]
        expected: 1 where a report is due from the CSO, shape (p, n).

    Returns:
        The load, shape (3, n) [0.01 A], and 1 per block that can be learned from (measured, no report missing), (n,).

    Source: decision 19 in docs/deviations.md.
    """
    used = counted(measured_ca, reported_ca, entitled_ca)
    return remainder(measured_ca, used[None], missing(reported_ca, expected)[None])


def counted(measured_ca: Ints, reported_ca: Ints, entitled_ca: Ints) -> Ints:
    """Use that counts on a cable: reported, entitled to, and measured where it was measured; shapes as above.

    Where the cable was not measured, what was reported and entitled to counts for the transformer above it.

    Returns:
        Shape (3, n). [0.01 A]

    >>> one = np.array([[[900]], [[300]]])  # two CSOs, one phase, one block
    >>> counted(np.array([[1000]]), one, np.array([[[500]], [[600]]])).tolist()
    [[800]]
    >>> counted(np.array([[700]]), one, np.array([[[500]], [[600]]])).tolist()
    [[700]]
    """
    used: Ints = np.minimum(np.maximum(reported_ca, 0), entitled_ca).sum(axis=0)
    return np.where(measured_ca == NOT_MEASURED, used, np.minimum(used, np.maximum(measured_ca, 0)))


def missing(reported_ca: Ints, expected: Ints) -> NDArray[np.bool_]:
    """Blocks in which a report is due and not there, shape (n,); arguments as above."""
    absent: NDArray[np.bool_] = ((reported_ca == UNKNOWN).any(axis=1) & (expected > 0)).any(axis=0)
    return absent


def remainder(measured_ca: Ints, used_ca: Ints, missing_: NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Load of a transformer or substation that nobody steers: measured less what counts on the cables below.

    Its phases are those of the cables. All use together counts no more than was measured.

    Args:
        measured_ca: Shape (3, n), `NOT_MEASURED` where unknown. [0.01 A]
        used_ca: Per cable below, from `counted`, shape (k, 3, n). [0.01 A]
        missing_: Where a report is missing, per cable, shape (k, n).

    Returns:
        As `non_controllable`.
    """
    measured = measured_ca != NOT_MEASURED
    used = np.minimum(used_ca.sum(axis=0), np.maximum(measured_ca, 0))
    load = np.where(measured, measured_ca - used, NOT_MEASURED)
    return load, (measured.all(axis=0) & ~missing_.any(axis=0)).astype(np.int64)


def _means(amounts: Iterable[tuple[UsageSpan, tuple[int, ...]]], start: datetime, n: int, block: timedelta) -> Ints:
    """Mean amounts per cell, rounded down; `UNKNOWN` where a cell is not covered whole."""
    second = timedelta(seconds=1)
    whole = block // second
    sums, covered = np.zeros((3, n), dtype=np.int64), np.zeros(n, dtype=np.int64)
    for span, values in amounts:
        first, last = (span.start - start) // second, (span.end - start) // second
        for cell in range(max(0, first // whole), min(n, -(-last // whole))):
            part = min(last, (cell + 1) * whole) - max(first, cell * whole)
            sums[:, cell] += np.array(values, dtype=np.int64) * part
            covered[cell] += part
    return np.where(covered >= whole, sums // whole, UNKNOWN)
