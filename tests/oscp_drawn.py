"""Headers, messages and profiles of OSCP 1.0 as hypothesis draws them: all that a strict writer can say."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

from gridroom import xml
from gridroom.oscp.v10.messages import (
    Adjustment,
    CableUsage,
    CapacityBlock,
    Detail,
    Forecast,
    ForecastedBlock,
    GetCapacityForecastRequest,
    GetCapacityForecastResponse,
    Header,
    HeartbeatRequest,
    HeartbeatResponse,
    Level,
    Message,
    RequestAdjustedCapacityRequest,
    RequestAdjustedCapacityResponse,
    Result,
    ResultType,
    UpdateAggregatedUsageRequest,
    UpdateAggregatedUsageResponse,
    UpdateCableCapacityForecastRequest,
    UpdateCableCapacityForecastResponse,
    UsageBlock,
    ValueType,
    operation_of,
)
from gridroom.oscp.v10.profile import GRIDROOM, PeerProfile

START = datetime(2026, 1, 1, tzinfo=UTC)


def words(longest: int) -> st.SearchStrategy[str]:
    """Text that XML can carry and that no reader strips."""
    characters = st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"], exclude_characters="\ufffe\uffff")
    return st.text(characters, min_size=1, max_size=longest).filter(lambda t: t == t.strip(xml.SPACE))


seconds = st.integers(0, 10**8).map(lambda s: START + timedelta(seconds=s))
instants = st.integers(0, 10**11).map(lambda ms: START + timedelta(milliseconds=ms))
cents = st.integers(-(10**12), 10**12).map(lambda c: Decimal(c).scaleb(-2))
phases = st.just([None]) | st.lists(st.sampled_from([1, 2, 3]), min_size=1, max_size=3, unique=True)


@st.composite
def amounts(draw: st.DrawFn, *units: str) -> list[ValueType]:
    """One amount without Phase, or one for each of some phases, in any of the units."""
    return [ValueType(draw(cents), draw(st.sampled_from(units)), phase) for phase in draw(phases)]


capacities = amounts("A", "W", "kW")
usages = st.lists(st.sampled_from(["A", "W", "kW", "Wh", "kWh"]), min_size=1, max_size=3, unique=True).flatmap(
    lambda units: st.tuples(*map(amounts, units)).map(lambda each: [value for values in each for value in values])
)


@st.composite
def spans(draw: st.DrawFn) -> tuple[datetime, datetime]:
    start = draw(seconds)
    end = start + timedelta(seconds=draw(st.integers(1, 10**6)))
    return start, end + timedelta(seconds=1) if end.second == 59 else end


@st.composite
def blocks(draw: st.DrawFn) -> ForecastedBlock:
    start, end = draw(spans())
    return ForecastedBlock(start, end, tuple(draw(capacities)), tuple(draw(capacities)))


@st.composite
def changes(draw: st.DrawFn, granted: bool) -> CapacityBlock:
    start, end = draw(spans())
    left = draw(st.just([]) | capacities) if granted else []
    return CapacityBlock(start, end, tuple(draw(capacities)), tuple(left))


@st.composite
def used(draw: st.DrawFn) -> UsageBlock:
    start, end = draw(spans())
    return UsageBlock(start, end, tuple(draw(usages)))


details = st.builds(Detail, words(15), words(254), st.sampled_from(Level))
results = st.builds(
    lambda t, d: Result(t, tuple(d)), st.sampled_from(ResultType), st.lists(details, min_size=1, max_size=3)
)


def apart(found: tuple[Any, ...]) -> tuple[Any, ...]:
    """Those blocks that do not overlap one before them."""
    kept: list[Any] = []
    for one in found:
        if all(one.end <= other.start or other.end <= one.start for other in kept):
            kept.append(one)
    return tuple(kept)


def some(strategy: st.SearchStrategy[object], least: int = 1) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(strategy, min_size=least, max_size=3).map(tuple)


cables = words(200)
messages = st.one_of(
    st.builds(
        UpdateCableCapacityForecastRequest,
        some(st.builds(Forecast, cables, some(blocks()).map(apart), some(words(50), 0))),
    ),
    st.builds(
        RequestAdjustedCapacityRequest, some(st.builds(Adjustment, cables, some(changes(granted=False)).map(apart)))
    ),
    st.builds(
        RequestAdjustedCapacityResponse,
        some(st.builds(Adjustment, cables, some(changes(granted=True)).map(apart)), 0),
        results,
    ),
    st.builds(
        UpdateAggregatedUsageRequest,
        some(st.builds(CableUsage, cables, some(used()).map(apart), st.none() | words(50))),
    ),
    st.builds(GetCapacityForecastRequest, st.lists(cables, unique=True, max_size=3).map(tuple)),
    st.builds(HeartbeatRequest, st.integers(1, 10**8), st.integers(1, 10**8)),
    st.builds(HeartbeatResponse, instants, results),
    st.builds(UpdateCableCapacityForecastResponse, results),
    st.builds(GetCapacityForecastResponse, results),
    st.builds(UpdateAggregatedUsageResponse, results),
)
headers = st.builds(
    Header,
    words(255),
    words(64),
    words(64),
    instants,
    st.integers(-9, 9),
    st.just("https://peer.example/oscp"),
    st.just(""),
    words(255),
)
profiles = st.sampled_from(
    [PeerProfile(), GRIDROOM, PeerProfile(ends="exclusive"), PeerProfile(description=False, adjustment_first=False)]
)


def expected(header: Header, body: Message) -> Header:
    answer = type(body).__name__.endswith("Response")
    action = f"/{operation_of(body)}{'Response' if answer else ''}"
    return replace(header, action=action, to="" if answer else header.to)
