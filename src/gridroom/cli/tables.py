"""What the DSO's commands print for people: tables as wide as the terminal, readable without colour."""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import numpy as np
from rich.console import Console, ConsoleOptions, Group, RenderableType
from rich.segment import Segment
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from gridroom.dso.cables import Cable, Node, Register
    from gridroom.dso.screens.curves import Curves
    from gridroom.dso.screens.overview import CableLine
    from gridroom.dso.screens.status import Status

GAP = 2
"""Between columns. [characters]"""

TIME, NUMBER = 21, 5
"""Room for time and phase, and for an amount in ampere. [characters]"""

PIPED = 160
"""How wide it may be where nobody looks at it in a terminal. [characters]"""

CONTRACTS = 2
"""Column of the contracts in the table of cables."""

QUALITY = 4
"""Column of the qualities in the table of cables."""

STYLES = {"alarm": "bold red", "notice": "yellow", "good": "green", "cold": "yellow", "none": "bold red"}


def show(*what: RenderableType) -> None:
    """Print to standard output, as wide as the terminal."""
    Console(highlight=False, soft_wrap=False, width=width()).print(_Unpadded(Group(*what)), crop=False)


@dataclass(frozen=True)
class _Unpadded:
    """Something to print, without the spaces that its lines end with."""

    what: RenderableType

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> Iterator[Segment]:
        for line in console.render_lines(self.what, options, pad=False):
            while line and not line[-1].text.strip():
                line.pop()
            yield from line[:-1]
            yield from (Segment(last.text.rstrip(), last.style) for last in line[-1:])
            yield Segment.line()


def width() -> int:
    """How wide the terminal is; wide enough where there is none, and nobody said. [characters]"""
    console = Console()
    return console.width if console.is_terminal or "COLUMNS" in os.environ else PIPED


def status(found: "Status", zone: ZoneInfo) -> Iterator[RenderableType]:
    """How a DSO fares: what is alarming first, then the figures."""
    from gridroom.dso.screens.curves import local
    from gridroom.dso.screens.status import percent

    def at(moment: datetime | None) -> str:
        return "never" if moment is None else f"{local(moment, zone)}, {_ago(found.at, moment)}"

    yield Text.assemble((found.party, "bold"), f" at {local(found.at, zone)}: ", _verdict(found))
    signs = Table.grid()
    signs.add_column(no_wrap=True)
    for sign in found.signs:
        signs.add_row(Text(f"  {sign.level:<7}", STYLES[sign.level]), Text(f"{sign.where}: {sign.text}"))
    if found.signs:
        yield signs
    figures = _table("", "")
    figures.add_row("last publish", at(found.published))
    figures.add_row("newest reading", at(found.newest))
    odd = (f"{reason} {sum(cables.values()):,}" for reason, cables in sorted(found.counts.items()))
    figures.add_row("odd readings", ", ".join(odd) or "none")
    qualities = (f"{len(ids)} {quality}" for quality, ids in sorted(found.qualities.items()))
    figures.add_row("forecasts", ", ".join(qualities) or "no cables")
    for cable, brake in sorted(found.brakes.items()):
        low = "/".join(f"{value:g}" for value in brake.low_a)
        figures.add_row(
            f"brake on {cable}", f"{low} A since {local(brake.since, zone)}, until {local(brake.until, zone)}"
        )
    for name, risk in found.risks.items():
        told, chance = f"nothing to judge yet; asked {percent(risk.asked)}", ""
        if risk.blocks:
            told = f"{percent(risk.realised)} of {risk.blocks:,} blocks; asked {percent(risk.asked)}"
            chance = f", chance allows {percent(risk.low)} to {percent(risk.high)}"
        figures.add_row(f"risk, {name}", told + chance)
    yield figures
    letters = _table("letters to", ">waiting", ">late", ">given up, a day", "stopped")
    for party, post in sorted(found.posts.items()):
        stopped = ", ".join(operation for operation, _, _ in post.stopped) or "–"
        letters.add_row(party, f"{post.waiting}", f"{post.late}", f"{len(post.abandoned)}", stopped)
    if found.posts:
        yield letters


