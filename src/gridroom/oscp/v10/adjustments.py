"""What a request for more, or less, means, and what its answer grants.

Source: OSCP 1.0 section 3.2.5; decisions: docs/deviations.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from gridroom import xml
from gridroom.oscp.v10.ampere import nearest_zero, per_phase
from gridroom.oscp.v10.messages import Adjustment, Deviation, RequestAdjustedCapacityResponse, Result, ResultType
from gridroom.oscp.v10.spans import (
    PHASES,
    SLACK,
    Amounts,
    CableRefused,
    CableTerms,
    Span,
    agree,
    block_path,
    check_times,
    gather,
    joined,
    refused,
)

ASKED = "Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock"
"""Where the blocks of a cable stand in a request; which container of several it is, the cable's id tells."""

ANSWERED = "Envelope/Body/RequestAdjustedCapacityResponse/Adjustment/CapacityBlock"
"""Where the blocks of a cable stand; which container of several it is, the cable's id tells."""

NO_CAPACITY = "NO_CAPACITY"
"""Code beside which the deltas of a FAILED answer count. Source: decision 16."""


def request_spans(adjustment: Adjustment, terms: CableTerms) -> tuple[list[Span], list[Deviation]]:
    """Signed deltas that a request asks for, in the order asked, repeats dropped; None is "no change".

    No phase is named twice for one time. Amounts are rounded towards zero, so that neither a grant nor a give-back is
    read as larger than stated.

    Args:
        adjustment: One cable's blocks; repeated cables first go through `gather`.
        terms: What is known of the cable.

    Raises:
        CableRefused: Different values for overlapping times, amounts that cannot be read, or a time within a second:
            the answer repeats each block, and blocks are written in whole seconds (decision 12).

    Source: OSCP 1.0 section 3.2.5.1; decisions 4, 5, 12, 15, 16, 34.
    """
    spans, notes = _change_spans(adjustment, terms, ASKED)
    if any(one.start.microsecond or one.end.microsecond for one in spans):
        raise refused(adjustment.cable_id, ASKED, "ask for whole seconds, others cannot be answered", "INVALID_TIME")
    return spans, notes


def deltas_count(result: Result) -> bool:
    """Whether the deltas of an answer count: on SUCCESS, and on FAILED for want of capacity. Source: decision 16."""
    if result.type is ResultType.FAILED:
        return any(detail.code == NO_CAPACITY for detail in result.details)
    return result.type is ResultType.SUCCESS


def answer_spans(
    asked: Sequence[Span], answer: Adjustment | None, terms: CableTerms, *, granted: bool
) -> tuple[list[Span], list[Deviation]]:
    """What an answer grants of the extra capacity asked for: per block and phase never more than asked.

    Args:
        asked: The request's spans.
        answer: The answer's blocks for this cable; None when it names none.
        terms: What is known of the cable.
        granted: Whether its deltas count at all: `deltas_count` of the Result.

    Returns:
        A span for each one asked; give-backs yield 0, since they count when sent and no answer undoes them.

    Source: OSCP 1.0 section 3.2.5.2; decision 16.
    """
    notes: list[Deviation] = []
    stated: dict[tuple[datetime, datetime], Amounts] = {}
    if answer is not None:
        try:
            spans, notes = _change_spans(answer, terms, ANSWERED)
        except CableRefused as error:
            spans = []
            notes.append(Deviation(16, error.refusal.path, f"{error.refusal.message}; nothing counted as granted"))
        stated = {(s.start, s.end): s.amounts for s in spans}
        if not granted and any(any(amounts) for amounts in stated.values()):
            notes.append(Deviation(16, ANSWERED, f"cable {answer.cable_id}: amounts of a refusal count as 0"))
    result = []
    for span in asked:
        given = stated.pop((span.start, span.end), (None, None, None))
        odd = {_odd(wish or 0, got) for wish, got in zip(span.amounts, given, strict=True) if got}
        notes += [Deviation(16, ANSWERED, f"{span.start.isoformat()}: {text}") for text in sorted(odd - {""})]
        pairs = zip(span.amounts, given, strict=True)
        first, second, third = (max(0, min(wish or 0, got or 0)) if granted else 0 for wish, got in pairs)
        result.append(Span(span.start, span.end, (first, second, third)))
    if stated:
        notes.append(Deviation(16, ANSWERED, "blocks that were not asked for count as 0"))
    return result, notes


def granted_spans(
    asked: Mapping[str, Sequence[Span]], answer: RequestAdjustedCapacityResponse, terms: Mapping[str, CableTerms]
) -> tuple[dict[str, list[Span]], list[Deviation]]:
    """What a whole answer grants of a request, cable by cable.

    Args:
        asked: The request's spans per CableId.
        answer: Its answer.
        terms: What is known of each cable asked for.

    Returns:
        For each cable asked for what `answer_spans` says; nothing for a cable whose answer could not be read.

    Source: OSCP 1.0 section 3.2.5.2; decisions 15 and 16.
    """
    unread = {one.cable_id.strip(xml.SPACE) for one in answer.refused}
    told = {one.cable_id.strip(xml.SPACE): one for one in gather(answer.adjustments)}
    granted, notes = dict[str, list[Span]](), list[Deviation]()
    for cable, spans in asked.items():
        good = deltas_count(answer.result) and cable not in unread
        granted[cable], odd = answer_spans(spans, told.pop(cable, None), terms[cable], granted=good)
        notes += odd
    notes += [Deviation(16, ANSWERED, f"cable {cable}: was not asked for, counts as 0") for cable in told]
    return granted, notes


def _odd(wish: int, got: int) -> str:
    """What is strange about a delta, or nothing."""
    if wish == 0:
        return "a phase that was not asked for counts as 0"
    if (wish < 0) != (got < 0):
        return "a delta of the other sign counts as 0"
    return "more than was asked for, counted as asked" if abs(got) > abs(wish) else ""


def _change_spans(adjustment: Adjustment, terms: CableTerms, where: str) -> tuple[list[Span], list[Deviation]]:
    cable, notes = adjustment.cable_id, list[Deviation]()
    found: dict[tuple[datetime, datetime], Span] = {}
    for number, block in enumerate(adjustment.blocks, 1):
        path = block_path(where, number, len(adjustment.blocks))
        check_times(block.start, block.end, cable, path)
        amounts = per_phase(block.capacity, terms, cable, f"{path}/Capacity", notes, nearest_zero)
        span = Span(block.start, block.end, amounts)
        known = found.setdefault((block.start, block.end), span)
        if known is span:
            continue
        if not agree(known.amounts, amounts):
            raise refused(cable, path, "different values for overlapping times")
        found[block.start, block.end] = replace(span, amounts=joined(known.amounts, amounts))
        text = "block repeated, counted once" if known == span else "phases of one time in several blocks, joined"
        notes.append(Deviation(15 if known == span else 5, path, f"cable {cable}: {text}"))
    spans = list(found.values())
    _refuse_overlaps(spans, cable, where)
    return spans, notes


def _refuse_overlaps(spans: Iterable[Span], cable: str, where: str) -> None:
    """Changes of one phase that overlap by more than a second: added up they would be more than any of them states."""
    ends: dict[int, datetime] = {}
    for span in sorted(spans, key=lambda s: (s.start, s.end)):
        for phase, amount in zip(PHASES, span.amounts, strict=True):
            if amount is None:
                continue
            if phase in ends and ends[phase] - span.start > SLACK:
                raise refused(cable, where, f"blocks overlap on phase {phase}: overlapping times cannot be told apart")
            ends[phase] = max(ends.get(phase, span.end), span.end)
