"""What the street asks of those who steer it, over many seeds: `python -m gridroom.sim.survey`."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

from gridroom.sim.bound import bound_wh
from gridroom.sim.street import build
from gridroom.sim.uncontrolled import uncontrolled


@dataclass(frozen=True)
class Finding:
    """One seed.

    Attributes:
        seed: The seed.
        need_wh: What all cars need. [Wh]
        overload_blocks: Pairs of phase and quarter of an hour above the fuse when nobody steers.
        worst_share: Highest mean of a phase over a quarter of an hour without control, as a share of the fuse.
        bound_share: What perfect foresight could charge under the fuse, as a share of the need.
    """

    seed: int
    need_wh: int
    overload_blocks: int
    worst_share: float
    bound_share: float


def survey(
    seeds: Iterable[int], day: date | None = None, evs: int | None = None, fuse: float | None = None
) -> list[Finding]:
    """Build the street for each seed, and see how it fares without control and with perfect control."""
    findings = []
    for seed in seeds:
        street = build(seed, day, evs, fuse)
        wild = uncontrolled(street)
        findings.append(
            Finding(
                seed=seed,
                need_wh=street.need_wh,
                overload_blocks=wild.overload_blocks,
                worst_share=wild.worst_a / street.fuse_a,
                bound_share=bound_wh(street) / street.need_wh,
            )
        )
    return findings


def table(findings: Iterable[Finding]) -> str:
    """The findings as lines of text."""
    lines = ["seed  need kWh  overload blocks  worst / fuse  bound / need"]
    for f in findings:
        numbers = f"{f.seed:4}  {f.need_wh / 1000:8.1f}  {f.overload_blocks:15}"
        lines.append(f"{numbers}  {f.worst_share:12.2f}  {f.bound_share:12.3f}")
    return "\n".join(lines)


if __name__ == "__main__":
    print(table(survey(range(1, 31))))
