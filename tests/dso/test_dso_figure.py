"""Figure 6, in a file and in a terminal. Source: CIRED paper, figure 6."""

import dataclasses
import unicodedata
from datetime import UTC, datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from dso_curves import SATURDAY, curves
from gridroom import xml
from gridroom.dso.screens.chart import LEAST, chart
from gridroom.dso.screens.curves import Curves
from gridroom.dso.screens.figure import KINDS, draw, picture

FORECAST, MARGIN, SHARES, BACKUP, LIMIT, NOW = "⠒", "░", "▒", "▓", "━", "│"


def drawn(shown: Curves) -> Figure:
    """The picture, laid out."""
    figure = picture(shown)
    FigureCanvasAgg(figure).draw()  # type: ignore[no-untyped-call]
    return figure


# -- in a file ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_a_picture_is_of_the_kind_that_its_name_says_and_the_same_each_time(tmp_path: Path, kind: str) -> None:
    one, other = tmp_path / f"one{kind}", tmp_path / f"other{kind}"
    for file in (one, other):
        draw(curves(), file)
    data = one.read_bytes()
    assert data == other.read_bytes()
    assert data.startswith(b"\x89PNG\r\n") if kind == ".png" else b"<svg" in data


def test_each_phase_has_a_panel_and_everything_in_it_a_name() -> None:
    figure = drawn(curves())
    assert [axis.get_ylabel() for axis in figure.axes] == ["L1 [A]", "L2 [A]", "L3 [A]"]
    assert figure.axes[-1].get_xlabel() == "local time, Europe/Amsterdam"
    (legend,) = figure.legends
    assert [text.get_text() for text in legend.get_texts()] == [
        "measured",
        "measured less electric vehicles",
        "forecast",
        "safety margin",
        "capacity of north",
        "capacity of south",
        "backup capacity",
        "limit",
    ]


def test_a_cable_of_one_phase_has_one_panel() -> None:
    assert [axis.get_ylabel() for axis in drawn(curves(phases=(2,))).axes] == ["L2 [A]"]


def test_the_title_names_what_holds_the_cable_back() -> None:
    (last,) = drawn(curves(held_by={"T1": "transformer", "S": "substation"})).get_suptitle().splitlines()[2:]
    assert last == "transformer T1 and substation S leave it less than its own limit does"


@pytest.mark.parametrize(
    ("behind", "ahead", "told"), [(96, 96, ["not measured"]), (0, 96, []), (96, 0, ["not measured"])]
)
def test_a_side_of_which_nothing_is_known_says_so(behind: int, ahead: int, told: list[str]) -> None:
    shown = curves(phases=(1,), behind=behind, ahead=ahead)
    shown.measured[:] = shown.load[:] = np.nan
    assert [text.get_text() for text in drawn(shown).axes[0].texts if "now" not in text.get_text()] == told
    shown = curves(phases=(1,), behind=behind, ahead=ahead)
    shown.forecast[:] = np.nan
    words = ["no forecast"] if ahead else []
    assert [text.get_text() for text in drawn(shown).axes[0].texts if "now" not in text.get_text()] == words


def test_the_areas_fill_what_is_between_the_forecast_and_the_limit() -> None:
    shown = curves(phases=(1,))
    (axis,) = drawn(shown).axes
    areas = [patch for patch in axis.patches if patch.get_fill()]
    assert len(areas) == 4  # margin, two shares, backup
    tops = [np.asarray(area.get_data().values) for area in areas]  # type: ignore[attr-defined]
    bottoms = [np.asarray(area.get_data().baseline) for area in areas]  # type: ignore[attr-defined]
    assert np.allclose(bottoms[0], shown.forecast[0])
    for below, above in zip(tops[:-1], bottoms[1:], strict=True):
        assert np.allclose(below, above)
    assert np.allclose(tops[-1], 200)


def test_back_feed_is_drawn_and_not_sold() -> None:
    shown = curves(midday_a=160.0, phases=(1,))
    (axis,) = drawn(shown).axes
    assert axis.get_ylim()[0] < shown.forecast[0].min() < -50
    lowest = min(np.nanmin(area.get_data().baseline) for area in list(axis.patches)[1:4])  # type: ignore[attr-defined]
    assert lowest == 0


def test_what_is_not_known_is_not_drawn() -> None:
    shown = curves(phases=(1,))
    for cells in (shown.forecast, shown.margin, shown.available, shown.backup, *shown.allotments.values()):
        cells[:, 30:40] = np.nan
    (axis,) = drawn(shown).axes
    for area in (patch for patch in axis.patches if patch.get_fill()):
        values = np.asarray(area.get_data().values)  # type: ignore[attr-defined]
        assert np.flatnonzero(np.isnan(values)).tolist() == list(range(30, 40))


@pytest.mark.parametrize("phases", [(1, 2, 3), (3,)])
@pytest.mark.parametrize("parties", [(), ("a",), tuple("abcdefg")])
def test_no_words_lie_on_each_other(phases: tuple[int, ...], parties: tuple[str, ...]) -> None:
    figure = drawn(curves(phases=phases, parties=parties))
    legend = figure.legends[0].get_window_extent()
    title = figure._suptitle.get_window_extent()  # type: ignore[attr-defined]
    for axis in figure.axes:
        box = axis.get_tightbbox()
        assert box is not None
        assert not box.overlaps(legend)
        assert not box.overlaps(title)
    inner = figure.axes[-1].get_xticklabels()
    boxes = [label.get_window_extent() for label in inner if label.get_text()]
    assert len(boxes) >= 8
    assert all(not one.overlaps(other) for one, other in pairwise(boxes))
    assert legend.x0 >= 0
    assert legend.x1 <= figure.bbox.x1


