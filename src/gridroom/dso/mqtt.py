"""The road for meters over MQTT: the same messages as over HTTPS, from a broker, with certificates on both sides.

A meter publishes with QoS 1 to a topic that holds its name, such as `gridroom/meters/meter-1/readings`. That it is that
meter is for the broker to see: its access list lets each certificate write only under its own name. A message is
acknowledged after its readings are stored, and the session is kept: nothing is lost while the DSO is away, and what
comes twice counts once.
"""

import asyncio
import random
import ssl
from dataclasses import dataclass
from datetime import timedelta

import aiomqtt
import structlog

from gridroom.dso.config import Mqtt
from gridroom.dso.meters import Record
from gridroom.dso.readings.measurements import Delivery, DeliveryError
from gridroom.dso.readings.messages import LARGEST, broken, read_json
from gridroom.storage.failures import DatabaseError

log = structlog.get_logger()

WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
"""Wait before the first and before a late try to reach the broker again. [s]"""


@dataclass
class Heard:
    """Messages since the start.

    Attributes:
        connections: Times that the broker was reached.
        taken: Messages whose readings were looked at.
        broken: Messages that could not be read.
        strange: Messages under the name of no meter.
    """

    connections: int = 0
    taken: int = 0
    broken: int = 0
    strange: int = 0


def meter_in(topic: str, pattern: str) -> str:
    """The meter's name: what stands in a topic where its pattern has `+`.

    >>> meter_in("grid/m-1/readings", "grid/+/readings")
    'm-1'
    """
    return dict(zip(pattern.split("/"), topic.split("/"), strict=True))["+"]


class Listener:
    """Listens to a broker until it is cancelled.

    Args:
        settings: Where and to what.
        identifier: Name of the session that the broker keeps for us.
        context: TLS with our certificate.
        record: Keeps the readings of a meter.
        meters: The meters that are known.
        block: Length of a block.
    """

    def __init__(
        self,
        settings: Mqtt,
        identifier: str,
        context: ssl.SSLContext,
        record: Record,
        meters: frozenset[str],
        block: timedelta,
    ) -> None:
        self.heard = Heard()
        self._settings, self._identifier, self._context = settings, identifier, context
        self._record, self._meters, self._block = record, meters, block
        self._wait_s = WAIT_S

    async def run(self) -> None:
        """Listen; reach the broker again whenever the line is lost."""
        while True:
            try:
                await self._listen()
            except (aiomqtt.MqttError, OSError) as error:
                log.warning("no line to the broker, it is tried again", error=str(error), wait_s=self._wait_s)
            except DatabaseError as error:  # the message is not acknowledged and comes again
                log.error("readings are not stored, the broker is asked again", error=str(error), wait_s=self._wait_s)
            except Exception:
                log.exception("the broker is asked again", wait_s=self._wait_s)
            await asyncio.sleep(self._wait_s * random.uniform(0.5, 1.0))
            self._wait_s = min(2 * self._wait_s, LONGEST_WAIT_S)

    async def _listen(self) -> None:
        one = self._settings
        client = aiomqtt.Client(
            one.host, one.port, identifier=self._identifier, clean_session=False, tls_context=self._context
        )
        client._client.manual_ack_set(True)  # aiomqtt has no other way to acknowledge after the commit
        async with client:
            answers = await client.subscribe(one.topic, qos=1)
            if any(getattr(answer, "is_failure", False) for answer in answers):
                raise aiomqtt.MqttError(f"the broker refuses {one.topic}; see its access list")
            self.heard.connections += 1
            log.info("readings are heard over MQTT", broker=f"{one.host}:{one.port}", topic=one.topic)
            async for message in client.messages:
                self._take(str(message.topic), message.payload)
                client._client.ack(message.mid, message.qos)
                self._wait_s = WAIT_S

    def _take(self, topic: str, payload: object) -> None:
        meter = meter_in(topic, self._settings.topic)
        if meter not in self._meters:
            self.heard.strange += 1
            log.warning("readings of no meter known here", topic=topic)
            return
        self.heard.taken += 1
        try:
            self._record(self._delivery(payload), meter)
        except (DatabaseError, OSError):
            raise
        except Exception:  # a fault of ours: were it to come again and again, no meter would be heard any more
            self.heard.broken += 1
            log.exception("a message cannot be taken, it is left out", meter=meter)

    def _delivery(self, payload: object) -> Delivery:
        try:
            if not isinstance(payload, bytes) or len(payload) > LARGEST:
                raise DeliveryError(f"a delivery has at most {LARGEST} bytes")
            return read_json(payload, self._block)
        except DeliveryError as error:
            self.heard.broken += 1
            return broken(error)
