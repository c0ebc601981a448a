"""What a strict writer demands of amounts and blocks, for messages made in Python (`writing`) and in JSON (`compose`).

Source: OSCP 1.0 section 3.2.3; decisions 5 and 15.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime
from typing import TypeVar

from gridroom.oscp.v10.messages import CapacityBlock, ForecastedBlock, UsageBlock

B = TypeVar("B", ForecastedBlock, CapacityBlock, UsageBlock)


def check_phases(name: str, phases: Sequence[int | None]) -> None:
    """See that amounts of one unit name no phase, and are one, or name each phase once. Decision 5.

    Raises:
        ValueError: They are a mix, or name a phase twice.
    """
    if len(phases) > 1 and (None in phases or len(set(phases)) < len(phases)):
        raise ValueError(f"{name} names no Phase once, or each Phase once, not {list(phases)}")


def each_once(blocks: Sequence[B], *, apart: bool = True) -> list[B]:
    """The blocks of a cable without repeats. Decision 15.

    Args:
        blocks: In any order.
        apart: Whether none may lie over another; an answer repeats what was asked.

    Raises:
        ValueError: Two of the same times differ, or one lies over another.
    """
    known: dict[tuple[datetime, datetime], B] = {}
    for block in blocks:
        if known.setdefault((block.start, block.end), block) != block:
            raise ValueError(f"two blocks from {block.start.isoformat()} to {block.end.isoformat()} differ")
    for (_, end), (start, _) in itertools.pairwise(sorted(known) if apart else ()):
        if start < end:
            raise ValueError(f"the block from {start.isoformat()} begins before the one before it ends")
    return list(known.values())
