"""Row 2: table and example disagree about the order of children, so no order means anything."""

import random

import pytest
from lxml import etree

from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.messages import Message
from oscp_messages import EVERY, named, reshaped
from oscp_samples import FORECAST, written


def same_order(root: etree._Element) -> list[str]:
    return [etree.QName(one).localname for one in root.iter()]


@pytest.mark.parametrize("message", EVERY, ids=named)
@pytest.mark.parametrize("seed", range(4))
def test_children_of_every_element_in_any_order(message: Message, seed: int) -> None:
    chance = random.Random(seed)

    def shuffle(root: etree._Element) -> None:
        for element in (root[0], *root[1].iter()):
            children = list(element)
            if len({one.tag for one in children}) > 1:
                kinds = {one.tag: chance.random() for one in children}  # what repeats keeps its own order
                element[:] = sorted(children, key=lambda one: kinds[one.tag])

    before = soap.read(written(message).encode())
    assert soap.read(reshaped(message, shuffle)) == before


def test_the_shuffle_does_something() -> None:
    def turn(root: etree._Element) -> None:
        for element in list(root[1].iter()):
            element[:] = list(element)[::-1]

    data = reshaped(FORECAST, turn)
    assert same_order(etree.fromstring(data)) != same_order(etree.fromstring(written(FORECAST).encode()))
    envelope = soap.read(data)
    assert envelope.deviations == ()
    assert [one.cable_id for one in envelope.body.forecasts] == ["C2", "C1"]  # type: ignore[union-attr]


def test_the_examples_order_is_written() -> None:
    block = written(FORECAST).partition("<ForecastedBlock>")[2].partition("</ForecastedBlock>")[0]
    places = [block.index(f"<{name}") for name in ("Capacity", "StartTime", "EndTime", "RemainingCapacity")]
    assert places == sorted(places)
