"""What a station still has to say: in order, kept while the line is dead.

Messages of a transaction are kept and sent later with their own times; the number of a transaction is filled in when
the CSO has given it. The state of the connector is not kept: only the present one is told after a reconnection.
Source: OCPP 1.6 (edition 2) sections 3.7, 3.15 and 4.
"""

from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from gridroom.ocpp import v16
from gridroom.ocpp.messages import MeterValues, StartTransaction, StatusNotification, StopTransaction

ATTEMPTS = 3
"""TransactionMessageAttempts: how often a message that is refused is tried."""
LONGEST = 20_000

Said = StatusNotification | StartTransaction | StopTransaction | MeterValues


@dataclass(frozen=True)
class Report:
    """A message of a session; the session's own count stands for the transaction's number until that is known."""

    session: int
    said: Said


class Backlog:
    """What waits to be sent; the oldest first."""

    def __init__(self) -> None:
        self.numbers: dict[int, int] = {}
        self._waiting: deque[Report] = deque()
        self._attempts = 0

    def __len__(self) -> int:
        return len(self._waiting)

    def __iter__(self) -> Iterator[Report]:
        return iter(self._waiting)

    def put(self, session: int, said: Said) -> None:
        """Add a message; when there are too many, the oldest meter values go."""
        self._waiting.append(Report(session, said))
        if len(self._waiting) > LONGEST:
            # the first one may be on its way
            oldest = next((n for n, r in enumerate(self._waiting) if n and isinstance(r.said, MeterValues)), None)
            if oldest is not None:
                del self._waiting[oldest]

    def next(self) -> Said | None:
        """What to send now, with the number of its transaction; None when all is said."""
        while self._waiting:
            session, said = self._waiting[0].session, self._waiting[0].said
            if isinstance(said, StartTransaction | StatusNotification):
                return said
            if session in self.numbers:
                return replace(said, transaction_id=self.numbers[session])
            self._waiting.popleft()  # its StartTransaction was refused for good
        return None

    def delivered(self, answer: Mapping[str, Any]) -> None:
        """The other side answered what `next` gave.

        Raises:
            PayloadError: The answer to StartTransaction has no number.
        """
        report = self._waiting[0]
        if isinstance(report.said, StartTransaction):
            self.numbers[report.session] = v16.transaction_id(answer)
        if isinstance(report.said, StopTransaction):
            self.numbers.pop(report.session, None)
        self._waiting.popleft()
        self._attempts = 0

    def refused(self) -> bool:
        """The other side refused what `next` gave; True when it is given up."""
        self._attempts += 1
        if self._attempts < ATTEMPTS:
            return False
        self._waiting.popleft()
        self._attempts = 0
        return True

    def forget_states(self) -> None:
        """The line is dead: states of the connector need not be told any more."""
        self._waiting = deque(r for r in self._waiting if not isinstance(r.said, StatusNotification))
        self._attempts = 0
