"""The configuration of a CSO as one value, and what follows from it."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec

from gridroom.config import ConfigError, read
from gridroom.cso.stations import CableKey, Register, StationError, read_csv
from gridroom.oscp.v10.blocks import CableTerms
from gridroom.oscp.v10.letters import Peer, is_ean
from gridroom.oscp.v10.profile import PeerProfile
from gridroom.storage import address


class CableEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A cable on which we have connections.

    Attributes:
        id: Its CableId.
        maximum_a: Most that a forecast may state; above it is cut. [A]
        voltage_v: Nominal voltage from phase to neutral. [V]
        connections: Its ConnectionReferenceIds that are ours; none named, none is looked at (row 22).
    """

    id: str
    maximum_a: float | None = None
    voltage_v: float = 230.0
    connections: tuple[str, ...] = ()


class DsoEntry(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A DSO that we talk with.

    Attributes:
        party: What its certificate proves.
        id: The receiverID that we write.
        url: Where its service listens.
        ids: Further senderIDs that it uses.
        ean: Whether its ids are EAN-13 codes, whose check digits must fit.
        cables: Its cables on which we have connections.
        profile: How it wants to be written to; keys of `PeerProfile`.
        certificates: Certificates of it that name no gridroom party: `sha256:<hex>` or `cn:<name>`.
    """

    party: str
    id: str
    url: str
    ids: tuple[str, ...] = ()
    ean: bool = False
    cables: tuple[CableEntry, ...] = ()
    profile: dict[str, Any] = {}
    certificates: tuple[str, ...] = ()


class CsoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Configuration of a CSO. Paths are relative to the folder of the file.

    Attributes:
        party: Our name, as in our certificate.
        id: The senderID that we write.
        ids: Further receiverIDs by which we may be addressed.
        host: Address to listen on.
        oscp_port: For DSOs; 0 takes a free one.
        ocpp_port: For stations.
        driver_port: For drivers' wishes.
        driver_token: Bearer token that the drivers' endpoint asks for; empty closes the endpoint.
        cert: Our certificate chain.
        key: Its private key.
        ca: The authorities that we trust.
        database: The database: a file, or the URL of a PostgreSQL database.
        stations: The register of stations.
        block_min: Length of a planning block. [min]
        plan_min: How often we plan. [min]
        assumed_stay_h: Stay of a car whose driver said nothing. [h]
        reserve_a: Kept on each phase for cars to come, before anything is given back. [A]
        give_back_least_a: Less than this is not given back. [A]
        silence_cap_min: Longest silence of a DSO that we tolerate. [min]
        ocpp_timeout_s: How long we wait for a station's answer. [s]
        keep_days: How long readings, reports and settled letters are kept.
        dso: The DSOs.
    """

    party: str
    id: str
    ids: tuple[str, ...] = ()
    host: str = "127.0.0.1"
    oscp_port: int = 0
    ocpp_port: int = 0
    driver_port: int = 0
    driver_token: str = ""
    cert: str = "cso.pem"
    key: str = "cso.key"
    ca: str = "ca.pem"
    database: str = "cso.db"
    stations: str = "stations.csv"
    block_min: int = 15
    plan_min: int = 5
    assumed_stay_h: float = 3.0
    reserve_a: float = 16.0
    give_back_least_a: float = 6.0
    silence_cap_min: int = 30
    ocpp_timeout_s: float = 10.0
    keep_days: int = 30
    dso: tuple[DsoEntry, ...] = ()

    def __post_init__(self) -> None:
        if self.block_min < 1 or 1440 % self.block_min:
            raise ValueError("`block_min` must divide a day of 1440 minutes")
        for name in ("plan_min", "silence_cap_min", "keep_days", "ocpp_timeout_s", "assumed_stay_h"):
            if getattr(self, name) <= 0:
                raise ValueError(f"`{name}` must be above 0")
        if self.reserve_a < 0 or self.give_back_least_a <= 0:
            raise ValueError("`reserve_a` must not be negative and `give_back_least_a` must be above 0")
        parties = [entry.party for entry in self.dso]
        if len(set(parties)) < len(parties):
            raise ValueError("`dso`: a party stands there twice")


@dataclass(frozen=True)
class Market:
    """What the use cases need to know of the world around.

    Attributes:
        peers: The DSOs by party.
        terms: What is known of each cable.
        register: The stations.
        block: Length of a planning block.
        assumed_stay: Stay of a car whose driver said nothing.
        reserve_ca: Kept on each phase for cars to come. [0.01 A]
        give_back_least_ca: Less is not given back. [0.01 A]
        silence_cap_s: Longest silence of a DSO that we tolerate. [s]
        keep: How long records are kept.
        connections: ConnectionReferenceIds of the cables where they are known.
    """

    peers: Mapping[str, Peer]
    terms: Mapping[CableKey, CableTerms]
    register: Register
    block: timedelta = timedelta(minutes=15)
    assumed_stay: timedelta = timedelta(hours=3)
    reserve_ca: int = 1600
    give_back_least_ca: int = 600
    silence_cap_s: int = 1800
    keep: timedelta = timedelta(days=30)
    connections: Mapping[CableKey, frozenset[str]] = field(default_factory=dict)

    @property
    def blocks_a_day(self) -> int:
        """Number of planning blocks in 24 h."""
        return timedelta(days=1) // self.block

    def cables(self, party: str | None = None) -> list[CableKey]:
        """The cables of one DSO, or of all, in a stable order."""
        keys = (key for key in self.terms if party in (None, key.dso))
        return sorted(keys, key=lambda k: (k.dso, k.cable))


def load(folder: Path) -> CsoConfig:
    """Read `cso.toml` in a folder; paths in it become paths from here.

    Raises:
        ConfigError: It cannot be used; the text names file and key.
    """
    file = folder / "cso.toml"
    config = read(file, CsoConfig)
    try:
        for entry in config.dso:
            _profile(entry)
            for wrong in (name for name in (entry.id, *entry.ids) if entry.ean and not is_ean(name)):
                raise ConfigError(f"dso {entry.party}: `ean` is set, but {wrong!r} is no EAN-13 code")
    except ConfigError as error:
        raise ConfigError(f"{file}: {error}") from error
    names = ("cert", "key", "ca", "stations")
    paths = {name: str(folder / getattr(config, name)) for name in names}
    return msgspec.structs.replace(config, **paths, database=address.within(config.database, folder))


def market(config: CsoConfig, register: Register | None = None) -> Market:
    """The world as configured.

    Args:
        config: The configuration, with usable paths.
        register: The stations; read from the configured file when not given.

    Raises:
        ConfigError: A profile key is unknown, the register is broken, or it names a cable that no DSO entry has.
    """
    peers, terms = {}, {}
    own = frozenset({config.id, *config.ids})
    for entry in config.dso:
        ids = frozenset({entry.id, *entry.ids})
        peers[entry.party] = Peer(entry.party, ids, entry.id, config.id, own, entry.url, _profile(entry), entry.ean)
        for cable in entry.cables:
            maximum = None if cable.maximum_a is None else int(cable.maximum_a * 100)
            terms[CableKey(entry.party, cable.id)] = CableTerms(maximum, Decimal(str(cable.voltage_v)), phases=3)
    if register is None:
        try:
            register = read_csv(Path(config.stations))
        except StationError as error:
            raise ConfigError(str(error)) from error
    try:
        _check(register, terms)
    except ConfigError as error:
        raise ConfigError(f"{config.stations}: {error}") from error
    return Market(
        peers,
        terms,
        register,
        timedelta(minutes=config.block_min),
        timedelta(hours=config.assumed_stay_h),
        int(config.reserve_a * 100),
        int(config.give_back_least_a * 100),
        config.silence_cap_min * 60,
        timedelta(days=config.keep_days),
        {
            CableKey(entry.party, cable.id): frozenset(cable.connections)
            for entry in config.dso
            for cable in entry.cables
            if cable.connections
        },
    )


def certificate_mapping(config: CsoConfig) -> dict[str, str]:
    """Certificates that name no gridroom party, to the party they belong to."""
    return {certificate: entry.party for entry in config.dso for certificate in entry.certificates}


def _profile(entry: DsoEntry) -> PeerProfile:
    known = {field.name for field in fields(PeerProfile)}
    for name in entry.profile:
        if name not in known:
            raise ConfigError(f"dso {entry.party}: profile: `{name}` is none of {', '.join(sorted(known))}")
    try:
        return msgspec.convert(entry.profile, PeerProfile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"dso {entry.party}: profile: {error}") from error


def _check(register: Register, terms: Iterable[CableKey]) -> None:
    known = set(terms)
    for station in register:
        if station.key not in known:
            raise ConfigError(
                f"station {station.identity}: no [[dso]] with party {station.key.dso} has the cable {station.key.cable}"
            )
