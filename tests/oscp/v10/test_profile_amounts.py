"""Peer profiles: blocks and amounts. Each switch against a peer that needs it, which another setting does not suit."""

import itertools
from datetime import datetime, timedelta
from decimal import Decimal

import numpy as np
import pytest
from lxml import etree

from gridroom.oscp.v10.blocks import Grid, forecast_blocks
from gridroom.oscp.v10.messages import (
    CableUsage,
    Forecast,
    UpdateAggregatedUsageRequest,
    UpdateCableCapacityForecastRequest,
)
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from oscp_samples import QUARTER, START, USAGE, written

SECOND = timedelta(seconds=1)
CSP = "{http://OSCP/CSP/2013/06/}"
DAY = 96


def grid(*columns: tuple[int, int, int]) -> Grid:
    """A day of limits, the columns again and again. Shape (3, 96). [0.01 A]"""
    return np.array([columns[i % len(columns)] for i in range(DAY)], dtype=np.int64).T


def sent(limits: Grid, profile: PeerProfile) -> list[etree._Element]:
    """The blocks of a day as they stand on the wire."""
    blocks = forecast_blocks(START, QUARTER, limits, np.zeros_like(limits), profile)
    text = written(UpdateCableCapacityForecastRequest((Forecast("C1", blocks),)), profile)
    return list(etree.fromstring(text.encode()).iter(f"{CSP}ForecastedBlock"))


def times(block: etree._Element) -> tuple[datetime, datetime]:
    start, end = (datetime.fromisoformat(block.findtext(f"{CSP}{name}") or "") for name in ("StartTime", "EndTime"))
    return start, end


class PeerError(Exception):
    """What a strict peer answers with a Fault."""


class TestPhases:
    """Three cars of 24, 16 and 20 A on one cable."""

    LIMITS = grid((2400, 1650, 2000))

    def knows_no_phase(self, blocks: list[etree._Element]) -> Decimal:
        """A peer built from chapter 6: one Capacity, only the attribute Unit, and it holds for each phase."""
        (capacity,) = blocks[0].findall(f"{CSP}Capacity")
        if set(capacity.attrib) - {"Unit"}:
            raise PeerError("unknown attribute")
        return Decimal(capacity.text or "")

    def counts_phases(self, blocks: list[etree._Element]) -> dict[str, Decimal]:
        """A peer that plans each phase by itself."""
        found = {one.get("Phase", "all"): Decimal(one.text or "") for one in blocks[0].findall(f"{CSP}Capacity")}
        return found if "all" not in found else dict.fromkeys("123", found["all"])

    def test_a_peer_that_knows_no_phase_needs_smallest(self) -> None:
        assert self.knows_no_phase(sent(self.LIMITS, DEFAULT)) == Decimal("16.50")
        with pytest.raises(ValueError, match="too many values"):
            self.knows_no_phase(sent(self.LIMITS, PeerProfile(phases="per-phase")))

    def test_a_peer_that_counts_phases_needs_per_phase_to_get_all_there_is(self) -> None:
        assert self.counts_phases(sent(self.LIMITS, DEFAULT))["1"] == Decimal("16.50")
        stated = self.counts_phases(sent(self.LIMITS, PeerProfile(phases="per-phase")))
        assert stated == {"1": Decimal(24), "2": Decimal("16.50"), "3": Decimal(20)}


class TestEnds:
    """Peers that refuse a forecast with holes or overlaps, and mean different things by EndTime."""

    def seams(self, blocks: list[etree._Element], *, last_second: timedelta) -> set[timedelta]:
        spans = [times(block) for block in blocks]
        return {later[0] - (earlier[1] + last_second) for earlier, later in itertools.pairwise(spans)}

    def exclusive_reader(self, blocks: list[etree._Element]) -> None:
        if self.seams(blocks, last_second=timedelta(0)) != {timedelta(0)}:
            raise PeerError("a block does not begin where the one before it ends")

    def inclusive_reader(self, blocks: list[etree._Element]) -> None:
        if self.seams(blocks, last_second=SECOND) != {timedelta(0)}:
            raise PeerError("blocks overlap")

    def test_a_peer_that_takes_the_end_as_the_first_moment_after_needs_exclusive(self) -> None:
        limits = grid((2400, 1650, 2000), (1000, 1000, 1000))
        with pytest.raises(PeerError, match="does not begin"):
            self.exclusive_reader(sent(limits, DEFAULT))
        self.exclusive_reader(sent(limits, PeerProfile(ends="exclusive")))

    def test_a_peer_that_takes_it_as_the_last_second_needs_the_default(self) -> None:
        limits = grid((2400, 1650, 2000), (1000, 1000, 1000))
        with pytest.raises(PeerError, match="overlap"):
            self.inclusive_reader(sent(limits, PeerProfile(ends="exclusive")))
        self.inclusive_reader(sent(limits, DEFAULT))


