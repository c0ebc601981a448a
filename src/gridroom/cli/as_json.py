"""What the DSO's commands print with `--json`: for programs that watch; currents in ampere, times with their offset."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

if TYPE_CHECKING:
    from gridroom.dso.cables import Finding, Register
    from gridroom.dso.screens.curves import Amps, Curves
    from gridroom.dso.screens.overview import CableLine
    from gridroom.dso.screens.risk import RealisedRisk
    from gridroom.dso.screens.status import Status


def status(found: "Status", zone: ZoneInfo) -> dict[str, Any]:
    """How a DSO fares."""

    def at(moment: datetime | None) -> str | None:
        return None if moment is None else moment.astimezone(zone).isoformat(timespec="seconds")

    return {
        "party": found.party,
        "at": at(found.at),
        "alarming": found.alarming,
        "signs": [{"level": str(one.level), "where": one.where, "text": one.text} for one in found.signs],
        "published": at(found.published),
        "published_age_s": None if found.age is None else round(found.age.total_seconds()),
        "late_after_s": round(found.late_after.total_seconds()),
        "forecasts": {quality: len(ids) for quality, ids in sorted(found.qualities.items())},
        "newest_reading": at(found.newest),
        "missed_after_s": round(found.missed_after.total_seconds()),
        "silent": list(found.silent),
        "overclaimed": list(found.overclaimed),
        "unreported": {party: list(ids) for party, ids in found.unreported.items()},
        "flagged_readings": {reason: dict(cables) for reason, cables in sorted(found.counts.items())},
        "letters": {
            party: {
                "waiting": post.waiting,
                "late": post.late,
                "silent_since": at(post.silent_since),
                "abandoned": [{"operation": o, "reason": why, "at": at(when)} for o, why, when in post.abandoned],
                "stopped": [{"operation": o, "reason": why, "since": at(when)} for o, why, when in post.stopped],
            }
            for party, post in sorted(found.posts.items())
        },
        "messages": {operation: dict(tally) for operation, tally in found.messages.items()},
        "brakes": {
            cable: {"since": at(one.since), "until": at(one.until), "low_a": list(one.low_a)}
            for cable, one in sorted(found.brakes.items())
        },
        "risks": {name: _risk(one) for name, one in found.risks.items()},
    }


def cables(
    lines: Sequence["CableLine"], register: "Register", zone: ZoneInfo, warnings: Sequence["Finding"] = ()
) -> dict[str, Any]:
    """The register, how each cable stands, and what looks wrong."""
    return {
        "nodes": [
            {"id": one.id, "kind": one.kind, "parent": one.parent, "limit_a": one.limit_ca and _ampere(one.limit_ca)}
            for one in register.nodes.values()
        ],
        "cables": [
            {
                "id": line.cable.id,
                "parent": line.cable.parent,
                "limit_a": _ampere(line.cable.limit_ca),
                "risk_class": line.cable.risk_class,
                "contracts_a": {one.party: one.contracted_ca / 100 for one in line.cable.contracts},
                "connections": {one.party: list(one.connections) for one in line.cable.contracts if one.connections},
                "quality": line.quality,
                "latest_reading": line.latest_end and line.latest_end.astimezone(zone).isoformat(timespec="seconds"),
                "offered_a": None if line.offered_a is None else list(line.offered_a),
            }
            for line in lines
        ],
        "warnings": [str(one) for one in warnings],
    }


def forecast(curves: "Curves") -> dict[str, Any]:
    """A cable block by block; lists hold a value for each of the phases named."""
    rows = [phase - 1 for phase in curves.phases]

    def told(cells: "Amps", block: int) -> list[float] | None:
        values = [float(cells[row, block]) for row in rows]
        return None if any(math.isnan(value) for value in values) else values

    times = [moment.isoformat(timespec="seconds") for moment in curves.times]
    series = {
        "measured_a": curves.measured,
        "load_a": curves.load,
        "forecast_a": curves.forecast,
        "margin_a": curves.margin,
        "available_a": curves.available,
        "backup_a": curves.backup,
    }
    return {
        "cable": curves.cable,
        "issued": curves.issued and curves.issued.astimezone(curves.zone).isoformat(timespec="seconds"),
        "quality": curves.quality,
        "held_by": list(curves.held_by),
        "phases": [f"L{phase}" for phase in curves.phases],
        "limit_a": [float(curves.limit[row]) for row in rows],
        "blocks": [
            {"start": times[i], "end": times[i + 1]}
            | {name: told(cells, i) for name, cells in series.items()}
            | {"allotments_a": {party: told(cells, i) for party, cells in curves.allotments.items()}}
            | {"adjusted_a": {party: told(cells, i) for party, cells in curves.adjusted.items()}}
            for i in range(curves.blocks)
        ],
    }


def _risk(one: "RealisedRisk") -> dict[str, float | int | None]:
    realised = None if math.isnan(one.realised) else one.realised
    return {"asked": one.asked, "realised": realised, "low": one.low, "high": one.high, "blocks": one.blocks}


def _ampere(limit_ca: Sequence[int]) -> list[float]:
    return [value / 100 for value in limit_ca]
