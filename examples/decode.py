"""Read an OSCP 1.0 message: what it says, what it means in ampere per phase, and what had to be tolerated.

python examples/decode.py tests/oscp/v10/golden/6.1.1.xml
"""

import sys
from collections.abc import Iterable
from decimal import Decimal
from pathlib import Path

from gridroom.oscp import v10

TERMS = v10.CableTerms(voltage_v=Decimal(230), phases=3)  # what you know of each cable
Understood = tuple[Iterable[v10.Span | v10.UsageSpan], list[v10.Deviation]]


def understood(cable: v10.Forecast | v10.Adjustment | v10.CableUsage) -> Understood:
    if isinstance(cable, v10.Forecast):
        limits, _backup, odd = v10.forecast_spans(cable, TERMS)
        return limits, odd
    return v10.request_spans(cable, TERMS) if isinstance(cable, v10.Adjustment) else v10.usage_spans(cable, TERMS)


try:
    message = v10.read_any(Path(sys.argv[1]).read_bytes())
except v10.RemoteError as error:
    sys.exit(f"refused: {error}")
if isinstance(message, v10.Fault):
    who = "Sender" if message.sender else "Receiver"
    sys.exit(f"Fault from the {who}: {message.reason}" + (f" ({message.subcode})" if message.subcode else ""))

header, body, deviations = message.header, message.body, list(message.deviations)
print(f"{type(body).__name__} from {header.sender_id} to {header.receiver_id}, priority {header.priority}")
for refusal in getattr(body, "refused", ()):
    print(f"refused cable {refusal.cable_id}: {refusal.path}: {refusal.message}")
for kind in ("forecasts", "adjustments", "usages"):
    for cable in v10.gather(getattr(body, kind, ())):
        try:
            spans, odd = understood(cable)
        except v10.CableRefused as error:
            print(f"refused cable {cable.cable_id}: {error}")
            continue
        deviations += odd
        for span in spans:
            amounts = span.amounts if isinstance(span, v10.Span) else span.current_ca
            amperes = " ".join("?" if ca is None else f"{ca / 100:.2f}" for ca in amounts)
            if isinstance(span, v10.UsageSpan) and span.total_ca is not None:
                amperes += f" and {span.total_ca / 100:.2f} in all,"
            print(f"{cable.cable_id} {span.start:%d %H:%M} to {span.end:%d %H:%M}: {amperes} A on L1 L2 L3")
for one in deviations:
    print(f"row {one.row}, {v10.explain(one.row).title}: {one.path}: {one.text}")
