"""A made-up cable to draw: a day behind and a day ahead of a moment."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np

from gridroom.dso.screens.curves import Curves
from gridroom.timegrid import QUARTER, floor

SATURDAY = datetime(2026, 11, 21, 6, 7, tzinfo=UTC)
AMSTERDAM = ZoneInfo("Europe/Amsterdam")


def curves(
    now: datetime = SATURDAY,
    *,
    parties: tuple[str, ...] = ("north", "south"),
    phases: tuple[int, ...] = (1, 2, 3),
    limit_a: float = 200.0,
    midday_a: float = 0.0,
    behind: int = 96,
    ahead: int = 96,
    **changes: Any,
) -> Curves:
    """Homes with an evening peak; `midday_a` is what the sun feeds back. Nothing is random."""
    start, n = floor(now) - behind * QUARTER, behind + ahead
    times = [(start + i * QUARTER).astimezone(AMSTERDAM) for i in range(n)]
    hours = np.array([time.hour + time.minute / 60 for time in times])
    homes = 55 + 35 * np.exp(-(((hours - 18.5) / 2.5) ** 2)) - midday_a * np.exp(-(((hours - 13) / 2.6) ** 2))
    forecast = np.stack([homes, homes * 0.8, homes * 1.1])
    margin = np.full((3, n), 15.0)
    available = np.clip(limit_a - np.maximum(forecast + margin, 0), 0, limit_a)
    backup = 0.2 * available
    shares = {party: 0.8 * available / len(parties) for party in parties}
    over = np.arange(n) < behind
    load = np.where(over, forecast + 4 * np.sin(np.arange(n)), np.nan)
    cars = np.where((hours > 17) & (hours < 20), 20.0, 0.0)
    values: dict[str, Any] = {
        "cable": "cable-1",
        "start": start,
        "block": QUARTER,
        "zone": AMSTERDAM,
        "now": now,
        "issued": now - timedelta(minutes=5),
        "quality": "good",
        "phases": phases,
        "limit": np.full(3, limit_a),
        "measured": load + cars,
        "load": load,
        "forecast": forecast,
        "margin": margin,
        "available": available,
        "backup": backup,
        "allotments": shares,
    }
    return Curves(**(values | changes))
