"""Read an OSCP 1.0 message: what it says, what it means in ampere per phase, and what had to be tolerated.

python examples/decode.py tests/oscp/v10/golden/6.1.1.xml
"""

import sys
from pathlib import Path

from gridroom.oscp import v10

try:
    envelope = v10.read(Path(sys.argv[1]).read_bytes())
except v10.RemoteError as error:
    sys.exit(f"refused: {error}")

header, body = envelope.header, envelope.body
print(f"{type(body).__name__} from {header.sender_id} to {header.receiver_id}, priority {header.priority}")
if isinstance(body, v10.UpdateCableCapacityForecastRequest):
    for forecast in v10.gather(body.forecasts):
        try:
            limits, backup, odd = v10.forecast_spans(forecast, v10.CableTerms(maximum_ca=6300))
        except v10.CableRefused as error:
            print(f"refused cable {error}")
            continue
        for span in limits:
            amperes = " ".join("?" if ca is None else f"{ca / 100:.2f}" for ca in span.amounts)
            print(f"{forecast.cable_id} {span.start:%d %H:%M} to {span.end:%d %H:%M}: {amperes} A on L1 L2 L3")
for refusal in getattr(body, "refused", ()):
    print(f"refused cable {refusal.cable_id}: {refusal.path}: {refusal.message}")
for deviation in envelope.deviations:
    print(f"row {deviation.row}, {v10.explain(deviation.row).title}: {deviation.path}: {deviation.text}")
