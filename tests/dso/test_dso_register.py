"""The register: files in, all or nothing; findings with id and row; a running DSO that takes up what changed."""

import asyncio
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from dso_office import CABLE, MONDAY, QUARTER, World, ask, cable, request
from gridroom.config import ConfigError
from gridroom.dso import register
from gridroom.dso.cables import Cable, Contract, Node
from gridroom.dso.folder import import_register, load, open_database, open_office
from gridroom.dso.register import Batch, Connection, Entries, check, entries_of, merged, read_csv
from gridroom.dso.rules import RiskClass, Rules
from gridroom.dso.setup import init
from gridroom.oscp.v10.messages import Envelope, RequestAdjustedCapacityResponse, ResultType
from gridroom.security import pki
from gridroom.storage import database

LIMIT = (20_000, 20_000, 20_000)


def read(*texts: str) -> Batch:
    batch = Batch()
    for n, text in enumerate(texts, 1):
        read_csv(text, f"{n}.csv", batch)
    return batch


def found(*texts: str, parties: tuple[str, ...] = ("north", "south")) -> list[str]:
    """All findings of a register made of these files, warnings as such."""
    batch = read(*texts)
    findings = [*batch.findings, *check(merged(Entries(), batch), parties, ["hospital"], batch)]
    return [f"{one.severity}: {one}" for one in findings]


GRID = (
    "substation\ns1\n",
    "transformer,substation,limit_a\nt1,s1,900\n",
    "cable,transformer,limit_a\nc1,t1,200\n",
)

# -- files -------------------------------------------------------------------------------------------------------------


def test_files_become_a_register() -> None:
    batch = read(
        "substation,limit_l1_a,limit_l2_a,limit_l3_a\nS,900,901,902.5\nS2,,,\n",
        "transformer,limit_a,substation\nT,400,S\n",
        "cable,transformer,limit_a,phases,voltage_v,risk_class\nC,T,200.999,,231,hospital\nD,,63,L1,,\nE,,63,L2+L3,,\n",
        "connection,cable,cso\nr2,C,north\nr1,C,north\nhouse,C,\n",
        "cso,cable,contracted_a,since\nsouth,C,50,\nnorth,C,100,2026-01-05T01:00:00+01:00\n",
    )
    assert batch.findings == []
    made = register.register(merged(Entries(), batch))
    assert dict(made.nodes) == {
        "S": Node("S", "substation", (90_000, 90_100, 90_250)),
        "S2": Node("S2", "substation"),
        "T": Node("T", "transformer", (40_000, 40_000, 40_000), "S"),
    }
    contracts = (Contract("north", 10_000, ("r1", "r2"), MONDAY), Contract("south", 5_000))
    assert made["C"] == Cable("C", (20_099,) * 3, contracts, Decimal(231), "T", "hospital")
    assert (made["D"].limit_ca, made["D"].phases) == ((6_300, 0, 0), (1,))
    assert made["E"].limit_ca == (0, 6_300, 6_300)
    assert [one.id for one in made.below("S")] == ["C"]


