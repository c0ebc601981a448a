"""Answers to messages about several cables: what was refused, what was applied, what is assigned.

Source: OSCP 1.0 sections 3.2.5.2 and 3.2.8; decisions 6 and 16, and "cables are judged one by one" in
docs/deviations.md.
"""

from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from gridroom.oscp.errors import LocalError
from gridroom.oscp.v10.adjustments import ASKED, NO_CAPACITY, request_spans
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

LAST_SECOND = 59
"""An EndTime in it is read as the full minute, so that no block can be said to end there. Source: decision 13."""

UNKNOWN_CABLE = "UNKNOWN_CABLE"
"""Code for a cable that is not the sender's, whether it exists or not. Source: "Cable" in docs/deviations.md."""


@dataclass(frozen=True, slots=True)
class Ask:
    """One block of a request, to be decided.

    Attributes:
        span: The signed change per phase, None on a phase that is not asked for. [0.01 A]
        uniform: No phase was named: what is assigned must be the same on all, the smallest. Decision 6.
    """

    span: Span
    uniform: bool


Assigned = tuple[Sequence[int], Sequence[int]]
"""What is assigned, and what remains after it, both per phase. [0.01 A]"""

Assign = Callable[[str, Sequence[Ask]], Iterable[Assigned]]
"""Decides on all blocks asked for a cable, in their order."""


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
    return Result(ResultType.FAILED, (*_details(refused, applied), *remarks))


def unknown_cable(cable_id: str, path: str = "") -> Refusal:
    """The refusal of a cable that is not the sender's, the same whether it exists or not.

    Source: "Cable" in docs/deviations.md.
    """
    return Refusal(cable_id, UNKNOWN_CABLE, "no connections on such a cable", path)


def judged(refused: Iterable[Refusal], known: Container[str], path: str = "") -> list[Refusal]:
    """What was refused while reading, each cable once; cables that are not the sender's as unknown.

    Args:
        refused: A message's list.
        known: Ids of the cables that are the sender's.
        path: Where CableIds stand in this message.
    """
    found: dict[str, Refusal] = {}
    for one in refused:
        found.setdefault(one.cable_id, one if one.cable_id in known else unknown_cable(one.cable_id, path))
    return list(found.values())


def adjusted(
    request: RequestAdjustedCapacityRequest,
    cables: Mapping[str, CableTerms],
    assign: Assign,
    profile: PeerProfile = DEFAULT,
) -> tuple[RequestAdjustedCapacityResponse, list[Deviation]]:
    """The answer to a request for more, or less: every block asked, in the order asked, each decided once.

    It is SUCCESS only when all was assigned, else FAILED with the code NO_CAPACITY. It never says more than was asked.

    Args:
        request: What was asked.
        cables: Those on which the sender has connections; on any other nothing is assigned, whether it exists or not.
        assign: Is called once for each cable that can be read, and has its effect right away.
        profile: How the sender reads what remains.

    Returns:
        The answer, and what had to be tolerated in the request.

    Raises:
        LocalError: `assign` gave more than was asked, another sign, or different amounts where one was asked for all.

    Source: OSCP 1.0 section 3.2.5.2; decisions 6, 15 and 16.
    """
    refused = judged(request.refused, cables, f"{_CONTAINER}/Cable/CableId")
    answers, notes, short, served = list[Adjustment](), list[Deviation](), list[str](), 0
    for one in gather(request.adjustments):
        terms = cables.get(one.cable_id)
        try:
            spans, odd = request_spans(one, terms or CableTerms())
        except CableRefused as error:
            refused.append(error.refusal if terms else unknown_cable(one.cable_id, f"{_CONTAINER}/Cable/CableId"))
            answers += _nothing(one, profile)
            continue
        named = {(block.start, block.end) for block in one.blocks if any(value.phase for value in block.capacity)}
        asked = [Ask(span, (span.start, span.end) not in named) for span in spans]
        if terms is None:
            refused.append(unknown_cable(one.cable_id, f"{_CONTAINER}/Cable/CableId"))
            given: list[Assigned] = [((0, 0, 0), (0, 0, 0))] * len(asked)
        else:
            notes += odd
            served += 1
            given = list(assign(one.cable_id, asked))
            wished = [[wish or 0 for wish in ask.span.amounts] for ask in asked]
            short += [one.cable_id] if wished != [list(got) for got, _ in given] else []
        blocks = tuple(_block(ask, got, left, profile) for ask, (got, left) in zip(asked, given, strict=True))
        answers.append(Adjustment(one.cable_id, blocks))
    if not refused and not short:
        return RequestAdjustedCapacityResponse(tuple(answers), Result.success()), notes
    words = f"not all could be assigned on {', '.join(short)}; the amounts stated are" if short else _STATED
    shortage = Detail(NO_CAPACITY, words[:LONGEST_MESSAGE], Level.WARN)
    result = Result(ResultType.FAILED, (*_details(refused, served), shortage))
    return RequestAdjustedCapacityResponse(tuple(answers), result), notes


_CONTAINER = ASKED.rpartition("/")[0]
_STATED = "the amounts stated are assigned"


def _nothing(adjustment: Adjustment, profile: PeerProfile) -> list[Adjustment]:
    """Every block asked with nothing assigned, for a cable whose amounts cannot be read. Decision 16."""
    asked = dict.fromkeys((one.start, one.end) for one in adjustment.blocks)
    none = amounts((0, 0, 0), profile)
    blocks = tuple(CapacityBlock(*times, none, none) for times in asked if _can_be_said(*times))
    return [Adjustment(adjustment.cable_id, blocks)] if blocks else []


def _can_be_said(start: datetime, end: datetime) -> bool:
    return start < end and not start.microsecond and not end.microsecond and end.second != LAST_SECOND


def _block(ask: Ask, given: Sequence[int], left: Sequence[int], profile: PeerProfile) -> CapacityBlock:
    """One block of the answer, with the phases that were asked. Decision 6."""
    span = ask.span
    for wish, got in zip(span.amounts, given, strict=True):
        if not min(wish or 0, 0) <= got <= max(wish or 0, 0):
            raise LocalError(f"{got} was assigned where {wish} was asked: never more, and never with another sign")
    if ask.uniform and len(set(given)) > 1:
        raise LocalError(f"{list(given)} was assigned where no phase was named: the smallest for each")
    named = [phase for phase, wish in enumerate(span.amounts) if wish is not None]
    if len(named) in (0, len(PHASES)):
        stated = amounts(given, GRIDROOM)
    else:
        stated = tuple(replace(amounts([given[n]] * len(PHASES), GRIDROOM)[0], phase=PHASES[n]) for n in named)
    return CapacityBlock(span.start, span.end, stated, amounts(left, profile))


def _details(refused: Sequence[Refusal], applied: int) -> tuple[Detail, ...]:
    """An ERROR detail per refused cable, its id first, and an INFO detail with the number applied."""
    where = (f" ({one.path})" if one.path else "" for one in refused)
    errors = (
        Detail(one.code[:LONGEST_CODE], f"{one.cable_id}: {one.message}{at}"[:LONGEST_MESSAGE], Level.ERROR)
        for one, at in zip(refused, where, strict=True)
    )
    return (*errors, Detail("APPLIED", f"{applied} cables applied", Level.INFO))
