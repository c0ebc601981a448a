"""The DSO's configuration: one TOML file, read into one frozen value."""

import dataclasses
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import holidays
import msgspec

from gridroom import config
from gridroom.config import ConfigError
from gridroom.dso.rules import Criterion, RiskClass, Rules
from gridroom.oscp.v10.letters import Peer, is_ean
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM, PeerProfile
from gridroom.storage import address

FILE = "dso.toml"
PROFILES = {"gridroom": GRIDROOM, "default": DEFAULT}
MOVED = """`cable`: cables and contracts are in the register, which is in the database: write them as cables.csv and \
contracts.csv (columns in docs/register.md), `gridroom dso import` both, and take [[cable]] out of this file"""


class Listen(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Where the services listen."""

    host: str = "127.0.0.1"
    port: int = 8440


class Tls(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Certificates, relative to the file's folder."""

    certificate: str
    key: str
    ca: str


class Publishing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """When forecasts and heartbeats go out. [s]"""

    interval_s: int = 900
    heartbeat_s: int = 300
    block_s: int = 900


class Forecasting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """How the load is forecast."""

    zone: str = "Europe/Amsterdam"
    risk: float = 0.001
    criterion: Criterion = "15min"
    tail_risk: float | None = None
    holidays: str = "NL"

    @property
    def tail(self) -> float:
        """The risk where a forecast must hold unattended: a tenth of the other when nothing is said."""
        return self.risk / 10 if self.tail_risk is None else self.tail_risk


class RiskClassConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is accepted on the cables that name this class."""

    name: str
    risk: float
    criterion: Criterion = "15min"


class Backup(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is kept as backup, and who may take how much of it."""

    share: float = 0.2
    cap: float = 0.6
    near_s: int = 3600


class Watch(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The reaction to measured overloads."""

    threshold: float = 0.97
    hold_s: int = 3600


class Retention(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How long things are kept. [days]"""

    history_days: int = 400
    records_days: int = 30
    letters_days: int = 7


class Measurements(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """When readings are missed. [s]"""

    late_after_s: int = 3600


class Mqtt(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A broker that brings readings; without certificate files of its own, those of `[tls]` are used."""

    host: str
    port: int = 8883
    topic: str = "gridroom/meters/+/readings"
    certificate: str = ""
    key: str = ""
    ca: str = ""

    def tls(self, own: Tls) -> Tls:
        """The certificate files to use."""
        certificate, key = (self.certificate, self.key) if self.certificate else (own.certificate, own.key)
        return Tls(certificate=certificate, key=key, ca=self.ca or own.ca)

    def within(self, folder: Path) -> "Mqtt":
        """The same, with its paths taken from a folder."""
        files = {name: getattr(self, name) for name in ("certificate", "key", "ca")}
        return msgspec.structs.replace(self, **{name: str(folder / file) for name, file in files.items() if file})


class MeterConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A meter that may post readings of its cables; no cables named: of all."""

    party: str
    cables: tuple[str, ...] = ()


class PeerConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A CSO."""

    party: str
    url: str
    ids: tuple[str, ...]
    id: str = ""
    certificates: tuple[str, ...] = ()
    kind: Literal["gridroom", "default"] = "default"
    ean: bool = False
    profile: dict[str, Any] = {}


class DsoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True, omit_defaults=True):
    """All of it; `dso init` writes a commented file."""

    party: str
    ids: tuple[str, ...]
    tls: Tls
    database: str = "dso.db"
    listen: Listen = Listen()
    publish: Publishing = Publishing()
    forecast: Forecasting = Forecasting()
    backup: Backup = Backup()
    watch: Watch = Watch()
    retention: Retention = Retention()
    measurements: Measurements = Measurements()
    mqtt: Mqtt | None = None
    meter: tuple[MeterConfig, ...] = ()
    peer: tuple[PeerConfig, ...] = ()
    risk_class: tuple[RiskClassConfig, ...] = ()
    cable: tuple[Any, ...] = ()  # moved to the register; still here to be refused in words

    def within(self, folder: Path) -> "DsoConfig":
        """The same, with its paths taken from a folder."""
        files = (self.tls.certificate, self.tls.key, self.tls.ca)
        certificate, key, ca = (str(folder / file) for file in files)
        return msgspec.structs.replace(
            self,
            tls=Tls(certificate=certificate, key=key, ca=ca),
            mqtt=self.mqtt and self.mqtt.within(folder),
            database=address.within(self.database, folder),
        )

    def rules(self) -> Rules:
        """The rules as the use cases take them."""
        return _rules(self)

    def peers(self) -> dict[str, Peer]:
        """The CSOs by party."""
        own = frozenset(self.ids)
        return {
            one.party: Peer(
                one.party, frozenset(one.ids), one.id or one.ids[0], self.ids[0], own, one.url, _profile(one), one.ean
            )
            for one in self.peer
        }

    def mapping(self) -> dict[str, str]:
        """Certificates of others, as `sha256:...` or `cn:...`, to the party that they prove."""
        return {certificate: one.party for one in self.peer for certificate in one.certificates}


def read(path: Path) -> DsoConfig:
    """Read and check a configuration.

    Raises:
        ConfigError: It cannot be used; the text names the file and every place that is wrong.
    """
    value = config.read(path, DsoConfig)
    faults = list(_faults(value))
    if faults:
        raise ConfigError("\n".join(f"{path}: {fault}" for fault in faults))
    return value


def _faults(value: DsoConfig) -> Iterator[str]:
    if not value.ids:
        yield "`ids`: name at least one id of ours"
    publish, block = value.publish, value.publish.block_s
    if block <= 0 or 86400 % block or block % 15:
        yield "`publish.block_s`: must divide a day and be a multiple of 15, such as 900"
    if publish.interval_s <= 0 or publish.heartbeat_s <= 0:
        yield "`publish`: intervals must be above 0 s"
    for name, share in (("backup.share", value.backup.share), ("backup.cap", value.backup.cap)):
        if not 0 <= share <= 1:
            yield f"`{name}`: a share from 0 to 1"
    if not 0 < value.watch.threshold <= 1 or value.watch.hold_s <= 0:
        yield "`watch`: the threshold is a share of the limit from 0 to 1, hold_s above 0 s"
    if not 0 < value.measurements.late_after_s <= 366 * 86400:
        yield "`measurements.late_after_s`: above 0 s and at most a year, such as 3600"
    if value.mqtt is not None:
        levels = value.mqtt.topic.split("/")
        if levels.count("+") != 1 or "#" in value.mqtt.topic:
            yield "`mqtt.topic`: needs one level `+`, where the meter's name stands, and no `#`"
        if bool(value.mqtt.certificate) != bool(value.mqtt.key):
            yield "`mqtt`: certificate and key belong together"
    yield from _forecast_faults(value)
    yield from _peer_faults(value)
    if value.cable:
        yield MOVED


def _forecast_faults(value: DsoConfig) -> Iterator[str]:
    forecast, names = value.forecast, [one.name for one in value.risk_class]
    risks = [("forecast.risk", forecast.risk)] + [
        (f"risk_class` {one.name!r}, `risk", one.risk) for one in value.risk_class
    ]
    for name, risk in risks:
        if not 0 < risk < 1:
            yield f"`{name}`: a share between 0 and 1, such as 0.001"
    if not 0 < forecast.tail <= max(forecast.risk, 0.0):
        yield "`forecast.tail_risk`: a share above 0, at most `forecast.risk`"
    try:
        ZoneInfo(forecast.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"`forecast.zone`: {forecast.zone!r} is no time zone, such as Europe/Amsterdam"
    if forecast.holidays and forecast.holidays not in holidays.list_supported_countries(include_aliases=True):
        yield f'`forecast.holidays`: {forecast.holidays!r} is no country that is known, such as "NL"; "" is none'
    for name in dict.fromkeys(names):
        if not name.strip():
            yield "`risk_class`: give each a name"
        elif names.count(name) > 1:
            yield f"`risk_class` {name!r} is there {names.count(name)} times; names are unique"


def _peer_faults(value: DsoConfig) -> Iterator[str]:
    seen = set[str]()
    for one in value.peer:
        if one.party in seen:
            yield f"`peer` {one.party!r} is there twice"
        seen.add(one.party)
        if not one.ids:
            yield f"`peer` {one.party!r}: name at least one id"
        for wrong in (name for name in (*one.ids, one.id) if one.ean and name and not is_ean(name)):
            yield f"`peer` {one.party!r}: `ean` is set, but {wrong!r} is no EAN-13 code; look for a slip in it"
        try:
            _profile(one)
        except ConfigError as error:
            yield f"`peer` {one.party!r}: {error}"


def _profile(one: PeerConfig) -> PeerProfile:
    names = {field.name for field in dataclasses.fields(PeerProfile)}
    strange = sorted(set(one.profile) - names)
    if strange:
        raise ConfigError(f"`profile` has no key {', '.join(strange)}; there are {', '.join(sorted(names))}")
    base = dataclasses.asdict(PROFILES[one.kind])
    try:
        return msgspec.convert(base | one.profile, PeerProfile)
    except msgspec.ValidationError as error:
        raise ConfigError(f"`profile`: {error}") from error


def _rules(value: DsoConfig) -> Rules:
    return Rules(
        block=timedelta(seconds=value.publish.block_s),
        publish_every=timedelta(seconds=value.publish.interval_s),
        heartbeat_every=timedelta(seconds=value.publish.heartbeat_s),
        zone=ZoneInfo(value.forecast.zone),
        risk=value.forecast.risk,
        criterion=value.forecast.criterion,
        tail_risk=value.forecast.tail,
        holidays=value.forecast.holidays,
        risk_classes=tuple(RiskClass(one.name, one.risk, one.criterion) for one in value.risk_class),
        backup_ppm=round(value.backup.share * 1_000_000),
        backup_cap_ppm=round(value.backup.cap * 1_000_000),
        backup_near=timedelta(seconds=value.backup.near_s),
        threshold_ppm=round(value.watch.threshold * 1_000_000),
        brake_hold=timedelta(seconds=value.watch.hold_s),
        history=timedelta(days=value.retention.history_days),
        records=timedelta(days=value.retention.records_days),
        letters=timedelta(days=value.retention.letters_days),
    )