def test_columns_stand_in_any_order_but_the_first_and_blank_rows_count_for_nothing() -> None:
    batch = read("cable, limit_a ,transformer\n\n c1 , 200 ,t1\n,,\n")
    assert batch.findings == []
    assert batch.entries["cables"] == {"c1": Cable("c1", LIMIT, parent="t1")}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "1.csv row 1: the first column must be one of cso, connection, cable, transformer, substation, not ''"),
        ("cable;limit_a\n", "not 'cable;limit_a'; columns are separated by commas"),
        ("cable,limit_a,colour\n", "row 1: there is no column 'colour'; there are cable, transformer, limit_a"),
        ("cso,cable\n", "row 1: column 'contracted_a' is missing"),
        ("cable,limit_a,limit_a\n", "row 1: column 'limit_a' is there 2 times"),
        ("cable,limit_a\nc1\n", "row 2: has 1 value, not 2"),
        ("cable,limit_a\nc1,63,5\n", "row 2: has 3 values, not 2; write a point for the comma in a number"),
        ("cable,limit_a\n,200\n", "row 2: cable is empty"),
        ("cable,limit_a\nc1,\n", "row 2: it has no limit: give limit_a, or one for each phase"),
        ("transformer,limit_a\nt1,\n", "row 2: it has no limit"),
        ("cable,limit_a\nc1,much\n", "row 2: limit_a: 'much' is no number"),
        ('cable,limit_a\nc1,"200,5"\n', "row 2: limit_a: '200,5' is no number; write a point for the comma"),
        ("cable,limit_a\nc1,NaN\n", "row 2: limit_a: 'NaN' is no number"),
        (
            "cable,limit_a\nc1,1_00\n",
            "row 2: limit_a: '1_00' is no number; write it with the digits 0 to 9 and a point",
        ),
        ("cable,limit_a\nc1,\uff12\uff10\n", "is no number; write it with the digits 0 to 9 and a point"),
        ("cable,limit_a,voltage_v\nc1,63,2_30\n", "row 2: voltage_v: '2_30' is no number"),
        ("cso,cable,contracted_a\nnorth,c1,1_000\n", "row 2: contracted_a: '1_000' is no number"),
        ("cable,limit_a\nc1,1e99\n", "row 2: limit_a: '1e99' is no number that can be used"),
        ("cable,limit_a\nc1,0.001\n", "row 2: limit_a: the limit must be above 0 A, not 0.001"),
        ("cable,limit_a,limit_l1_a\nc1,5,5\n", "row 2: a limit is given twice"),
        ("cable,limit_l1_a,limit_l2_a\nc1,5,5\n", "row 2: limit_l3_a is empty: say in `phases` which phases it has"),
        ("cable,limit_l1_a,limit_l2_a,phases\nc1,5,5,L1\n", "row 2: limit_l2_a: `phases` says that there is no such"),
        ("cable,limit_a,phases\nc1,5,L4\n", "row 2: phases: 'L4' is not like 'L1 L2 L3'"),
        ("cso,cable,contracted_a,since\nnorth,c1,5,2026-01-05\n", "row 2: since: '2026-01-05' needs a zone"),
        ("cso,cable,contracted_a,since\nnorth,c1,5,soon\n", "row 2: since: 'soon' is no time"),
        ("cso,cable,contracted_a,since\nnorth,c1,5,0001-01-01T00:00:00+09:00\n", "is no time that can be used"),
        ("cable,limit_a\nc1,5\nc2,5\nc1,6\n", "1.csv row 4: cable 'c1' is there already, in 1.csv row 2"),
        ("cso,cable,contracted_a\nnorth,c1,5\nnorth,c1,6\n", "row 3: contract of 'north' on 'c1' is there already"),
        ('cable,limit_a\n"c1,5\n', "cannot be read: unexpected end of data"),
    ],
)
def test_what_cannot_be_read_is_told_with_its_row(text: str, told: str) -> None:
    assert told in "\n".join(str(one) for one in read(text).findings)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 100_000,
        "cable,limit_a\nc1," + "x" * 100_000 + "\n",
        "cable,limit_a\nc1,-" + "9" * 100_000 + "\n",
        "cable,limit_a,phases\nc1,5," + "L" * 100_000 + "\n",
        "cso,cable,contracted_a,since\nnorth,c1,5," + "2" * 100_000 + "\n",
        "cable," + ",".join(f"a{n}" for n in range(10_000)) + "\n",
        "cable," + "a," * 10_000 + "b\n",
    ],
)
def test_of_a_value_as_long_as_a_file_only_the_beginning_is_told(text: str) -> None:
    (*findings,) = map(str, read(text).findings)
    assert findings
    assert sum(map(len, findings)) < 1_000


def test_a_value_without_an_end_is_told_in_words() -> None:
    (finding,) = read('cable,limit_a\nc1,"' + "5" * 200_000).findings
    assert str(finding) == (
        "1.csv row 2: cannot be read: a value has no end; is it a CSV file, and is each quotation mark closed?"
    )


@pytest.mark.parametrize("number", ["200", "200.0", "200.", "+2e2", "0200", "2E+2"])
def test_a_plain_number_is_read(number: str) -> None:
    assert read(f"cable,limit_a\nc1,{number}\n").entries["cables"]["c1"].limit_ca == LIMIT


