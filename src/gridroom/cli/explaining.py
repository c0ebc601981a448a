"""A decoded message for people: what each deviation means, and what a file is that no message can be read from."""

import shutil
import textwrap
from collections.abc import Iterator
from typing import Any

MOST = 10
"""Most places that are told of one row."""


def explained(shown: dict[str, Any]) -> Iterator[str]:
    """Lines about a message as `render.as_json` gives it: who says what, and its deviations in words, row by row."""
    from gridroom.oscp.v10.rows import explain

    header, body, deviations = shown["header"], shown["body"], shown["deviations"]
    if shown["message"] == "Fault":
        yield f"Fault: {body['Code']}" + (f", {body['Subcode']}" if body["Subcode"] else "")
        yield from _points([("Reason", body["Reason"]), ("About", header["RelatesTo"] or "it does not say")])
        return
    yield f"{shown['message']} from {header['Parties']['senderID']} to {header['Parties']['receiverID']}"
    if not deviations:
        yield "Nothing in it had to be tolerated."
    for number in sorted({one["row"] for one in deviations}):
        row = explain(number)
        yield ""
        yield f"Row {number}: {row.title}"
        here = [f"{one['path']}: {one['text']}" for one in deviations if one["row"] == number]
        if len(here) > MOST:
            here[MOST:] = [f"… and {len(here) - MOST} more, see `gridroom decode` without --explain"]
        yield from _points([("Here", one) for one in here])
        yield from _points([("Says", row.says), *(("Read", one) for one in row.read)])
        yield from _points([("Written", row.written), ("Why", row.why)])


def _points(points: list[tuple[str, str]]) -> Iterator[str]:
    """A word and a text each, wrapped between words only, so that a path can be copied."""
    width = min(shutil.get_terminal_size().columns, 120)
    for word, text in points:
        lead = f"  {word + ':':<9}"
        yield textwrap.fill(
            text,
            width,
            initial_indent=lead,
            subsequent_indent=" " * len(lead),
            break_on_hyphens=False,
            break_long_words=False,
        )


def no_xml(data: bytes) -> str:
    """What bytes are that `decode` cannot read, and what to do; empty when they may be XML."""
    if data.lstrip()[:1] in (b"{", b"["):
        return "this is JSON, and XML is read here; `gridroom encode` makes XML of it"
    return _nothing(data)


def no_json(data: bytes) -> str:
    """What bytes are that `encode` cannot read, and what to do; empty when they may be JSON."""
    if data.lstrip()[:1] == b"<":
        return "this is XML, and JSON is read here; `gridroom decode` makes JSON of it"
    return _nothing(data)


def _nothing(data: bytes) -> str:
    if not data.strip():
        return "there is nothing to read, it is empty"
    return "this is gzip; unpack it first with gunzip" if data.startswith(b"\x1f\x8b") else ""


def of_chapter4(data: bytes) -> str:
    """What to do with a message of chapter 4, which `decode` cannot read; empty for others."""
    from gridroom.ocpp.draft20.names import CP, CS

    found = any(namespace.encode() in data for namespace in (CP, CS))
    return "; it belongs to chapter 4: `gridroom convert FILE --to 1.6` reads those" if found else ""
