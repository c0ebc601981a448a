"""Build a forecast, write it as XML, and read the answer of the other side.

python examples/build.py
"""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from gridroom.oscp import v10

now = datetime.now(UTC)
quarter = timedelta(minutes=15)
start = now.replace(minute=now.minute // 15 * 15, second=0, microsecond=0)

evening = (v10.ValueType(Decimal(16), "A", 1), v10.ValueType(Decimal(16), "A", 2), v10.ValueType(Decimal(9), "A", 3))
blocks = tuple(v10.ForecastedBlock(start + i * quarter, start + (i + 1) * quarter, evening) for i in range(96))
body = v10.UpdateCableCapacityForecastRequest((v10.Forecast("cable-1", blocks),))

header = v10.Header(str(uuid4()), "dso", "cso", now, to="https://cso.example/oscp")
sent = v10.write(header, body, v10.GRIDROOM)
print(f"{len(sent)} bytes; {v10.content_type('UpdateCableCapacityForecast')}")

# What the other side would answer; an answer names the request, and its parties are swapped.
answering = v10.Header(str(uuid4()), "cso", "dso", datetime.now(UTC), relates_to=header.message_id)
received = v10.write(answering, v10.UpdateCableCapacityForecastResponse(v10.Result.success()))

answer = v10.read_reply(received)
if isinstance(answer, v10.Fault):
    print(f"Fault, {'ours' if answer.sender else 'theirs'}: {answer.reason}")
elif isinstance(answer.body, v10.UpdateCableCapacityForecastResponse):
    result = answer.body.result
    print(f"{result.type}: {', '.join(detail.code for detail in result.details)}")
