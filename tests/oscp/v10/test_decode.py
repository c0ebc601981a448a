"""Messages as JSON with the specification's names."""

import json
from pathlib import Path
from typing import Any

from gridroom.oscp.errors import RemoteError
from gridroom.oscp.v10 import names, soap
from gridroom.oscp.v10.render import as_json

GOLDEN = Path(__file__).parent / "golden"


def decoded(section: str, *swap: str) -> dict[str, object]:
    text = (GOLDEN / f"{section}.xml").read_text()
    if swap:
        text = text.replace(swap[0], swap[1], 1)
    result: dict[str, object] = json.loads(json.dumps(as_json(soap.read_any(text.encode()))))
    return result


def test_a_forecast() -> None:
    document = decoded("6.1.1")
    assert list(document) == ["message", "header", "body", "deviations"]
    assert document["message"] == "UpdateCableCapacityForecastRequest"
    assert document["header"] == {
        "MessageID": "f474139b-357a-4a8a-9d7f-c1e9940914b7:1",
        "Action": "/UpdateCableCapacityForecast",
        "To": "https://dsoserviceacc.greenflux.nl/Services/OSCP/ChargeServiceProviderServiceV10.svc",
        "RelatesTo": None,
        "Parties": {"senderID": "8712423014022", "receiverID": "8712423222120"},
        "Priority": 2,
        "DateTime": "2015-04-09T00:00:04.609000Z",
    }
    forecast = document["body"]["Forecast"][0]  # type: ignore[index]
    assert forecast["Cable"] == {
        "CableId": "Amsterdam",
        "Connection": [{"ConnectionReferenceId": "991188227733664455"}],
    }
    assert forecast["ForecastedBlock"][0] == {
        "Capacity": [{"value": "24.00", "Unit": "A", "Phase": None}],
        "StartTime": "2015-04-09T00:00:00Z",
        "EndTime": "2015-04-09T00:15:00Z",
        "RemainingCapacity": [{"value": "0.00", "Unit": "A", "Phase": None}],
    }
    assert document["deviations"] == []


def test_deviations_name_the_row_and_the_place() -> None:
    deviations: Any = decoded("6.2")["deviations"]
    assert deviations[0] == {
        "row": 11,
        "path": "Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock[1]/StartTime",
        "text": "time without zone read as UTC (30 times)",
    }
    assert deviations[1:] == [
        {
            "row": 15,
            "path": "Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock[2]",
            "text": "cable SP2: block repeated, counted once (10 times)",
        }
    ]


def forecast_of(cables: int) -> bytes:
    """Many cables, each with a block that stands twice."""
    begin, _, rest = (GOLDEN / "6.1.1.xml").read_text().partition("<Forecast>")
    block = rest[rest.index("<ForecastedBlock>") : rest.index("</ForecastedBlock>")] + "</ForecastedBlock>"
    each = (f"<Forecast><Cable><CableId>C{n}</CableId></Cable>{block * 2}</Forecast>" for n in range(cables))
    return f"{begin}{''.join(each)}{rest[rest.rindex('</Forecast>') + len('</Forecast>') :]}".encode()


def test_what_is_odd_in_many_cables_is_shown_up_to_a_number() -> None:
    assert [one["text"] for one in as_json(soap.read(forecast_of(2)))["deviations"]] == [
        "cable C0: block repeated, counted once",
        "cable C1: block repeated, counted once",
    ]
    deviations = as_json(soap.read(forecast_of(300)))["deviations"]
    assert len(deviations) == 201
    assert deviations[-1] == {"row": 15, "path": "Envelope/Body", "text": "100 more of this row are not shown"}


def test_a_message_in_soap_1_1_is_a_deviation_of_row_32() -> None:
    data = (GOLDEN / "6.4.xml").read_bytes().replace(names.SOAP12.encode(), names.SOAP11.encode())
    (first, *others) = as_json(soap.read_any(data, soap11=True))["deviations"]
    assert (first["row"], first["path"]) == (32, "Envelope")
    assert first["text"].startswith("SOAP 1.1, ")
    assert others == as_json(soap.read(data.replace(names.SOAP11.encode(), names.SOAP12.encode())))["deviations"]


def test_a_cable_whose_blocks_contradict_each_other_is_listed() -> None:
    document = decoded("6.2", ">12.00<", ">13.00<")
    assert document["body"]["refused"][0]["CableId"] == "SP2"  # type: ignore[index]


def test_a_refused_cable_is_listed() -> None:
    body = decoded("6.3", ">16.00<", ">16,00<")["body"]
    assert len(body["Usage"]) == 14  # type: ignore[index]
    assert body["refused"] == [  # type: ignore[index]
        {
            "CableId": "SP2",
            "Code": "INVALID_VALUE",
            "Message": "a number must read like 24.00",
            "path": "Envelope/Body/UpdateAggregatedUsageRequest/Usage[2]/UsageBlock/Usage[2]",
        }
    ]


def test_what_is_refused_by_meaning_names_its_place_as_what_is_refused_by_reading() -> None:
    first = decoded("6.1.1", "00:15:00Z</StartTime>", "00:10:00Z</StartTime>")["body"]["refused"][0]  # type: ignore[index]
    assert first["path"].startswith("Envelope/Body/UpdateCableCapacityForecastRequest/Forecast/ForecastedBlock")


def test_the_other_messages() -> None:
    assert decoded("6.4")["body"] == {"Cable": []}
    assert decoded("6.5.1")["body"] == {"HeartBeatTimeInterval": 300, "ForecastTimeInterval": 900}
    answer = decoded("6.5.2")["body"]
    assert answer["CurrentTime"] == "2015-04-09T00:04:51.906271Z"  # type: ignore[index]
    assert answer["Result"]["Type"] == "SUCCESS"  # type: ignore[index]
    assert answer["Result"]["Details"][0]["Code"] == "MESSAGE_PROCESSED"  # type: ignore[index]


def test_a_fault() -> None:
    data = soap.write_fault(RemoteError("no", path="Envelope", subcode="VersionMismatch"), relates_to="id")
    assert as_json(soap.read_any(data)) == {
        "message": "Fault",
        "header": {"RelatesTo": "id"},
        "body": {"Code": "Sender", "Subcode": "VersionMismatch", "Reason": "Envelope: no"},
        "deviations": [],
    }
