"""One method lives through the loads, block by block, and what it issues is kept beside what came."""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gridroom.dso.backtest.grid import Amps, Loads
from gridroom.dso.backtest.method import Make, Reals, Setting
from gridroom.dso.backtest.plan import Plan

LEVELS = (0.95, 0.99, 0.999)
"""Levels whose bounds are judged by themselves."""

OFTEN = 96
"""Blocks between two signs of progress."""

Bools = NDArray[np.bool_]
Tick = Callable[[int], None]


@dataclass(frozen=True)
class Record:
    """What a method issued for the judged blocks.

    Attributes:
        name: The method.
        measured: Shape (issues, blocks, series); NaN where nothing was measured. [A]
        mean: Expected, same shape. [A]
        bound: Same shape. [A]
        levels: Bound of each of `LEVELS`, same shapes. [A]
        limits: Shape (series,). [A]
        lead_offered: Sum of what was offered per lead of the plan, where something was measured. [A]
        lead_room: Sum of what there was, per lead. [A]
        issue_us: CPU time of issuing, per series and issue. [microseconds]
        observe_us: CPU time of taking in a block, per series and block. [microseconds]
    """

    name: str
    measured: Amps
    mean: Amps
    bound: Amps
    levels: tuple[Amps, ...]
    limits: Reals
    lead_offered: Reals
    lead_room: Reals
    issue_us: float
    observe_us: float


def run(
    make: Make, loads: Loads, plan: Plan, setting: Setting, *, new: Bools | None = None, tick: Tick | None = None
) -> Record:
    """Let a method observe everything before each issue, and keep what it says of the judged blocks.

    Args:
        make: The method.
        loads: What was measured.
        plan: When it issues.
        setting: What it is told beforehand.
        new: Series that begin with the test, shape (series,): hidden before, and alone judged. None: all are judged.
        tick: Called with a number of blocks that are done.
    """
    series = len(loads.names)
    method = make(series, setting)
    columns = slice(None) if new is None else np.flatnonzero(new)
    limits = setting.limits[columns]
    shape = (len(plan.starts), plan.judged, len(limits))
    mean, bound, *levels = (np.full(shape, np.nan, dtype=np.float32) for _ in range(2 + len(LEVELS)))
    judged = slice(plan.offset, plan.offset + plan.judged)
    offered, room = np.zeros(len(plan.leads)), np.zeros(len(plan.leads))
    seen, observing, issuing = 0, 0.0, 0.0
    for number, start in enumerate(plan.starts):
        for index in range(seen, start):
            load = loads.amps[index].copy()  # a method's own: nothing it does to it reaches another
            if new is not None and index < plan.first:
                load[new] = np.nan
            begin = time.process_time()
            method.observe(loads.time(index), load)
            observing += time.process_time() - begin
            if tick and not (index + 1) % OFTEN:
                tick(OFTEN)
        seen = start
        length = plan.length(start)
        begin = time.process_time()
        issue = method.issue(loads.time(start), length)
        said, limit_of_load = issue.mean, issue.bound
        issuing += time.process_time() - begin
        mean[number] = said[judged, columns]
        bound[number] = limit_of_load[judged, columns]
        for kept, level in zip(levels, LEVELS, strict=True):
            kept[number] = issue.bound_at(level)[judged, columns]
        leads = np.array([lead for lead in plan.leads if lead <= length and start + lead <= plan.end]) - 1
        came = loads.amps[start + leads][:, columns]
        measured = ~np.isnan(came)
        offered[: len(leads)] += (offer(limit_of_load[leads][:, columns], limits) * measured).sum(axis=1)
        room[: len(leads)] += np.where(measured, np.clip(limits - came, 0, limits), 0).sum(axis=1)
    places = np.array(plan.starts)[:, None] + np.arange(judged.start, judged.stop)
    return Record(
        name=method.name,
        measured=loads.amps[places][:, :, columns],
        mean=mean,
        bound=bound,
        levels=tuple(levels),
        limits=limits,
        lead_offered=offered,
        lead_room=room,
        issue_us=1e6 * issuing / series / len(plan.starts),
        observe_us=1e6 * observing / series / max(1, seen),
    )


def offer(bound: Reals, limits: Reals) -> NDArray[np.float64]:
    """What is offered under a bound of the load: limit - bound in [0, limit]; nothing where there is no bound.

    >>> offer(np.array([3.0, -2.0, 12.0, np.nan]), np.array([10.0, 10.0, 10.0, 10.0])).tolist()
    [7.0, 10.0, 0.0, 0.0]
    """
    wide = np.asarray(limits, dtype=np.float64)
    return np.clip(wide - np.where(np.isnan(bound), np.inf, bound), 0, wide)
