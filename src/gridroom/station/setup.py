"""A folder for simulated stations: a commented configuration, and the rows for their CSO's register."""

import hashlib
import secrets
from pathlib import Path

from gridroom.config import ConfigError, quoted, write_private
from gridroom.station.app import CONFIG
from gridroom.station.config import ROTATIONS

REGISTER = "stations.csv"

HEAD = """\
# Simulated charge stations. Times in UTC, currents in ampere per phase.

# Where the CSO listens for OCPP 1.6J; the identity of a station is added. A station may have a `url` of its own.
url = {url}
# Certificates that the stations trust, a file in this folder.
ca = "ca.pem"
# How often a station reports what it drew. [s]
meter_every_s = 60
"""

STATION = """
[[station]]
identity = {identity}
# The CSO knows the SHA-256 of it: {register} has the row.
password = {password}
# Cable phase at the station's L1, L2, L3.
rotation = "{rotation}"
max_current_a = 16
# What it allows as long as it knows no charging profile: 0, or at least 6.
safe_current_a = 6

# A car that comes after the start. For known times write [[arrival]] with plug_in and plug_out instead.
[[visitor]]
station = {identity}
after_s = {after_s}
stay_s = 14400
energy_wh = 10000
max_current_a = 16
phases = {phases}
"""


def init(
    folder: Path,
    pki: Path,
    *,
    url: str = "wss://localhost:8710/ocpp",
    dso: str = "dso",
    cable: str = "cable-1",
    count: int = 3,
    prefix: str = "station",
    cso: Path | None = None,
) -> Path:
    """Make a folder for simulated stations.

    Args:
        folder: Where; made when missing.
        pki: Folder of the authority that signed the CSO's certificate.
        url: Where the CSO listens for stations.
        dso: Party of the DSO that the cable belongs to, for the register's rows.
        cable: The cable that feeds the stations, likewise.
        count: How many stations.
        prefix: Their identities are this, a dash and a number.
        cso: Folder of a CSO whose register gets the rows too.

    Returns:
        The register's rows, a file for the CSO's folder.

    Raises:
        ConfigError: The folder or the register has stations already, or the authority or the register is missing.
    """
    try:
        trusted = (pki / "ca.pem").read_bytes()
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"{error.filename}: {error.strerror}; make an authority with `gridroom pki init`") from error
    text = HEAD.format(url=quoted(url))
    rows = ["identity,dso,cable,rotation,max_a,password_sha256"]
    for number in range(count):
        identity, password = f"{prefix}-{number + 1}", secrets.token_urlsafe(24)
        rotation = ROTATIONS[number % 3]
        text += STATION.format(
            identity=quoted(identity),
            password=quoted(password),
            register=REGISTER,
            rotation=rotation,
            after_s=10 + 20 * number,
            phases=1 if number % 3 == 1 else 3,
        )
        rows.append(f"{identity},{dso},{cable},{rotation},16,{hashlib.sha256(password.encode()).hexdigest()}")
    known = None if cso is None else _known(cso / REGISTER, rows[1:])
    write_private(folder / CONFIG, text)
    write_private(folder / REGISTER, "\n".join(rows) + "\n")
    (folder / "ca.pem").write_bytes(trusted)
    if cso is not None:
        (cso / REGISTER).write_text(f"{known}\n" + "\n".join(rows[1:]) + "\n", encoding="utf-8")
    return folder / REGISTER


def _known(register: Path, new: list[str]) -> str:
    """What a register says, when it knows none of the stations of new rows.

    Raises:
        ConfigError: There is no register, or it knows one of them already.
    """
    try:
        text = register.read_text(encoding="utf-8").rstrip("\n")
    except OSError as error:
        raise ConfigError(f"{register}: {error.strerror}; make the CSO's folder with `gridroom cso init`") from error
    names = {line.partition(",")[0] for line in text.splitlines()}
    twice = [name for name in (line.partition(",")[0] for line in new) if name in names]
    if twice:
        raise ConfigError(f"{register}: has {', '.join(twice)} already; remove the rows or choose another --prefix")
    return text
