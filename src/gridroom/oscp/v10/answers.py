"""Answers to messages about several cables, for who builds a DSO or a CSO on this library.

Source: OSCP 1.0 sections 3.2.5.2 and 3.2.8; decisions 6 and 16, and "cables are judged one by one" in
docs/deviations.md.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from gridroom.oscp.v10.adjustments import NO_CAPACITY, answer_spans, deltas_count, request_spans
from gridroom.oscp.v10.grids import amounts
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Detail,
    Deviation,
    Level,
    Refusal,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
)
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM, PeerProfile
from gridroom.oscp.v10.results import LONGEST_CODE, LONGEST_MESSAGE
from gridroom.oscp.v10.spans import PHASES, CableRefused, CableTerms, Span, gather

UNKNOWN_CABLE = "UNKNOWN_CABLE"
"""Code for a cable that is not the sender's, whether it exists or not. Source: "Cable" in docs/deviations.md."""

Assign = Callable[[str, Span], tuple[Sequence[int], Sequence[int]]]
"""Decides on a block that was asked: what is assigned, and what remains after it. Both per phase. [0.01 A]"""


def outcome(refused: Sequence[Refusal], applied: int, remarks: Sequence[Detail] = ()) -> Result:
    """The Result of a message of which some cables may have been refused.

    Args:
        refused: What could not be taken.
        applied: Number of cables that were.
        remarks: Further details, at the end.

    Returns:
        SUCCESS, or FAILED with an ERROR detail per refused cable and an INFO detail with the number applied.

    Source: OSCP 1.0 section 3.2.8.

    >>> str(outcome([], 3).type), str(outcome([Refusal("c", "INVALID_UNIT", "V is no unit", "Unit")], 2).type)
    ('SUCCESS', 'FAILED')
    """
    if not refused:
        return Result(ResultType.SUCCESS, (*Result.success().details, *remarks))
    return Result(ResultType.FAILED, (*details(refused, applied), *remarks))


def details(refused: Sequence[Refusal], applied: int) -> tuple[Detail, ...]:
    """An ERROR detail per refused cable, its id first, and an INFO detail with the number applied.

    Source: "cables are judged one by one" in docs/deviations.md.
    """
    where = (f" ({one.path})" if one.path else "" for one in refused)
    errors = (
        Detail(one.code[:LONGEST_CODE], f"{one.cable_id}: {one.message}{at}"[:LONGEST_MESSAGE], Level.ERROR)
        for one, at in zip(refused, where, strict=True)
    )
    return (*errors, Detail("APPLIED", f"{applied} cables applied", Level.INFO))


def unknown_cable(cable_id: str, path: str = "") -> Refusal:
    """The refusal of a cable that is not the sender's, the same whether it exists or not.

    Source: "Cable" in docs/deviations.md.
    """
    return Refusal(cable_id, UNKNOWN_CABLE, "no connections on such a cable", path)


def adjusted(
    request: RequestAdjustedCapacityRequest,
    cables: Mapping[str, CableTerms],
    assign: Assign,
    profile: PeerProfile = DEFAULT,
) -> RequestAdjustedCapacityResponse:
    """The answer to a request for more, or less: every block asked, in the order asked, each decided once.

    It is SUCCESS only when all was assigned, else FAILED with the code NO_CAPACITY. It never says more than was asked.

    Args:
        request: What was asked.
        cables: Those on which the sender has connections; any other is refused, whether it exists or not.
        assign: Is called for each block of a cable that can be read, and has its effect right away. Where no phase was
            asked for, the one that gets least stands for all.
        profile: How the sender reads what remains.

    Source: OSCP 1.0 section 3.2.5.2; decisions 6, 15 and 16.
    """
    refused, answers, short, served = list(request.refused), list[Adjustment](), False, 0
    for one in gather(request.adjustments):
        terms = cables.get(one.cable_id)
        if terms is None:
            refused.append(unknown_cable(one.cable_id))
            continue
        try:
            spans, _ = request_spans(one, terms)
        except CableRefused as error:
            refused.append(error.refusal)
            continue
        blocks = list[CapacityBlock]()
        phaseless = all(value.phase is None for block in one.blocks for value in block.capacity)
        for span in spans:
            assigned, left = assign(one.cable_id, span)
            given = [_within(wish or 0, some) for wish, some in zip(span.amounts, assigned, strict=True)]
            given = [min(given, key=abs)] * len(given) if phaseless else given
            short = short or given != [wish or 0 for wish in span.amounts]
            blocks.append(answer_block(span, given, left, profile))
        answers.append(Adjustment(one.cable_id, tuple(blocks)))
        served += 1
    if not refused and not short:
        return RequestAdjustedCapacityResponse(tuple(answers), Result.success())
    shortage = Detail(NO_CAPACITY, "what is stated is assigned, no more", Level.WARN)
    result = Result(ResultType.FAILED, (*details(refused, served), shortage))
    return RequestAdjustedCapacityResponse(tuple(answers), result)


def answer_block(
    span: Span, given: Sequence[int], left: Sequence[int], profile: PeerProfile = DEFAULT
) -> CapacityBlock:
    """One block of the answer to a request: what is assigned on the phases that were asked, and what is left.

    Args:
        span: What was asked.
        given: Assigned per phase. [0.01 A]
        left: Remaining capacity per phase. [0.01 A]
        profile: How the sender reads what remains.

    Source: OSCP 1.0 section 3.2.5.2; decisions 6 and 16.
    """
    named = [phase for phase, wish in enumerate(span.amounts) if wish is not None]
    if len(named) in (0, len(PHASES)):
        stated = amounts(given, GRIDROOM)
    else:
        stated = tuple(replace(amounts([given[n]] * len(PHASES), GRIDROOM)[0], phase=PHASES[n]) for n in named)
    return CapacityBlock(span.start, span.end, stated, amounts(left, profile))


def granted(
    asked: Adjustment, answer: RequestAdjustedCapacityResponse, terms: CableTerms
) -> tuple[list[Span], list[Deviation]]:
    """What an answer adds to a cable's limits until the next forecast: per block and phase never more than asked.

    Args:
        asked: The changes of one cable, as they were sent.
        answer: What came back.
        terms: What is known of the cable.

    Returns:
        A span for each block asked, and what was odd. A give-back yields 0: it counts since it was sent.

    Raises:
        CableRefused: What was asked cannot be read itself.

    Source: OSCP 1.0 section 3.2.5.2; decision 16.
    """
    spans, _ = request_spans(asked, terms)
    stated = next((one for one in gather(answer.adjustments) if one.cable_id == asked.cable_id), None)
    return answer_spans(spans, stated, terms, granted=deltas_count(answer.result))


def _within(wish: int, assigned: int) -> int:
    """What is assigned, never more than was asked and never with another sign."""
    return max(wish, min(assigned, 0)) if wish < 0 else min(wish, max(assigned, 0))
