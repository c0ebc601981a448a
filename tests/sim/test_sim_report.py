"""The report of a day, from a small controller of its own."""

import io
import json
from dataclasses import replace
from datetime import timedelta
from functools import cache
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from gridroom.sim.bound import bound_wh
from gridroom.sim.day import STEP
from gridroom.sim.households import NOMINAL_V, PHASES
from gridroom.sim.outcome import MESSAGE_TYPES, Count, Event, Forecast, Outcome, in_force, summary
from gridroom.sim.report import print_summary, write_report
from gridroom.sim.street import build, five_minutes
from gridroom.sim.uncontrolled import uncontrolled
from gridroom.timegrid import QUARTER

WH_PER_A = NOMINAL_V / 12


@cache
def outcome(seed: int = 1) -> Outcome:
    """A day in which everybody is served in order of arrival under 90 % of the fuse."""
    street = build(seed)
    homes = five_minutes(street)
    cso_of = {s.id: s.cso for s in street.stations}
    cars = {cso: np.zeros_like(homes) for cso in set(cso_of.values())}
    delivered = [0.0] * len(street.sessions)
    for step in range(street.steps):
        room = 0.9 * street.fuse_a - homes[:, step]
        now = street.start + step * STEP
        for n, s in enumerate(street.sessions):
            phases = [p - 1 for p in s.phases]
            amps = min(s.max_current_a, float(room[phases].min()))
            amps = min(amps, (s.energy_wh - delivered[n]) / WH_PER_A / len(phases))
            if s.plug_in <= now and now + STEP <= s.plug_out and amps > 0:
                room[phases] -= amps
                cars[cso_of[s.station]][phases, step] += amps
                delivered[n] += amps * len(phases) * WH_PER_A
    rng = np.random.default_rng(seed)
    forecasts = []
    for block in range(street.blocks):
        median = street.loads[:, block:] * 0.95 + rng.normal(0, 0.6, (PHASES, street.blocks - block))
        start = street.start + block * QUARTER
        forecasts.append(Forecast(start - timedelta(minutes=5), start, median, 0.85 * street.fuse_a - median))
    evening = street.start + timedelta(hours=13)
    allotted = {
        cso: np.tile(in_force(street, tuple(forecasts))[1].clip(0) * share, 1)
        for cso, share in (("cso-a", 0.5), ("cso-b", 0.35))
    }
    return Outcome(
        street=street,
        wall_seconds=101.26,
        homes_a=homes,
        cars_a=cars,
        delivered_wh=tuple(delivered),
        uncontrolled=uncontrolled(street),
        bound_wh=bound_wh(street),
        forecasts=tuple(forecasts),
        allotted_a=allotted,
        messages={
            name: Count(10 ** (n % 5), 10 ** (n % 5) - (n > 0), int(n == 1)) for n, name in enumerate(MESSAGE_TYPES)
        },
        events=(
            Event("cso-b", "line to the DSO cut", evening, evening + timedelta(hours=1)),
            Event("5 stations", "lines cut", evening + timedelta(hours=1), evening + timedelta(hours=3)),
            Event("cso-b", "asks for a forecast", evening + timedelta(minutes=65)),
            Event("dso", "urgent forecast, Priority 5", evening + timedelta(minutes=20)),
        ),
        settings={"Risk": "a quarter above the limit once in 10,000"},
    )


def test_the_report_has_the_fields_that_were_agreed(tmp_path: Path) -> None:
    write_report(outcome(), tmp_path / "report")
    figures = json.loads((tmp_path / "report" / "report.json").read_text())
    assert figures["seed"] == 1
    assert figures["wall_seconds"] == 101.3
    assert figures["fuse_a"] == 100
    assert figures["uncontrolled"]["overload_blocks"] > 0
    assert {
        "overload_blocks",
        "peak_share_of_limit",
        "energy_share_of_need",
        "energy_share_of_bound",
        "sessions_satisfied_share",
    } <= set(figures["oscp"])
    for name in MESSAGE_TYPES:
        assert set(figures["messages"][name]) == {"sent", "acknowledged", "refused"}


def test_the_page_stands_alone_with_its_pictures_beside_it(tmp_path: Path) -> None:
    page = write_report(outcome(), tmp_path)
    text = page.read_text()
    assert "The fuse holds" in text
    assert 'src="http' not in text
    assert text.count("data:image/png;base64,") == 6
    assert {p.name for p in tmp_path.iterdir()} == {
        "index.html",
        "report.json",
        "fuse.png",
        "forecast.png",
        "shares.png",
        "drivers.png",
        "messages.png",
        "timeline.png",
    }


def test_the_figures_are_those_of_the_currents() -> None:
    day = outcome()
    figures = summary(day)
    oscp = figures["oscp"]
    assert isinstance(oscp, dict)
    assert oscp["overload_blocks"] == 0
    assert oscp["peak_share_of_limit"] <= 0.9
    assert oscp["energy_share_of_bound"] <= 1
    drawn_kwh = sum(float(a.sum()) for a in day.cars_a.values()) * WH_PER_A / 1000
    assert oscp["energy_kwh"] == pytest.approx(drawn_kwh, rel=1e-6)
    hot = replace(day, homes_a=day.homes_a + 60)
    assert summary(hot)["oscp"]["overload_blocks"] > 0  # type: ignore[index]


def test_the_forecast_in_force_is_the_latest_made_before_the_block() -> None:
    street = build()
    flat = np.ones((PHASES, 8))
    early = Forecast(street.start - QUARTER, street.start - QUARTER, flat, flat)
    late = Forecast(street.start + timedelta(minutes=20), street.start + QUARTER, 2 * flat, 3 * flat)
    homes, room = in_force(street, (late, early))
    assert homes[0, :11].tolist()[:2] == [1, 1]
    assert homes[0, 2:9].tolist() == [2] * 7
    assert room[2, 8] == 3
    assert np.isnan(homes[0, 9:]).all()


def test_an_outcome_without_forecasts_messages_or_events_is_reported_too(tmp_path: Path) -> None:
    bare = replace(outcome(), forecasts=(), allotted_a={}, messages={}, events=())
    page = write_report(bare, tmp_path)
    assert "What happened" not in page.read_text()


def test_the_summary_says_whether_the_fuse_holds() -> None:
    text = io.StringIO()
    print_summary(outcome(), Console(file=text, width=120))
    assert "With OSCP the fuse holds" in text.getvalue()
    assert "UpdateCableCapacityForecast" in text.getvalue()