@pytest.mark.parametrize(
    ("texts", "told"),
    [
        (("cable,limit_a\nt1,5\n",), "error: 4.csv row 2, 't1': is a transformer and a cable; ids are unique"),
        (("cable,limit_a,transformer\nc2,5,t9\n",), "error: 4.csv row 2, cable 'c2': there is no transformer 't9'"),
        (("cable,limit_a,transformer\nc2,5,s1\n",), "cable 'c2': 's1' is no transformer, but a substation"),
        (("cable,limit_a,transformer\nc2,5,c2\n",), "cable 'c2': 'c2' is no transformer, but a cable"),
        (("transformer,limit_a,substation\nt2,5,t1\n",), "transformer 't2': 't1' is no substation, but a transformer"),
        (("cable,limit_a\nc2,10001\n",), "error: 4.csv row 2, cable 'c2': its limit is above 10000 A"),
        (
            ("cable,limit_a,transformer\nc2,901,t1\n",),
            "warning: 4.csv row 2, cable 'c2': its limit is above that of its",
        ),
        (
            ("cable,limit_a,voltage_v\nc2,5,5\n",),
            "error: 4.csv row 2, cable 'c2': its voltage must be from 50 to 1000 V",
        ),
        (
            ("cable,limit_a,voltage_v\nc2,5,400\n",),
            "warning: 4.csv row 2, cable 'c2': 400 V looks like the voltage",
        ),
        (("cable,limit_a,risk_class\nc2,5,school\n",), "cable 'c2': there is no [[risk_class]] 'school' in dso.toml"),
        ((f"cable,limit_a\n{'c' * 201},5\n",), "an id must have 1 to 200 printable characters"),
        (("connection,cable\nr1,c9\n",), "error: 4.csv row 2, connection 'r1': there is no cable 'c9'"),
        (("connection,cable,cso\nr1,c1,east\n",), "connection 'r1': its CSO 'east' is no [[peer]] in dso.toml"),
        (
            ("connection,cable,cso\nr1,c1,north\n",),
            "warning: 4.csv row 2, connection 'r1': its CSO 'north' has no contract",
        ),
        (
            ("cso,cable,contracted_a\nnorth,c9,5\n",),
            "error: 4.csv row 2, contract of 'north' on 'c9': there is no cable",
        ),
        (("cso,cable,contracted_a\neast,c1,5\n",), "contract of 'east' on 'c1': names 'east', which is no [[peer]]"),
        (
            ("cso,cable,contracted_a\nnorth,c1,0\n",),
            "contract of 'north' on 'c1': must be above 0 A and at most 100000 A",
        ),
        (
            ("cso,cable,contracted_a\nnorth,c1,150\nsouth,c1,60\n",),
            "warning: 4.csv row 3, cable 'c1': 210 A is contracted, more than its limit of 200 A",
        ),
    ],
)
def test_what_does_not_fit_is_told_with_its_id(texts: tuple[str, ...], told: str) -> None:
    assert found(*GRID) == []
    assert told in "\n".join(found(*GRID, *texts))


def test_all_that_is_wrong_is_told_at_once() -> None:
    texts = ("cable,limit_a,voltage_v\nc2,x,1\nc3,5,1\nc4,99999,230\n", "cso,cable,contracted_a\neast,c9,0\n")
    batch = read(*GRID, *texts)
    assert len([one for one in batch.findings if one.severity == "error"]) == 1
    assert len(found(*GRID, *texts)) == 1 + 1 + 1 + 3


names = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=8)
currents = st.integers(1, 1_000_000)


