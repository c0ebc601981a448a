"""The DSO's configuration: one TOML file, read into one frozen value."""

import dataclasses
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import msgspec

from gridroom import config
from gridroom.config import ConfigError
from gridroom.dso.cables import Cable, Contract, Register, centiampere, check
from gridroom.dso.rules import Office, Rules
from gridroom.oscp.v10.letters import Peer, is_ean
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM, PeerProfile

Ampere = float | int
FILE = "dso.toml"
PROFILES = {"gridroom": GRIDROOM, "default": DEFAULT}


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


class Forecasting(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """How the load is forecast."""

    zone: str = "Europe/Amsterdam"
    risk: float = 0.001


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


class ContractConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What a CSO has contracted on a cable."""

    party: str
    contracted_a: Ampere
    connections: tuple[str, ...] = ()
    since: datetime | None = None


class CableConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A cable."""

    id: str
    limit_a: Ampere | tuple[Ampere, Ampere, Ampere]
    voltage_v: float = 230.0
    contract: tuple[ContractConfig, ...] = ()


class DsoConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
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
    meter: tuple[MeterConfig, ...] = ()
    peer: tuple[PeerConfig, ...] = ()
    cable: tuple[CableConfig, ...] = ()

    def within(self, folder: Path) -> "DsoConfig":
        """The same, with its paths taken from a folder."""
        files = (self.tls.certificate, self.tls.key, self.tls.ca)
        certificate, key, ca = (str(folder / file) for file in files)
        return msgspec.structs.replace(
            self, tls=Tls(certificate=certificate, key=key, ca=ca), database=str(folder / self.database)
        )

    def office(self) -> Office:
        """Cables and rules as the use cases take them."""
        return Office(Register(_cables(self)), _rules(self))

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
    if not 0 < value.forecast.risk < 1:
        yield "`forecast.risk`: a share between 0 and 1, such as 0.001"
    for name, share in (("backup.share", value.backup.share), ("backup.cap", value.backup.cap)):
        if not 0 <= share <= 1:
            yield f"`{name}`: a share from 0 to 1"
    if not 0 < value.watch.threshold <= 1 or value.watch.hold_s <= 0:
        yield "`watch`: the threshold is a share of the limit from 0 to 1, hold_s above 0 s"
    try:
        ZoneInfo(value.forecast.zone)
    except (ZoneInfoNotFoundError, ValueError):
        yield f"`forecast.zone`: {value.forecast.zone!r} is no time zone, such as Europe/Amsterdam"
    yield from _peer_faults(value)
    for one in value.cable:
        if any(each.since is not None and each.since.tzinfo is None for each in one.contract):
            yield f"`cable` {one.id!r}: `since` needs a zone, such as 2026-01-05T00:00:00Z"
    parties = [one.party for one in value.peer]
    for finding in check(_cables(value), parties):
        yield f"`cable`: {finding}"
    cables = {one.id for one in value.cable}
    for meter in value.meter:
        for cable in sorted(set(meter.cables) - cables):
            yield f"`meter` {meter.party!r}: there is no cable {cable!r}"


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


def _cables(value: DsoConfig) -> list[Cable]:
    return [
        Cable(
            one.id,
            _limits(one.limit_a),
            tuple(
                Contract(each.party, centiampere(each.contracted_a), each.connections, each.since)
                for each in one.contract
            ),
            Decimal(str(one.voltage_v)),
        )
        for one in value.cable
    ]


def _limits(limit_a: Ampere | tuple[Ampere, Ampere, Ampere]) -> tuple[int, int, int]:
    first, second, third = limit_a if isinstance(limit_a, tuple) else (limit_a, limit_a, limit_a)
    return centiampere(first), centiampere(second), centiampere(third)


def _rules(value: DsoConfig) -> Rules:
    return Rules(
        block=timedelta(seconds=value.publish.block_s),
        publish_every=timedelta(seconds=value.publish.interval_s),
        heartbeat_every=timedelta(seconds=value.publish.heartbeat_s),
        zone=ZoneInfo(value.forecast.zone),
        risk=value.forecast.risk,
        backup_ppm=round(value.backup.share * 1_000_000),
        backup_cap_ppm=round(value.backup.cap * 1_000_000),
        backup_near=timedelta(seconds=value.backup.near_s),
        threshold_ppm=round(value.watch.threshold * 1_000_000),
        brake_hold=timedelta(seconds=value.watch.hold_s),
        history=timedelta(days=value.retention.history_days),
        records=timedelta(days=value.retention.records_days),
        letters=timedelta(days=value.retention.letters_days),
    )
