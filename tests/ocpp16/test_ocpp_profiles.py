"""OCPP 1.6 section 3.13: what a stack of charging profiles amounts to."""

from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.ocpp.errors import PayloadError
from gridroom.ocpp.profiles import (
    OF_THE_STATION,
    ClearChargingProfile,
    Kind,
    Period,
    Profile,
    Purpose,
    Recurrency,
    Schedule,
    SetChargingProfile,
    Stack,
    Transaction,
    boundaries,
    clear,
    end_transaction,
    install,
    limit_at,
)

NOON = datetime(2026, 1, 5, 12, tzinfo=UTC)
SAFE = Period(0, 600)
TX = Transaction(NOON, 7)


def entry(
    purpose: Purpose, *periods: tuple[int, int], level: int = 0, connector: int = 1, **kw: object
) -> SetChargingProfile:
    """A profile from (start_s, limit_ca) pairs; absolute from noon unless told."""
    known = {"id": hash((purpose, level, connector)) % 1000, "kind": Kind.ABSOLUTE, **kw}
    start = known.pop("start", NOON)
    duration = known.pop("duration_s", None)
    schedule = Schedule(tuple(Period(s, ca) for s, ca in periods), start, duration)  # type: ignore[arg-type]
    place = 0 if purpose in OF_THE_STATION else connector
    return SetChargingProfile(place, Profile(stack_level=level, purpose=purpose, schedule=schedule, **known))  # type: ignore[arg-type]


