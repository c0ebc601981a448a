"""A folder for a new CSO: commented configuration, certificate, an empty register."""

import secrets
import shutil
from pathlib import Path

from gridroom.config import ConfigError, quoted, write_private
from gridroom.cso.stations import HEADER
from gridroom.security import pki

TEMPLATE = """\
# A charge station operator. Paths are relative to this folder; times in files are UTC.

# Our name, as in our certificate, and the senderID that we write in OSCP messages.
party = {party}
id = {party}
# Further ids by which DSOs may address us.
ids = []

# Where we listen: DSOs (OSCP, mutual TLS), stations (OCPP 1.6J, TLS and password), drivers (POST /wishes).
host = {host}
oscp_port = {oscp_port}
ocpp_port = {ocpp_port}
driver_port = {driver_port}
# Who gives this token may declare drivers' wishes; empty lets nobody in.
driver_token = {token}

cert = "{name}.pem"
key = "{name}.key"
# Certificates of this authority are trusted.
ca = "ca.pem"

# A file, or a PostgreSQL database such as "postgresql://cso@db.example/cso"; see docs/databases.md.
database = "cso.db"
# The register of stations: identity, DSO, cable, cable phases at L1 L2 L3, maximum current, SHA-256 of the password.
stations = "stations.csv"

# Length of a planning block (agreed with the DSO), and how often we plan. [min]
block_min = 15
plan_min = 5
# Stay of a car whose driver said nothing. [h]
assumed_stay_h = 3.0
# Kept on each phase for cars to come before anything is given back, and the least that is given back. [A]
reserve_a = 16.0
give_back_least_a = 6.0
# Longest silence of a DSO before we ask it for a forecast. [min]
silence_cap_min = 30
# How long a station may take to answer. [s]
ocpp_timeout_s = 10.0
# How long readings, reports and settled letters are kept.
keep_days = 30

# One entry per DSO: its name in its certificate, the receiverID that we write, where its service listens.
[[dso]]
party = {dso}
id = {dso}
url = {dso_url}

# How it wants to be written to; `phases = "smallest"` for one that knows no Phase.
[dso.profile]
phases = "per-phase"
{cables}"""

CABLE = """
# A cable on which we have connections. maximum_a cuts what a forecast may state.
[[dso.cables]]
id = {cable}
voltage_v = 230.0
"""


def init(
    folder: Path,
    pki_folder: Path,
    party: str = "cso",
    *,
    dso: str = "dso",
    dso_url: str = "https://localhost:8700/OSCP/DistributionSystemOperatorServiceV10",
    cables: tuple[str, ...] = ("cable-1",),
    host: str = "127.0.0.1",
    oscp_port: int = 8711,
    ocpp_port: int = 8710,
    driver_port: int = 8712,
) -> Path:
    """Make the folder of a new CSO.

    Args:
        folder: Where; made when missing.
        pki_folder: Folder of the development authority.
        party: Our name.
        dso: The DSO's party.
        dso_url: Its service.
        cables: Its cables on which we have connections.
        host: Address to listen on.
        oscp_port: For DSOs.
        ocpp_port: For stations.
        driver_port: For drivers.

    Returns:
        The configuration file.

    Raises:
        ConfigError: There is a CSO in the folder already.
        PkiError: There is no authority, or the certificate cannot be made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / "cso.toml"
    text = TEMPLATE.format(
        party=quoted(party),
        name=party,
        host=quoted(host),
        oscp_port=oscp_port,
        ocpp_port=ocpp_port,
        driver_port=driver_port,
        token=quoted(secrets.token_urlsafe(24)),
        dso=quoted(dso),
        dso_url=quoted(dso_url),
        cables="".join(CABLE.format(cable=quoted(cable)) for cable in cables),
    )
    if file.exists():
        raise ConfigError(f"{file} is there already; choose another folder or remove it")
    hosts = tuple(dict.fromkeys(("localhost", "127.0.0.1", host)))
    pki.issue(pki_folder, party, hosts=hosts, into=folder)
    shutil.copyfile(pki_folder / "ca.pem", folder / "ca.pem")
    register = folder / "stations.csv"
    if not register.exists():
        write_private(register, ",".join(HEADER) + "\n")
    write_private(file, text)
    return file
