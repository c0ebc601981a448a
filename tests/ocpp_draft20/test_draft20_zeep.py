"""OSCP 1.0 section 5.1: zeep generates clients of both services from our WSDL, and talks with them over HTTP."""

import datetime
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
import requests

import ocpp_samples as samples
from gridroom.ocpp.draft20 import wsdl
from gridroom.ocpp.draft20.endpoint import answer_cp, answer_cs
from gridroom.ocpp.draft20.enums import GenericStatus
from gridroom.ocpp.draft20.names import CONTENT_TYPE
from gridroom.ocpp.draft20.values import (
    MeterValuesRequest,
    SetChargingProfileRequest,
)

zeep = pytest.importorskip("zeep")
Answer = Callable[[bytes], tuple[int, bytes]]


@contextmanager
def hosted(service: str, answer: Answer) -> Iterator[str]:
    """The service on a free port: its WSDL on GET, its answers on POST."""

    class Door(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self._send(200, wsdl.load(service, url), "text/xml")

        def do_POST(self) -> None:
            self._send(*answer(self.rfile.read(int(self.headers["Content-Length"]))), CONTENT_TYPE)

        def _send(self, status: int, body: bytes, kind: str) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Door) as server:
        url = f"http://127.0.0.1:{server.server_port}/ocpp"
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield url
        finally:
            server.shutdown()
            thread.join()


@contextmanager
def client(url: str) -> Iterator[Any]:
    with requests.Session() as session:
        session.trust_env = False
        yield zeep.Client(url + "?wsdl", transport=zeep.transports.Transport(session=session)).service


def test_zeep_sends_a_charge_plan_to_a_local_controller() -> None:
    taken: list[SetChargingProfileRequest] = []

    def take(request: SetChargingProfileRequest) -> GenericStatus:
        taken.append(request)
        return GenericStatus.REJECTED

    schedule = {
        "chargingScheduleId": 80,
        "duration": 3600,
        "startSchedule": datetime.datetime(2026, 1, 5, 12, tzinfo=datetime.UTC),
        "chargingSchedulePeriod": [
            {"startPeriod": 0, "maxPower": 11},
            {"startPeriod": 900, "maxPower": 7, "maxCurrent": Decimal("12.55"), "numberPhases": 3},
        ],
    }
    tariff = {
        "salesTariffId": 1,
        "tariffDescription": "green energy",
        "maxEPriceLevel": 2,
        "tariffPeriods": [
            {"startPeriod": 0, "periodDescription": "night & <day>", "ePriceLevel": 1},
            {"startPeriod": 1800, "ePriceLevel": 2},
        ],
    }
    profile = {
        "chargingProfileId": 8,
        "primary": True,
        "stackLevel": 1,
        "chargingProfilePurpose": "TxProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    other_schedule = schedule | {
        "chargingScheduleId": 90,
        "chargingSchedulePeriod": [{"startPeriod": 0, "maxPower": 22}],
    }
    other = profile | {
        "chargingProfileId": 9,
        "primary": False,
        "chargingSchedule": other_schedule,
        "salesTariff": tariff,
    }
    with hosted("cp", lambda data: answer_cp(data, "CB1234", take)) as url, client(url) as service:
        said = {"evse": {"id": 2, "connectorType": "sType2"}, "csChargingProfiles": [profile, other]}
        answer = service.SetChargingProfile(**said, _soapheaders={"chargePointIdentity": "CB1234"})
        assert answer == "Rejected"
        assert taken == [samples.PLAN]
        with pytest.raises(zeep.exceptions.Fault, match="is not the charge point of this connection") as fault:
            service.SetChargingProfile(**said, _soapheaders={"chargePointIdentity": "CB9999"})
        (subcode,) = fault.value.subcodes
        assert (subcode.localname, subcode.namespace) == ("IdentityMismatch", "urn://Ocpp/Cp/2014/08/")
        assert len(taken) == 1


def test_zeep_sends_meter_values_to_a_cso() -> None:
    taken: list[MeterValuesRequest] = []
    value = {
        "_value_1": "16.05",
        "context": "Sample.Clock",
        "measurand": "Current.Import",
        "location": "Inlet",
        "unit": "A",
    }
    moment = datetime.datetime(2026, 1, 5, 12, tzinfo=datetime.UTC)
    with hosted("cs", lambda data: answer_cs(data, "CB1234", taken.append)) as url, client(url) as service:
        said = {"evse": {"id": 2}, "transactionId": "41", "values": [{"timestamp": moment, "value": [value]}]}
        assert service.MeterValues(**said, _soapheaders={"chargePointIdentity": "CB1234"}) is None
        (request,) = taken
        (one,) = request.values[0].values
        assert (request.evse.id, request.transaction_id, request.values[0].timestamp) == (2, "41", samples.NOON)
        assert one == samples.READINGS.values[0].values[1]
        with pytest.raises(zeep.exceptions.Fault) as fault:
            service.MeterValues(**said, _soapheaders={"chargePointIdentity": "CB9999"})
        assert fault.value.subcodes[0].localname == "IdentityMismatch"
        del value["unit"]
        with pytest.raises(zeep.exceptions.Fault, match=r"Current\.Import has no unit, A is needed"):
            service.MeterValues(**said, _soapheaders={"chargePointIdentity": "CB1234"})


def test_each_wsdl_names_the_address_and_holds_its_schema() -> None:
    for service in wsdl.SERVICES:
        text = wsdl.load(service, 'https://x.example/?a="&b').decode()
        assert 'location="https://x.example/?a=&quot;&amp;b"' in text
        assert "schemaLocation" not in text
        assert f'targetNamespace="{wsdl.NAMESPACES[service]}" elementFormDefault="qualified"' in text
    with pytest.raises(KeyError):
        wsdl.load("dso", "https://x.example/")


@pytest.mark.parametrize("service", wsdl.SERVICES)
def test_the_files_are_usable_as_they_lie_there(service: str) -> None:
    found = zeep.Client(str(Path(wsdl.__file__).parent / f"{service}.wsdl"))
    assert [port for one in found.wsdl.services.values() for port in one.ports] != []
