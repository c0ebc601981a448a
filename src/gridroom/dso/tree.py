"""The limits of the grid above the cables: what a transformer or a substation carries is divided over what is below.

Arrays of whole hundredths of an ampere. What may not be used any more goes at once; what may be used in addition goes
only into room that nobody can be holding any more.
"""

from collections.abc import Iterator

import numpy as np

from gridroom.dso.cables import Register
from gridroom.storage.columns import Ints

NOWHERE = -1
"""Parent of what hangs below nothing."""

UNLIMITED = 2**40
"""Of a node without a limit: more than there is below any. [0.01 A]"""

SAFE_PRODUCT = 2**62


def places(register: Register) -> tuple[Ints, Ints]:
    """Where everything hangs: of each cable and of each node the index of the node above, or `NOWHERE`.

    In the order of `register` and of `register.nodes`; shapes (cables,) and (nodes,).
    """
    index = {node: i for i, node in enumerate(register.nodes)}
    cables = [index.get(cable.parent, NOWHERE) for cable in register.values()]
    nodes = [index.get(node.parent, NOWHERE) for node in register.nodes.values()]
    return np.array(cables, dtype=np.int64), np.array(nodes, dtype=np.int64)


def within(available: Ints, parents: Ints, node_available: Ints, node_parent: Ints, held: Ints) -> Ints:
    """What each cable may be given so that no node above it is asked for more than it has.

    Where a node is too small, what it has is divided in proportion to what the cables could use, rounded down; what one
    cannot use because of another limit goes to the others. A cable that gets more than what may still be held on it
    gets that only from room that is free whatever is held: for each node the sum over the cables below of the larger of
    result and held stays within what the node has, wherever the sum of held does.

    Args:
        available: What each cable could use, shape (cables, 3, n). [0.01 A]
        parents: Index of the node above each cable, or `NOWHERE`, shape (cables,).
        node_available: What each node has for them, shape (nodes, 3, n); `UNLIMITED` for any. [0.01 A]
        node_parent: Index of the node above each node, or `NOWHERE`, shape (nodes,).
        held: The most that the CSOs may hold from earlier forecasts, shape (cables, 3, n). [0.01 A]

    Returns:
        At most what each could use, shape (cables, 3, n). [0.01 A]

    Raises:
        ValueError: The nodes form a ring.

    >>> twice = np.array([[[60]], [[20]]])  # 60 and 20 wanted, 40 there
    >>> within(twice, np.array([0, 0]), np.array([[[40]]]), np.array([-1]), np.zeros_like(twice)).ravel().tolist()
    [30, 10]
    >>> within(twice, np.array([0, 0]), np.array([[[40]]]), np.array([-1]), np.array([[[38]], [[0]]])).ravel().tolist()
    [30, 2]
    """
    could = np.maximum(available, 0)
    if not len(node_parent):
        return could
    room, holding = np.maximum(node_available, 0), np.maximum(held, 0)
    tree = list(_levels(parents, node_parent))
    target = _filled(could, could, room, tree)
    free = np.maximum(room - _sums(holding, room.shape, tree), 0)
    raised = _filled(np.maximum(target - holding, 0), could, free, tree)
    return np.where(target > holding, holding + raised, target)


def sums(values: Ints, parents: Ints, node_parent: Ints) -> Ints:
    """Of each node the sum over the cables below it, shape (nodes, 3, n); arguments as of `within`.

    >>> sums(np.array([[[60]], [[20]]]), np.array([0, 1]), np.array([-1, 0])).ravel().tolist()
    [80, 20]
    """
    return _sums(values, (len(node_parent), *values.shape[1:]), list(_levels(parents, node_parent)))


