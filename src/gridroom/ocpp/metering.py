"""Meter readings: what a station says it drew.

Source: OCPP 1.6 (edition 2) sections 4.7 and 7.33. Inside: currents in hundredths of an ampere per phase of the
station (L1, L2, L3), energy in Wh.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_EVEN, Decimal

from gridroom.ocpp.errors import PayloadError

PHASES = ("L1", "L2", "L3")
"""Names of the phases in a sample."""

CURRENT = "Current.Import"
"""Measurand of a current drawn. [A]"""

REGISTER = "Energy.Active.Import.Register"
"""Measurand of the meter's register. [Wh]"""

PERIODIC = "Sample.Periodic"
"""Context of a reading taken at its regular time."""

WH_PER_UNIT = {"Wh": Decimal(1), "kWh": Decimal(1000)}
"""Units of energy, in Wh."""


@dataclass(frozen=True)
class Sample:
    """One sampled value, as it stands in the message.

    Attributes:
        measurand: What was measured; OCPP's default is the energy register.
        value: The number.
        unit: Its unit; "" when the message has none.
        phase: L1, L2 or L3 of the station; "" for the whole.
        context: Why it was taken.
    """

    measurand: str
    value: Decimal
    unit: str
    phase: str = ""
    context: str = PERIODIC


@dataclass(frozen=True)
class MeterReading:
    """Values sampled at one moment. [UTC]"""

    timestamp: datetime
    samples: tuple[Sample, ...]

    def currents_ca(self) -> tuple[int | None, int | None, int | None]:
        """Current of L1, L2, L3, None where the reading says nothing of a phase. [0.01 A]

        Raises:
            PayloadError: A current is not in ampere, or a phase stands there twice with different values.
        """
        found: dict[str, int] = {}
        for sample in self.samples:
            if sample.measurand != CURRENT or sample.phase not in PHASES:
                continue
            if sample.unit != "A":
                unit = sample.unit or "no unit"
                raise PayloadError(f"sampledValue {CURRENT} {sample.phase}", f"has {unit}, A is needed")
            current_ca = int((sample.value * 100).to_integral_value(ROUND_HALF_EVEN))
            if found.setdefault(sample.phase, current_ca) != current_ca:
                raise PayloadError(f"sampledValue {CURRENT} {sample.phase}", "stands there twice")
        return found.get("L1"), found.get("L2"), found.get("L3")

    def register_wh(self) -> int | None:
        """The energy register of the whole station, None where the reading has none. [Wh]

        Raises:
            PayloadError: The register is neither in Wh nor in kWh.
        """
        for sample in self.samples:
            if sample.measurand == REGISTER and not sample.phase:
                unit = sample.unit or "Wh"
                if unit not in WH_PER_UNIT:
                    raise PayloadError(f"sampledValue {REGISTER}", f"has {unit}, Wh or kWh is needed")
                return int((sample.value * WH_PER_UNIT[unit]).to_integral_value(ROUND_HALF_EVEN))
        return None


@dataclass(frozen=True)
class MeterValues:
    """MeterValues.req: readings of a connector, of a transaction if one ran."""

    connector: int
    transaction_id: int | None
    readings: tuple[MeterReading, ...]


def reading(at: datetime, currents_ca: Sequence[int], register_wh: int, context: str = PERIODIC) -> MeterReading:
    """A reading of both kinds that we use.

    Args:
        at: When. [UTC]
        currents_ca: Mean current of L1, L2, L3 since the last reading of the transaction. [0.01 A]
        register_wh: The energy register. [Wh]
        context: Why it was taken.

    >>> r = reading(datetime.fromisoformat("2026-01-01T00:05Z"), (1600, 0, 0), 307)
    >>> r.currents_ca(), r.register_wh()
    ((1600, 0, 0), 307)
    """
    currents = (
        Sample(CURRENT, Decimal(current_ca).scaleb(-2), "A", phase, context)
        for phase, current_ca in zip(PHASES, currents_ca, strict=True)
    )
    return MeterReading(at, (*currents, Sample(REGISTER, Decimal(register_wh), "Wh", "", context)))
