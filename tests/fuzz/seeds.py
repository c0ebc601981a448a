"""Inputs to begin with, made on the spot: chapter 6's messages, what we write, and random messages."""

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from random import Random

import ocpp_samples
from gridroom.ocpp import v16
from gridroom.ocpp.draft20 import soap as draft20
from gridroom.ocpp.draft20.values import Evse, MeterValuesRequest
from gridroom.oscp.v10 import render, soap
from safety import letters
from safety.nodes import to_bytes

GOLDEN = Path(__file__).parents[1] / "oscp" / "v10" / "golden"
FRAMES = [
    '[2,"1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]',
    '[2,"2","MeterValues",{"connectorId":1,"meterValue":[{"timestamp":"2026-03-01T12:00:00Z",'
    '"sampledValue":[{"value":"16.1","measurand":"Current.Import","phase":"L1","unit":"A"}]}]}]',
    '[2,"3","SetChargingProfile",{"connectorId":0,"csChargingProfiles":{"chargingProfileId":1,"stackLevel":0,'
    '"chargingProfilePurpose":"TxDefaultProfile","chargingProfileKind":"Absolute","chargingSchedule":'
    '{"startSchedule":"2026-03-01T12:00:00Z","chargingRateUnit":"A","chargingSchedulePeriod":'
    '[{"startPeriod":0,"limit":16.0,"numberPhases":3}]}}}]',
    '[2,"4","StartTransaction",{"connectorId":1,"idTag":"t","meterStart":0,"timestamp":"2026-03-01T12:00:00Z"}]',
    '[2,"5","StatusNotification",{"connectorId":1,"errorCode":"NoError","status":"Charging"}]',
    '[3,"6",{"status":"Accepted"}]',
    '[4,"7","InternalError","why",{}]',
    '{"evse":{"id":1},"customData":{"vendorId":"x"}}',
]


def messages() -> Iterator[bytes]:
    """Envelopes of OSCP 1.0."""
    for path in sorted(GOLDEN.glob("*.xml")):
        yield path.read_bytes()
    times = [(letters.NOW, letters.NOW + letters.QUARTER)]
    for seed in range(12):
        chance = Random(seed)
        for root in (letters.forecast(chance), letters.request(chance), letters.usage(chance)):
            yield to_bytes(root, chance)
        yield to_bytes(letters.answer(chance, times), chance)


def seeds(target: str) -> Iterator[bytes]:
    """What a target begins with."""
    if target in ("xml", "soap", "cso", "dso"):
        yield from messages()
    if target == "xml":
        yield from (gzip.compress(one, 1) for one in list(messages())[:3])
    if target == "json":
        yield from (json.dumps(render.as_json(soap.read_any(one))).encode() for one in messages())
    if target in ("frames", "payloads"):
        yield from (frame.encode() for frame in FRAMES)
        yield "\n".join(FRAMES).encode()
    if target in ("controllers", "payloads"):
        for said in (MeterValuesRequest(Evse(1)), ocpp_samples.OFFLINE, ocpp_samples.PLAN):
            yield draft20.write(draft20.Letter(said, "station"))
    if target in ("talk", "http"):
        yield from (Random(seed).randbytes(length) for seed, length in enumerate((20, 100, 300, 300)))
    if target == "http":
        yield from (bytes([0, 1, 1, 0, 0, 0, 0, 0, 0]) + one for one in list(messages())[4:20])


def words() -> list[str]:
    """Tokens that inputs are made of."""
    found: set[str] = set(v16.ACTIONS)
    for one in messages():
        for piece in one.decode().replace("<", " ").replace(">", " ").replace('"', " ").split():
            if len(piece) < 60:
                found.add(piece)
    return sorted(found)
