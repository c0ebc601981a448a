"""Builds of the CSO's book that break the safety rule, each in one way: name to (where, what, instead)."""

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from gridroom.cso import book as book_room
from gridroom.cso.book import Book, Outcome
from gridroom.cso.steps import NOTHING
from gridroom.oscp.v10 import blocks
from gridroom.oscp.v10.blocks import CableTerms, Span, request_spans
from gridroom.oscp.v10.messages import RequestAdjustedCapacityResponse
from gridroom.storage import inbox

REAL_ACCEPT, REAL_ANSWER, REAL_PAST = Book.accept, Book.answer, Book._past
SHORTLY = timedelta(minutes=1)


def a_late_one_raises(book: Book, made_at: datetime, *rest: Any) -> object:
    late = book.made_at is not None and book.made_at - book_room.LATE <= made_at < book.made_at
    return REAL_ACCEPT(replace(book, made_at=made_at - SHORTLY) if late else book, made_at, *rest)


def the_last_of_one_moment_holds(book: Book, made_at: datetime, *rest: Any) -> object:
    return REAL_ACCEPT(replace(book, made_at=None) if made_at == book.made_at else book, made_at, *rest)


def a_late_retry_raises(book: Book, *rest: Any) -> object:
    return REAL_ACCEPT(replace(book, first=None), *rest)


def a_crossed_grant_counts(book: Book, *rest: Any) -> Book:
    return REAL_ANSWER(replace(book, asked=tuple(replace(a, heard=book.heard) for a in book.asked)), *rest)


def an_answer_undoes_a_give_back(book: Book, message_id: str, *rest: Any) -> Book:
    found = REAL_ANSWER(book, message_id, *rest)
    undone = tuple(replace(a, give=NOTHING) if a.message_id == message_id else a for a in found.asked)
    return replace(found, asked=undone)


def a_grant_is_forgotten(book: Book, message_id: str, _granted: Iterable[Span], answered_at: datetime) -> Book:
    return REAL_ANSWER(book, message_id, (), answered_at)


def stated(answer: RequestAdjustedCapacityResponse) -> dict[str, list[Span]]:
    return {one.cable_id: request_spans(one, CableTerms())[0] for one in answer.adjustments}


FAULTS: dict[str, tuple[object, str, object]] = {
    "a late older forecast raises": (Book, "accept", a_late_one_raises),
    "of equal DateTimes the last holds": (Book, "accept", the_last_of_one_moment_holds),
    "a late retry with a fresh DateTime raises": (Book, "accept", a_late_retry_raises),
    "a retry acts twice": (inbox, "is_remembered", lambda _body: False),
    "a grant counts although a forecast crossed it": (Book, "answer", a_crossed_grant_counts),
    "an answer undoes a give-back": (Book, "answer", an_answer_undoes_a_give_back),
    "what was granted is forgotten": (Book, "answer", a_grant_is_forgotten),
    "a give-back ends with the next forecast": (book_room, "_contained", lambda _asked, _made: True),
    "a give-back that got no answer ends with a forecast made after it": (
        book_room,
        "_contained",
        lambda asked, made: made > asked.sent_at,
    ),
    "a give-back ends with a forecast made before the answer": (
        book_room,
        "_contained",
        lambda asked, _made: asked.answered_at is not None,
    ),
    "a refused forecast changes nothing": (Book, "refuse", lambda book, _made, _now: (book, Outcome.SUPERSEDED)),
    "gaps are filled from the offline value alone": (Book, "_past", lambda _book, _since: NOTHING),
    "a clock set back resurrects a gap": (Book, "_past", lambda book, since: REAL_PAST(book, since + book_room.KEPT)),
    "the offline value is what nobody stated": (book_room, "_offline", lambda _stated, _first: (9999, 9999, 9999)),
    "an answer grants more than was asked": (
        blocks,
        "granted_spans",
        lambda asked, answer, _terms: ({key: [] for key in asked} | stated(answer), []),
    ),
    "an old forecast has an effect": (book_room, "LATE", timedelta(days=9)),
}
