"""What simulated stations remember over a restart: profiles, registers, and what they still have to say."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from gridroom.config import ConfigError
from gridroom.ocpp import fields, times, v16
from gridroom.ocpp.errors import OcppError
from gridroom.ocpp.messages import (
    MeterValues,
    SetChargingProfile,
    StartTransaction,
    StatusNotification,
    StopTransaction,
)
from gridroom.ocpp.profiles import Purpose
from gridroom.station.service import Station


def save(path: Path, stations: Iterable[Station]) -> None:
    """Write down what the stations must not forget; the file is replaced at once or not at all."""
    text = json.dumps({station.config.identity: _remembered(station) for station in stations})
    fresh = path.with_suffix(".new")
    fresh.write_text(text, encoding="utf-8")
    fresh.replace(path)


def load(path: Path, stations: Iterable[Station]) -> None:
    """Remind stations of what they wrote down. A car that was there at the time is reported as gone (PowerLoss).

    Raises:
        ConfigError: The file cannot be read.
    """
    if not path.exists():
        return
    try:
        known = json.loads(path.read_text(encoding="utf-8"))
        for station in stations:
            if station.config.identity in known:
                _remind(station, known[station.config.identity])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OcppError) as error:
        raise ConfigError(f"{path}: cannot be read ({error}); remove it to start afresh") from error


def _remembered(station: Station) -> dict[str, Any]:
    visit = station.visit
    defaults = (entry for entry in station.controller.stack if entry.profile.purpose is not Purpose.TX)
    return {
        "register_wh": station.meter.register_wh,
        "next": station.first_number + len(station.visits),
        "open": None if visit is None else visit.number,
        "at": times.write(station.now),
        "profiles": [v16.write(entry)[1] for entry in defaults],
        "numbers": [[session, number] for session, number in station.backlog.numbers.items()],
        "backlog": [
            [report.session, *v16.write(report.said)]
            for report in station.backlog
            if not isinstance(report.said, StatusNotification)
        ],
    }


def _remind(station: Station, known: dict[str, Any]) -> None:
    station.meter.register_wh = float(known["register_wh"])
    station.first_number = int(known["next"])
    station.backlog.numbers.update((int(session), int(number)) for session, number in known["numbers"])
    for payload in known["profiles"]:
        request = v16.read("SetChargingProfile", payload)
        if isinstance(request, SetChargingProfile):
            station.obey(request)
    for session, action, payload in known["backlog"]:
        said = v16.read(action, payload)
        if isinstance(said, StartTransaction | StopTransaction | MeterValues):
            station.backlog.put(int(session), said)
    if known["open"] is not None:
        gone = StopTransaction(0, int(known["register_wh"]), fields.time(known, "at"), "PowerLoss")
        station.backlog.put(int(known["open"]), gone)
