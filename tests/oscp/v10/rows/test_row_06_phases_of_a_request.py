"""Row 6: a request may name phases; where it names none, the phase with the smallest reserve decides."""

import asyncio
from collections.abc import Iterator

import numpy as np
import pytest

from dso_office import CABLE, MONDAY, World, request
from gridroom.cso import adjustment
from gridroom.dso.readings.measurements import Reading
from gridroom.oscp.v10.blocks import request_spans
from gridroom.oscp.v10.messages import (
    Adjustment,
    CapacityBlock,
    Envelope,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    ResultType,
)
from gridroom.oscp.v10.profile import DEFAULT, GRIDROOM
from oscp_samples import QUARTER, REQUEST, TERMS, fault, read, refusals, value


@pytest.fixture(scope="module")
def lopsided() -> Iterator[World]:
    """A DSO with a cable whose second phase is fuller than the others, so that its reserve is smaller there."""
    world = World(backup={"cap": 1.0})
    loads = [(MONDAY + k * QUARTER, 10 * (k % 5)) for k in range(-3 * 96, 0)]  # a meter that never moves is stuck
    world.dso.record_readings(
        Reading(CABLE, start, 900, (4000 + more, 9000 + more, 4000 + more)) for start, more in loads
    )
    asyncio.run(world.dso.publish(MONDAY))
    yield world
    world.close()


def answer(world: World, *blocks: CapacityBlock) -> RequestAdjustedCapacityResponse:
    reply = world.say("north", request(Adjustment(CABLE, blocks)))
    assert isinstance(reply, Envelope)
    assert isinstance(reply.body, RequestAdjustedCapacityResponse)
    return reply.body


@pytest.mark.parametrize("count", [1, 2, 3])
def test_one_to_three_values_are_read(count: int) -> None:
    one = '<Capacity Unit="A">24.00</Capacity>'
    three = "".join(f'<Capacity Unit="A" Phase="{phase}">24.00</Capacity>' for phase in range(1, count + 1))
    envelope = read(REQUEST, (one, three))
    assert refusals(envelope) == ()
    assert isinstance(envelope.body, RequestAdjustedCapacityRequest)
    spans, _ = request_spans(envelope.body.adjustments[0], TERMS)
    assert spans[0].amounts == tuple(2400 if phase < count else None for phase in range(3))


def test_a_fourth_breaks_the_schema() -> None:
    one = '<Capacity Unit="A">24.00</Capacity>'
    fault(REQUEST, (one, one * 4))


def grants(body: RequestAdjustedCapacityResponse) -> list[list[tuple[int | None, float]]]:
    return [[(v.phase, float(v.value)) for v in block.capacity] for a in body.adjustments for block in a.blocks]


def test_our_dso_gives_each_phase_its_own_where_phases_are_named(lopsided: World) -> None:
    """The wish is larger than any reserve."""
    wish = CapacityBlock(MONDAY, MONDAY + QUARTER, tuple(value("500", phase) for phase in (1, 2, 3)))
    ((one, two, three),) = grants(answer(lopsided, wish))
    assert (one[0], two[0], three[0]) == (1, 2, 3)
    assert two[1] < min(one[1], three[1])


def test_where_no_phase_is_named_the_smallest_reserve_decides(lopsided: World) -> None:
    when = MONDAY + 4 * QUARTER
    wish = CapacityBlock(when, when + QUARTER, (value("500"),))
    body = answer(lopsided, wish)
    (((phase, given),),) = grants(body)
    assert phase is None
    left = [float(v.value) for v in body.adjustments[0].blocks[0].remaining]
    assert body.result.type is ResultType.FAILED
    assert min(left) < 0.1 < max(left)
    assert given > 0


def test_each_block_is_judged_by_itself(lopsided: World) -> None:
    first, second = (MONDAY + 8 * QUARTER, MONDAY + 9 * QUARTER), (MONDAY + 9 * QUARTER, MONDAY + 10 * QUARTER)
    named = CapacityBlock(*first, tuple(value("500", phase) for phase in (1, 2, 3)))
    body = answer(lopsided, named, CapacityBlock(*second, (value("500"),)))
    by_phase, for_all = grants(body)
    assert [phase for phase, _ in by_phase] == [1, 2, 3]
    assert [phase for phase, _ in for_all] == [None]


def test_only_some_phases_are_answered_where_only_some_are_named(lopsided: World) -> None:
    when = MONDAY + 12 * QUARTER
    body = answer(lopsided, CapacityBlock(when, when + QUARTER, (value("0.10", 3),)))
    assert grants(body) == [[(3, 0.1)]]
    assert body.result.type is ResultType.SUCCESS


def test_our_cso_names_phases_only_to_a_peer_that_knows_them() -> None:
    deltas = np.array([[300], [500], [0]])
    for profile, phases in ((DEFAULT, [None]), (GRIDROOM, [1, 2, 3])):
        asked = adjustment.adjustment("C1", deltas, MONDAY, profile, MONDAY)
        assert asked is not None
        assert [v.phase for v in asked.blocks[0].capacity] == phases
