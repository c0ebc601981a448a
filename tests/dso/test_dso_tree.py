"""Limits of transformers and substations: laws of the division over what hangs below them."""

from dataclasses import dataclass

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gridroom.dso.cables import Cable, Node, Register
from gridroom.dso.tree import NOWHERE, UNLIMITED, places, within
from gridroom.storage.columns import Ints


@dataclass
class Grid:
    """Substations over transformers over cables; some hang in the air, some directly below a substation."""

    available: Ints
    parents: Ints
    node_available: Ints
    node_parent: Ints
    held: Ints

    def given(self, **changes: Ints) -> Ints:
        return within(**{**vars(self), **changes})

    def below(self, node: int) -> list[int]:
        """The cables below a node, found the slow way."""

        def is_below(above: int) -> bool:
            while above not in (node, NOWHERE):
                above = int(self.node_parent[above])
            return above == node

        return [i for i, parent in enumerate(self.parents) if is_below(int(parent))]


amounts = st.one_of(st.integers(0, 12), st.integers(0, 100_000))


def cells(draw: st.DrawFn, rows: int) -> Ints:
    values = draw(st.lists(amounts, min_size=3 * rows, max_size=3 * rows))
    return np.array(values, dtype=np.int64).reshape(rows, 3, 1)


@st.composite
def grids(draw: st.DrawFn, *, held: bool = True) -> Grid:
    nodes, cables = draw(st.integers(1, 5)), draw(st.integers(1, 6))
    node_parent = [draw(st.integers(NOWHERE, i - 1)) for i in range(nodes)]
    parents = [draw(st.integers(NOWHERE, nodes - 1)) for _ in range(cables)]
    room = cells(draw, nodes)
    room[draw(st.lists(st.booleans(), min_size=nodes, max_size=nodes))] = UNLIMITED
    holding = cells(draw, cables) if held else np.zeros((cables, 3, 1), dtype=np.int64)
    return Grid(cells(draw, cables), np.array(parents), room, np.array(node_parent), holding)


@given(grids())
def test_no_cable_gets_more_than_it_could_use(grid: Grid) -> None:
    given = grid.given()
    assert ((given >= 0) & (given <= grid.available)).all()


@given(grids())
def test_no_node_at_any_level_is_asked_for_more_than_it_has_whatever_is_held(grid: Grid) -> None:
    given = grid.given()
    for node, room in enumerate(grid.node_available):
        below = grid.below(node)
        assert (given[below].sum(axis=0) <= room).all()
        held = grid.held[below].sum(axis=0)
        most = np.maximum(given[below], grid.held[below]).sum(axis=0)
        assert (most <= np.maximum(room, held)).all()  # where held alone is too much, nobody gets more than it holds


@given(grids(held=False))
def test_nothing_is_wasted_but_by_rounding(grid: Grid) -> None:
    given = grid.given()
    full = np.zeros_like(given, dtype=bool)
    for node, room in enumerate(grid.node_available):
        below = grid.below(node)
        inside = sum(1 for other in range(len(grid.node_available)) if set(grid.below(other)) <= set(below))
        full[below] |= given[below].sum(axis=0) > room - len(below) - inside
    assert ((given == grid.available) | full).all()


@given(grids(), st.randoms(use_true_random=False))
def test_the_order_of_cables_and_nodes_changes_nothing(grid: Grid, chance: object) -> None:
    cables, nodes = list(range(len(grid.parents))), list(range(len(grid.node_parent)))
    chance.shuffle(cables)  # type: ignore[attr-defined]
    chance.shuffle(nodes)  # type: ignore[attr-defined]
    renamed = np.array([*(nodes.index(i) for i in range(len(nodes))), NOWHERE])  # the last one is what -1 finds
    other = Grid(
        grid.available[cables],
        renamed[grid.parents[cables]],
        grid.node_available[nodes],
        renamed[grid.node_parent[nodes]],
        grid.held[cables],
    )
    assert (other.given() == grid.given()[cables]).all()