def cables(lines: Iterable["CableLine"], register: "Register", now: datetime, columns: int) -> Iterator[RenderableType]:
    """The register as a tree, with how each cable stands; what no cable has gets no column.

    Args:
        lines: The cables.
        register: What they hang on.
        now: The present moment. [UTC]
        columns: How wide the table may be. [characters]
    """
    heads = ("id", ">limit [A]", "contracts [A]", ">conn.", "quality", "last reading", ">offered [A]")
    rows = list[tuple[str, ...]]()
    by_id = {line.cable.id: line for line in lines}
    for depth, one in _tree(register):
        name = "  " * depth + one.id
        line = by_id.get(one.id)
        if line is None:
            rows.append((name, _phases(one.limit_ca), "", "", getattr(one, "kind", ""), "", ""))
            continue
        contracts = ", ".join(f"{c.party} {c.contracted_ca / 100:g}" for c in line.cable.contracts) or "–"
        connections = sum(len(contract.connections) for contract in line.cable.contracts)
        reading = "never" if line.latest_end is None else _ago(now, line.latest_end)
        offered = "–" if line.offered_a is None else _each(line.offered_a, line.cable.limit_ca)
        counted = str(connections or "–")
        rows.append((name, _phases(line.cable.limit_ca), contracts, counted, line.quality, reading, offered))
    shown = [place for place in range(len(heads)) if any(row[place] not in ("", "–") for row in rows)]
    texts = [[heads[place].removeprefix(">"), *(row[place] for row in rows)] for place in shown]
    room = columns - len(shown) * GAP
    if CONTRACTS in shown and sum(max(map(len, each)) for each in texts) > room:
        rows = [(*row[:CONTRACTS], _summed(by_id, row), *row[CONTRACTS + 1 :]) for row in rows]
        texts = [[heads[place].removeprefix(">"), *(row[place] for row in rows)] for place in shown]
    apart = max(map(len, texts[0])) + sum(map(_longest_word, texts[1:])) > room
    widths = _widths([["id"] if apart else texts[0], *texts[1:]], room)

    def table(*of: tuple[str, ...], head: bool = False) -> Table:
        made = _table(*(heads[place] for place in shown))
        made.show_header = head
        for column, fits in zip(made.columns, widths, strict=True):
            column.width = fits
        for row in of:
            made.add_row(*(Text(row[place], STYLES.get(row[place], "") if place == QUALITY else "") for place in shown))
        return made

    if not apart:
        yield table(*rows, head=True)
        return
    yield table(head=True)
    for name, *others in rows:  # a long id has a line of its own, so that it can be copied
        yield Text(name, no_wrap=True, overflow="ignore")
        yield table(("", *others))


def forecast(curves: "Curves", columns: int) -> Iterator[RenderableType]:
    """A cable block by block: of one phase, or of that with the least capacity in each block.

    Args:
        curves: What to show.
        columns: How wide the table may be; where there is no room for all CSOs, they are summed. [characters]
    """
    rows = [phase - 1 for phase in curves.phases]
    each = [f"{curves.limit[row]:g}" for row in rows]
    limits = each[0] if len(set(each)) == 1 else "/".join(each)
    yield Text(f"{curves.cable}: limit {limits} A; {curves.words}")
    if curves.held:
        yield Text(curves.held)
    if len(rows) > 1:
        yield Text("the phase with the least capacity in each block; --phase L1 for one")
    shown = {"measured": curves.measured} if not np.isnan(curves.measured[rows]).all() else {}
    shown |= {"forecast": curves.forecast, "margin": curves.margin, "available": curves.available}
    shown |= {"backup": curves.backup}
    changes = {"given back": curves.given_back, "granted": curves.granted}
    shown |= {name: cells for name, cells in changes.items() if np.nan_to_num(cells[rows]).any()}
    room, shares = columns - TIME, dict(curves.allotments)
    if len(shares) > 1 and (len(shown) + len(shares)) * (NUMBER + 1) > room:
        shares = {f"{len(shares)} CSOs": np.sum(list(shares.values()), axis=0)}
    shown |= shares
    table = _table("local time", "", *(f">{name}" for name in shown), title="[A]")
    if sum(max(NUMBER, *map(len, name.split())) + GAP for name in shown) > room:
        table.padding = (0, 1, 0, 0)
    for column in table.columns[:2]:
        column.no_wrap = True
    for block, moment in enumerate(curves.times[:-1]):
        free, drawn = curves.available[rows, block], curves.measured[rows, block]
        tight = -np.nan_to_num(drawn) if np.isnan(free).all() else np.nan_to_num(free, nan=np.inf)
        row = rows[int(tight.argmin())]
        time = f"{moment:%a %H:%M}{moment.isoformat()[-6:]}"
        table.add_row(time, f"L{row + 1}", *(_number(cells[row, block]) for cells in shown.values()))
    yield table