@st.composite
def registers(draw: st.DrawFn) -> Entries:
    ids = draw(st.lists(names, min_size=4, max_size=10, unique=True))
    stations, feeders, cables, references = ids[:1], ids[1:2], ids[2:-1], ids[-1:]
    limits = st.tuples(currents, currents, currents)
    single = currents.map(lambda one: (0, one, 0))
    return Entries(
        {one: Node(one, "substation", draw(st.none() | limits)) for one in stations},
        {one: Node(one, "transformer", draw(limits), draw(st.sampled_from(["", *stations]))) for one in feeders},
        {
            one: Cable(
                one,
                draw(limits | single),
                voltage_v=draw(st.integers(50_000, 1_000_000).map(lambda mv: Decimal(mv) / 1000)),
                parent=draw(st.sampled_from(["", *feeders])),
                risk_class=draw(st.sampled_from(["", "hospital"])),
            )
            for one in cables
        },
        {one: Connection(one, cables[0], draw(st.sampled_from(["", "north"]))) for one in references},
        {
            (one, party): Contract(party, draw(currents), (), draw(st.none() | st.just(MONDAY)))
            for one in cables
            for party in draw(st.lists(st.sampled_from(["north", "south"]), unique=True))
        },
    )


@given(registers())
def test_what_is_written_is_read_again(entries: Entries) -> None:
    db = database.open("sqlite://", "gridroom.dso.migrations")
    with db.transact() as tx:
        register.write(tx, entries_of([cable("other")]))
        number = register.revision(tx)
        register.write(tx, entries)
        assert register.read(tx) == entries
        assert register.revision(tx) == number + 1
        assert not any(register.write(tx, entries).values())
        assert register.revision(tx) == number + 1
    db.close()


@given(
    st.text(max_size=200)
    | st.lists(st.sampled_from(["cable", "limit_a", "cso", ",", "\n", '"', "5", "L1", "\0"])).map("".join)
)
def test_whatever_is_in_a_file_it_is_read_or_told(text: str) -> None:
    for line in found(text, "cable,limit_a\n" + text, "cso,cable,contracted_a\n" + text):
        assert line.split(": ")[0] in ("error", "warning")


def test_the_tables_hold_it_on_either_database(database_url: str) -> None:
    batch = read(
        *GRID, "connection,cable,cso\nr1,c1,north\n", "cso,cable,contracted_a,since\nnorth,c1,5,2026-01-05T00:00Z\n"
    )
    entries = merged(Entries(), batch)
    for _ in range(2):
        db = database.open(database_url, "gridroom.dso.migrations")
        with db.transact() as tx:
            register.write(tx, entries)
            assert (register.read(tx), register.revision(tx)) == (entries, 1)
        db.close()


# -- imports -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.init(tmp_path / "pki")
    init(tmp_path / "dso", tmp_path / "pki", port=0)
    return tmp_path / "dso"


def stored(folder: Path) -> Entries:
    db = open_database(load(folder))
    with db.transact() as tx:
        entries = register.read(tx)
    db.close()
    return entries


def files(folder: Path, **texts: str) -> list[Path]:
    made = []
    for name, text in texts.items():
        made.append(folder / f"{name}.csv")
        made[-1].write_text(text)
    return made


def test_a_new_dso_has_a_register_that_can_be_changed(folder: Path) -> None:
    before = stored(folder)
    assert before.cables == {CABLE: Cable(CABLE, LIMIT)}
    assert list(before.contracts) == [(CABLE, "cso")]
    told = import_register(folder, files(folder, more="cable,limit_a\ncable-2,63\n"))
    assert (told.stored, told.words) == (True, "1 cable changed")
    assert stored(folder).cables == {**before.cables, "cable-2": Cable("cable-2", (6_300,) * 3)}
    assert import_register(folder, files(folder, more="cable,limit_a\ncable-2,63\n")).words == "nothing changed"


def test_an_import_with_an_error_changes_nothing_and_tells_all(folder: Path) -> None:
    before = stored(folder)
    made = files(folder, a="cable,limit_a\nc2,63\n", b="cso,cable,contracted_a\neast,c2,5\ncso,c9,5\n")
    told = import_register(folder, made)
    assert not told.stored
    assert told.words == "nothing stored: 2 errors"
    assert [one.where for one in told.findings] == [
        "b.csv row 2, contract of 'east' on 'c2'",
        "b.csv row 3, contract of 'cso' on 'c9'",
    ]
    assert stored(folder) == before


