"""The safety rule over one message, whatever it says and however it is damaged (docs/deviations.md).

What is understood is never more than the least that the message states; where it states nothing, never more than the
older forecast and the offline value leave. What a message states is read by `oracle.py`, which shares no line with our
reader; `test_safety_planted.py` shows that a reader that guesses is caught.
"""

from collections import Counter
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from structlog.testing import capture_logs

from safety.properties import CHECKS, MESSAGES
from safety.roads import Modules

MODULES = Modules()


@pytest.mark.parametrize("name", CHECKS)
@settings(max_examples=50, derandomize=True)
@given(chance=st.randoms(use_true_random=False))
def test_no_more_is_understood_than_the_least_that_is_stated(name: str, chance: Random) -> None:
    with capture_logs():
        CHECKS[name](chance, MODULES)


@pytest.mark.parametrize(("name", "messages"), MESSAGES.items())
def test_the_same_over_many_messages_of_which_many_are_read(name: str, messages: int) -> None:
    with capture_logs():
        outcomes = Counter(CHECKS[name](Random(seed), MODULES) for seed in range(messages))
    assert outcomes["accepted"] > messages / 20
    assert outcomes["refused"] > messages / 20