@given(grids(held=False), st.integers(0, 4), st.integers(0, 50_000))
def test_more_room_in_a_node_takes_nothing_from_the_cables_below_it(grid: Grid, which: int, more: int) -> None:
    which %= len(grid.node_parent)
    room = grid.node_available.copy()
    room[which] += more
    less, greater = grid.given(), grid.given(node_available=room)
    below = grid.below(which)
    assert (greater[below] >= less[below]).all()
    spare = len(grid.parents) + len(grid.node_parent)
    assert (greater.sum(axis=0) >= less.sum(axis=0) - spare).all()


@given(grids())
def test_what_is_held_never_raises_anybody(grid: Grid) -> None:
    free = grid.given(held=np.zeros_like(grid.held))
    assert (grid.given() <= free).all()


@given(grids())
def test_the_blocks_of_a_span_do_not_touch_each_other(grid: Grid) -> None:
    each = np.flip(grid.given(), axis=1)
    flipped = Grid(
        np.flip(grid.available, 1),
        grid.parents,
        np.flip(grid.node_available, 1),
        grid.node_parent,
        np.flip(grid.held, 1),
    )
    assert (flipped.given() == each).all()


def test_what_one_cable_cannot_use_goes_to_the_others() -> None:
    """A transformer of 10 A and one of 100 A in a substation of 100 A; all four cables could use 100 A."""
    given = within(
        np.full((4, 3, 2), 10_000),
        np.array([1, 1, 2, 2]),
        np.stack([np.full((3, 2), 10_000), np.full((3, 2), 1_000), np.full((3, 2), 10_000)]),
        np.array([NOWHERE, 0, 0]),
        np.zeros((4, 3, 2), dtype=np.int64),
    )
    assert given[:, 0, 0].tolist() == [500, 500, 4_500, 4_500]


def test_a_large_substation_is_divided_exactly() -> None:
    """Sums of sums beyond what the product of two whole numbers of 64 bits can hold."""
    available = np.full((3, 3, 1), 10**10)
    room = np.full((1, 3, 1), 10**10 + 1)
    given = within(available, np.zeros(3, dtype=np.int64), room, np.array([NOWHERE]), np.zeros_like(available))
    assert (given == (10**10 + 1) // 3).all()


def test_a_fleet_is_divided_in_seconds() -> None:
    chance = np.random.default_rng(1)
    cables, nodes = 20_000, 2_000
    available = chance.integers(0, 30_000, (cables, 3, 24))
    parents = chance.integers(50, nodes, cables)
    node_parent = np.concatenate([np.full(50, NOWHERE), chance.integers(0, 50, nodes - 50)])
    room = chance.integers(50_000, 200_000, (nodes, 3, 24))
    room[:50] *= 30
    given = within(available, parents, room, node_parent, chance.integers(0, 30_000, available.shape))
    sums = np.zeros_like(room)
    np.add.at(sums, parents, given)
    assert (sums <= room).all()


def test_nodes_above_each_other_in_a_ring_are_refused() -> None:
    ones = np.ones((1, 3, 1), dtype=np.int64)
    with pytest.raises(ValueError, match="ring"):
        within(ones, np.array([0]), np.ones((2, 3, 1), dtype=np.int64), np.array([1, 0]), ones)


def test_a_register_without_nodes_limits_nothing_more() -> None:
    register = Register([Cable("a", (100, 100, 100)), Cable("b", (200, 0, 0))])
    parents, node_parent = places(register)
    available = np.array([[[1], [2], [3]], [[4], [5], [6]]])
    room = np.zeros((0, 3, 1), dtype=np.int64)
    assert (within(available, parents, room, node_parent, np.zeros_like(available)) == available).all()


def test_the_places_of_a_register() -> None:
    nodes = [Node("t", "transformer", (1, 1, 1), "s"), Node("s", "substation"), Node("u", "transformer")]
    register = Register([Cable("a", (1, 1, 1), parent="u"), Cable("b", (1, 1, 1), parent="t")], nodes)
    assert [each.tolist() for each in places(register)] == [[2, 0], [1, NOWHERE, NOWHERE]]
    assert [cable.id for cable in register.below("s")] == ["b"]
    assert register.children("") == ("s", "u")
