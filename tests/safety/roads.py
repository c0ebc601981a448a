"""Our whole road from bytes to what may be used, behind one name, so that a broken build can take its place."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cached_property
from importlib import import_module
from typing import Any
from xml.etree import ElementTree

from safety.oracle import SPACE

MICRO = timedelta(microseconds=1)
NEW_ID = "77777777-2222-4333-8444-555555555555"


class RolledBackError(Exception):
    """Nothing of an example stays."""


@dataclass
class Modules:
    """The modules of one build."""

    errors: Any = field(default_factory=lambda: import_module("gridroom.oscp.errors"))
    soap: Any = field(default_factory=lambda: import_module("gridroom.oscp.v10.soap"))
    blocks: Any = field(default_factory=lambda: import_module("gridroom.oscp.v10.blocks"))
    usage: Any = field(default_factory=lambda: import_module("gridroom.oscp.v10.usage"))
    messages: Any = field(default_factory=lambda: import_module("gridroom.oscp.v10.messages"))
    peer: Any = field(default_factory=lambda: import_module("gridroom.oscp.v10.peer"))
    edge: Any = field(default_factory=lambda: import_module("gridroom.cso.oscp10"))
    service: Any = field(default_factory=lambda: import_module("gridroom.cso.service"))
    settings: Any = field(default_factory=lambda: import_module("gridroom.cso.settings"))
    stations: Any = field(default_factory=lambda: import_module("gridroom.cso.stations"))
    store: Any = field(default_factory=lambda: import_module("gridroom.cso.store"))
    database: Any = field(default_factory=lambda: import_module("gridroom.storage.database"))

    @cached_property
    def db(self) -> Any:
        return self.database.open("sqlite://", "gridroom.cso.migrations")


class Page:
    """A database whose transactions are parts of one that is rolled back."""

    def __init__(self, tx: Any) -> None:
        self.tx = tx

    @contextmanager
    def transact(self) -> Iterator[Any]:
        with self.tx.begin_nested():
            yield self.tx


@contextmanager
def fresh_cso(modules: Modules, maximum_ca: int | None, now: datetime) -> Iterator["Cso"]:
    """A CSO that has heard nothing yet."""
    with suppress(RolledBackError), modules.db.transact() as tx:
        yield Cso(modules, tx, maximum_ca, now)
        raise RolledBackError


class Cso:
    """A CSO with two cables of one DSO, at one moment."""

    def __init__(self, modules: Modules, tx: Any, maximum_ca: int | None, now: datetime) -> None:
        self.modules, self.now, self.page = modules, now, Page(tx)
        terms = modules.blocks.CableTerms(maximum_ca, Decimal(230), 3)
        self.keys = {name: modules.stations.CableKey("dso", name) for name in ("C1", "C2")}
        self.dso = modules.peer.Peer("dso", frozenset({"dso"}), "dso", "cso", frozenset({"cso"}), "https://dso")
        self.market = modules.settings.Market(
            peers={"dso": self.dso},
            terms=dict.fromkeys(self.keys.values(), terms),
            register=modules.stations.Register({}),
        )
        self.store = modules.store.Store(tx)

    def hear(self, data: bytes) -> set[str] | None:
        """Take a forecast message in at our edge: the cables that the answer calls refused; None when it is a Fault."""
        reply = self.modules.edge.receive(self.page, self.market, "dso", data, self.now, lambda: NEW_ID)
        if reply.status != 200:
            return None
        words = [node.text or "" for node in ElementTree.fromstring(reply.data).iter() if node.tag.endswith("}Message")]
        levels = [node.text for node in ElementTree.fromstring(reply.data).iter() if node.tag.endswith("}Level")]
        return {word.partition(":")[0] for word, level in zip(words, levels, strict=True) if level == "ERROR"}

    def limits(self, cable: str, moments: Iterable[datetime]) -> dict[datetime, list[int]]:
        """What may be used at some moments, per phase. [0.01 A]"""
        book = self.store.book(self.keys[cable])
        return {moment: book.limits(self.now, moment, 1, MICRO)[:, 0].tolist() for moment in moments}

    def ask(self, message_id: str, times: Sequence[tuple[datetime, datetime]], wishes: Sequence[Sequence[int]]) -> Any:
        """Ask the DSO for changes of C1, block by block and phase by phase [0.01 A]; gives the letter."""
        blocks, messages, peer = self.modules.blocks, self.modules.messages, self.modules.peer
        spans = [blocks.Span(*one, tuple(wish)) for one, wish in zip(times, wishes, strict=True)]
        key = self.keys["C1"]
        self.store.save_book(key, self.store.book(key).ask(message_id, spans, self.now))
        changes = [
            messages.CapacityBlock(
                *one, tuple(messages.ValueType(Decimal(ca).scaleb(-2), "A", p) for p, ca in enumerate(wish, 1))
            )
            for one, wish in zip(times, wishes, strict=True)
        ]
        body = messages.RequestAdjustedCapacityRequest((messages.Adjustment("C1", tuple(changes)),))
        return peer.letter(self.dso, body, now=self.now, message_id=message_id)

    def settle(self, letter: Any, data: bytes) -> bool:
        """Take an answer; whether it counts as one."""
        verdict = self.modules.peer.judge(letter, self.dso, 200, data, self.now, 0.5)
        if type(verdict).__name__ != "Delivered":
            return False
        self.modules.service.settle(self.store, self.market, letter, verdict.envelope, self.now)
        return True


def understood(modules: Modules, data: bytes) -> dict[str, list[Any]] | None:
    """Limits that a CSO reads in a forecast message, by cable; None when it is refused whole."""
    body = _body(modules, data, "UpdateCableCapacityForecastRequest")
    if body is None:
        return None
    found = {}
    for forecast in modules.blocks.gather(body.forecasts):
        try:
            found[forecast.cable_id.strip(SPACE)] = modules.blocks.forecast_spans(forecast, _terms(modules))[0]
        except modules.blocks.CableRefused:
            continue
    return found


def asked(modules: Modules, data: bytes) -> dict[str, list[Any]] | None:
    """Changes that a DSO reads in a request, by cable; None when it is refused whole."""
    body = _body(modules, data, "RequestAdjustedCapacityRequest")
    if body is None:
        return None
    found = {}
    for adjustment in modules.blocks.gather(body.adjustments):
        try:
            found[adjustment.cable_id.strip(SPACE)] = modules.blocks.request_spans(adjustment, _terms(modules))[0]
        except modules.blocks.CableRefused:
            continue
    return found


def reported(modules: Modules, data: bytes) -> dict[tuple[str, str], list[Any]] | None:
    """Use that a DSO reads in a report, by cable and EMSP; None when it is refused whole."""
    body = _body(modules, data, "UpdateAggregatedUsageRequest")
    if body is None:
        return None
    found = {}
    for usage in modules.blocks.gather(body.usages):
        try:
            spans = modules.usage.usage_spans(usage, _terms(modules))[0]
        except modules.blocks.CableRefused:
            continue
        found[usage.cable_id.strip(SPACE), usage.emsp or ""] = spans
    return found


def _terms(modules: Modules) -> Any:
    return modules.blocks.CableTerms(None, Decimal(230), 3)


def _body(modules: Modules, data: bytes, name: str) -> Any:
    try:
        body = modules.soap.read(data).body
    except modules.errors.RemoteError:
        return None
    return body if type(body).__name__ == name else None


def seams(moments: Iterable[datetime], now: datetime) -> list[datetime]:
    """Moments worth a look: each seam, just before, just after, and between."""
    found = set()
    for moment in moments:
        found |= {moment - MICRO, moment, moment + MICRO, moment + timedelta(minutes=7)}
    return sorted(moment for moment in found if moment >= now)