def test_what_is_missing_in_the_configuration_is_told_once(folder: Path) -> None:
    rows = "".join(f"east,c{n},5\n" for n in range(60))
    made = files(
        folder,
        a="cable,limit_a,risk_class\n" + "".join(f"c{n},63,school\n" for n in range(60)),
        b=f"cso,cable,contracted_a\n{rows}",
    )
    assert [str(one) for one in import_register(folder, made).findings] == [
        "a.csv row 2, cable 'c0': there is no [[risk_class]] 'school' in dso.toml; add it there (59 more like this)",
        "b.csv row 2, contract of 'east' on 'c0': names 'east', which is no [[peer]] in dso.toml; add it there"
        " (59 more like this)",
    ]


def test_what_would_be_left_of_a_cable_that_is_taken_out_is_told_once(folder: Path) -> None:
    first = files(
        folder,
        a="cable,limit_a\nc1,63\nc2,63\n",
        b="connection,cable\n" + "".join(f"r{n},c1\n" for n in range(30)),
        c="cso,cable,contracted_a\ncso,c2,5\n",
    )
    assert import_register(folder, first).stored
    told = import_register(folder, files(folder, d="cable,limit_a\ncable-1,200\n"), replace=True)
    assert [str(one) for one in told.findings] == [
        "cable 'c1' and 1 more: would be taken out, but connection 'r0' and 30 more would be left: "
        "with --replace give connections.csv and contracts.csv too"
    ]
    told = import_register(folder, files(folder, d="connection,cable\nr9,c7\n"), replace=True)
    assert [str(one) for one in told.findings] == ["d.csv row 2, connection 'r9': there is no cable 'c7'"]


def test_what_was_refused_is_not_counted_as_contracted(folder: Path) -> None:
    rows = "cso,cable,contracted_a\ncso,c2,50\neast,c2,40\n"
    told = import_register(folder, files(folder, a="cable,limit_a\nc2,63\n", b=rows))
    assert [str(one) for one in told.findings] == [
        "b.csv row 3, contract of 'east' on 'c2': names 'east', which is no [[peer]] in dso.toml; add it there"
    ]


def test_an_id_that_a_spreadsheet_has_shortened_is_warned_of(folder: Path) -> None:
    rows = "connection,cable\n8.71687E+17,cable-1\n8.71E-1,cable-1\n871687000000000001,cable-1\n"
    told = import_register(folder, files(folder, a=rows))
    assert told.stored
    assert [str(one) for one in told.findings] == [
        "a.csv row 2, connection '8.71687E+17': its id looks like a number that a spreadsheet has shortened: export "
        "the column as text"
    ]


def test_of_connections_without_a_cso_it_is_told_how_many_there_are(folder: Path) -> None:
    first = import_register(folder, files(folder, a="connection,cable,cso\nr1,cable-1,\nr2,cable-1,cso\nr3,cable-1,\n"))
    assert first.words == "3 connections changed; 2 of the connections in the register have no CSO"
    last = import_register(folder, files(folder, a="connection,cable,cso\nr1,cable-1,cso\nr3,cable-1,cso\n"))
    assert last.words == "2 connections changed"


def test_warnings_of_long_ago_are_not_told_with_a_refusal(folder: Path) -> None:
    assert import_register(folder, files(folder, a="cable,limit_a,voltage_v\nc2,63,400\n")).stored
    told = import_register(folder, files(folder, a="cable,limit_a\nc3,many\n"))
    assert [one.severity for one in told.findings] == ["error"]


@pytest.mark.parametrize(
    ("data", "told"),
    [
        (b"cable,limit_a\n" + "c\u00e9,63\n".encode("latin-1"), "a.csv row 2: is no UTF-8 text: save it as"),
        (b"PK\x03\x04\x14\x00\x06\x00\xff", "a.csv: looks like a spreadsheet: save it as CSV"),
        ("cable,limit_a\n".encode("utf-16"), "a.csv: is UTF-16 text: save it as CSV in UTF-8"),
        ("cable,limit_a\n\u00ff".encode("utf-16-le"), "a.csv: is UTF-16 text: save it as CSV in UTF-8"),
        (b"\x1f\x8b\x08\xff", "a.csv: is compressed: unpack it first"),
        (b"\x15\x04\x00\x00\xff", "a.csv: is neither text nor Parquet; was it cut or damaged?"),
    ],
)
def test_a_file_that_is_no_text_is_told_with_what_to_do(folder: Path, data: bytes, told: str) -> None:
    (folder / "a.csv").write_bytes(data)
    (finding,) = import_register(folder, [folder / "a.csv"]).findings
    assert str(finding).startswith(told)


