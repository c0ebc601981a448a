"""Many days of the street on the short road, two at a time: the table of docs/street.md.

.venv/bin/python benchmarks/seeds.py [FIRST LAST]
"""

import asyncio
import logging
import sys
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import structlog

from gridroom.sim.outcome import MESSAGE_TYPES, summary
from gridroom.sim.run import in_memory
from gridroom.sim.street import build


def day(seed: int) -> dict[str, Any]:
    """Live a seed's day; gives its report."""
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    return summary(asyncio.run(in_memory(build(seed))))


def main() -> None:
    """Print a row per seed, and what they come to."""
    first, last = (int(word) for word in sys.argv[1:3]) if len(sys.argv) > 2 else (1, 24)
    print("| seed | uncontrolled: blocks over | with OSCP: blocks over | peak / fuse | energy / bound | satisfied |")
    print("|--:|--:|--:|--:|--:|--:|")
    shares = []
    with ProcessPoolExecutor(2) as pool:
        for report in pool.map(day, range(first, last + 1)):
            wild, oscp = report["uncontrolled"], report["oscp"]
            shares.append(oscp["energy_share_of_bound"])
            silent = [name for name in MESSAGE_TYPES if not report["messages"][name]["acknowledged"]]
            print(
                f"| {report['seed']} | {wild['overload_blocks']} | {oscp['overload_blocks']} "
                f"| {oscp['peak_share_of_limit']:.3f} | {shares[-1]:.3f} | {oscp['sessions_satisfied_share']:.3f} |"
                + (f" never acknowledged: {', '.join(silent)}" if silent else ""),
                flush=True,
            )
    print(f"\nenergy / bound: mean {sum(shares) / len(shares):.3f}, least {min(shares):.3f}")


if __name__ == "__main__":
    main()
