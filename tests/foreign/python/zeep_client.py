"""Calls one service of OSCP 1.0 with zeep and prints what it understood: step, name, value, one fact a line."""

import os
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import requests
import zeep

WSA = "http://www.w3.org/2005/08/addressing"
QUARTER = timedelta(minutes=15)


class Nameless(zeep.Plugin):
    """Takes the MessageID out that zeep has put in."""

    active = False

    def egress(self, envelope: Any, http_headers: Any, operation: Any, binding_options: Any) -> tuple[Any, Any]:
        """Called for each message that leaves."""
        for one in list(envelope.iter(f"{{{WSA}}}MessageID")) if self.active else ():
            one.getparent().remove(one)
        return envelope, http_headers


def say(step: str, name: str, value: object) -> None:
    """Tell one fact."""
    print(step, name, str(value).replace("\t", " ").replace("\n", " "), sep="\t")


def amount(value: str, unit: str = "A", phase: int | None = None) -> dict[str, Any]:
    """A ValueType."""
    return {"_value_1": value, "Unit": unit, "Phase": phase}


def at(quarters: int) -> datetime:
    """A moment counted from the block that the task is about. [UTC]"""
    return datetime.fromisoformat(os.environ["OSCP_START"]) + quarters * QUARTER


class Caller:
    """What zeep made of the WSDL."""

    def __init__(self, session: requests.Session) -> None:
        self.nameless = Nameless()
        transport = zeep.Transport(session=session)  # type: ignore[no-untyped-call]
        wsdl = os.environ["OSCP_WSDL"]
        self.service: Any = zeep.Client(wsdl, transport=transport, plugins=[self.nameless]).service  # type: ignore[no-untyped-call]

    def call(
        self, step: str, operation: str, body: Mapping[str, Any], sender: str = "", *, nameless: bool = False
    ) -> None:
        """One exchange, and what came of it."""
        parties = {"senderID": sender or os.environ["OSCP_SENDER"], "receiverID": os.environ["OSCP_RECEIVER"]}
        headers = {"Parties": parties, "Priority": 0, "DateTime": datetime.now(UTC)}
        self.nameless.active = nameless
        try:
            answer = getattr(self.service, operation)(_soapheaders=headers, **body)
        except zeep.exceptions.Fault as fault:
            say(step, "fault", fault.code.rpartition(":")[2])
            say(step, "reason", fault.message)
            return
        tell(step, answer.header.Parties.senderID, answer.body)


def tell(step: str, sender: str, body: Any) -> None:
    """What an answer says."""
    say(step, "from", sender)
    say(step, "type", body.Result.Type)
    for detail in body.Result.Details.Detail:
        say(step, "detail", f"{detail.Code} {detail.Level} {detail.Message}")
    if hasattr(body, "CurrentTime"):
        say(step, "current", body.CurrentTime.isoformat())
    for adjustment in getattr(body, "Adjustment", ()):
        for block in adjustment.CapacityBlock:
            say(step, "block", f"{adjustment.Cable.CableId} {block.StartTime.isoformat()} {block.EndTime.isoformat()}")
            for name, values in (("granted", block.Capacity), ("left", block.RemainingCapacity)):
                for one in values:
                    say(step, name, f"{one._value_1} {one.Unit} {'-' if one.Phase is None else one.Phase}")


def steps_of_a_dso(caller: Caller, cable: dict[str, str]) -> None:
    """All that a CSO's service offers."""
    blocks = [
        {
            "Capacity": [amount("33.00", phase=1), amount("22.50", phase=2), amount("11.00", phase=3)],
            "StartTime": at(i),
            "EndTime": at(i + 1),
            "RemainingCapacity": [amount("5.00")],
        }
        for i in range(96)
    ]
    caller.call("forecast", "UpdateCableCapacityForecast", {"Forecast": [{"Cable": cable, "ForecastedBlock": blocks}]})
    beat = {"HeartBeatTimeInterval": 300, "ForecastTimeInterval": 900}
    caller.call("heartbeat", "Heartbeat", beat)
    caller.call("stranger", "Heartbeat", beat, "nobody")
    caller.call("nameless", "Heartbeat", beat, nameless=True)


def steps_of_a_cso(caller: Caller, cable: dict[str, str]) -> None:
    """All that a DSO's service offers."""
    caller.call("forecasts", "GetCapacityForecast", {"Cable": [cable]})
    caller.call("unknown", "GetCapacityForecast", {"Cable": [{"CableId": "nowhere"}]})
    for step, ampere in (("giveback", "-10.00"), ("request", "4000.00")):
        block = {"Capacity": [amount(ampere)], "StartTime": at(0), "EndTime": at(1)}
        caller.call(step, "RequestAdjustedCapacity", {"Adjustment": [{"Cable": cable, "CapacityBlock": [block]}]})
    usage = [amount(value, unit, phase) for phase in (1, 2, 3) for value, unit in (("460.00", "Wh"), ("8.00", "A"))]
    used = {"Usage": usage, "StartTime": at(-8), "EndTime": at(-7)}
    caller.call("usage", "UpdateAggregatedUsage", {"Usage": [{"Cable": cable, "UsageBlock": [used]}]})
    caller.call("stranger", "GetCapacityForecast", {}, "nobody")
    caller.call("nameless", "GetCapacityForecast", {}, nameless=True)


def main() -> None:
    """Hold all exchanges of the service."""
    with requests.Session() as session:
        session.trust_env = False  # else the machine's own list of authorities wins
        session.verify = os.environ["OSCP_CA"]
        session.cert = (os.environ["OSCP_CERT"], os.environ["OSCP_KEY"])
        steps = steps_of_a_dso if "CSP" in os.environ["OSCP_NAMESPACE"] else steps_of_a_cso
        steps(Caller(session), {"CableId": os.environ["OSCP_CABLE"]})


if __name__ == "__main__":
    main()