class _Level:
    """What hangs directly below the nodes of one depth.

    Attributes:
        cables: Indices of the cables, by parent.
        nodes: Indices of the nodes, by parent.
        groups: Indices of the parents, ascending.
        group: For each child (cables, then nodes, together by parent) the place of its parent in `groups`.
        order: Puts cables and nodes, one after the other, by parent.
        starts: Where each group begins.
    """

    def __init__(self, cables: Ints, nodes: Ints, above: Ints) -> None:
        self.cables, self.nodes = cables, nodes
        self.order = np.argsort(above, kind="stable")
        self.groups, self.starts, self.group = np.unique(above[self.order], return_index=True, return_inverse=True)

    def gathered(self, of_cables: Ints, of_nodes: Ints) -> Ints:
        """Values of the children, together by parent."""
        both: Ints = np.concatenate([of_cables[self.cables], of_nodes[self.nodes]])[self.order]
        return both

    def spread(self, values: Ints, to_cables: Ints, to_nodes: Ints) -> None:
        """Put values of the children, together by parent, where they belong."""
        back = np.empty_like(values)
        back[self.order] = values
        to_cables[self.cables], to_nodes[self.nodes] = back[: len(self.cables)], back[len(self.cables) :]


def _levels(parents: Ints, node_parent: Ints) -> Iterator[_Level]:
    """What hangs below the nodes, from the top down, depth by depth."""
    seen, depth = 0, np.flatnonzero(node_parent == NOWHERE)
    while len(depth):
        seen += len(depth)
        cables = np.flatnonzero(np.isin(parents, depth))
        nodes = np.flatnonzero(np.isin(node_parent, depth))
        if len(cables) + len(nodes):
            yield _Level(cables, nodes, np.concatenate([parents[cables], node_parent[nodes]]))
        depth = nodes
    if seen < len(node_parent):
        raise ValueError("some nodes are above each other in a ring")


def _sums(values: Ints, shape: tuple[int, ...], tree: list[_Level]) -> Ints:
    """Of each node the sum over the cables below it."""
    sums = np.zeros(shape, dtype=np.int64)
    for level in reversed(tree):
        sums[level.groups] = np.add.reduceat(level.gathered(values, sums), level.starts, axis=0)
    return sums


def _filled(wanted: Ints, weights: Ints, room: Ints, tree: list[_Level]) -> Ints:
    """What each cable gets of what it wants when no node gives more than it has room for."""
    total_weights = _sums(weights, room.shape, tree)
    wishes = np.zeros_like(room)
    for level in reversed(tree):
        wishes[level.groups] = np.add.reduceat(level.gathered(wanted, wishes), level.starts, axis=0)
        wishes[level.groups] = np.minimum(wishes[level.groups], room[level.groups])
    given, granted = wanted.copy(), wishes.copy()
    for level in tree:
        children, shares = level.gathered(wanted, wishes), level.gathered(weights, total_weights)
        level.spread(_divided(children, shares, granted[level.groups], level), given, granted)
    return given


def _divided(wanted: Ints, weights: Ints, room: Ints, level: _Level) -> Ints:
    """Rooms divided over their groups: each child gets min(wanted, weight · λ), with λ such that the room is used.

    Shapes (children, 3, n) and (groups, 3, n). Whole numbers throughout, so a child gets the same in whatever order.
    """
    largest = int(np.add.reduceat(weights, level.starts, axis=0).max(initial=0))
    kind = object if largest * max(largest, int(room.max(initial=0))) >= SAFE_PRODUCT else np.int64
    wanted, weights, room = (np.asarray(each, dtype=kind) for each in (wanted, weights, room))
    sated = np.zeros(wanted.shape, dtype=bool)
    while True:
        rest = room - np.add.reduceat(np.where(sated, wanted, 0), level.starts, axis=0)
        shared = np.add.reduceat(np.where(sated, 0, weights), level.starts, axis=0)
        mine, ours = rest[level.group], shared[level.group]
        fresh = ~sated & (wanted * ours <= weights * mine)
        if not fresh.any():
            fair = weights * mine // np.where(ours > 0, ours, 1)
            result: Ints = np.where(sated, wanted, fair).astype(np.int64)
            return result
        sated |= fresh
