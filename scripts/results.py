"""Test forecast and margin on made sets, and rewrite the tables of docs/results.md.

Usage: python scripts/results.py [RUN ...]     RUN: words that a run's name begins with; all without any

Rows of runs that are not made (not asked for, or their data is not installed) stay as they are.
"""

import math
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import backtest_sets
from backtest_sets import NEEDS_SIMBENCH, SETS, coarser, with_gaps
from rich.console import Console

from gridroom.dso.backtest import engine
from gridroom.dso.backtest.baselines import FOUR_WEEKS, LIGHTGBM, PERSISTENCE, baselines
from gridroom.dso.backtest.figures import Figures
from gridroom.dso.backtest.grid import Loads
from gridroom.dso.backtest.method import Criterion
from gridroom.dso.backtest.prepare import Choices, prepare
from gridroom.dso.backtest.report import Report, Run, backtest

PAGE = Path(__file__).parent.parent / "docs" / "results.md"
WARM_UP = 189
YEARS = ("simbench", "street", "invented")
"""Sets of a year; `cycling` is shorter, and about one thing."""


@dataclass(frozen=True)
class Test:
    """A row of the page.

    Attributes:
        name: Its first cell.
        made_of: Name of the set.
        choices: As the command takes them.
        change: What is done to the set.
        trees: Whether LightGBM runs beside it, which takes minutes.
    """

    name: str
    made_of: str
    choices: Choices
    change: Callable[[Loads], Loads] = lambda loads: loads
    trees: bool = False


def _tests() -> Iterator[Test]:
    for made_of in YEARS:
        yield Test(f"{made_of}, day ahead", made_of, Choices(warmup_days=WARM_UP), trees=True)
    for made_of in YEARS:
        yield Test(f"{made_of}, in force", made_of, Choices(warmup_days=WARM_UP, every="15min"))
    for made_of in YEARS:
        yield Test(f"{made_of}, 1 h, day ahead", made_of, Choices(warmup_days=WARM_UP, criterion="1h"))
    yield Test("simbench, 1 h, in force", "simbench", Choices(warmup_days=WARM_UP, criterion="1h", every="15min"))
    yield Test("invented, 1 h + 10 %, day ahead", "invented", Choices(warmup_days=WARM_UP, criterion="1h10"))
    yield Test("simbench, 1 % asked, day ahead", "simbench", Choices(warmup_days=WARM_UP, risk=0.01))
    for made_of in ("simbench", "street"):
        yield Test(f"{made_of}, 0.01 % asked, day ahead", made_of, Choices(warmup_days=WARM_UP, risk=0.0001))
    yield Test("street, blocks of 30 min", "street", Choices(warmup_days=WARM_UP), lambda loads: coarser(loads, 2))
    yield Test("invented, blocks of 1 h", "invented", Choices(warmup_days=WARM_UP), lambda loads: coarser(loads, 4))
    yield Test("invented, with gaps, day ahead", "invented", Choices(warmup_days=WARM_UP), with_gaps)
    yield Test("invented, with gaps, in force", "invented", Choices(warmup_days=WARM_UP, every="15min"), with_gaps)
    for made_of in ("simbench", "invented"):
        new = Choices(warmup_days=WARM_UP, new=tuple(f"c{cable:03d}.*" for cable in range(20)))
        yield Test(f"{made_of}, first week of 20 new cables", made_of, new)
    yield Test("cycling, day ahead", "cycling", Choices(warmup_days=100))
    yield Test("cycling, every hour", "cycling", Choices(warmup_days=100, every="1h"))


TESTS = tuple(_tests())

OURS = (
    "run",
    "series",
    "offered share",
    "exceeded [%]",
    "± [%]",
    "95 % of series below [%]",
    "worst day [%]",
    "error / mean",
    "error / four-week mean's",
    "CPU of an issue [µs]",
)
BESIDE = ("run", "gridroom", "weekly persistence", "four-week mean", "LightGBM")

Row = tuple[str, ...]


def ours(name: str, report: Report) -> Row:
    """A row of the first table."""
    found = report.engine.figures
    ratio = report.as_json()["mae_over_four_week_mean"]
    return (
        name,
        str(found.series),
        f"{found.offered_share:.3f}",
        _percent(exceeded(report, found)),
        _percent(found.exceedance_error),
        _percent(found.exceedance_p95_series),
        _percent(found.exceedance_worst_day, 2),
        f"{found.mae_over_mean:.3f}",
        "–" if ratio is None else f"{ratio:.3f}",
        f"{found.cpu_us_per_series_issue:.2f}",
    )


def beside(name: str, report: Report) -> Row:
    """A row of the second table: offered share, and what exceeded."""
    methods = (report.engine, *(report.baselines.get(one) for one in (PERSISTENCE, FOUR_WEEKS, LIGHTGBM)))
    cells = []
    for one in methods:
        found = one.figures if isinstance(one, Run) else None
        cells.append("–" if found is None else f"{found.offered_share:.3f} at {_percent(exceeded(report, found))} %")
    return (name, *cells)


def exceeded(report: Report, found: Figures) -> float:
    """The exceedance by the criterion asked."""
    by = {
        Criterion.QUARTER: found.exceedance_15min,
        Criterion.HOUR: found.exceedance_1h,
        Criterion.HOUR_TENTH: found.exceedance_1h10,
    }
    return by[report.trial.setting.criterion]


def rewrite(page: str, made: dict[str, Report]) -> str:
    """The page with new rows for the runs that were made, and all others as they were."""
    for mark, head, row in (("ours", OURS, ours), ("beside", BESIDE, beside)):
        begin, end = f"<!-- begin: {mark} -->\n", f"<!-- end: {mark} -->"
        before, _, rest = page.partition(begin)
        old, _, after = rest.partition(end)
        kept = {cells[0]: cells for cells in map(_cells, old.splitlines()) if len(cells) == len(head)}
        empty = ("–",) * (len(head) - 1)
        rows = [
            row(test.name, made[test.name]) if test.name in made else kept.get(test.name, (test.name, *empty))
            for test in TESTS
        ]
        page = before + begin + "\n" + "".join(_lines(head, rows)) + "\n" + end + after
    return page


def _lines(head: Row, rows: list[Row]) -> Iterator[str]:
    yield _line(head)
    yield _line(("---", *("---:",) * (len(head) - 1)))
    yield from map(_line, rows)


def _line(cells: Row) -> str:
    return f"| {' | '.join(cells)} |\n"


def _cells(line: str) -> Row:
    return tuple(re.split(r" \| ", line.strip().removeprefix("| ").removesuffix(" |")))


def _percent(value: float, digits: int = 3) -> str:
    return "–" if math.isnan(value) else f"{100 * value:.{digits}f}"


@cache
def _set(name: str) -> Loads:
    return SETS[name]()


def main(wanted: list[str]) -> None:
    """Make the runs, one after the other, and write the page after each."""
    console = Console(stderr=True)
    for test in TESTS:
        if wanted and not any(test.name.startswith(words) for words in wanted):
            continue
        if test.made_of == "simbench" and not backtest_sets.find_spec("simbench"):
            console.print(f"{test.name}: stays as it is, it {NEEDS_SIMBENCH}")
            continue
        beside_it = {name: make for name, make in baselines().items() if name != LIGHTGBM or test.trees}
        with console.status(test.name):
            report = backtest(prepare(test.change(_set(test.made_of)), test.choices), engine.make, beside_it)
        PAGE.write_text(rewrite(PAGE.read_text(), {test.name: report}))
        console.print("  ".join(beside(test.name, report)))


if __name__ == "__main__":
    main(sys.argv[1:])