# -- in a terminal -----------------------------------------------------------------------------------------------------


def test_a_chart_shows_what_the_picture_shows() -> None:
    lines = chart(curves(), 80).splitlines()
    assert [line for line in lines if line.startswith("L")] == ["L1 [A]", "L2 [A]", "L3 [A]"]
    text = "\n".join(lines)
    for sign in (FORECAST, MARGIN, SHARES, BACKUP, LIMIT, NOW):
        assert sign in text
    assert "  200 ┤━" in text
    assert lines[-3:] == [
        "2026-11-20 07:00+01:00 to 2026-11-22 07:00+01:00   Europe/Amsterdam",
        "⠒ measured until now │, forecast from then on   ░ safety margin",
        "▒ capacity of north, south   ▓ backup   ━ limit",
    ]


def test_from_below_to_above_come_forecast_margin_shares_backup_and_limit() -> None:
    lines = chart(curves(phases=(1,)), 80).splitlines()[1:]
    column = "".join(f"{line:80}"[70] for line in lines[: next(i for i, line in enumerate(lines) if "└" in line)][::-1])
    dotted = [i for i, sign in enumerate(column) if "\u2800" < sign <= "\u28ff"]
    above = column[dotted[-1] + 1 :]
    assert above == "".join(sorted(above, key=(MARGIN + SHARES + BACKUP + LIMIT).index))
    assert {MARGIN, SHARES, BACKUP, LIMIT} >= set(above) >= {SHARES, LIMIT}
    assert column[: dotted[0]].strip() == ""


def test_the_shares_stand_on_nothing_where_the_load_feeds_back() -> None:
    lines = chart(curves(midday_a=160.0, phases=(1,)), 80).splitlines()
    zero = next(i for i, line in enumerate(lines) if line.startswith("    0 ┤"))
    under = "".join(lines[zero + 1 : next(i for i, line in enumerate(lines) if "└" in line)])
    assert SHARES in lines[zero - 1]
    assert SHARES not in under


@given(
    st.integers(-5, 300),
    st.sampled_from([(), ("a",), tuple("abcdefgh")]),
    st.floats(0.5, 5000),
    st.floats(0, 6000),
    st.sampled_from([(0, 96), (96, 0), (96, 96), (40, 56)]),
)
def test_a_chart_is_never_wider_than_the_terminal(
    width: int, parties: tuple[str, ...], limit_a: float, midday_a: float, span: tuple[int, int]
) -> None:
    shown = curves(parties=parties, limit_a=limit_a, midday_a=midday_a, behind=span[0], ahead=span[1], phases=(1,))
    lines = chart(shown, width).splitlines()
    for line in lines:
        assert len(line) <= max(width, LEAST)
        assert all(unicodedata.east_asian_width(sign) not in "WF" for sign in line)
    assert len(lines) < 30
    assert "\x1b" not in "\n".join(lines)


def test_a_gap_in_the_readings_is_a_gap_in_the_line() -> None:
    whole, broken = curves(phases=(1,)), curves(phases=(1,))
    broken.measured[:, 30:50] = np.nan

    def dots(shown: Curves) -> set[int]:
        lines = chart(shown, 80).splitlines()
        return {at for line in lines[1:-4] for at, sign in enumerate(line) if "\u2800" < sign <= "\u28ff"}

    missing = dots(whole) - dots(broken)
    first, last = 7 + 30 * 72 // 192, 7 + 50 * 72 // 192
    assert set(range(first + 1, last - 1)) <= missing <= set(range(first - 1, last + 1))


def test_a_cable_of_which_only_the_readings_are_known_is_drawn() -> None:
    unknown = np.full((3, 192), np.nan)
    shown = curves(forecast=unknown, margin=unknown, available=unknown, backup=unknown, allotments={})
    text = chart(shown, 80)
    assert MARGIN not in text[: text.index("⠒ measured")]
    assert LIMIT in text
    drawn(shown)


def test_the_axis_is_the_local_clock_also_when_it_is_changed() -> None:
    change = datetime(2026, 10, 25, 0, 0, tzinfo=UTC)
    shown = curves(change, behind=0, phases=(1,))
    lines = chart(shown, 80).splitlines()
    clock = lines[next(i for i, line in enumerate(lines) if "└" in line) + 1]
    for local, hours in (("03:00", 2), ("06:00", 5), ("12:00", 11)):  # after the change, one hour behind UTC + 2
        at = 7 + 4 * hours * 72 // 96
        assert clock[at : at + 5] == local
    assert any("2026-10-25 02:00+02:00 to 2026-10-26 01:00+01:00" in line for line in lines)
    assert shown.times[4].hour == shown.times[8].hour - 1 == 2


def test_times_bear_their_offset() -> None:
    shown = curves(SATURDAY)
    assert shown.times[0].isoformat() == "2026-11-20T07:00:00+01:00"
    assert len(shown.times) == shown.blocks + 1
    assert dataclasses.replace(shown, measured=np.full((3, 192), np.nan)).empty is False


def test_the_svg_is_xml(tmp_path: Path) -> None:
    draw(curves(), tmp_path / "a.svg")
    text = (tmp_path / "a.svg").read_bytes()
    root = xml.parse(text[text.index(b"<svg") :])
    assert xml.split(root.tag)[1] == "svg"