def test_a_row_that_cannot_be_read_hides_nothing_that_is_wrong_elsewhere(folder: Path) -> None:
    told = import_register(folder, files(folder, a="cable,limit_a,voltage_v\nc2,x,230\nc3,63,1\nc4,0,230\n"))
    assert [one.where for one in told.findings] == ["a.csv row 2", "a.csv row 4", "a.csv row 3, cable 'c3'"]


@pytest.mark.parametrize(
    "cables",
    [
        "cable,limit_a\nc2,x\n",
        "cable,limit_a\nc2,63,5\n",
        "cable,limit_a,transformer\nc2,,t\n",
        "cable,limit_a,colour\nc2,63,red\n",
        "Cable,limit_a\nc2,63\n",
        'cable,limit_a\n"c2,63\n',
        '{"is_batch": false, "data": {}}',
        "[]",
    ],
)
def test_what_misses_a_refused_entry_is_not_told_too(folder: Path, cables: str) -> None:
    others = ("cso,cable,contracted_a\ncso,c2,5\n", "connection,cable,cso\nr,c2,cso\n")
    told = import_register(folder, files(folder, a=cables, b=others[0], c=others[1]))
    assert [one.where.split(" ")[0] for one in told.findings if one.severity == "error"] == ["a.csv"]


def test_what_misses_a_refused_transformer_or_contract_is_not_told_too(folder: Path) -> None:
    made = files(
        folder,
        a="transformer,limit_a\nt,many\n",
        b="cable,limit_a,transformer\nc2,63,t\nc3,63,u\n",
        c="cso,cable,contracted_a\ncso,c2,lots\n",
        d="connection,cable,cso\nr,c2,cso\nq,c3,cso\n",
    )
    assert [one.where for one in import_register(folder, made).findings] == [
        "a.csv row 2",
        "c.csv row 2",
        "b.csv row 3, cable 'c3'",
        "d.csv row 3, connection 'q'",
    ]


def test_a_cable_that_is_refused_is_not_taken_to_be_taken_out(published: World, tmp_path: Path) -> None:
    made = files(tmp_path, cables=f"cable,limit_a\n{CABLE},x\n")
    with published.db.transact() as tx:
        told = register.import_files(tx, made, ["north", "south"], (), published.clock.time, replace=True)
    assert [one.where for one in told.findings] == ["cables.csv row 2"]


def test_of_older_warnings_about_what_the_files_do_not_touch_only_the_number_is_told(folder: Path) -> None:
    first = files(folder, a="cable,limit_a,voltage_v\nc2,63,400\nc3,63,400\n", b="cso,cable,contracted_a\ncso,c2,90\n")
    assert len(import_register(folder, first).findings) == 3
    told = import_register(folder, files(folder, more="cable,limit_a,voltage_v\nc4,63,400\n"))
    assert [str(one) for one in told.findings] == [
        "more.csv row 2, cable 'c4': 400 V looks like the voltage between phases; from phase to neutral it may be "
        "230 V",
        "register: 3 older warnings about other entries: `gridroom dso cables` lists them",
    ]
    again = import_register(folder, files(folder, more="cable,limit_a,voltage_v\nc3,63,400\n"))
    assert [one.where for one in again.findings] == ["more.csv row 2, cable 'c3'", "register"]
    assert again.findings[1].text.startswith("3 older warnings")


def test_files_of_one_import_may_speak_of_each_other(folder: Path) -> None:
    made = files(folder, contracts="cso,cable,contracted_a\ncso,c2,5\n", cables="cable,limit_a\nc2,63\n")
    assert not import_register(folder, made[:1]).stored
    assert import_register(folder, made).words == "1 cable, 1 contract changed"


