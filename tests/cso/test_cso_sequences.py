"""The safety rule over sequences: whatever comes late, twice, in another order, with a fresh DateTime or id, refused,
or across a request, while clocks step and programs restart, a CSO believes no more than section 3 of the decisions
says. OSCP 1.0 sections 3.2.3, 3.2.5 and 5.3.
"""

import pytest

from chance import Pick, by_hypothesis, by_seed
from cso_dialogue import CABLES, MINUTE, NOON, Dialogue
from cso_faults import FAULTS
from cso_paper import Says
from gridroom.cso.stations import CableKey
from gridroom.cso.store import Store
from gridroom.storage import inbox
from gridroom.timegrid import QUARTER, floor

AMPERE = (0, 3, 8, 12, 20, 33)
SHAPES = ("whole", "whole", "gap", "two phases", "short", "later", "earlier")
KINDS = ("good", "good", "good", "good", "broken", "half broken")
SHIFTS = (0, 0, 0, -3, -5, -6)
FATES = ("answered", "answered", "crossed", "question lost", "answer lost", "busy")
MODES = ("grant", "grant", "half", "more", "refuse", "failed", "flipped", "nothing said")
RETRIES = ("the same", "fresh", "new id", "fresh and new id", "level")
WISHES = (-9, -2, 0, 4, 10)


class Sequence(Dialogue):
    """Whatever can happen, by chance; a move is a step or a little story."""

    def move(self, pick: Pick) -> None:
        getattr(self, pick(MOVES))(pick)

    def forecast(self, pick: Pick) -> None:
        """The DSO makes a forecast; perhaps it is under way for a while."""
        self._forecast(pick, now=pick((True, True, False)))

    def arrival(self, pick: Pick) -> None:
        """What was under way arrives, else an old one comes once more."""
        if self.under_way:
            self.arrives(pick((0, 1)))
        else:
            self.again(pick((0, 1, 2)), pick(RETRIES))

    def request(self, pick: Pick) -> None:
        """The CSO asks for more on some phases and gives back on others."""
        self._ask(pick)
        self.posts(pick(FATES), pick(MODES))

    def post(self, pick: Pick) -> None:
        """What had no answer is sent once more."""
        self.posts(pick(FATES), pick(MODES))

    def time(self, pick: Pick) -> None:
        self._pass(pick, 1, 4, 15, 15, 50)

    def crossing(self, pick: Pick) -> None:
        """A forecast leaves, a request leaves, and they meet somewhere."""
        self._forecast(pick, now=False)
        self._pass(pick, 0, 1, 4)
        self._ask(pick)
        self._pass(pick, 0, 1)
        self.posts(pick(("crossed", "crossed", "answered", "answer lost")), pick(MODES))
        self._pass(pick, 0, 1)
        self.arrival(pick)

    def lost_and_sent_again(self, pick: Pick) -> None:
        """A request or its answer is lost; forecasts come before it is sent once more."""
        self._ask(pick)
        self.posts(pick(("question lost", "answer lost", "busy")), pick(MODES))
        self._pass(pick, 1, 4)
        self._forecast(pick, now=True)
        self._pass(pick, 1, 4)
        self.posts(pick(FATES), pick(MODES))

    def retry_after_a_newer_one(self, pick: Pick) -> None:
        """A forecast, a newer one, and the old one once more."""
        for _ in range(2):
            self._forecast(pick, now=True)
            self._pass(pick, 0, 1, 15)
        self.again(pick((0, 1)), pick(RETRIES))

    def wrong_clock(self, pick: Pick) -> None:
        """One or both clocks step, something happens, and they are set right, mostly."""
        for side in pick((("cso",), ("dso",), ("cso", "dso"))):
            self.ahead[side] = pick((-40, -4, 4, 40)) * MINUTE
        self.check()
        for _ in range(pick((1, 1, 2, 3))):
            getattr(self, pick(("forecast", "request", "post", "crossing", "arrival", "housekeeping")))(pick)
        for side in pick((("cso", "dso"), ("cso", "dso"), ("cso",), ("dso",))):
            self.ahead[side] = 0 * MINUTE
        self.check()

    def housekeeping(self, pick: Pick) -> None:
        """The CSO restarts, forgets what is long over, and old answers."""
        now, what = self.clock("cso"), pick(("restart", "tidy", "prune"))
        if what == "restart":
            self.restart()
        with self.db.transact() as tx:
            if what == "prune":
                inbox.prune(tx, now)
            for cable in CABLES if what == "tidy" else ():
                store, key = Store(tx), CableKey("dso", cable)
                store.save_book(key, store.book(key).tidy(now))
        self.check()

    def _forecast(self, pick: Pick, *, now: bool) -> None:
        """One level for an hour, another until two and a half, a third after. [A]"""
        levels, shape = (pick(AMPERE), pick(AMPERE), pick(AMPERE)), pick(SHAPES)
        start = (floor(self.clock("dso"), QUARTER) - NOON) // QUARTER + {"later": 2, "earlier": -1}.get(shape, 0)
        says: Says = {}
        for k in range(6 if shape == "short" else 16):
            amount = 100 * levels[0 if k < 4 else 1 if k < 10 else 2]
            says[start + k] = (amount, None if shape == "two phases" and k > 1 else amount // 2, amount + k)
        if shape == "gap":
            del says[start + 2], says[start + 5]
        self.tells(says, pick(KINDS), pick(SHIFTS), pick((CABLES[:1], CABLES[:1], CABLES)), now=now)

    def _ask(self, pick: Pick) -> None:
        wish = (pick(WISHES), pick(WISHES), pick(WISHES))
        if any(wish):
            self.asks(pick((*CABLES[:1] * 3, *CABLES)), wish, pick((0, 0, 1, 4, 9)), pick((1, 2, 3)))

    def _pass(self, pick: Pick, *minutes: int) -> None:
        self.true += pick(minutes) * MINUTE
        self.check()


MOVES = (
    *("forecast", "arrival", "request", "crossing", "lost_and_sent_again", "retry_after_a_newer_one") * 2,
    *("post", "time", "wrong_clock", "housekeeping"),
)

RUNS = 30
"""Five times what the best hidden of the faults needs."""


def test_no_sequence_makes_a_cso_believe_more_than_it_was_told(database_kind: str) -> None:
    if database_kind == "sqlite":
        by_hypothesis(Sequence, 40, 20)
    by_seed(Sequence, RUNS if database_kind == "sqlite" else 3, 20)


@pytest.mark.parametrize("fault", FAULTS)
def test_chance_finds_a_broken_build(fault: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*FAULTS[fault])
    with pytest.raises(AssertionError, match="believed"):
        by_seed(Sequence, RUNS, 20)
