"""Section 5.1: an ordinary toolkit builds clients from our WSDL, and what it sends is read."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
import zeep
from lxml import etree

from gridroom import xml
from gridroom.oscp.v10 import soap, wsdl
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    DSO_NAMESPACE,
    OPERATIONS,
    Adjustment,
    CableUsage,
    CapacityBlock,
    Envelope,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
    UsageBlock,
    ValueType,
)
from gridroom.oscp.v10.profile import PeerProfile

XSD = "{http://www.w3.org/2001/XMLSchema}"
URL = "https://peer.example/oscp?a=1&b"
START = datetime(2026, 1, 1, 10, tzinfo=UTC)
END = datetime(2026, 1, 1, 10, 15, tzinfo=UTC)


class Nowhere(zeep.Transport):
    """Keeps what is posted, answers what it is told, and reaches no network."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.posted = b""
        self.address = ""
        self.content_type = ""
        self.answer = b""

    def post(self, address: str, message: bytes, headers: dict[str, str]) -> Any:
        self.address, self.posted, self.content_type = address, message, headers["Content-Type"]
        return type("Answer", (), {"status_code": 200, "content": self.answer, "headers": {}, "encoding": "utf-8"})()


def client(folder: Path, namespace: str) -> tuple[Any, Nowhere]:
    path = folder / "service.wsdl"
    path.write_bytes(wsdl.load(namespace, URL))
    transport = Nowhere()
    return zeep.Client(str(path), transport=transport), transport  # type: ignore[no-untyped-call]


def headers() -> dict[str, Any]:
    return {"Parties": {"senderID": "a", "receiverID": "b"}, "Priority": 1, "DateTime": START}


def sent(folder: Path, namespace: str, operation: str, **arguments: Any) -> Envelope:
    built, _ = client(folder, namespace)
    message = built.create_message(built.service, operation, _soapheaders=headers(), **arguments)
    envelope = soap.read(etree.tostring(message))
    assert (envelope.header.sender_id, envelope.header.receiver_id, envelope.header.priority) == ("a", "b", 1)
    assert envelope.header.action == f"/{operation}"
    assert envelope.header.to == URL
    assert {deviation.row for deviation in envelope.deviations} <= {11}
    return envelope


def amount(value: str, unit: str = "A", phase: int | None = None) -> dict[str, Any]:
    return {"_value_1": Decimal(value), "Unit": unit, "Phase": phase}


CAPACITY = [amount("24.00", phase=1), amount("16.5", phase=2)]
READ = (ValueType(Decimal("24.00"), "A", 1), ValueType(Decimal("16.5"), "A", 2))


def test_forecast_from_zeep(tmp_path: Path) -> None:
    block = {"Capacity": CAPACITY, "StartTime": START, "EndTime": END, "RemainingCapacity": CAPACITY}
    cable = {"CableId": "C1", "Connection": [{"ConnectionReferenceId": "R1"}]}
    envelope = sent(
        tmp_path, CSP_NAMESPACE, "UpdateCableCapacityForecast", Forecast=[{"Cable": cable, "ForecastedBlock": [block]}]
    )
    expected = Forecast("C1", (ForecastedBlock(START, END, READ, READ),), ("R1",))
    assert envelope.body == UpdateCableCapacityForecastRequest((expected,))


def test_heartbeat_from_zeep(tmp_path: Path) -> None:
    envelope = sent(tmp_path, CSP_NAMESPACE, "Heartbeat", HeartBeatTimeInterval=300, ForecastTimeInterval=900)
    assert envelope.body == HeartbeatRequest(300, 900)


def test_get_capacity_forecast_from_zeep(tmp_path: Path) -> None:
    envelope = sent(tmp_path, DSO_NAMESPACE, "GetCapacityForecast", Cable=[{"CableId": "C1"}])
    assert envelope.body == GetCapacityForecastRequest(("C1",))
    assert sent(tmp_path, DSO_NAMESPACE, "GetCapacityForecast").body == GetCapacityForecastRequest()


def test_adjustment_from_zeep(tmp_path: Path) -> None:
    block = {"Capacity": CAPACITY, "StartTime": START, "EndTime": END}
    adjustment = [{"Cable": {"CableId": "C1"}, "CapacityBlock": [block]}]
    envelope = sent(tmp_path, DSO_NAMESPACE, "RequestAdjustedCapacity", Adjustment=adjustment)
    expected = Adjustment("C1", (CapacityBlock(START, END, READ),))
    assert envelope.body == RequestAdjustedCapacityRequest((expected,))


def test_usage_from_zeep(tmp_path: Path) -> None:
    block = {"Usage": [amount("920", "Wh", 1)], "StartTime": START, "EndTime": END}
    usage = [{"Cable": {"CableId": "C1"}, "EMSP": "E1", "UsageBlock": [block]}]
    envelope = sent(tmp_path, DSO_NAMESPACE, "UpdateAggregatedUsage", Usage=usage)
    expected = CableUsage("C1", (UsageBlock(START, END, (ValueType(Decimal(920), "Wh", 1),)),), "E1")
    assert envelope.body == UpdateAggregatedUsageRequest((expected,))


