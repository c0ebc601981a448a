"""The five exchanges and two Faults with a Gridroom CSO and DSO, checked from both ends whatever the toolkit is."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from foreign.programs import Facts, Toolkit, near, run, to_cso, to_dso
from gridroom.cso.store import Store
from gridroom.dso.readings.measurements import Reading
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from gridroom.storage import inbox
from gridroom.timegrid import QUARTER, floor
from offices_online import CABLE, Online, online

OTHERWISE = PeerProfile(
    phases="per-phase",
    ends="exclusive",
    success_code="PROCESSED",
    description=False,
    adjustment_first=False,
    sender_fault_status=500,
)
"""Whatever answers and Faults of SOAP 1.2 can do otherwise."""

SOAP11 = PeerProfile(soap="1.1")


def offices_for(folder: Path, profile: PeerProfile) -> AbstractAsyncContextManager[Online]:
    """Both offices online, each writing to the other as a profile says."""
    switches = {field.name: getattr(profile, field.name) for field in fields(profile)}
    said = [
        f"{name} = {str(value).lower() if isinstance(value, bool | int) else repr(value)}"
        for name, value in switches.items()
    ]
    return online(
        folder,
        lambda text: text.replace('# profile = { ends = "exclusive" }', f"profile = {{ {', '.join(said)} }}"),
        lambda text: text.replace('phases = "per-phase"\n', "\n".join(said) + "\n"),
    )


def this_quarter() -> datetime:
    """Start of the block in force. [UTC]"""
    return floor(datetime.now(UTC), QUARTER)


def check_faults(told: dict[str, Facts], profile: PeerProfile) -> None:
    """A wrong senderID and a missing MessageID came back as Faults that the toolkit read."""
    soap11 = profile.soap == "1.1"
    stranger, nameless = told["stranger"], told["nameless"]
    assert stranger.one("fault") == ("Client" if soap11 else "Sender")
    assert "senderID 'nobody' is not an id of" in stranger.one("reason")
    assert nameless.one("fault") == ("MessageAddressingHeaderRequired" if soap11 else "Sender")
    assert "MessageID is missing" in nameless.one("reason")


def check_cso(
    offices: Online, told: dict[str, Facts], start: datetime, before: datetime, profile: PeerProfile = DEFAULT
) -> None:
    """What a DSO's toolkit said is in the CSO's book, and what the CSO answered was read."""
    for step in ("forecast", "heartbeat"):
        assert (told[step].one("from"), told[step].one("type")) == ("cso", "SUCCESS")
    assert told["forecast"].codes == [profile.success_code]
    limits = offices.book().limits(datetime.now(UTC), start + QUARTER, 90)
    assert limits.tolist() == [[3300] * 90, [2250] * 90, [1100] * 90]
    assert offices.book().remaining_at(start + QUARTER, 1).tolist() == [[500]] * 3
    assert near(told["heartbeat"].one("current"))
    with offices.cso_db.transact() as tx:
        watch = Store(tx).watch("dso")
    assert watch is not None
    assert watch.last >= before
    check_faults(told, profile)


def check_deviations(offices: Online) -> None:
    """Nothing had to be tolerated, but that ext-soap writes an object once and then refers to it (row 33)."""
    assert offices.dso.statistics()["deviations"] == {}
    with offices.cso_db.transact() as tx:
        odd = inbox.deviations(tx)
    assert {row for rows in odd.values() for row in rows} <= {33}


async def publish(offices: Online) -> None:
    """The DSO has measured for a week and has sent forecasts."""
    past = (this_quarter() - n * QUARTER for n in range(1, 8 * 96))
    loads = [(moment, (2000 + moment.minute,) * 3) for moment in past]  # a meter that never moves is stuck
    offices.dso.record_readings([Reading(CABLE, moment, 900, (a, b, c)) for moment, (a, b, c) in loads])
    await offices.dso.publish(datetime.now(UTC))


def allotted(offices: Online, start: datetime) -> int:
    """What the CSO may use in a block. [0.01 A]"""
    return int(offices.dso.view(CABLE, start, 1).allotments["cso"].min())


async def check_dso(
    offices: Online, told: dict[str, Facts], start: datetime, before: int, profile: PeerProfile = DEFAULT
) -> None:
    """What a CSO's toolkit asked and reported is at the DSO, and what the DSO answered was read.

    Args:
        offices: Both.
        told: By the program.
        start: Of the block that was asked for. [UTC]
        before: What was allotted there before the program ran. [0.01 A]
        profile: Of the CSO at the DSO.
    """
    assert (told["forecasts"].one("from"), told["forecasts"].one("type")) == ("dso", "SUCCESS")
    assert told["unknown"].one("type") == "FAILED"
    assert told["unknown"].said["detail"][0].startswith("UNKNOWN_CABLE ERROR nowhere: no connections")
    end = start + QUARTER - (timedelta(seconds=1) if profile.ends == "inclusive" else timedelta(0))
    for step in ("giveback", "request"):
        assert told[step].block == (CABLE, start, end)
    giveback, request = told["giveback"], told["request"]
    assert giveback.one("type") == "SUCCESS"
    assert {value for value, unit, _ in giveback.amounts["granted"]} == {Decimal(-10)}
    assert request.one("type") == "FAILED"
    assert "NO_CAPACITY" in request.codes
    granted = min(value for value, _, _ in request.amounts["granted"])
    assert granted > 0
    assert {value for value, _, _ in request.amounts["left"]} == {Decimal(0)}
    for facts in (giveback, request):
        assert {unit for values in facts.amounts.values() for _, unit, _ in values} == {"A"}
    assert allotted(offices, start) == before - 1000 + int(granted * 100)
    assert told["usage"].one("type") == "SUCCESS"
    assert offices.dso.view(CABLE, start - 8 * QUARTER, 1).reported["cso"].tolist() == [[800]] * 3
    check_faults(told, profile)


async def talk(
    offices: Online, toolkit: Toolkit, folder: Path, *, served: bool, profile: PeerProfile = DEFAULT
) -> None:
    """A DSO's program and then a CSO's, each holding all exchanges of one service."""
    before, start = datetime.now(UTC), this_quarter()
    task = to_cso(offices)
    described = task.served if served else task.files(folder, profile)
    told = await run(toolkit, task, described, folder, start=start, OSCP_SOAP=profile.soap)
    check_cso(offices, told, start, before, profile)

    await publish(offices)
    start = this_quarter() + 4 * QUARTER
    heard, share = offices.book().heard_at, allotted(offices, start)
    assert share > 1000
    task = to_dso(offices)
    described = task.served if served else task.files(folder, profile)
    told = await run(toolkit, task, described, folder, start=start, OSCP_SOAP=profile.soap)
    await check_dso(offices, told, start, share, profile)
    await until(lambda: offices.book().heard_at != heard)  # the forecast that it asked for
    check_deviations(offices)


async def until(check: Callable[[], bool], seconds: float = 20) -> None:
    """Wait for something that happens by itself."""
    async with asyncio.timeout(seconds):
        while not check():
            await asyncio.sleep(0.02)
