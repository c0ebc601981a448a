"""A folder for a new DSO: commented configuration, its certificate, and one for a meter."""

import csv
import io
import shutil
from collections.abc import Iterable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from gridroom.config import ConfigError, quoted, write_private
from gridroom.dso import migrations, register
from gridroom.dso.config import FILE
from gridroom.security import pki
from gridroom.storage import database

DATABASE = "dso.db"
TEMPLATE = """\
# A distribution system operator (DSO). Paths are relative to this folder; times are UTC.

# Our name, as in our certificate.
party = {party}
# Our ids in OSCP messages; the first is the senderID that we write.
ids = [{party}]
# A file, or a PostgreSQL database such as "postgresql://dso@db.example/dso"; see docs/databases.md.
database = "{database}"

[listen]
host = {host}
port = {port}

[tls]
certificate = "{name}.pem"
key = "{name}.key"
# Certificates of this authority are trusted.
ca = "ca.pem"

# Agreed with the market: how often forecasts go out, how often heartbeats, and the length of a block. [s]
[publish]
interval_s = 900
heartbeat_s = 300
block_s = 900

[forecast]
# Local clock of the households behind the cables.
zone = "Europe/Amsterdam"
# Accepted share of blocks in which a phase exceeds its limit although every CSO keeps its allotment.
risk = 0.001
# What counts as exceeding: "15min", a block; "1h", the mean of an hour; "1h10", that mean by a tenth of the limit.
criterion = "15min"
# The same share for what must hold unattended, when forecasts no longer come; without it a tenth of risk.
# tail_risk = 0.0001
# Country whose public holidays count, or "".
holidays = "NL"
# Cables that name a class in the register have a risk of their own.
# [[risk_class]]
# name = "hospital"
# risk = 0.0001
# criterion = "15min"

[backup]
# Share of the available capacity that is kept as backup, and how much of it one CSO may take ...
share = 0.2
cap = 0.6
# ... until so long before use; then it is for whoever asks. [s]
near_s = 3600

[watch]
# Measured above this share of the limit, the coming blocks are lowered at once: held for half of hold_s, then
# released evenly. [s]
threshold = 0.97
hold_s = 3600

[retention]
# Measurements, reports, forecasts, allotments; explanations; settled letters. [days]
history_days = 400
records_days = 30
letters_days = 7

# `gridroom dso status` alarms when the newest reading of a cable is older. Where files come once a day: 129600. [s]
[measurements]
late_after_s = 3600

# A meter that may post readings (POST /measurements, with its certificate); `cables` limits it to some.
[[meter]]
party = {meter}

# A broker that brings readings of those meters too; see docs/measurements.md.
# [mqtt]
# host = "broker.example"
# port = 8883
# topic = "gridroom/meters/+/readings"

# One entry per CSO: its name in its certificate, the ids it uses, where its service listens.
[[peer]]
party = {cso}
ids = [{cso}]
url = {cso_url}
# "gridroom": per phase; "default": a peer built from the specification's examples. `profile` changes single keys.
kind = "gridroom"
# profile = {{ ends = "exclusive" }}
# Certificates of it that name no gridroom party: "sha256:<hex>" or "cn:<name>".
certificates = []

# Cables and contracts are in the register, in the database: change cables.csv and contracts.csv, then
# `gridroom dso import` both. docs/register.md has their columns.
"""

CABLES, CONTRACTS = "cables.csv", "contracts.csv"
CABLES_HEAD, CONTRACTS_HEAD = "cable,limit_a,voltage_v,risk_class", "cso,cable,contracted_a,since"
LIMIT_A, CONTRACTED_A = 200, 100
"""What a new cable may carry, and what the CSO has contracted of it, until the operator knows better. [A]"""


def init(
    folder: Path,
    pki_folder: Path,
    party: str = "dso",
    *,
    cso: str = "cso",
    cso_url: str = "https://localhost:8711/OSCP/ChargeServiceProviderServiceV10",
    cables: tuple[str, ...] = ("cable-1",),
    meter: str = "meter-1",
    host: str = "127.0.0.1",
    port: int = 8700,
) -> Path:
    """Make the folder of a new DSO.

    Args:
        folder: Where; made when missing.
        pki_folder: Folder of the development authority.
        party: Our name.
        cso: A CSO's party.
        cso_url: Its service.
        cables: Ids of our cables.
        meter: Name of a meter; its certificate is put beside.
        host: Address to listen on.
        port: For CSOs and meters.

    Returns:
        The configuration file.

    Raises:
        ConfigError: There is a DSO in the folder already, or an id cannot be used.
        DatabaseError: The database cannot be made.
        PkiError: There is no authority, or a certificate cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file, cables_csv, contracts_csv = folder / FILE, folder / CABLES, folder / CONTRACTS
    since = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    text = TEMPLATE.format(
        party=quoted(party),
        database=DATABASE,
        name=party,
        host=quoted(host),
        port=port,
        meter=quoted(meter),
        cso=quoted(cso),
        cso_url=quoted(cso_url),
    )
    for one in (file, cables_csv, contracts_csv):
        if one.exists():
            raise ConfigError(f"{one} is there already; choose another folder or remove it")
    pki.issue(pki_folder, party, hosts=tuple(dict.fromkeys(("localhost", "127.0.0.1", host))), into=folder)
    pki.issue(pki_folder, meter, kind="meter", into=folder)
    shutil.copyfile(pki_folder / "ca.pem", folder / "ca.pem")
    write_private(file, text)
    cables_csv.write_text(_table(CABLES_HEAD, ((cable, LIMIT_A, 230, "") for cable in cables)), encoding="utf-8")
    contracts_csv.write_text(
        _table(CONTRACTS_HEAD, ((cso, cable, CONTRACTED_A, since) for cable in cables)), encoding="utf-8"
    )
    _import(folder / DATABASE, (cables_csv, contracts_csv), cso)
    return file


def _import(database_file: Path, files: tuple[Path, ...], cso: str) -> None:
    """The register of a new DSO, by the same road as all later changes."""
    db = database.open(f"sqlite:///{database_file.absolute()}", migrations.__name__)
    with closing(db), db.transact() as tx:
        imported = register.import_files(tx, files, {cso}, (), datetime.now(UTC))
    if not imported.stored:
        raise ConfigError("\n".join(str(one) for one in imported.findings))


def _table(head: str, rows: Iterable[tuple[object, ...]]) -> str:
    """A CSV file."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([head.split(","), *rows])
    return text.getvalue()
