"""The actors of the street as configurations: all that each one is told before the day begins."""

import hashlib
from collections.abc import Mapping

from gridroom.cso.settings import CableEntry, CsoConfig, DsoEntry
from gridroom.dso.config import DsoConfig, Forecasting, Listen, MeterConfig, PeerConfig, Tls
from gridroom.sim.street import Session, StationPlan, Street, history
from gridroom.station.config import Arrival, StationConfig, StationsConfig
from gridroom.timegrid import QUARTER

DSO = "dso"
METER = "substation-meter"
DSO_PATH = "/OSCP/DistributionSystemOperatorServiceV10"
CSP_PATH = "/OSCP/ChargeServiceProviderServiceV10"
RISK = 0.001
"""The demo's accepted share of blocks in which a phase exceeds the limit although every CSO keeps its allotment."""


def dso_config(csp_urls: Mapping[str, str], port: int = 1) -> DsoConfig:
    """The DSO: a meter, and the CSOs.

    Args:
        csp_urls: OSCP service of each CSO.
        port: Where it listens.
    """
    return DsoConfig(
        party=DSO,
        ids=(DSO,),
        tls=Tls(certificate=f"{DSO}.pem", key=f"{DSO}.key", ca="ca.pem"),
        listen=Listen(port=port),
        forecast=Forecasting(risk=RISK),
        meter=(MeterConfig(party=METER),),
        peer=tuple(PeerConfig(party=cso, url=url, ids=(cso,), kind="gridroom") for cso, url in csp_urls.items()),
    )


def cables_csv(street: Street) -> str:
    """The DSO's one cable, limited by the fuse, as it imports it."""
    return f"cable,limit_a\n{street.cable},{street.fuse_a}\n"


def contracts_csv(street: Street) -> str:
    """A contract per CSO for what its stations are rated, as the DSO imports it."""
    rated: dict[str, float] = {}
    for station in street.stations:
        rated[station.cso] = rated.get(station.cso, 0.0) + station.max_current_a
    rows = [f"{cso},{street.cable},{rated[cso]},{street.start.isoformat()}" for cso in sorted(rated)]
    return "\n".join(["cso,cable,contracted_a,since", *rows]) + "\n"


def cso_config(
    street: Street, cso: str, dso_url: str, *, oscp_port: int = 1, ocpp_port: int = 2, driver_port: int = 3, token: str
) -> CsoConfig:
    """A CSO on the street's cable.

    Args:
        street: The street.
        cso: Its party.
        dso_url: The DSO's OSCP service, as this CSO reaches it.
        oscp_port: Where it listens for the DSO.
        ocpp_port: Where it listens for stations.
        driver_port: Where it listens for drivers.
        token: What drivers' apps show.
    """
    cable = CableEntry(street.cable, maximum_a=street.fuse_a)
    dso = DsoEntry(DSO, DSO, dso_url, cables=(cable,), profile={"phases": "per-phase"})
    return CsoConfig(
        party=cso,
        id=cso,
        oscp_port=oscp_port,
        ocpp_port=ocpp_port,
        driver_port=driver_port,
        driver_token=token,
        cert=f"{cso}.pem",
        key=f"{cso}.key",
        dso=(dso,),
    )


def register(street: Street, cso: str, passwords: Mapping[str, str]) -> str:
    """The register of a CSO's stations, as its CSV file."""
    rows = ["identity,dso,cable,rotation,max_a,password_sha256"]
    for station in street.stations:
        if station.cso == cso:
            proof = hashlib.sha256(passwords[station.id].encode()).hexdigest()
            rows.append(f"{station.id},{DSO},{street.cable},{_rotation(station)},{station.max_current_a:g},{proof}")
    return "\n".join(rows) + "\n"


def stations_config(street: Street, urls: Mapping[str, str], passwords: Mapping[str, str]) -> StationsConfig:
    """All stations of the street in one process, and the cars that will come to them.

    A station allows nothing until it has a charging profile.

    Args:
        street: The street.
        urls: Where each station reaches its CSO.
        passwords: Each station's password.
    """
    stations = tuple(
        StationConfig(
            identity=station.id,
            password=passwords[station.id],
            url=urls[station.id],
            rotation=_rotation(station),
            max_current_a=station.max_current_a,
            safe_current_a=0.0,
        )
        for station in street.stations
    )
    return StationsConfig(station=stations, arrival=tuple(_arrival(session) for session in street.sessions))


def _rotation(station: StationPlan) -> str:
    return "".join(str(phase) for phase in station.rotation)


def _arrival(session: Session) -> Arrival:
    return Arrival(
        station=session.station,
        plug_in=session.plug_in,
        plug_out=session.plug_out,
        energy_wh=session.energy_wh,
        max_current_a=session.max_current_a,
        phases=len(session.phases),
    )


def history_csv(street: Street) -> str:
    """What the substation measured before the day, as the DSO imports it."""
    start, past = history(street)
    rows = ["time,cable,L1,L2,L3"]
    for n, amps in enumerate(past.T):
        values = ",".join(f"{value:.3f}" for value in amps)
        rows.append(f"{(start + n * QUARTER).isoformat()},{street.cable},{values}")
    return "\n".join(rows) + "\n"
