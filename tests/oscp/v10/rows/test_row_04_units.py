"""Row 4: ampere per phase, power converted towards less, and nothing else."""

from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.oscp.v10.blocks import CableRefused, CableTerms, request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    RequestAdjustedCapacityRequest,
    UpdateAggregatedUsageRequest,
)
from gridroom.oscp.v10.usage import UsageSpan, usage_spans, usage_values
from gridroom.oscp.v10.values import UNITS_OF_MEASURE
from oscp_samples import (
    FORECAST,
    QUARTER,
    REQUEST,
    START,
    TERMS,
    USAGE,
    amounts,
    ask,
    block,
    limits,
    only_second_cable,
    read,
    refusals,
    rows,
    used,
    value,
    written,
)

TWENTY_SIX = (
    "A ASU C dB Deg F g Hz kPa kvar kvarh kW kWh lx ms2 N ohm pct RH RPM s var varh V W Wh".split()  # noqa: SIM905
)
CAPACITY = {"A", "W", "kW"}
USE = {"A", "W", "kW", "Wh", "kWh"}


class TestTheEnumeration:
    def test_it_has_26_values_that_differ_not_only_by_letter_case(self) -> None:
        assert list(UNITS_OF_MEASURE) == TWENTY_SIX
        assert len({unit.lower() for unit in TWENTY_SIX}) == 26

    @pytest.mark.parametrize("unit", [*TWENTY_SIX, "Amp"])
    def test_each_in_a_capacity(self, unit: str) -> None:
        envelope = read(FORECAST, ('Unit="A"', f'Unit="{unit}"'))
        if unit in CAPACITY or unit == "Amp":
            assert refusals(envelope) == ()
        else:
            assert only_second_cable(envelope).code == "INVALID_UNIT"

    @pytest.mark.parametrize("unit", [*TWENTY_SIX, "Amp"])
    def test_each_in_a_usage(self, unit: str) -> None:
        envelope = read(USAGE, ('Unit="Wh"', f'Unit="{unit}"'))
        codes = [refusal.code for refusal in refusals(envelope)]
        assert codes == ([] if unit in USE or unit == "Amp" else ["INVALID_UNIT"])

    @pytest.mark.parametrize("unit", ["", " ", "mA", "kA", "VA", "MW", "Ampere", "W h", "1"])
    def test_any_other_word_refuses_the_cable_in_both(self, unit: str) -> None:
        assert only_second_cable(read(FORECAST, ('Unit="A"', f'Unit="{unit}"'))).code == "INVALID_UNIT"
        assert [one.code for one in refusals(read(USAGE, ('Unit="Wh"', f'Unit="{unit}"')))] == ["INVALID_UNIT"]

    @pytest.mark.parametrize(
        ("spelled", "unit", "deviates"),
        [
            ('Unit="A"', "A", set()),
            ("", "A", set()),
            ('Unit="Amp"', "A", {4}),
            ('Unit="Amps"', "A", {4}),
            ('Unit="a"', "A", {4}),
            ('Unit="KW"', "kW", {4}),
            ('Unit="W"', "W", set()),
            ('Unit=" kW "', "kW", set()),
        ],
    )
    def test_spellings_in_a_capacity(self, spelled: str, unit: str, deviates: set[int]) -> None:
        envelope = read(REQUEST, ('Unit="A"', spelled))
        assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
        assert envelope.body.adjustments[0].blocks[0].capacity[0].unit == unit
        assert rows(envelope) == deviates

    def test_a_usage_without_unit_refuses_the_cable(self) -> None:
        assert [one.code for one in refusals(read(USAGE, ('Unit="Wh"', "")))] == ["INVALID_UNIT"]


