"""More capacity when short, less when not needed. Source: OSCP 1.0 section 3.2.5; docs/deviations.md, decision 16."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np

from gridroom.cso.steps import Ints
from gridroom.oscp.v10.blocks import amounts
from gridroom.oscp.v10.messages import Adjustment, CapacityBlock
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.timegrid import QUARTER

ASK_BLOCKS = 8
GIVE_BLOCKS = 4
ASK_LEAST_CA = 200
"""It is not worth a message to ask for less than 2 A."""

CALM = timedelta(minutes=30)
"""After asking for more nothing is given back for so long: else the two would take turns."""


@dataclass(frozen=True)
class Policy:
    """How a CSO trades capacity.

    Attributes:
        reserve_ca: Kept on each phase for cars to come. [0.01 A]
        give_least_ca: Less than this is not given back. [0.01 A]
    """

    reserve_ca: int = 1600
    give_least_ca: int = 600


def more(limits_ca: Ints, kept_ca: Ints, demand_ca: Ints, remaining_ca: Ints) -> Ints:
    """What to ask for, shape (3, n) [0.01 A]: never above what remains, nor above what cars can use.

    Args:
        limits_ca: What the book allows, shape (3, n).
        kept_ca: What stations that cannot be steered may draw.
        demand_ca: What the cars that miss energy would take.
        remaining_ca: Backup that the DSO announced.

    >>> more(*(np.full((3, 1), v) for v in (1000, 0, 3200, 800)))[0].tolist()
    [800]
    """
    asked = np.minimum(np.maximum(demand_ca + kept_ca - limits_ca, 0), remaining_ca) // 10 * 10
    asked[:, ASK_BLOCKS:] = 0
    return np.where((asked >= ASK_LEAST_CA).any(axis=0), asked, 0)


def less(limits_ca: Ints, kept_ca: Ints, demand_ca: Ints, policy: Policy) -> Ints:
    """What to give back in the nearest blocks, shape (3, n), positive. [0.01 A]

    Args:
        limits_ca: What the book allows, shape (3, n).
        kept_ca: What may be in force at all stations, fallbacks included.
        demand_ca: What the cars would take.
        policy: How much is kept.
    """
    needed = np.maximum(kept_ca, demand_ca) + policy.reserve_ca
    surplus = np.maximum(limits_ca - needed, 0) // 10 * 10
    surplus[:, GIVE_BLOCKS:] = 0
    return np.where((surplus >= policy.give_least_ca).any(axis=0), surplus, 0)


def alike(deltas_ca: Ints, remaining_ca: Ints) -> Ints:
    """Changes as one value for all phases, for a peer that knows no Phase; more wins over less.

    What is asked is the largest of the phases, within what remains on each; what is given back the smallest.
    """
    top, low = deltas_ca.max(axis=0), remaining_ca.min(axis=0)
    back = np.minimum(deltas_ca.max(axis=0), 0)
    one = np.where(top > 0, np.minimum(top, low), back)
    return np.repeat(one[None, :], 3, axis=0)


def adjustment(
    cable: str, deltas_ca: Ints, start: datetime, profile: PeerProfile, now: datetime, block: timedelta = QUARTER
) -> Adjustment | None:
    """Signed changes as the message says them; None when there are none."""
    blocks = tuple(
        CapacityBlock(start + int(k) * block, start + (int(k) + 1) * block, amounts(deltas_ca[:, k].tolist(), profile))
        for k in np.flatnonzero(deltas_ca.any(axis=0))
        if start + (int(k) + 1) * block > now
    )
    return Adjustment(cable, blocks) if blocks else None
