"""A folder for a new DSO: commented configuration, its certificate, and one for a meter."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

from gridroom.config import ConfigError, quoted, write_private
from gridroom.dso.config import FILE
from gridroom.security import pki

TEMPLATE = """\
# A distribution system operator (DSO). Paths are relative to this folder; times are UTC.

# Our name, as in our certificate.
party = {party}
# Our ids in OSCP messages; the first is the senderID that we write.
ids = [{party}]
database = "dso.db"

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

# A meter that may post readings (POST /measurements, with its certificate); `cables` limits it to some.
[[meter]]
party = {meter}

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
{cables}"""

CABLE = """
# What the cable may carry, for each phase or as [L1, L2, L3], and who has contracted how much of it. [A]
[[cable]]
id = {cable}
limit_a = 200
voltage_v = 230.0

[[cable.contract]]
party = {cso}
contracted_a = 100
# Before this moment its charge stations drew nothing, so no usage report is missed.
since = {since}
connections = []
"""


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
        ConfigError: There is a DSO in the folder already.
        PkiError: There is no authority, or a certificate cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / FILE
    since = datetime.now(UTC).replace(microsecond=0).isoformat().replace("+00:00", "Z")
    contracts = (CABLE.format(cable=quoted(cable), cso=quoted(cso), since=since) for cable in cables)
    text = TEMPLATE.format(
        party=quoted(party),
        name=party,
        host=quoted(host),
        port=port,
        meter=quoted(meter),
        cso=quoted(cso),
        cso_url=quoted(cso_url),
        cables="".join(contracts),
    )
    if file.exists():
        raise ConfigError(f"{file} is there already; choose another folder or remove it")
    pki.issue(pki_folder, party, hosts=tuple(dict.fromkeys(("localhost", "127.0.0.1", host))), into=folder)
    pki.issue(pki_folder, meter, kind="meter", into=folder)
    shutil.copyfile(pki_folder / "ca.pem", folder / "ca.pem")
    write_private(file, text)
    return file
