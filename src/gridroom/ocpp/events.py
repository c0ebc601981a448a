"""What a CSO hears from its stations.

Source: OCPP 1.6 chapter 4 (operations that a charge point begins).
"""

from datetime import datetime
from typing import Protocol

from gridroom.ocpp.messages import BootNotification, Status
from gridroom.ocpp.metering import MeterReading


class StationEvents(Protocol):
    """Called by the CSMS for each message of a station, one at a time and in order per station.

    A call must not wait for `Csms.send` to the same station: note what there is to do, and send it later. An exception
    answers the station with an InternalError; a PayloadError names the field to it.
    """

    async def connected(self, identity: str) -> None:
        """The station proved its identity and is on the line; also when it displaces its own older connection."""

    async def disconnected(self, identity: str) -> None:
        """The station's line is gone."""

    async def boot(self, identity: str, boot: BootNotification) -> bool:
        """It reports itself; True accepts it."""

    async def status(self, identity: str, connector: int, status: Status, at: datetime) -> None:
        """The state of a connector; 0 is the whole station."""

    async def start_transaction(
        self, identity: str, connector: int, id_tag: str, meter_start_wh: int, at: datetime
    ) -> int:
        """A car began to charge; returns the number of the transaction. Comes again when our answer was lost."""

    async def stop_transaction(
        self, identity: str, transaction_id: int, meter_stop_wh: int, at: datetime, reason: str
    ) -> None:
        """A car is gone. Comes again when our answer was lost."""

    async def meter_values(
        self, identity: str, connector: int, transaction_id: int | None, readings: tuple[MeterReading, ...]
    ) -> None:
        """What it drew; late when the line was dead, with the timestamps of the readings."""
