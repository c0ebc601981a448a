"""Messages of chapter 4 for the tests: one of each, with every field, and strategies that keep all rules."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from hypothesis import strategies as st

from gridroom.ocpp.draft20.enums import (
    ConnectorType,
    GenericStatus,
    Location,
    Measurand,
    ReadingContext,
    UnitOfMeasure,
    ValueFormat,
    units_of,
)
from gridroom.ocpp.draft20.values import (
    ChargingProfile,
    ChargingSchedule,
    ChargingSchedulePeriod,
    Evse,
    MeasuredValue,
    Message,
    MeterValue,
    MeterValuesRequest,
    MeterValuesResponse,
    SalesTariffTable,
    SetChargingProfileRequest,
    SetChargingProfileResponse,
    TariffPeriod,
)
from gridroom.ocpp.profiles import OF_THE_STATION, Kind, Purpose, Recurrency

MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
NOON = MONDAY + timedelta(hours=12)

OFFLINE = SetChargingProfileRequest(
    Evse(0),
    (
        ChargingProfile(
            7,
            0,
            Purpose.TX_DEFAULT,
            Kind.RECURRING,
            ChargingSchedule(
                70,
                (
                    ChargingSchedulePeriod(0, max_current_a=Decimal("16.0")),
                    ChargingSchedulePeriod(7200, max_current_a=Decimal("6.0"), number_phases=1),
                ),
                start_schedule=MONDAY,
            ),
            recurrency=Recurrency.DAILY,
            valid_from=MONDAY,
            valid_to=MONDAY + timedelta(days=30),
        ),
    ),
)
"""An offline profile: 16 A for two hours after midnight, then 6 A."""

PLAN = SetChargingProfileRequest(
    Evse(2, ConnectorType.S_TYPE2),
    (
        ChargingProfile(
            8,
            1,
            Purpose.TX,
            Kind.ABSOLUTE,
            ChargingSchedule(
                80,
                (
                    ChargingSchedulePeriod(0, max_power_kw=11),
                    ChargingSchedulePeriod(900, max_power_kw=7, max_current_a=Decimal("12.55"), number_phases=3),
                ),
                duration_s=3600,
                start_schedule=NOON,
            ),
            primary=True,
        ),
        ChargingProfile(
            9,
            1,
            Purpose.TX,
            Kind.ABSOLUTE,
            ChargingSchedule(90, (ChargingSchedulePeriod(0, max_power_kw=22),), 3600, NOON),
            primary=False,
            sales_tariff=SalesTariffTable(
                1, 2, (TariffPeriod(0, 1, "night & <day>"), TariffPeriod(1800, 2)), "green energy"
            ),
        ),
    ),
)
"""A charge plan with an alternative for ISO 15118, power beside current, and a connector."""

READINGS = MeterValuesRequest(
    Evse(2),
    (
        MeterValue(
            NOON,
            (
                MeasuredValue("12345.6", unit=UnitOfMeasure.KWH),
                MeasuredValue(
                    "16.05",
                    ReadingContext.SAMPLE_CLOCK,
                    measurand=Measurand.CURRENT_IMPORT,
                    location=Location.INLET,
                    unit=UnitOfMeasure.A,
                ),
                MeasuredValue("21.5", measurand=Measurand.TEMPERATURE, location=Location.BODY, unit=UnitOfMeasure.C),
            ),
        ),
        MeterValue(
            NOON + timedelta(seconds=1),
            (MeasuredValue("4F434D46", ReadingContext.TRANSACTION_END, ValueFormat.SIGNED_DATA),),
        ),
    ),
    "41",
)
"""Meter values of three kinds, and a signed one."""

MESSAGES: dict[str, Message] = {
    "offline": OFFLINE,
    "plan": PLAN,
    "accepted": SetChargingProfileResponse(GenericStatus.ACCEPTED),
    "readings": READINGS,
    "taken": MeterValuesResponse(),
}

texts = st.text("ab<>&\"' é", max_size=20).map(str.strip)
moments = st.integers(-200_000_000, 200_000_000).map(lambda ms: NOON + timedelta(milliseconds=ms))
numbers = st.integers(-(10**6), 10**6)


@st.composite
def periods(draw: st.DrawFn) -> tuple[ChargingSchedulePeriod, ...]:
    """Rising periods, by power, by current, by both, or in turns."""
    starts = [0, *sorted(draw(st.sets(st.integers(1, 90_000), max_size=3)))]
    kinds = draw(st.sampled_from(((True, False), (False, True), (True, True), None)))
    made = []
    for start_s in starts:
        power, current = kinds or draw(st.sampled_from(((True, False), (False, True), (True, True))))
        made.append(
            ChargingSchedulePeriod(
                start_s,
                draw(st.integers(0, 30)) if power else None,
                draw(st.decimals(0, 64, places=draw(st.sampled_from((0, 1, 3))))) if current else None,
                draw(st.sampled_from((None, 1, 2, 3))),
            )
        )
    return tuple(made)


@st.composite
def tariffs(draw: st.DrawFn) -> SalesTariffTable:
    """A price table whose levels fit."""
    starts = sorted(draw(st.sets(st.integers(0, 5000), min_size=1, max_size=3)))
    entries = tuple(TariffPeriod(one, draw(st.integers(0, 3)), draw(texts)) for one in starts)
    return SalesTariffTable(draw(numbers), 3, entries, draw(texts))


@st.composite
def profiles(draw: st.DrawFn, number: int, purpose: Purpose, primary: bool | None) -> ChargingProfile:
    """A profile that keeps all rules beside others of the same purpose."""
    kind = draw(st.sampled_from(Kind))
    recurrency = draw(st.sampled_from(Recurrency)) if kind is Kind.RECURRING else None
    start = None if kind is Kind.RELATIVE else draw(st.none() | moments)
    if recurrency is not None and start is not None:
        start = MONDAY + timedelta(days=7 * draw(st.integers(-3, 3)))
    valid_from = draw(st.none() | moments) if purpose is not Purpose.TX else None
    valid_to = None
    if purpose is not Purpose.TX and draw(st.booleans()):
        valid_to = (valid_from or NOON) + timedelta(seconds=draw(st.integers(1, 100_000)))
    schedule = ChargingSchedule(number, draw(periods()), draw(st.none() | st.integers(1, 100_000)), start)
    tariff = draw(tariffs() if primary is False else st.none() | tariffs())
    stack_level = draw(st.integers(0, 5))
    return ChargingProfile(
        number, stack_level, purpose, kind, schedule, primary, recurrency, valid_from, valid_to, tariff
    )


@st.composite
def charging(draw: st.DrawFn) -> SetChargingProfileRequest:
    """A SetChargingProfile that keeps all rules, now and then with alternatives."""
    purpose = draw(st.sampled_from(Purpose))
    evse = 0 if purpose in OF_THE_STATION else draw(st.integers(1 if purpose is Purpose.TX else 0, 3))
    connector = draw(st.none() | st.sampled_from(ConnectorType))
    first = draw(profiles(1, purpose, draw(st.sampled_from((None, True)))))
    if first.primary is None or draw(st.booleans()):
        return SetChargingProfileRequest(Evse(evse, connector), (first,))
    others = [draw(profiles(number, purpose, False)) for number in range(2, draw(st.integers(3, 4)))]
    return SetChargingProfileRequest(Evse(evse, connector), (*others, first))


@st.composite
def values(draw: st.DrawFn) -> MeasuredValue:
    """A value whose unit fits, or a signed record."""
    measurand = draw(st.sampled_from(Measurand))
    signed = draw(st.integers(0, 9)) == 0
    text = draw(st.binary(min_size=1, max_size=125)).hex() if signed else str(draw(st.decimals(-999, 10**7, places=2)))
    return MeasuredValue(
        text,
        draw(st.sampled_from(ReadingContext)),
        ValueFormat.SIGNED_DATA if signed else ValueFormat.RAW,
        measurand,
        draw(st.sampled_from(Location)),
        draw(st.sampled_from(units_of(measurand))),
    )


readings = st.builds(
    MeterValuesRequest,
    st.builds(Evse, st.integers(0, 3)),
    st.lists(st.builds(MeterValue, moments, st.lists(values(), min_size=1, max_size=3).map(tuple)), max_size=3).map(
        tuple
    ),
    st.none() | st.integers(-9, 10**9).map(str) | st.just("tx-1"),
)