def composite(
    stack: Stack, start: datetime, seconds: int, transaction: Transaction | None, otherwise: Period
) -> tuple[Period, ...]:
    """What connector 1 may draw over a span, equal neighbours joined; within a second the lowest limit holds."""
    second = timedelta(seconds=1)
    moments = boundaries((entry.profile for entry in stack), start, start + seconds * second, transaction)
    cuts = {(moment - start) // second for moment in moments} | {-((start - moment) // second) for moment in moments}
    found: list[Period] = []
    for cut in sorted(cut for cut in cuts if cut < seconds):
        begin = start + cut * second
        within = [begin, *(moment for moment in moments if begin < moment < begin + second)]
        held = [limit_at(stack, 1, moment, transaction, otherwise) for moment in within]
        period = Period(cut, min(limit.limit_ca for limit in held), min(limit.phases for limit in held))
        if not found or (found[-1].limit_ca, found[-1].phases) != (period.limit_ca, period.phases):
            found.append(period)
    return tuple(found)


def limits(stack: Stack, seconds: int = 3600, tx: Transaction | None = TX) -> list[tuple[int, int]]:
    return [(p.start_s, p.limit_ca) for p in composite(stack, NOON, seconds, tx, SAFE)]


def test_an_empty_stack_leaves_the_safe_default() -> None:
    assert limits(()) == [(0, 600)]


def test_the_highest_stack_level_holds() -> None:
    stack = (entry(Purpose.TX, (0, 3200), level=0), entry(Purpose.TX, (0, 1000), level=3))
    assert limits(stack) == [(0, 1000)]


def test_a_tx_profile_goes_before_the_default_and_falls_back_to_it_when_its_duration_ends() -> None:
    stack = (entry(Purpose.TX_DEFAULT, (0, 700), level=9), entry(Purpose.TX, (0, 1600), duration_s=900))
    assert limits(stack) == [(0, 1600), (900, 700)]


def test_after_the_top_level_ends_the_next_level_holds() -> None:
    stack = (entry(Purpose.TX, (0, 1600), level=2, duration_s=600), entry(Purpose.TX, (0, 900), level=1))
    assert limits(stack) == [(0, 1600), (600, 900)]


def test_the_charge_point_maximum_bounds_everything() -> None:
    stack = (entry(Purpose.TX, (0, 3200)), entry(Purpose.CHARGE_POINT_MAX, (0, 2000), (60, 500), (120, 2500)))
    assert limits(stack) == [(0, 2000), (60, 500), (120, 2500)]
    assert limits((entry(Purpose.CHARGE_POINT_MAX, (0, 2000)),)) == [(0, 600)]


def test_external_constraints_bound_everything_beside_the_charge_point_maximum() -> None:
    external = entry(Purpose.EXTERNAL_CONSTRAINTS, (0, 1800), (60, 2500), id=1)
    stack = (entry(Purpose.TX, (0, 3200)), entry(Purpose.CHARGE_POINT_MAX, (0, 2000), id=2), external)
    assert limits(stack) == [(0, 1800), (60, 2000)]
    with pytest.raises(PayloadError, match="belongs to connector 0"):
        SetChargingProfile(1, external.profile)


def test_validity_is_half_open() -> None:
    profile = entry(
        Purpose.TX, (0, 1600), valid_from=NOON + timedelta(seconds=60), valid_to=NOON + timedelta(seconds=120)
    )
    assert limits((profile,)) == [(0, 600), (60, 1600), (120, 600)]


def test_a_tx_profile_of_another_transaction_does_not_hold() -> None:
    stack = (entry(Purpose.TX, (0, 1600), transaction_id=8),)
    assert limits(stack) == [(0, 600)]
    assert limits(stack, tx=Transaction(NOON, 8)) == [(0, 1600)]
    assert limits(stack, tx=None) == [(0, 600)]


def test_a_schedule_that_starts_later_holds_from_then() -> None:
    assert limits((entry(Purpose.TX, (0, 1600), start=NOON + timedelta(minutes=5)),)) == [(0, 600), (300, 1600)]


def test_a_relative_schedule_counts_from_the_start_of_charging() -> None:
    stack = (entry(Purpose.TX_DEFAULT, (0, 3200), (1800, 800), kind=Kind.RELATIVE, start=None),)
    assert limits(stack, tx=Transaction(NOON - timedelta(minutes=20))) == [(0, 3200), (600, 800)]
    assert limits(stack, tx=None) == [(0, 600)]


def test_a_daily_schedule_starts_anew_each_day() -> None:
    stack = (
        entry(
            Purpose.TX_DEFAULT,
            (0, 1000),
            (3600, 2000),
            kind=Kind.RECURRING,
            recurrency=Recurrency.DAILY,
            start=NOON - timedelta(days=4, minutes=-30),
        ),
    )
    assert limits(stack, 7200) == [(0, 2000), (1800, 1000), (5400, 2000)]


def test_a_default_of_the_connector_goes_before_one_of_the_station() -> None:
    station = entry(Purpose.TX_DEFAULT, (0, 800), connector=0, level=5)
    own = entry(Purpose.TX_DEFAULT, (0, 900), connector=1, level=0, duration_s=60)
    assert limits((station, own)) == [(0, 900), (60, 800)]


def test_within_a_second_the_lowest_limit_holds() -> None:
    half = timedelta(milliseconds=500)
    stack = (entry(Purpose.TX, (0, 300), (1, 1600), start=NOON + half),)
    assert limits(stack, 10) == [(0, 300), (2, 1600)]


def test_a_profile_takes_the_place_of_one_with_its_id_or_its_place() -> None:
    first = entry(Purpose.TX, (0, 1600), id=1)
    same_place = entry(Purpose.TX, (0, 900), id=2)
    same_id = entry(Purpose.TX_DEFAULT, (0, 800), id=2, level=4)
    assert install((first,), same_place) == (same_place,)
    assert install((same_place,), same_id) == (same_id,)


def test_clearing_needs_everything_that_is_given_to_fit() -> None:
    tx, default = entry(Purpose.TX, (0, 1600), id=1), entry(Purpose.TX_DEFAULT, (0, 900), id=2)
    assert clear((tx, default), ClearChargingProfile(id=1)) == (default,)
    assert clear((tx, default), ClearChargingProfile(purpose=Purpose.TX_DEFAULT)) == (tx,)
    assert clear((tx, default), ClearChargingProfile(connector=2)) == (tx, default)
    assert clear((tx, default), ClearChargingProfile()) == ()
    assert end_transaction((tx, default), 1) == (default,)


@pytest.mark.parametrize(
    ("make", "field"),
    [
        (lambda: Schedule(()), "chargingSchedulePeriod"),
        (lambda: Schedule((Period(1, 600),)), "chargingSchedulePeriod"),
        (lambda: Schedule((Period(0, 600), Period(0, 700))), "chargingSchedulePeriod"),
        (lambda: Schedule((Period(0, 600),), duration_s=0), "duration"),
        (lambda: Period(-1, 600), "startPeriod"),
        (lambda: Period(0, -1), "limit"),
        (lambda: Period(0, 1, 4), "numberPhases"),
        (lambda: entry(Purpose.TX, (0, 1), connector=0), "connectorId"),
        (lambda: SetChargingProfile(1, entry(Purpose.CHARGE_POINT_MAX, (0, 1)).profile), "connectorId"),
        (lambda: entry(Purpose.TX, (0, 1), connector=-1), "connectorId"),
        (lambda: entry(Purpose.TX, (0, 1), level=-1), "stackLevel"),
        (lambda: entry(Purpose.TX_DEFAULT, (0, 1), transaction_id=3), "transactionId"),
        (lambda: entry(Purpose.TX, (0, 1), kind=Kind.RECURRING), "chargingProfileKind"),
    ],
)
def test_nonsense_is_refused_with_the_name_of_the_field(make: object, field: str) -> None:
    with pytest.raises(PayloadError) as error:
        make()  # type: ignore[operator]
    assert error.value.path == field


@st.composite
def entries(draw: st.DrawFn) -> SetChargingProfile:
    purpose = draw(st.sampled_from(Purpose))
    kind = draw(st.sampled_from(Kind))
    starts = sorted(draw(st.sets(st.integers(1, 4000), max_size=3)))
    periods = tuple(Period(s, draw(st.integers(0, 3200)), draw(st.sampled_from((1, 3)))) for s in [0, *starts])
    moments = st.integers(-3_000_000, 3_000_000).map(lambda ms: NOON + timedelta(milliseconds=ms))
    schedule = Schedule(periods, draw(moments), draw(st.none() | st.integers(1, 5000)))
    connector = 0 if purpose in OF_THE_STATION else draw(st.sampled_from((1,) if purpose is Purpose.TX else (0, 1)))
    profile = Profile(
        draw(st.integers(0, 9)),
        draw(st.integers(0, 4)),
        purpose,
        kind,
        schedule,
        valid_from=draw(st.none() | moments),
        valid_to=draw(st.none() | moments),
        recurrency=Recurrency.DAILY if kind is Kind.RECURRING else None,
    )
    return SetChargingProfile(connector, profile)


stacks = st.lists(entries(), max_size=5).map(tuple)


@given(stacks, st.integers(0, 3_599_999))
def test_a_composite_never_allows_more_than_the_stack_at_any_moment(stack: Stack, after_ms: int) -> None:
    found = composite(stack, NOON, 3600, TX, SAFE)
    assert found[0].start_s == 0
    assert all(a.start_s < b.start_s for a, b in pairwise(found))
    holds = next(p for p in reversed(found) if p.start_s * 1000 <= after_ms)
    truth = limit_at(stack, 1, NOON + timedelta(milliseconds=after_ms), TX, SAFE)
    assert holds.limit_ca <= truth.limit_ca
    assert holds.phases <= truth.phases


@given(stacks, st.integers(0, 3599))
def test_the_charge_point_maximum_is_never_passed(stack: Stack, after_s: int) -> None:
    at = NOON + timedelta(seconds=after_s)
    most = tuple(e for e in stack if e.profile.purpose in OF_THE_STATION)
    without = limit_at(tuple(e for e in stack if e not in most), 1, at, TX, SAFE)
    held = limit_at(stack, 1, at, TX, SAFE)
    assert held.limit_ca == min(without.limit_ca, limit_at(most, 1, at, TX, Period(0, 10**6)).limit_ca)


@given(stacks, entries())
def test_an_installed_profile_is_in_the_stack_once(stack: Stack, new: SetChargingProfile) -> None:
    installed = install(stack, new)
    assert installed.count(new) == 1
    assert install(installed, new) == installed