def test_a_file_that_is_the_whole_of_its_kind_takes_out_the_rest_of_that_kind_only(folder: Path) -> None:
    import_register(folder, files(folder, more="cable,limit_a\nc2,63\n"))
    before = stored(folder)
    told = import_register(folder, files(folder, whole="cable,limit_a\nc2,80\n"), replace=True)
    assert [str(one) for one in told.findings] == [
        f"cable {CABLE!r}: would be taken out, but contract of 'cso' on {CABLE!r} would be left: "
        "with --replace give contracts.csv too"
    ]
    assert stored(folder) == before
    whole = files(folder, whole="cable,limit_a\nc2,80\n", none="cso,cable,contracted_a\n")
    assert import_register(folder, whole, replace=True).stored
    assert stored(folder) == Entries(cables={"c2": Cable("c2", (8_000,) * 3)})


def test_a_file_that_is_no_text_is_told(folder: Path) -> None:
    (folder / "bad.csv").write_bytes(b"cable,limit_a\n\xff,5\n")
    assert "bad.csv row 2: is no UTF-8 text" in str(import_register(folder, [folder / "bad.csv"]).findings[0])


def test_what_a_file_is_about_is_told_by_its_first_line(tmp_path: Path) -> None:
    for text, expected in (
        ("cable,limit_a\n", True),
        ('{"data": {}}', True),
        ("time,cable,L1,L2,L3\n", False),
        ("cable,time,L1,L2,L3\n", False),
        ("", False),
    ):
        (tmp_path / "file").write_text(text)
        assert register.is_register(tmp_path / "file") == expected


def test_a_register_that_does_not_fit_the_configuration_keeps_the_dso_from_running(folder: Path) -> None:
    file = folder / "dso.toml"
    file.write_text(file.read_text().replace('party = "cso"', 'party = "so"'))
    db = open_database(load(folder))
    with pytest.raises(ConfigError, match=r"dso\.toml: contract of 'cso' on 'cable-1': names 'cso', which is no \[\["):
        open_office(load(folder), db)
    db.close()


# -- a running DSO -----------------------------------------------------------------------------------------------------


@pytest.fixture
def published() -> Iterator[World]:
    world = World()
    world.history(9)
    asyncio.run(world.dso.publish(world.clock.time))
    yield world
    world.close()


def change(world: World, edit: Callable[[Entries], Entries]) -> None:
    """An import from another terminal."""
    with world.db.transact() as tx:
        register.write(tx, edit(register.read(tx)))


def quarter_later(world: World) -> datetime:
    world.clock.time += QUARTER
    world.measure(50, 900)
    asyncio.run(world.dso.publish(world.clock.time))
    return world.clock.time


def without(party: str) -> Callable[[Entries], Entries]:
    return lambda old: replace(old, contracts={key: one for key, one in old.contracts.items() if key[1] != party})


def test_a_cable_that_is_added_is_taken_up_by_the_next_publish(published: World) -> None:
    change(published, lambda old: entries_of([*register.register(old).values(), cable("cable-2")]))
    assert list(published.dso.office.register) == [CABLE]
    quarter_later(published)
    assert list(published.dso.office.register) == [CABLE, "cable-2"]
    assert len(published.csos["north"].forecasts()[-1].body.forecasts) == 2  # type: ignore[union-attr]


def test_a_limit_that_is_lowered_holds_from_then_on(published: World) -> None:
    change(published, lambda old: replace(old, cables={CABLE: replace(old.cables[CABLE], limit_ca=(7_000,) * 3)}))
    now = quarter_later(published)
    given = np.sum([cso.limits(now, 90) for cso in published.csos.values()], axis=0)
    assert (given <= 7_000).all()


def test_a_phase_that_is_not_there_is_offered_to_nobody(published: World) -> None:
    change(published, lambda old: replace(old, cables={CABLE: replace(old.cables[CABLE], limit_ca=(20_000, 0, 0))}))
    now = quarter_later(published)
    given = np.sum([cso.limits(now, 90) for cso in published.csos.values()], axis=0)
    assert (given[0] > 0).all()
    assert (given[1:] == 0).all()


