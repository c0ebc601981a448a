"""No bytes make the reader do anything but read, or refuse with a RemoteError."""

import contextlib
import random
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gridroom.oscp.errors import AnswerError, RemoteError
from gridroom.oscp.v10 import render, soap
from gridroom.oscp.v10.messages import Fault

GOLDEN = sorted((Path(__file__).parent / "golden").glob("*.xml"))
TEXTS = [path.read_bytes() for path in GOLDEN]


def try_to_read(data: bytes) -> None:
    with contextlib.suppress(AnswerError):
        render.as_json(soap.read_reply(data))
    with contextlib.suppress(RemoteError):
        render.as_json(soap.read(data))
        return
    with pytest.raises(RemoteError) as caught:
        soap.read(data)
    assert caught.value.reason
    assert isinstance(soap.read_reply(soap.write_fault(caught.value)), Fault)


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    try_to_read(data)


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_messages_with_bytes_changed(data: bytes, seed: int) -> None:
    chance = random.Random(seed)
    changed = bytearray(data)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(changed))
        changed[place] = chance.choice(b'<>/"=ZA09.-: \x00\xff')
    try_to_read(bytes(changed))


PIECES = re.compile(rb"<[^>]+>|[^<]+")


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.integers(0, 2**32))
def test_messages_with_pieces_dropped_doubled_swapped_or_replaced(data: bytes, seed: int) -> None:
    chance = random.Random(seed)
    pieces = PIECES.findall(data)
    for _ in range(chance.randint(1, 3)):
        place = chance.randrange(len(pieces))
        match chance.randrange(5):
            case 0:
                del pieces[place]
            case 1:
                pieces.insert(place, pieces[place])
            case 2:
                other = chance.randrange(len(pieces))
                pieces[place], pieces[other] = pieces[other], pieces[place]
            case 3:
                pieces[place] = chance.choice([b"", b"9999-12-31T23:59:59Z", b"1e5", b"NaN", b"-1", b"x" * 300])
            case 4:
                pieces[place] = pieces[place].swapcase()
    try_to_read(b"".join(pieces))


@pytest.mark.parametrize(
    "path", [path for path in GOLDEN if path.stem not in ("6.1.2", "6.5.2")], ids=lambda path: path.stem
)
def test_no_leaf_of_a_request_is_lost_unnoticed(path: Path) -> None:
    data = path.read_bytes()
    whole = soap.read(data)
    for leaf in set(re.findall(rb"<(?:\w+:)?\w+(?: [^>]*)?>[^<]*</[^>]+>", data)):
        with contextlib.suppress(RemoteError):
            assert soap.read(data.replace(leaf, b"", 1)) != whole