class TestPowerAsCapacity:
    """I = P / (1.1 U) on a phase, I = P / (1.1 U n) without Phase; rounded down."""

    def test_power_of_a_phase_is_that_phases(self) -> None:
        assert amounts(value("2.53", 2, "kW")) == (None, 1000, None)
        assert amounts(value("2530", 2, "W")) == (None, 1000, None)

    def test_power_without_phase_is_the_sum_of_the_phases(self) -> None:
        assert amounts(value("7.59", unit="kW")) == (1000, 1000, 1000)
        assert amounts(value("7590", unit="W")) == (1000, 1000, 1000)

    def test_the_sum_is_shared_by_as_many_phases_as_the_cable_has(self) -> None:
        assert amounts(value("2.53", unit="kW"), terms=CableTerms(None, Decimal(230), 1)) == (1000, 1000, 1000)

    @pytest.mark.parametrize(("power", "limit"), [("7589.99", 999), ("7590.01", 1000), ("0.001", 0), ("-0.001", 0)])
    def test_it_is_rounded_down(self, power: str, limit: int) -> None:
        assert amounts(value(power, unit="W")) == (limit, limit, limit)

    def test_a_give_back_in_power_is_rounded_towards_0(self) -> None:
        spans, _ = request_spans(Adjustment("A", (ask(0, 1, value("-7599", unit="W")),)), TERMS)
        assert spans[0].amounts == (-1001, -1001, -1001)
        assert Fraction(7599 * 100, 759) > 1001

    @pytest.mark.parametrize("phase", [None, 1])
    @pytest.mark.parametrize("unit", ["W", "kW"])
    def test_an_unknown_voltage_refuses_the_cable(self, unit: str, phase: int | None) -> None:
        with pytest.raises(CableRefused) as caught:
            amounts(value("100", phase, unit), terms=CableTerms(phases=3))
        assert caught.value.refusal.code == "INVALID_UNIT"

    def test_unknown_phases_refuse_only_power_without_phase(self) -> None:
        terms = CableTerms(voltage_v=Decimal(230))
        with pytest.raises(CableRefused):
            amounts(value("100", unit="W"), terms=terms)
        assert amounts(value("253", 1, "W"), terms=terms) == (100, None, None)

    def test_what_is_not_told_of_a_cable_is_not_guessed(self) -> None:
        with pytest.raises(CableRefused):
            amounts(value("100", 1, "W"), terms=CableTerms())
        assert amounts("1", terms=CableTerms()) == (100, 100, 100)

    def test_units_may_differ_from_phase_to_phase(self) -> None:
        assert amounts(value("5", 1), value("253", 2, "W"), value("0.253", 3, "kW")) == (500, 100, 100)

    @given(
        st.decimals(-(10**5), 10**5, places=5),
        st.sampled_from(["W", "kW"]),
        st.sampled_from([None, 1]),
        st.sampled_from(["230", "127.5", "0.4", "400"]),
        st.integers(1, 3),
    )
    def test_it_is_never_more_than_the_power_gives_and_within_a_hundredth(
        self, power: Decimal, unit: str, phase: int | None, voltage: str, phases: int
    ) -> None:
        terms = CableTerms(voltage_v=Decimal(voltage), phases=phases)
        watt = Fraction(power) * (1000 if unit == "kW" else 1)
        exact = watt * 100 / (Fraction(voltage) * Fraction(11, 10) * (1 if phase else phases))
        stated = value(format(power, "f"), phase, unit)
        limit = amounts(stated, terms=terms)[0] or 0
        assert max(Fraction(0), exact) - 1 < limit <= max(Fraction(0), exact)
        change = request_spans(Adjustment("A", (ask(0, 1, stated),)), terms)[0][0].amounts[0] or 0
        assert abs(exact) - 1 < abs(change) <= abs(exact)
        assert change == 0 or (change < 0) == (exact < 0)

    def test_no_number_of_digits_rounds_up(self) -> None:
        nines = "23." + "9" * 60
        assert amounts(nines) == (2399, 2399, 2399)
        assert amounts(value("7589." + "9" * 60, unit="W")) == (999, 999, 999)


def usage(*stated: tuple[str, int | None, str], terms: CableTerms = TERMS) -> UsageSpan:
    report = CableUsage("A", (used(0, 1, *(value(*one) for one in stated)),))
    return usage_spans(report, terms)[0][0]


class TestUse:
    @pytest.mark.parametrize(
        ("number", "unit"), [("16", "A"), ("3680", "W"), ("3.68", "kW"), ("920", "Wh"), ("0.92", "kWh")]
    )
    def test_each_unit_with_phase_subtracts_its_current(self, number: str, unit: str) -> None:
        span = usage((number, 2, unit))
        assert span.subtractable_ca == (0, 1600, 0)
        assert not span.flagged
        assert (span.total_ca, span.total_wh) == (None, None)

    @pytest.mark.parametrize(
        ("number", "unit", "current", "energy"),
        [
            ("16", "A", 1600, None),
            ("3680", "W", None, 920),
            ("3.68", "kW", None, 920),
            ("920", "Wh", None, 920),
            ("0.92", "kWh", None, 920),
        ],
    )
    def test_without_phase_it_is_kept_and_flagged_but_subtracts_nothing(
        self, number: str, unit: str, current: int | None, energy: int | None
    ) -> None:
        span = usage((number, None, unit))
        assert (span.total_ca, span.total_wh) == (current, energy)
        assert span.subtractable_ca == (0, 0, 0)
        assert span.flagged

    @pytest.mark.parametrize("unit", ["W", "kW", "Wh", "kWh"])
    def test_without_a_voltage_power_and_energy_are_kept_and_flagged_but_subtract_nothing(self, unit: str) -> None:
        span = usage(("16", 1, "A"), ("16", 1, unit), terms=CableTerms())
        assert span.subtractable_ca == (0, 0, 0)
        assert span.energy_wh[0] is not None
        assert span.flagged

    def test_current_needs_no_voltage(self) -> None:
        assert usage(("16", 1, "A"), terms=CableTerms()).subtractable_ca == (1600, 0, 0)

    def test_a_unit_that_is_no_unit_of_use_refuses_the_cable(self) -> None:
        with pytest.raises(CableRefused):
            usage(("16", 1, "V"))


class TestWriting:
    def test_capacity_and_adjustments_in_ampere(self) -> None:
        assert '<Capacity Unit="A">24.00</Capacity>' in written(FORECAST)
        assert '<Capacity Unit="A">24.00</Capacity>' in written(REQUEST)

    def test_usage_in_watthours_and_ampere_always_with_phase(self) -> None:
        stated = usage_values((1600, 0, 100), (Decimal(920), Decimal(0), Decimal("57.5")))
        assert [(one.unit, one.phase) for one in stated] == [(u, p) for u in ("Wh", "A") for p in (1, 2, 3)]
        body = UpdateAggregatedUsageRequest((CableUsage("C1", (used(0, 1, *stated),)),))
        assert '<Usage Unit="Wh" Phase="1">920.00</Usage>' in written(body)
        assert read(body).deviations == ()


def test_a_forecast_in_power_reads_from_bytes_to_hundredths() -> None:
    body = read(FORECAST, ('Unit="A">24.00', 'Unit="kW">7.59')).body
    stated = body.forecasts[0].blocks  # type: ignore[union-attr]
    assert [span.amounts for span in limits(*stated)] == [(1000, 1000, 1000)]
    assert block(0, 1, "1").end == START + QUARTER
