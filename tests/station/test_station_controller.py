"""The local controller: what it takes, what it keeps."""

from datetime import UTC, datetime, timedelta

from gridroom.ocpp.profiles import (
    ClearChargingProfile,
    Kind,
    Period,
    Profile,
    Purpose,
    Schedule,
    SetChargingProfile,
    Transaction,
)
from gridroom.station.controller import Controller

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
TX = Transaction(NOON, 7)
EMPTY = Controller(safe=Period(0, 600), most=Period(0, 1600))


def profile(
    purpose: Purpose, limit_ca: int, *, connector: int = 1, number: int | None = None, duration_s: int | None = None
) -> SetChargingProfile:
    schedule = Schedule((Period(0, limit_ca),), NOON, duration_s)
    return SetChargingProfile(connector, Profile(limit_ca, 0, purpose, Kind.ABSOLUTE, schedule, number))


def test_knowing_nothing_it_allows_its_safe_current() -> None:
    assert EMPTY.limit(NOON, TX) == Period(0, 600)


def test_the_hardware_bounds_every_profile() -> None:
    controller, status = EMPTY.set_profile(profile(Purpose.TX_DEFAULT, 3200), None)
    assert status == "Accepted"
    assert controller.limit(NOON, TX).limit_ca == 1600


def test_a_tx_profile_needs_its_own_transaction() -> None:
    for transaction, number, expected in [(None, 7, "Rejected"), (TX, 8, "Rejected"), (TX, 7, "Accepted")]:
        assert EMPTY.set_profile(profile(Purpose.TX, 1000, number=number), transaction)[1] == expected
    assert EMPTY.set_profile(profile(Purpose.TX, 1000, number=7), Transaction(NOON))[1] == "Rejected"


def test_a_tx_profile_without_a_number_belongs_to_the_running_transaction() -> None:
    controller, _ = EMPTY.set_profile(profile(Purpose.TX, 1000), TX)
    assert controller.limit(NOON, TX).limit_ca == 1000
    assert controller.limit(NOON, Transaction(NOON, 8)).limit_ca == 600


def test_after_the_transaction_only_the_default_is_left() -> None:
    controller, _ = EMPTY.set_profile(profile(Purpose.TX_DEFAULT, 800), None)
    controller, _ = controller.set_profile(profile(Purpose.TX, 1000, duration_s=900), TX)
    assert controller.limit(NOON, TX).limit_ca == 1000
    assert controller.changes(NOON, NOON + timedelta(hours=1), TX) == [NOON, NOON + timedelta(seconds=900)]
    assert controller.limit(NOON + timedelta(seconds=900), TX).limit_ca == 800
    assert controller.end_transaction().limit(NOON, TX).limit_ca == 800


def test_what_it_cannot_hold_is_rejected() -> None:
    assert EMPTY.set_profile(profile(Purpose.TX, 1000, connector=2), TX)[1] == "Rejected"
    long = Schedule(tuple(Period(60 * n, 600) for n in range(25)), NOON)
    many = SetChargingProfile(1, Profile(1, 0, Purpose.TX, Kind.ABSOLUTE, long))
    assert EMPTY.set_profile(many, TX)[1] == "Rejected"
    controller = EMPTY
    for level in range(21):
        one = Profile(level, level, Purpose.TX_DEFAULT, Kind.ABSOLUTE, Schedule((Period(0, 600),), NOON))
        controller, status = controller.set_profile(SetChargingProfile(1, one), None)
    assert status == "Rejected"
    assert len(controller.stack) == 20


def test_clearing_tells_whether_there_was_something() -> None:
    controller, _ = EMPTY.set_profile(profile(Purpose.TX_DEFAULT, 800), None)
    assert controller.clear_profile(ClearChargingProfile(id=9))[1] == "Unknown"
    cleared, status = controller.clear_profile(ClearChargingProfile(purpose=Purpose.TX_DEFAULT))
    assert (cleared, status) == (EMPTY, "Accepted")
