"""Every enumeration of chapter 4, each value as it is written. Source: OSCP 1.0 sections 4.2.1.2, 4.2.1.3, 4.2.2.1.

ChargingProfilePurposeType, ChargingProfileKindType and RecurrencyKindType are `Purpose`, `Kind` and `Recurrency` of
`gridroom.ocpp.profiles`.
"""

from enum import StrEnum


class ConnectorType(StrEnum):
    """A kind of plug or socket; `c` is a captive cable, `s` a socket, `w` wireless."""

    C_CCS1 = "cCCS1"
    C_CCS2 = "cCCS2"
    C_G105 = "cG105"
    C_TESLA = "cTesla"
    C_TYPE1 = "cType1"
    C_TYPE2 = "cType2"
    OTHER_1PH_MAX_16A = "Other1PhMax16A"
    OTHER_3PH = "Other3Ph"
    S309_1P_16A = "s309-1P-16A"
    S309_1P_32A = "s309-1P-32A"
    S309_3P_16A = "s309-3P-16A"
    S309_3P_32A = "s309-3P-32A"
    S_BS1361 = "sBS1361"
    S_CEE_7_7 = "sCEE-7-7"
    S_TYPE2 = "sType2"
    S_TYPE3 = "sType3"
    UNDETERMINED = "Undetermined"
    UNKNOWN = "Unknown"
    W_INDUCTIVE = "wInductive"
    W_RESONANT = "wResonant"


class RequestedEnergyTransferType(StrEnum):
    """How a car charges; the document lists the values and no field uses them."""

    AC = "Ac"
    DC_CHADEMO = "DcChademo"
    DC_ISO = "DcIso"


class GenericStatus(StrEnum):
    """Whether a message was processed. The document names the type and no value; these are those of OCPP 1.5."""

    ACCEPTED = "Accepted"
    REJECTED = "Rejected"


class ReadingContext(StrEnum):
    """Why a value was taken. The document swaps the descriptions of the two transaction values; Begin is the start."""

    INTERRUPTION_BEGIN = "Interruption.Begin"
    INTERRUPTION_END = "Interruption.End"
    SAMPLE_CLOCK = "Sample.Clock"
    SAMPLE_PERIODIC = "Sample.Periodic"
    TRANSACTION_BEGIN = "Transaction.Begin"
    TRANSACTION_END = "Transaction.End"


class ValueFormat(StrEnum):
    """A number, or a signed record in hexadecimal digits."""

    RAW = "Raw"
    SIGNED_DATA = "SignedData"


class Measurand(StrEnum):
    """What was measured; Register counts for ever, Interval since the last value."""

    CURRENT_EXPORT = "Current.Export"
    CURRENT_IMPORT = "Current.Import"
    ENERGY_ACTIVE_EXPORT_INTERVAL = "Energy.Active.Export.Interval"
    ENERGY_ACTIVE_EXPORT_REGISTER = "Energy.Active.Export.Register"
    ENERGY_ACTIVE_IMPORT_INTERVAL = "Energy.Active.Import.Interval"
    ENERGY_ACTIVE_IMPORT_REGISTER = "Energy.Active.Import.Register"
    ENERGY_REACTIVE_EXPORT_INTERVAL = "Energy.Reactive.Export.Interval"
    ENERGY_REACTIVE_EXPORT_REGISTER = "Energy.Reactive.Export.Register"
    ENERGY_REACTIVE_IMPORT_INTERVAL = "Energy.Reactive.Import.Interval"
    ENERGY_REACTIVE_IMPORT_REGISTER = "Energy.Reactive.Import.Register"
    POWER_ACTIVE_EXPORT = "Power.Active.Export"
    POWER_ACTIVE_IMPORT = "Power.Active.Import"
    POWER_REACTIVE_EXPORT = "Power.Reactive.Export"
    POWER_REACTIVE_IMPORT = "Power.Reactive.Import"
    TEMPERATURE = "Temperature"
    VOLTAGE = "Voltage"


class Location(StrEnum):
    """Where it was measured: inside the station, at its grid connection, or at the EVSE's outlet."""

    BODY = "Body"
    INLET = "Inlet"
    OUTLET = "Outlet"


class UnitOfMeasure(StrEnum):
    """Units of section 3.2.3 (the document refers to 3.2.2). Which of them a measurand can have, `units_of` tells."""

    A = "A"
    ASU = "ASU"
    C = "C"
    DB = "dB"
    DEG = "Deg"
    F = "F"
    G = "g"
    HZ = "Hz"
    KPA = "kPa"
    KVAR = "kvar"
    KVARH = "kvarh"
    KW = "kW"
    KWH = "kWh"
    LX = "lx"
    MS2 = "ms2"
    N = "N"
    OHM = "ohm"
    PCT = "pct"
    RH = "RH"
    RPM = "RPM"
    S = "s"
    VAR = "var"
    VARH = "varh"
    V = "V"
    W = "W"
    WH = "Wh"


U = UnitOfMeasure
UNITS: dict[str, tuple[UnitOfMeasure, ...]] = {
    "Current.": (U.A,),
    "Energy.Active.": (U.WH, U.KWH),
    "Energy.Reactive.": (U.VARH, U.KVARH),
    "Power.Active.": (U.W, U.KW),
    "Power.Reactive.": (U.VAR, U.KVAR),
    "Temperature": (U.C, U.F),
    "Voltage": (U.V,),
}
"""What a measurand begins with, and the units that it can have."""


def units_of(measurand: Measurand) -> tuple[UnitOfMeasure, ...]:
    """The units that a measurand can have.

    >>> [str(unit) for unit in units_of(Measurand.POWER_ACTIVE_IMPORT)]
    ['W', 'kW']
    """
    return next(units for start, units in UNITS.items() if measurand.startswith(start))