class TestShape:
    """How many blocks, and how long."""

    CHANGING = grid(*((n * 100, n * 100, n * 100) for n in (4, 5, 6, 7, 8, 1, 2, 3)))
    TWO_LEVELS = np.repeat(np.array([[3200, 1600]] * 3, dtype=np.int64), DAY // 2, axis=1)

    def holds_at_most(self, most: int, blocks: list[etree._Element]) -> None:
        """A peer whose stations take so many periods, as OCPP's ChargingScheduleMaxPeriods has it."""
        if len(blocks) > most:
            raise PeerError(f"more than {most} blocks")

    def wants_quarters(self, blocks: list[etree._Element]) -> None:
        """A peer whose database has a row per quarter of an hour."""
        if {end + SECOND - start for start, end in map(times, blocks)} != {QUARTER}:
            raise PeerError("only quarters of an hour")

    def test_a_peer_that_holds_24_blocks_needs_the_tail(self) -> None:
        for profile in (DEFAULT, PeerProfile(shape="merged")):
            with pytest.raises(PeerError, match="more than 24"):
                self.holds_at_most(24, sent(self.CHANGING, profile))
        self.holds_at_most(24, sent(self.CHANGING, PeerProfile(shape="tail")))

    def test_and_loses_only_what_the_coarse_blocks_cost(self) -> None:
        blocks = sent(self.CHANGING, PeerProfile(shape="tail"))
        for block in blocks:
            start, end = times(block)
            first, last = (start - START) // QUARTER, (end + SECOND - START) // QUARTER
            stated = int(Decimal(block.findtext(f"{CSP}Capacity") or "") * 100)
            assert stated == self.CHANGING[:, first:last].min()
        assert [times(one)[0] for one in blocks[:8]] == [START + n * QUARTER for n in range(8)]
        assert times(blocks[-1])[1] + SECOND == START + DAY * QUARTER

    def test_where_little_changes_merged_is_enough_and_loses_nothing(self) -> None:
        with pytest.raises(PeerError):
            self.holds_at_most(2, sent(self.TWO_LEVELS, DEFAULT))
        blocks = sent(self.TWO_LEVELS, PeerProfile(shape="merged"))
        self.holds_at_most(2, blocks)
        assert [one.findtext(f"{CSP}Capacity") for one in blocks] == ["32.00", "16.00"]

    def test_a_peer_that_counts_in_quarters_needs_full(self) -> None:
        self.wants_quarters(sent(self.TWO_LEVELS, DEFAULT))
        for profile in (PeerProfile(shape="merged"), PeerProfile(shape="tail")):
            with pytest.raises(PeerError):
                self.wants_quarters(sent(self.TWO_LEVELS, profile))


class TestEmsp:
    """A DSO whose schema has no EMSP: it was built from chapter 6, where none stands."""

    SCHEMA = etree.XMLSchema(
        etree.fromstring("""
<xs:schema xmlns:xs="http://www.w3.org/2001/XMLSchema" targetNamespace="http://OSCP/DSO/2013/06/"
    elementFormDefault="qualified">
  <xs:element name="UpdateAggregatedUsageRequest"><xs:complexType><xs:sequence>
    <xs:element name="Usage" maxOccurs="unbounded"><xs:complexType><xs:sequence>
      <xs:element name="Cable"><xs:complexType><xs:sequence>
        <xs:element name="CableId" type="xs:string"/></xs:sequence></xs:complexType></xs:element>
      <xs:element name="UsageBlock" maxOccurs="unbounded"><xs:complexType><xs:sequence>
        <xs:any processContents="skip" maxOccurs="unbounded"/></xs:sequence></xs:complexType></xs:element>
    </xs:sequence></xs:complexType></xs:element></xs:sequence></xs:complexType></xs:element>
</xs:schema>""")
    )

    def takes(self, profile: PeerProfile) -> bool:
        report = UpdateAggregatedUsageRequest((CableUsage("C1", USAGE.usages[0].blocks, "NL-EMP"),))
        return bool(self.SCHEMA.validate(etree.fromstring(written(report, profile).encode())[1][0]))

    def test_it_needs_never(self) -> None:
        assert not self.takes(DEFAULT)
        assert self.takes(PeerProfile(emsp="never"))