def _table(*columns: str, title: str = "") -> Table:
    """A plain table; a column that begins with > is flush right."""
    table = Table(box=None, pad_edge=False, padding=(0, GAP, 0, 0), show_header=any(columns), header_style="bold")
    for name in columns:
        table.add_column(name.removeprefix(">"), justify="right" if name.startswith(">") else "left", overflow="fold")
    if title:
        table.columns[0].header = f"{table.columns[0].header}, {title}"
    return table


def _widths(columns: Sequence[Sequence[str]], room: int) -> list[int]:
    """A width for each column of texts: no word is broken where there is room for all, and those left get most.

    >>> _widths([["id", "  mill-lane"], ["contracts", "north 80, south 40"]], 40)
    [11, 18]
    >>> _widths([["id", "  mill-lane"], ["contracts", "north 80, south 40"]], 22)
    [11, 11]
    """
    widths = [max(map(len, columns[0])), *map(_longest_word, columns[1:])]
    spare = room - sum(widths)
    for place, texts in reversed(list(enumerate(columns))):
        more = max(0, min(max(map(len, texts)) - widths[place], spare))
        widths[place], spare = widths[place] + more, spare - more
    return widths


def _longest_word(texts: Iterable[str]) -> int:
    return max(len(word) for text in texts for word in text.split(" "))


def _verdict(found: "Status") -> Text:
    word = "alarm" if found.alarming else "notice" if found.signs else "good"
    return Text({"alarm": "look at it now", "notice": "good, with notices", "good": "good"}[word], STYLES[word])


def _tree(register: "Register", below: str = "", depth: int = 0) -> Iterator[tuple[int, "Node | Cable"]]:
    """Everything in the register with its depth, parents before children."""
    nodes: Mapping[str, Node] = register.nodes
    for one in register.children(below):
        yield depth, nodes[one] if one in nodes else register[one]
        yield from _tree(register, one, depth + 1)


def _phases(limit_ca: Sequence[int] | None) -> str:
    """Limits of the phases, once when all are the same."""
    if limit_ca is None:
        return "–"
    return f"{limit_ca[0] / 100:g}" if len(set(limit_ca)) == 1 else "/".join(f"{one / 100:g}" for one in limit_ca)


def _each(ampere: Sequence[float], limit_ca: Sequence[int]) -> str:
    """A value for each phase that there is, in whole amperes that there are."""
    return "/".join(f"{math.floor(one)}" if limit else "–" for one, limit in zip(ampere, limit_ca, strict=True))


def _summed(by_id: Mapping[str, "CableLine"], row: tuple[str, ...]) -> str:
    """The contracts of a row of the table of cables, where there is no room to name them."""
    line = by_id.get(row[0].strip())
    contracts = line.cable.contracts if line is not None else ()
    total = sum(one.contracted_ca for one in contracts) / 100
    return f"{total:g} of {len(contracts)} CSOs" if len(contracts) > 1 else row[CONTRACTS]


def _number(ampere: float) -> str:
    return "–" if np.isnan(ampere) else f"{ampere:.1f}"


def _ago(now: datetime, moment: datetime) -> str:
    from gridroom.dso.screens.status import minutes

    return f"{minutes(now - moment)} ago" if moment <= now else f"{minutes(moment - now)} ahead"