def test_who_has_no_contract_any_more_is_told_to_use_nothing_before_others_get_its_share(published: World) -> None:
    before = {party: cso.limits(MONDAY, 90) for party, cso in published.csos.items()}
    published.csos["south"].dead = True
    change(published, without("south"))
    now = quarter_later(published)
    assert (
        published.csos["north"].limits(now, 80)
        <= published.dso.view(CABLE, now, 80).available - before["south"][:, 1:81]
    ).all()
    published.csos["south"].dead = False
    now = quarter_later(published)
    assert (published.csos["south"].limits(now, 80) == 0).all()
    now = quarter_later(published)
    assert (published.csos["north"].limits(now, 80) > before["north"][:, 3:83]).all()
    assert published.dso.office.register[CABLE].parties == ("north",)


def test_who_has_no_contract_any_more_gets_nothing_it_asks_for(published: World) -> None:
    change(published, without("south"))
    quarter_later(published)
    answer = published.say("south", request(ask(5, published.clock.time + QUARTER)))
    assert isinstance(answer, Envelope)
    assert isinstance(answer.body, RequestAdjustedCapacityResponse)
    assert answer.body.result.type is ResultType.FAILED
    assert answer.body.result.details[0].code == "UNKNOWN_CABLE"


def test_a_cso_that_is_no_peer_any_more_still_counts_for_what_it_may_hold(published: World) -> None:
    before = published.csos["south"].limits(MONDAY, 90)
    change(published, without("south"))
    peers = tuple(one for one in published.config.peer if one.party != "south")
    published.config = msgspec.structs.replace(published.config, peer=peers)
    published.dso = type(published.dso)(published.config, published.db, published.post, published.ids, published.clock)
    now = quarter_later(published)
    free = published.dso.view(CABLE, now, 80).available - before[:, 1:81]
    assert (published.csos["north"].limits(now, 80) <= free).all()


def test_a_contract_of_a_cso_that_the_running_dso_does_not_know_waits_for_a_restart(published: World) -> None:
    change(published, lambda old: replace(old, contracts={**old.contracts, (CABLE, "east"): Contract("east", 9_000)}))
    quarter_later(published)
    assert published.dso.office.register[CABLE].parties == ("north", "south")


def test_a_cable_does_not_go_while_somebody_may_use_it(published: World, tmp_path: Path) -> None:
    made = files(tmp_path, cables="cable,limit_a\n", contracts="cso,cable,contracted_a\n")

    def replaced(now: datetime) -> register.Imported:
        with published.db.transact() as tx:
            return register.import_files(tx, made, ["north", "south"], (), now, replace=True)

    refused = replaced(published.clock.time)
    assert [one.where for one in refused.findings] == [f"cable {CABLE!r}"] * 2
    assert "'north' may still hold a forecast: take its contract out first" in refused.findings[0].text
    assert replaced(published.clock.time + timedelta(days=2)).stored


# -- risk classes ------------------------------------------------------------------------------------------------------


def test_a_cable_has_the_risk_of_its_class_and_of_an_unknown_one_the_strictest() -> None:
    hospital = RiskClass("hospital", 0.0001, "1h")
    rules = Rules(risk=0.001, risk_classes=(hospital,))
    assert rules.risk_of(Cable("c", LIMIT)) == RiskClass("", 0.001, "15min")
    assert rules.risk_of(Cable("c", LIMIT, risk_class="hospital")) == hospital
    assert rules.risk_of(Cable("c", LIMIT, risk_class="gone")) == RiskClass("gone", 0.0001, "15min")


def test_risk_classes_are_configured(folder: Path) -> None:
    file = folder / "dso.toml"
    text = (
        file.read_text()
        .replace("# [[risk_class]]", "[[risk_class]]")
        .replace('# name = "hospital"', 'name = "hospital"')
    )
    file.write_text(
        text.replace("# risk = 0.0001", "risk = 0.0001").replace('# criterion = "15min"', 'criterion = "1h10"')
    )
    rules = load(folder).rules()
    assert rules.risk_classes == (RiskClass("hospital", 0.0001, "1h10"),)
    assert (rules.tail_risk, rules.holidays, rules.criterion) == (0.0001, "NL", "15min")
