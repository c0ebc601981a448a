"""The report of a simulated day: a page, its figures and its pictures."""

import base64
import json
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from rich.console import Console
from rich.table import Table

from gridroom.sim.day import ZONE
from gridroom.sim.outcome import Outcome, hours, summary
from gridroom.sim.plots import draw_all
from gridroom.timegrid import QUARTER


def write_report(outcome: Outcome, folder: Path) -> Path:
    """Write `index.html`, `report.json` and the pictures; the page stands alone, with its pictures inside.

    Args:
        outcome: The day that was lived.
        folder: Where to; made if it is not there.

    Returns:
        Path of the page.
    """
    pictures = draw_all(outcome, folder)
    figures = summary(outcome)
    (folder / "report.json").write_text(json.dumps(figures, indent=2) + "\n")
    page = folder / "index.html"
    page.write_text(_page(outcome, figures, pictures))
    return page


def _page(outcome: Outcome, figures: dict[str, object], pictures: dict[str, Path]) -> str:
    environment = Environment(
        loader=PackageLoader("gridroom.sim"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    environment.filters["local"] = lambda moment: f"{moment.astimezone(ZONE):%H:%M}"
    environment.filters["percent"] = lambda share: f"{100 * share:.1f} %"
    environment.filters["hours"] = hours
    cso_of = {s.id: s.cso for s in outcome.street.stations}
    sessions = zip(outcome.street.sessions, outcome.delivered_wh, outcome.satisfied(), strict=True)
    return environment.get_template("report.html").render(
        outcome=outcome,
        street=outcome.street,
        figures=figures,
        sessions=[(s, cso_of[s.station], wh, good) for s, wh, good in sessions],
        overloaded_from=None if outcome.uncontrolled.blows_at is None else outcome.uncontrolled.blows_at - QUARTER,
        picture={name: base64.b64encode(path.read_bytes()).decode() for name, path in pictures.items()},
    )


def print_summary(outcome: Outcome, console: Console | None = None) -> None:
    """Print the day's figures."""
    console = console or Console()
    street, wild = outcome.street, outcome.uncontrolled
    figures = summary(outcome)
    oscp = figures["oscp"]
    assert isinstance(oscp, dict)  # noqa: S101 - summary() makes it one
    console.print(_day_table(outcome, oscp))
    console.print(_message_table(outcome))
    if wild.blows_at:
        moment = f"{(wild.blows_at - QUARTER).astimezone(ZONE):%H:%M}"
        console.print(
            f"Uncontrolled the {street.fuse_a:g} A fuse is overloaded from {moment} on, up to {wild.worst_a:.0f} A."
        )
    else:
        console.print(f"Uncontrolled the {street.fuse_a:g} A fuse holds on this day.")
    held = "holds" if oscp["overload_blocks"] == 0 else "is overloaded too"
    console.print(f"With OSCP the fuse {held}: its highest quarter is {100 * oscp['peak_share_of_limit']:.0f} % of it.")
    for note in street.notes:
        console.print(f"Note: {note}", markup=False)


def _day_table(outcome: Outcome, oscp: dict[str, float]) -> Table:
    street, wild = outcome.street, outcome.uncontrolled
    title = f"{street.cable}, {street.day}, seed {street.seed}, fuse {street.fuse_a:g} A"
    table = Table("", "uncontrolled", "with OSCP", title=title, title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    table.add_row("quarters above the fuse", str(wild.overload_blocks), str(oscp["overload_blocks"]))
    peaks = (wild.worst_a / street.fuse_a, oscp["peak_share_of_limit"])
    table.add_row("highest quarter / fuse", *(f"{100 * p:.0f} %" for p in peaks))
    table.add_row("energy / need", "–", f"{100 * oscp['energy_share_of_need']:.1f} %")
    table.add_row("energy / bound with perfect foresight", "–", f"{100 * oscp['energy_share_of_bound']:.1f} %")
    table.add_row("drivers with 95 % of their need", "–", f"{100 * oscp['sessions_satisfied_share']:.1f} %")
    return table


def _message_table(outcome: Outcome) -> Table:
    table = Table("message", "sent", "acknowledged", "refused")
    for column in table.columns[1:]:
        column.justify = "right"
    messages = summary(outcome)["messages"]
    assert isinstance(messages, dict)  # noqa: S101 - summary() makes it one
    for name, count in messages.items():
        table.add_row(name, *(f"{count[key]:,}" for key in ("sent", "acknowledged", "refused")))
    return table