def test_zeep_reads_our_answers(tmp_path: Path) -> None:
    built, transport = client(tmp_path, CSP_NAMESPACE)
    header = Header("id-2", "b", "a", START, relates_to="id-1")
    transport.answer = soap.write(header, HeartbeatResponse(START, Result.success()))
    answer = built.service.Heartbeat(300, 900, _soapheaders=headers())
    assert answer.body.CurrentTime == START
    assert answer.body.Result.Type == "SUCCESS"
    assert answer.header.Parties.senderID == "b"
    assert transport.address == URL
    assert transport.content_type.startswith("application/soap+xml")
    assert soap.read(transport.posted).body == HeartbeatRequest(300, 900)

    built, transport = client(tmp_path, DSO_NAMESPACE)
    block = CapacityBlock(START, END, READ, READ)
    transport.answer = soap.write(
        header, RequestAdjustedCapacityResponse((Adjustment("C1", (block,)),), Result.success())
    )
    asked = [
        {"Cable": {"CableId": "C1"}, "CapacityBlock": [{"Capacity": CAPACITY, "StartTime": START, "EndTime": END}]}
    ]
    answer = built.service.RequestAdjustedCapacity(Adjustment=asked, _soapheaders=headers())
    (granted,) = answer.body.Adjustment[0].CapacityBlock
    assert [(value._value_1, value.Phase) for value in granted.Capacity] == [
        (Decimal("24.00"), 1),
        (Decimal("16.50"), 2),
    ]


@pytest.mark.parametrize("namespace", [CSP_NAMESPACE, DSO_NAMESPACE])
def test_the_document_is_whole_and_names_every_operation(namespace: str) -> None:
    root = xml.parse(wsdl.load(namespace, URL))
    names = {element.get("name") for element in root.iter("{http://schemas.xmlsoap.org/wsdl/}operation")}
    assert names == {name for name, (offered, _, _) in OPERATIONS.items() if offered == namespace}
    (address,) = root.iter("{http://schemas.xmlsoap.org/wsdl/soap12/}address")
    assert address.get("location") == URL
    assert not list(root.iter("{http://www.w3.org/2001/XMLSchema}import"))


@pytest.mark.parametrize("name", ["csp", "dso"])
def test_the_files_work_as_they_lie(name: str) -> None:
    path = Path(wsdl.__file__).parent / f"{name}.wsdl"
    assert zeep.Client(str(path)).service  # type: ignore[no-untyped-call]


class TestProfiles:
    """Decisions 17 and 32: a peer whose profile differs gets a description of its own."""

    def test_result_stands_first_where_the_profile_says_so(self) -> None:
        def order(profile: PeerProfile) -> list[str | None]:
            root = xml.parse(wsdl.load(DSO_NAMESPACE, URL, profile))
            (answer,) = (
                one for one in root.iter(f"{XSD}element") if one.get("name") == "RequestAdjustedCapacityResponse"
            )
            return [one.get("name") for one in answer.iter(f"{XSD}element")][1:]

        assert order(PeerProfile()) == ["Adjustment", "Result"]
        assert order(PeerProfile(adjustment_first=False)) == ["Result", "Adjustment"]

    @pytest.mark.parametrize("namespace", [CSP_NAMESPACE, DSO_NAMESPACE])
    def test_a_peer_of_soap_1_1_gets_a_binding_of_soap_1_1(self, namespace: str) -> None:
        plain, older = (wsdl.load(namespace, URL, PeerProfile(soap=version)) for version in ("1.2", "1.1"))
        assert b"http://schemas.xmlsoap.org/wsdl/soap12/" in plain
        assert b"http://schemas.xmlsoap.org/wsdl/soap/" in older
        assert b"soap12" not in older.lower()
        address = next(xml.parse(older).iter("{http://schemas.xmlsoap.org/wsdl/soap/}address"))
        assert address.get("location") == URL

    @pytest.mark.parametrize("namespace", [CSP_NAMESPACE, DSO_NAMESPACE])
    @pytest.mark.parametrize("profile", [PeerProfile(), PeerProfile(soap="1.1", adjustment_first=False)])
    def test_two_files_say_what_one_document_says(self, namespace: str, profile: PeerProfile, tmp_path: Path) -> None:
        for name, data in wsdl.documents(namespace, URL, profile).items():
            (tmp_path / name).write_bytes(data)
        (tmp_path / "whole.wsdl").write_bytes(wsdl.load(namespace, URL, profile))

        def said(name: str) -> list[str]:
            (service,) = zeep.Client(str(tmp_path / name)).wsdl.services.values()  # type: ignore[no-untyped-call]
            (port,) = service.ports.values()
            return [str(operation) for operation in port.binding.all().values()]

        assert said(f"{wsdl.FILES[namespace]}.wsdl") == said("whole.wsdl")
        assert len(said("whole.wsdl")) == sum(offered == namespace for offered, _, _ in OPERATIONS.values())


@pytest.mark.parametrize("namespace", [CSP_NAMESPACE, DSO_NAMESPACE])
def test_a_binding_says_that_it_uses_addressing(namespace: str) -> None:
    """Toolkits that know the mark (gSOAP, JAX-WS) then write MessageID, To and Action by themselves."""
    (binding,) = xml.parse(wsdl.load(namespace, URL)).iter("{http://schemas.xmlsoap.org/wsdl/}binding")
    (mark,) = binding.iter("{http://www.w3.org/2006/05/addressing/wsdl}UsingAddressing")
    assert not list(xml.attributes(mark)), "ext-soap refuses a mark that is required"
