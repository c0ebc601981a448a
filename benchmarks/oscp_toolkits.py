"""A forecast read and written by two toolkits that take a description and do the rest: zeep and xsdata."""

import tempfile
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import zeep
from lxml import etree
from xsdata.formats.dataclass.parsers import XmlParser
from xsdata.formats.dataclass.parsers.handlers import LxmlEventHandler
from xsdata.formats.dataclass.serializers import XmlSerializer
from xsdata.models.datatype import XmlDateTime

from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import (
    CSP_NAMESPACE,
    Forecast,
    ForecastedBlock,
    UpdateCableCapacityForecastRequest,
    ValueType,
)

SOAP = "http://www.w3.org/2003/05/soap-envelope"
OSCP = f"{{{CSP_NAMESPACE}}}"
NAME = "UpdateCableCapacityForecastRequest"
SECOND = timedelta(seconds=1)


class Zeep:
    """zeep with our WSDL; the body only, since its headers are set by plugins."""

    def __init__(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder, "csp.wsdl")
            file.write_bytes(wsdl.load(CSP_NAMESPACE, "https://localhost/"))
            self.client = zeep.Client(str(file))
        self.element = self.client.get_element(f"{OSCP}{NAME}")

    def read(self, data: bytes) -> UpdateCableCapacityForecastRequest:
        """The body as Gridroom's values."""
        body = etree.fromstring(data)[1][0]
        return _from_zeep(self.element.parse(body, self.client.wsdl.types))

    def write(self, body: UpdateCableCapacityForecastRequest) -> bytes:
        """An envelope without header."""
        forecasts = [
            {
                "Cable": {"CableId": forecast.cable_id},
                "ForecastedBlock": [
                    {
                        "Capacity": [_zeep_value(value) for value in block.capacity],
                        "StartTime": block.start,
                        "EndTime": block.end - SECOND,
                        "RemainingCapacity": [_zeep_value(value) for value in block.remaining],
                    }
                    for block in forecast.blocks
                ],
            }
            for forecast in body.forecasts
        ]
        root = etree.Element(f"{{{SOAP}}}Envelope")
        self.element.render(etree.SubElement(root, f"{{{SOAP}}}Body"), self.element(Forecast=forecasts))
        return etree.tostring(root)


def _zeep_value(value: ValueType) -> dict[str, Any]:
    return {"_value_1": value.value, "Unit": value.unit, "Phase": value.phase}


def _from_zeep(read: Any) -> UpdateCableCapacityForecastRequest:
    def values(found: list[Any]) -> tuple[ValueType, ...]:
        return tuple(ValueType(v["_value_1"], v["Unit"], v["Phase"]) for v in found)

    return UpdateCableCapacityForecastRequest(
        tuple(
            Forecast(
                forecast["Cable"]["CableId"],
                tuple(
                    ForecastedBlock(
                        block["StartTime"].astimezone(UTC),
                        block["EndTime"].astimezone(UTC) + SECOND,
                        values(block["Capacity"]),
                        values(block["RemainingCapacity"]),
                    )
                    for block in forecast["ForecastedBlock"]
                ),
            )
            for forecast in read["Forecast"]
        )
    )


def _child(name: str, **more: Any) -> Any:
    return field(metadata={"name": name, "type": "Element", "namespace": CSP_NAMESPACE, **more})


@dataclass
class XValue:
    """ValueType for xsdata."""

    value: Decimal = field(metadata={"required": True})
    unit: str = field(metadata={"name": "Unit", "type": "Attribute"})
    phase: int = field(metadata={"name": "Phase", "type": "Attribute"})


@dataclass
class XBlock:
    """ForecastedBlock for xsdata."""

    capacity: list[XValue] = _child("Capacity")
    start: XmlDateTime = _child("StartTime")
    end: XmlDateTime = _child("EndTime")
    remaining: list[XValue] = _child("RemainingCapacity")


@dataclass
class XCable:
    """Cable for xsdata."""

    cable_id: str = _child("CableId")


@dataclass
class XForecast:
    """Forecast for xsdata."""

    cable: XCable = _child("Cable")
    blocks: list[XBlock] = _child("ForecastedBlock")


@dataclass
class XRequest:
    """The body element for xsdata."""

    class Meta:
        """Where it stands."""

        name = NAME
        namespace = CSP_NAMESPACE

    forecasts: list[XForecast] = _child("Forecast")


@dataclass
class XBody:
    """soap:Body for xsdata."""

    request: XRequest = _child(NAME)


@dataclass
class XEnvelope:
    """soap:Envelope for xsdata; the header is left out."""

    class Meta:
        """Where it stands."""

        name = "Envelope"
        namespace = SOAP

    body: XBody = field(metadata={"name": "Body", "type": "Element", "namespace": SOAP})


class Xsdata:
    """xsdata with hand-written classes, its lxml handler for reading."""

    def __init__(self) -> None:
        from xsdata.formats.dataclass.parsers.config import ParserConfig

        self.parser = XmlParser(ParserConfig(fail_on_unknown_properties=False), handler=LxmlEventHandler)
        self.serializer = XmlSerializer()

    def read(self, data: bytes) -> UpdateCableCapacityForecastRequest:
        """The body as Gridroom's values."""

        def values(found: list[XValue]) -> tuple[ValueType, ...]:
            return tuple(ValueType(v.value, v.unit, v.phase) for v in found)

        def moment(found: XmlDateTime) -> datetime:
            return found.to_datetime().astimezone(UTC)

        read = self.parser.from_bytes(data, XEnvelope).body.request
        return UpdateCableCapacityForecastRequest(
            tuple(
                Forecast(
                    one.cable.cable_id,
                    tuple(
                        ForecastedBlock(
                            moment(b.start), moment(b.end) + SECOND, values(b.capacity), values(b.remaining)
                        )
                        for b in one.blocks
                    ),
                )
                for one in read.forecasts
            )
        )

    def write(self, body: UpdateCableCapacityForecastRequest) -> bytes:
        """An envelope without header."""

        def values(found: tuple[ValueType, ...]) -> list[XValue]:
            return [XValue(v.value, v.unit, v.phase or 0) for v in found]

        def moment(at: datetime) -> XmlDateTime:
            return XmlDateTime.from_datetime(at)

        request = XRequest(
            [
                XForecast(
                    XCable(one.cable_id),
                    [
                        XBlock(values(b.capacity), moment(b.start), moment(b.end - SECOND), values(b.remaining))
                        for b in one.blocks
                    ],
                )
                for one in body.forecasts
            ]
        )
        return self.serializer.render(XEnvelope(XBody(request))).encode()
