"""Random play for the tests of sequences: one world, many moves, every choice through `pick`.

Hypothesis makes the choices where a build should be healthy: what it finds is made small and told step by step. A
seeded generator makes them where a build is known to be broken, and once more where it should be healthy: hypothesis
begins with little and repeats itself, so it needs two or three times as many moves to find the same.
"""

from collections.abc import Callable, Sequence
from random import Random
from typing import Protocol, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, rule, run_state_machine_as_test

T = TypeVar("T")


class Pick(Protocol):
    """Chooses one of several."""

    def __call__(self, options: Sequence[T], /) -> T: ...


class World(Protocol):
    """What is played with."""

    def move(self, pick: Pick, /) -> None:
        """Do something and check what must hold, at every moment in between too."""

    def close(self) -> None:
        """Clean up."""


def by_hypothesis(begin: Callable[[], World], runs: int, moves: int) -> None:
    """Play as a state machine; the smallest failing sequence is raised."""

    class Play(RuleBasedStateMachine):
        def __init__(self) -> None:
            super().__init__()
            self.world = begin()

        def teardown(self) -> None:
            self.world.close()

        @rule(data=st.data())
        def move(self, data: st.DataObject) -> None:
            self.world.move(lambda options: data.draw(st.sampled_from(options)))

    run_state_machine_as_test(
        Play,
        settings=settings(
            max_examples=runs,
            stateful_step_count=moves,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )


def by_seed(begin: Callable[[], World], runs: int, moves: int, seed: int = 1) -> None:
    """Play with a generator's choices; the first failure is raised."""
    chance = Random(seed)
    for _ in range(runs):
        world = begin()
        try:
            for _ in range(moves):
                world.move(chance.choice)
        finally:
            world.close()
