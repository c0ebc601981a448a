"""What a stack of charging profiles amounts to over a span of time: GetCompositeSchedule.

Source: OCPP 1.6 (edition 2) section 3.13.3.
"""

from datetime import datetime, timedelta

from gridroom.ocpp.profiles import Period, Stack, Transaction, boundaries, limit_at


def composite(
    stack: Stack,
    connector: int,
    start: datetime,
    seconds: int,
    transaction: Transaction | None = None,
    *,
    otherwise: Period,
) -> tuple[Period, ...]:
    """What a connector may draw over a span of time (GetCompositeSchedule, section 3.13.3).

    Args:
        stack: The profiles that the station holds.
        connector: Its number, from 1.
        start: Start of the span. [UTC]
        seconds: Its length. [s]
        transaction: The connector's running transaction, if any.
        otherwise: What holds where neither a TxProfile nor a TxDefaultProfile does.

    Returns:
        Periods from `start`, the first at 0 s, equal neighbours joined. Where limits change within a second, the
        lowest holds for that second.

    >>> composite((), 1, datetime.fromisoformat("2026-01-01T00:00Z"), 60, otherwise=Period(0, 600))
    (Period(start_s=0, limit_ca=600, phases=3),)
    """
    second = timedelta(seconds=1)
    moments = boundaries((entry.profile for entry in stack), start, start + seconds * second, transaction)
    cuts = {(moment - start) // second for moment in moments} | {-((start - moment) // second) for moment in moments}
    found: list[Period] = []
    for cut in sorted(cut for cut in cuts if cut < seconds):
        begin = start + cut * second
        within = [begin, *(moment for moment in moments if begin < moment < begin + second)]
        limits = [limit_at(stack, connector, moment, transaction, otherwise) for moment in within]
        period = Period(cut, min(limit.limit_ca for limit in limits), min(limit.phases for limit in limits))
        if not found or (found[-1].limit_ca, found[-1].phases) != (period.limit_ca, period.phases):
            found.append(period)
    return tuple(found)
