"""The most that any controller could have charged: a linear programme that knows what the homes will draw."""

from datetime import timedelta

import highspy
import numpy as np

from gridroom.sim.errors import SimError
from gridroom.sim.households import NOMINAL_V, PHASES
from gridroom.sim.street import Street
from gridroom.timegrid import QUARTER

HOUR = timedelta(hours=1)


def bound_wh(street: Street) -> float:
    """Largest energy that the cars can take together under the fuse, with perfect foresight. [Wh]

    Per quarter of an hour and phase the cars' currents sum to at most min(fuse, fuse - homes); a car takes at most its
    largest current for the part of the quarter that it is plugged in, and at most its need. The 6 A minimum and the
    charging tail are left out, so this is an upper bound.

    Raises:
        SimError: The programme could not be solved.
    """
    room = np.clip(np.minimum(street.fuse_a, street.fuse_a - street.loads), 0.0, None)
    model = highspy.Highs()  # type: ignore[no-untyped-call]
    model.setOptionValue("output_flag", False)
    rows: dict[tuple[int, int], int] = {}
    for phase in range(PHASES):
        for block in range(street.blocks):
            rows[phase, block] = len(rows)
            model.addRow(0.0, float(room[phase, block]), 0, np.array([], np.int32), np.array([]))
    quarter_h = QUARTER / HOUR
    for session in street.sessions:
        need = model.getNumRow()
        model.addRow(0.0, float(session.energy_wh), 0, np.array([], np.int32), np.array([]))
        per_amp_wh = NOMINAL_V * len(session.phases) * quarter_h
        first, last = (session.plug_in - street.start) // QUARTER, -((street.start - session.plug_out) // QUARTER)
        for block in range(max(first, 0), min(last, street.blocks)):
            begin = street.start + block * QUARTER
            present = (min(session.plug_out, begin + QUARTER) - max(session.plug_in, begin)) / QUARTER
            touched = [rows[p - 1, block] for p in session.phases] + [need]
            weights = [1.0] * len(session.phases) + [per_amp_wh]
            model.addCol(
                -per_amp_wh,
                0.0,
                session.max_current_a * present,
                len(touched),
                np.array(touched, np.int32),
                np.array(weights),
            )
    model.run()
    if model.getModelStatus() != highspy.HighsModelStatus.kOptimal:
        raise SimError(f"the bound was not found: {model.modelStatusToString(model.getModelStatus())}")
    return -float(model.getInfo().objective_function_value)
