"""The command `gridroom`: its help, its small tools, and what it says when it cannot."""

import gzip
import json
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
import structlog
import typer
from typer.testing import CliRunner, Result

from gridroom import __version__, xml
from gridroom.cli import app
from gridroom.oscp.v10 import soap
from gridroom.oscp.v10.rows import explain
from gridroom.storage import database
from gridroom.storage.outbox import Outbox

HERE = Path(__file__).parent
GOLDEN = HERE / "oscp" / "v10" / "golden"
MESSAGES = {
    "6.1.1": "UpdateCableCapacityForecastRequest",
    "6.1.2": "UpdateCableCapacityForecastResponse",
    "6.2": "RequestAdjustedCapacityRequest",
    "6.3": "UpdateAggregatedUsageRequest",
    "6.4": "GetCapacityForecastRequest",
    "6.5.1": "HeartbeatRequest",
    "6.5.2": "HeartbeatResponse",
}
SECOND = timedelta(seconds=1)
WIDE = {"COLUMNS": "200", "TERM": "dumb", "NO_COLOR": "1"}


@pytest.fixture(autouse=True)
def _logging() -> Iterator[None]:
    """The command sets logging up for its process, which is not this one."""
    before = structlog.get_config()
    yield
    structlog.configure(**before)


def gridroom(*words: str | Path, stdin: bytes = b"") -> Result:
    """Run the command in this process."""
    return CliRunner(env=WIDE).invoke(app, [str(word) for word in words], input=stdin)


def commands(command: Any, *path: str) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command below one, and itself, with the words that call it."""
    yield path, command
    for name, inner in getattr(command, "commands", {}).items():
        yield from commands(inner, *path, name)


ALL = dict(commands(typer.main.get_command(app)))


def test_the_commands_are_these() -> None:
    assert {" ".join(path) for path in ALL} == {
        "",
        "decode",
        "encode",
        "wsdl",
        "convert",
        "backtest",
        "demo",
        "pki",
        "pki init",
        "pki issue",
        "dso",
        "dso init",
        "dso run",
        "dso status",
        "dso cables",
        "dso forecast",
        "dso import",
        "dso resume",
        "cso",
        "cso init",
        "cso run",
        "cso resume",
        "station",
        "station init",
        "station run",
    }


@pytest.mark.parametrize("path", ALL, ids=" ".join)
def test_each_command_has_help_that_names_all_it_takes(path: tuple[str, ...]) -> None:
    result = gridroom(*path, "--help")
    assert result.exit_code == 0
    assert ALL[path].help.splitlines()[0] in result.stdout
    for one in ALL[path].params:
        if getattr(one, "hidden", False):
            assert not any(name in result.stdout for name in one.opts)
        else:
            assert one.help, one.name
            assert one.opts[0] in result.stdout


@pytest.mark.parametrize("path", [path for path, one in ALL.items() if hasattr(one, "commands")], ids=" ".join)
def test_a_command_that_needs_another_word_shows_what_there_is(path: tuple[str, ...]) -> None:
    result = gridroom(*path)
    assert result.exit_code == 2
    assert all(name in result.output for name in ALL[path].commands)


def test_the_version_is_the_package_version() -> None:
    assert gridroom("--version").stdout == f"{__version__}\n"


@pytest.mark.parametrize("level", ["loud", "basic_format", ""])
def test_an_unknown_log_level_is_told_with_those_that_exist(level: str) -> None:
    result = gridroom("--log", level, "decode", GOLDEN / "6.4.xml")
    assert result.exit_code == 2
    assert f"{level!r} is none of debug, info, warning, error" in result.stderr


# -- the module, as its own process ------------------------------------------------------------------------------------


def process(*words: str, stdin: bytes = b"") -> "subprocess.CompletedProcess[bytes]":
    return subprocess.run([sys.executable, "-m", "gridroom", *words], input=stdin, capture_output=True, timeout=60)


def test_python_m_gridroom_is_the_command() -> None:
    done = process("--version")
    assert (done.returncode, done.stdout.decode().strip()) == (0, __version__)


def test_decode_reads_a_pipe() -> None:
    done = process("decode", "-", stdin=(GOLDEN / "6.5.1.xml").read_bytes())
    assert (done.returncode, done.stderr) == (0, b"")
    assert json.loads(done.stdout)["body"] == {"HeartBeatTimeInterval": 300, "ForecastTimeInterval": 900}


def test_decode_of_nonsense_in_a_pipe_is_one_line_and_exit_1() -> None:
    done = process("decode", "-", stdin=b"nonsense")
    assert (done.returncode, done.stdout) == (1, b"")
    assert done.stderr.decode().splitlines() == ["gridroom: not well-formed XML: syntax error: line 1, column 0"]


# -- decode ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", MESSAGES)
def test_decode_prints_each_golden_message(section: str) -> None:
    result = gridroom("decode", GOLDEN / f"{section}.xml")
    assert (result.exit_code, result.stderr) == (0, "")
    document = json.loads(result.stdout)
    assert list(document) == ["message", "header", "body", "deviations"]
    assert document["message"] == MESSAGES[section]
    assert gridroom("decode", "-", stdin=(GOLDEN / f"{section}.xml").read_bytes()).stdout == result.stdout


@pytest.mark.parametrize("section", ["6.1.1", "6.5.2"])
def test_decode_prints_what_the_document_says(section: str) -> None:
    expected = (HERE / "decoded" / f"{section}.json").read_text()
    assert json.loads(gridroom("decode", GOLDEN / f"{section}.xml").stdout) == json.loads(expected)


def test_there_is_a_golden_message_for_each_section() -> None:
    assert {path.stem for path in GOLDEN.glob("*.xml")} == set(MESSAGES)


@pytest.mark.parametrize(
    ("section", "old", "new", "told"),
    [
        ("6.5.1", ">300<", ">soon<", "Envelope/Body/HeartbeatRequest/HeartBeatTimeInterval: an integer was expected"),
        ("6.5.1", "</s:Envelope>", "", "not well-formed XML: "),
        ("6.5.1", "<s:Envelope", "<!DOCTYPE a><s:Envelope", "DOCTYPE"),
        ("6.5.1", "2003/05/soap-envelope", "2003/05/letter", "Envelope: only SOAP 1.2 is spoken here"),
        ("6.5.1", "HeartbeatRequest", "HeartattackRequest", "Envelope/Body"),
        (
            "6.1.1",
            "<CableId>Amsterdam</CableId>",
            "",
            "Envelope/Body/UpdateCableCapacityForecastRequest/Forecast/Cable",
        ),
    ],
)
def test_decode_of_a_broken_message_is_one_line_with_its_place(
    tmp_path: Path, section: str, old: str, new: str, told: str
) -> None:
    text = (GOLDEN / f"{section}.xml").read_text().replace("soap:", "s:")
    assert old in text
    file = tmp_path / "m.xml"
    file.write_text(text.replace("xmlns:soap=", "xmlns:s=").replace(old, new))
    result = gridroom("decode", file)
    assert (result.exit_code, result.stdout) == (1, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("gridroom: ")
    assert told in line


def test_decode_lists_a_cable_that_would_be_refused_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "m.xml"
    file.write_text((GOLDEN / "6.1.1.xml").read_text().replace("2015-04-09T00:15:00Z", "in a while"))
    result = gridroom("decode", file)
    (refused,) = json.loads(result.stdout)["body"]["refused"]
    assert (refused["CableId"], refused["Code"]) == ("Amsterdam", "INVALID_TIME")
    assert refused["path"].endswith("Forecast/ForecastedBlock[2]/StartTime")
    assert result.exit_code == 1
    assert result.stderr == f"gridroom: {refused['path']}: {refused['Message']}\n"


@pytest.mark.parametrize("data", [b"", b"\x00\xff", b"<a/>", b"{}", b"<a>" * 5000, "<é/>".encode("utf-16")])
def test_decode_of_anything_else_is_one_line(data: bytes) -> None:
    result = gridroom("decode", "-", stdin=data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert len(result.stderr.splitlines()) == 1


@pytest.mark.parametrize(("name", "told"), [("absent.xml", "No such file or directory"), ("", "Is a directory")])
def test_decode_names_a_file_that_cannot_be_read(tmp_path: Path, name: str, told: str) -> None:
    result = gridroom("decode", tmp_path / name)
    assert result.exit_code == 1
    assert result.stderr == f"gridroom: {tmp_path / name}: {told}\n"


HEARTBEAT = (GOLDEN / "6.5.1.xml").read_bytes()


@pytest.mark.parametrize(
    ("words", "data", "told"),
    [
        ("decode -", b" \n", "there is nothing to read, it is empty"),
        ("encode -", b"", "there is nothing to read, it is empty"),
        ("convert - --to 1.6", b"", "there is nothing to read, it is empty"),
        ("decode -", gzip.compress(HEARTBEAT), "this is gzip; unpack it first with gunzip"),
        ("encode -", gzip.compress(b"{}", mtime=0), "this is gzip; unpack it first with gunzip"),
        ("decode -", b'{"message": 1}', "this is JSON, and XML is read here; `gridroom encode` makes XML of it"),
        ("encode -", HEARTBEAT, "this is XML, and JSON is read here; `gridroom decode` makes JSON of it"),
    ],
)
def test_what_is_given_to_the_wrong_command_is_told_what_it_is(words: str, data: bytes, told: str) -> None:
    result = gridroom(*words.split(), stdin=data)
    assert (result.exit_code, result.stdout, result.stderr) == (1, "", f"gridroom: {told}\n")


def test_decode_sends_a_message_of_chapter_4_to_convert() -> None:
    result = gridroom("decode", HERE / "ocpp_draft20" / "samples" / "plan.xml")
    assert result.exit_code == 1
    assert result.stderr.endswith("; it belongs to chapter 4: `gridroom convert FILE --to 1.6` reads those\n")
    assert "chapter 4" not in gridroom("decode", "-", stdin=HEARTBEAT.replace(b"Heartbeat", b"Other")).stderr


def test_decode_speaks_of_the_document_in_its_own_words() -> None:
    late = gridroom("decode", "-", stdin=HEARTBEAT.replace(b"</soap:Body>", b"\n</soap:Bodies>")).stderr
    assert "mismatch" in late
    assert "<string>" not in late
    long = gridroom("decode", "-", stdin=HEARTBEAT.replace(b">300<", b">" + b"3" * 11_000_000 + b"<")).stderr
    assert long == "gridroom: a text, name or attribute is longer than 10 MB, the most that is read\n"


def test_decode_reads_soap_1_1_and_says_so() -> None:
    shown = gridroom("decode", GOLDEN / "6.4.xml").stdout.encode()
    written = gridroom("encode", "-", "--set", "soap=1.1", stdin=shown).stdout_bytes
    result = gridroom("decode", "-", stdin=written)
    assert (result.exit_code, result.stderr) == (0, "")
    assert [one["row"] for one in json.loads(result.stdout)["deviations"]] == [32]
    assert "Row 32: " in gridroom("decode", "--explain", "-", stdin=written).stdout


# -- decode --explain --------------------------------------------------------------------------------------------------


def test_explain_tells_each_deviation_in_the_words_of_its_row() -> None:
    result = gridroom("decode", "--explain", GOLDEN / "6.2.xml")
    assert (result.exit_code, result.stderr) == (0, "")
    lines = result.stdout.splitlines()
    assert lines[0] == "RequestAdjustedCapacityRequest from 8716892000005 to 8712423014022"
    assert [line for line in lines if line.startswith("Row ")] == [
        f"Row {number}: {explain(number).title}" for number in (11, 15)
    ]
    text = " ".join(result.stdout.split())
    for number in (11, 15):
        row = explain(number)
        for words in (f"Says: {row.says}", f"Read: {row.read[0]}", f"Written: {row.written}", f"Why: {row.why}"):
            assert words in text
    assert "Here: Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock[1]/StartTime: time with" in text


def test_explain_of_a_message_as_it_should_be_says_so() -> None:
    result = gridroom("decode", "--explain", GOLDEN / "6.5.1.xml")
    assert result.stdout.splitlines() == [
        "HeartbeatRequest from 8712423014022 to 8712423222120",
        "Nothing in it had to be tolerated.",
    ]


def test_explain_of_a_fault_tells_its_code_and_its_reason() -> None:
    said = {"Code": "Sender", "Subcode": "IdentityMismatch", "Reason": "who are you?"}
    fault = json.dumps({"message": "Fault", "header": {"RelatesTo": "m-1"}, "body": said}).encode()
    written = gridroom("encode", "-", stdin=fault).stdout_bytes
    told = gridroom("decode", "--explain", "-", stdin=written).stdout.splitlines()
    assert told == ["Fault: Sender, IdentityMismatch", "  Reason:  who are you?", "  About:   m-1"]
    short = {"message": "Fault", "header": {}, "body": {"Code": "Receiver", "Reason": "busy"}}
    written = gridroom("encode", "-", stdin=json.dumps(short).encode()).stdout_bytes
    told = gridroom("decode", "--explain", "-", stdin=written).stdout.splitlines()
    assert told == ["Fault: Receiver", "  Reason:  busy", "  About:   it does not say"]


def test_explain_never_breaks_a_path() -> None:
    narrow = CliRunner(env=WIDE | {"COLUMNS": "40"}).invoke(app, ["decode", "--explain", str(GOLDEN / "6.2.xml")])
    path = "Envelope/Body/RequestAdjustedCapacityRequest/Adjustment/CapacityBlock[1]/StartTime:"
    assert path in narrow.stdout.split()
    assert sum(len(line) > 40 and len(line.split()) > 2 for line in narrow.stdout.splitlines()[1:]) == 0


def test_explain_of_very_many_deviations_is_short() -> None:
    begin, _, rest = (GOLDEN / "6.1.1.xml").read_text().partition("<Forecast>")
    block = rest[rest.index("<ForecastedBlock>") : rest.index("</ForecastedBlock>")] + "</ForecastedBlock>"
    each = (f"<Forecast><Cable><CableId>C{n}</CableId></Cable>{block * 100}</Forecast>" for n in range(30))
    data = f"{begin}{''.join(each)}{rest[rest.rindex('</Forecast>') + len('</Forecast>') :]}".encode()
    told = gridroom("decode", "--explain", "-", stdin=data).stdout
    assert told.count("  Here:") == 11
    assert "ForecastedBlock[2]: cable C0: block repeated, counted once (99 times)" in " ".join(told.split())
    assert "  Here:    … and 20 more, see `gridroom decode` without --explain\n" in told


def test_explain_still_refuses_what_must_be_refused(tmp_path: Path) -> None:
    file = tmp_path / "m.xml"
    file.write_text((GOLDEN / "6.1.1.xml").read_text().replace("2015-04-09T00:15:00Z", "in a while"))
    result = gridroom("decode", "--explain", file)
    assert result.exit_code == 1
    assert "ForecastedBlock[2]/StartTime: " in result.stderr


# -- encode ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("section", ["6.1.1", "6.2", "6.3", "6.4", "6.5.1"])
def test_encode_undoes_decode(section: str) -> None:
    shown = gridroom("decode", GOLDEN / f"{section}.xml").stdout
    written = gridroom("encode", "-", stdin=shown.encode())
    assert (written.exit_code, written.stderr) == (0, "")
    first, second = json.loads(shown), json.loads(gridroom("decode", "-", stdin=written.stdout_bytes).stdout)
    assert list(first["body"]) == list(second["body"])
    assert first["header"]["MessageID"] == second["header"]["MessageID"]


def test_encode_fills_in_a_fresh_id_and_the_present_moment(tmp_path: Path) -> None:
    file = tmp_path / "m.json"
    parties = {"senderID": "cso", "receiverID": "dso"}
    file.write_text(json.dumps({"message": "GetCapacityForecastRequest", "header": {"Parties": parties}, "body": {}}))
    before = datetime.now(UTC)
    made = []
    for name in ("a.xml", "b.xml"):
        result = gridroom("encode", file, "--out", tmp_path / name)
        assert (result.exit_code, result.stdout) == (0, "")
        made.append(soap.read((tmp_path / name).read_bytes()).header)
    assert made[0].message_id != made[1].message_id
    assert all(UUID(header.message_id).version == 4 for header in made)
    assert all(header.date_time and timedelta(0) <= header.date_time - before + SECOND < 60 * SECOND for header in made)


def test_encode_writes_for_the_peer_that_is_set(tmp_path: Path) -> None:
    shown = gridroom("decode", GOLDEN / "6.1.1.xml").stdout.encode()
    words = ("--set", "ends=exclusive", "--set", "to_url=https://there.example/?a=b")
    written = gridroom("encode", "-", *words, stdin=shown).stdout
    assert ">2015-04-09T00:15:00Z</EndTime>" in written
    assert ">https://there.example/?a=b</To>" in written
    answer = json.loads(gridroom("decode", GOLDEN / "6.5.2.xml").stdout)
    answer["header"]["RelatesTo"] = "m"
    for value, times in (("yes", 1), ("no", 0)):
        out = gridroom("encode", "-", "--set", f"description={value}", stdin=json.dumps(answer).encode()).stdout
        assert out.count("<Description>") == times


NOT_HERE = "decides what is said, not how one message is written; here soap, ends, success_code, description, "


def refusal_of(*words: str) -> str:
    """Why a switch is refused, in one line without the frame around it."""
    result = gridroom(*words, stdin=b"{}")
    assert (result.exit_code, result.stdout) == (2, "")
    told = " ".join(result.stderr.replace("│", " ").split())
    assert "Invalid value for --set: " in told
    return told.partition("Invalid value for --set: ")[2]


@pytest.mark.parametrize(
    ("switch", "told"),
    [
        ("phases=per-phase", f"phases {NOT_HERE}"),
        ("shape=merged", f"shape {NOT_HERE}"),
        ("heartbeat=no", f"heartbeat {NOT_HERE}"),
        ("ends", "'ends' is no name=value with a switch of a peer profile: soap, phases, "),
        ("colour=red", "'colour=red' is no name=value with a switch of a peer profile: soap, phases, "),
        ("ends=never", "ends is inclusive or exclusive, not 'never'"),
        ("description=maybe", "description is yes or no, not 'maybe'"),
        ("soap=1.3", "soap is 1.2 or 1.1, not '1.3'"),
    ],
)
def test_encode_says_why_a_switch_is_refused_and_what_it_may_be(switch: str, told: str) -> None:
    assert refusal_of("encode", "-", "--set", switch).startswith(told)


@pytest.mark.parametrize(
    ("service", "switch", "told"),
    [
        ("dso", "ends=exclusive", "ends does not change this WSDL; only soap or adjustment_first do"),
        ("csp", "phases=per-phase", "phases does not change this WSDL; only soap or adjustment_first do"),
        ("cp", "soap=1.1", "soap does not change this WSDL; nothing does"),
        ("cs", "adjustment_first=no", "adjustment_first does not change this WSDL; nothing does"),
        ("dso", "soap=2", "soap is 1.2 or 1.1, not '2'"),
    ],
)
def test_wsdl_refuses_a_switch_that_changes_nothing(service: str, switch: str, told: str) -> None:
    assert refusal_of("wsdl", service, "--set", switch).startswith(told)


def test_encode_of_what_cannot_be_written_is_one_line_with_its_place(tmp_path: Path) -> None:
    document = json.loads(gridroom("decode", GOLDEN / "6.1.1.xml").stdout)
    document["body"]["Forecast"][0]["ForecastedBlock"][3]["Capacity"][0]["Unit"] = "Wh"
    result = gridroom("encode", "-", "-o", tmp_path / "m.xml", stdin=json.dumps(document).encode())
    assert (result.exit_code, result.stdout) == (1, "")
    place = "body.Forecast[0].ForecastedBlock[3].Capacity[0].Unit"
    assert result.stderr == f"gridroom: {place}: expected one of A, W, kW\n"
    assert not (tmp_path / "m.xml").exists()


# -- wsdl --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("service", ["dso", "csp", "cp", "cs"])
def test_wsdl_prints_one_document_that_needs_no_other(service: str) -> None:
    result = gridroom("wsdl", service, "--url", "https://grid.example/oscp?a&b")
    assert (result.exit_code, result.stderr) == (0, "")
    assert xml.split(xml.parse(result.stdout_bytes).tag)[1] == "definitions"
    assert 'location="https://grid.example/oscp?a&amp;b"' in result.stdout
    assert "schemaLocation" not in result.stdout
    assert "<xs:complexType" in result.stdout


@pytest.mark.parametrize("service", ["dso", "csp", "cp", "cs"])
def test_wsdl_writes_the_description_and_its_schema(tmp_path: Path, service: str) -> None:
    result = gridroom("wsdl", service, "--url", "https://grid.example/oscp", "--out", tmp_path / "new")
    files = [tmp_path / "new" / f"{service}.wsdl", tmp_path / "new" / f"{service}.xsd"]
    assert result.stdout.splitlines() == [str(file) for file in files]
    assert b'location="https://grid.example/oscp"' in files[0].read_bytes()
    assert f'schemaLocation="{service}.xsd"'.encode() in files[0].read_bytes()
    xml.Schema(files[1].read_bytes())


def test_wsdl_describes_what_a_peer_of_another_profile_gets() -> None:
    plain = gridroom("wsdl", "dso").stdout
    other = gridroom("wsdl", "dso", "--set", "soap=1.1", "--set", "adjustment_first=no").stdout
    assert ("wsdl/soap12/" in plain, "wsdl/soap12/" in other) == (True, False)
    first = [
        text.partition('name="RequestAdjustedCapacityResponse"')[2].split("<xs:element name=")[1]
        for text in (plain, other)
    ]
    assert [one.split('"')[1] for one in first] == ["Adjustment", "Result"]


@pytest.mark.parametrize("url", ["grid.example", "https://", "https://a b", "ftp://grid.example", "https://x/\x01"])
def test_wsdl_names_an_address_that_is_none(url: str) -> None:
    result = gridroom("wsdl", "dso", "--url", url)
    assert result.exit_code == 2
    assert "is no address like https://grid.example/oscp" in " ".join(result.stderr.split())


# -- convert ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("data", [b'[2, "1", "BootNotification", {"chargePointVendor": "x"}]', b"[3, 1, {}]", b"plan"])
def test_convert_of_another_message_lists_those_that_are_converted(data: bytes) -> None:
    result = gridroom("convert", "-", "--to", "2.0.1", stdin=data)
    assert (result.exit_code, result.stdout) == (1, "")
    assert result.stderr.endswith(
        "; what is converted: SetChargingProfile, MeterValues, and TransactionEvent of OCPP 2.0.1\n"
    )


def test_convert_of_a_wrong_field_names_the_field_only() -> None:
    result = gridroom("convert", "-", "--to", "2.0.1", stdin=b'{"connectorId": "x", "csChargingProfiles": {}}')
    assert result.exit_code == 1
    assert "what is converted" not in result.stderr


@pytest.mark.parametrize(("length", "code"), [(255, 0), (256, 2), (300, 2)])
def test_an_identity_that_nobody_would_read_is_refused(length: int, code: int) -> None:
    payload = gridroom("convert", HERE / "ocpp_draft20" / "samples" / "plan.xml", "--to", "1.6").stdout.encode()
    result = gridroom("convert", "-", "--to", "draft20", "--identity", "x" * length, stdin=payload)
    assert result.exit_code == code
    assert ("at most 255 characters" in result.stderr) == (code == 2)


# -- setting up --------------------------------------------------------------------------------------------------------


def test_init_says_what_it_wrote_and_never_writes_over_it(tmp_path: Path) -> None:
    pki = tmp_path / "pki"
    assert gridroom("pki", "init", pki).stdout == f"authority: {pki / 'ca.pem'}\n"
    made = {
        ("dso", "init", tmp_path / "dso", "--pki", pki): tmp_path / "dso" / "dso.toml",
        ("cso", "init", tmp_path / "cso", "--pki", pki): tmp_path / "cso" / "cso.toml",
        ("station", "init", tmp_path / "station", "--pki", pki): tmp_path / "station" / "stations.toml",
    }
    for words, file in made.items():
        result = gridroom(*words)
        assert result.exit_code == 0
        assert str(file) in result.stdout
        before = file.read_bytes()
        again = gridroom(*words)
        assert again.exit_code == 1
        assert again.stderr == f"gridroom: {file} is there already; choose another folder or remove it\n"
        assert file.read_bytes() == before
    again = gridroom("pki", "init", pki)
    assert again.exit_code == 1
    assert "an authority is never overwritten" in again.stderr


def test_a_certificate_is_issued_where_it_is_wanted(tmp_path: Path) -> None:
    gridroom("pki", "init", tmp_path / "pki")
    words = ("pki", "issue", tmp_path / "pki", "m-2", "--kind", "meter", "--into", tmp_path / "there")
    result = gridroom(*words, "--host", "meter.example")
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "there").iterdir()} == {"m-2.pem", "m-2.key"}
    assert gridroom(*words).exit_code == 1
    odd = gridroom("pki", "issue", tmp_path / "pki", "m-3", "--kind", "toaster")
    assert odd.exit_code == 2
    assert "'toaster' is none of party, station, meter" in odd.stderr


@pytest.mark.parametrize("actor", ["dso", "cso", "station"])
def test_without_an_authority_init_says_how_to_make_one(tmp_path: Path, actor: str) -> None:
    result = gridroom(actor, "init", tmp_path / actor, "--pki", tmp_path / "none")
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert str(tmp_path / "none") in line
    assert "pki init`" in line


@pytest.mark.parametrize("actor", ["dso", "cso", "station"])
def test_after_init_without_an_authority_nothing_is_in_the_way(tmp_path: Path, actor: str) -> None:
    gridroom(actor, "init", tmp_path / actor, "--pki", tmp_path / "pki")
    gridroom("pki", "init", tmp_path / "pki")
    assert gridroom(actor, "init", tmp_path / actor, "--pki", tmp_path / "pki").exit_code == 0


def test_stations_join_the_register_of_a_cso_or_are_not_made_at_all(tmp_path: Path) -> None:
    pki, cso = tmp_path / "pki", tmp_path / "cso"
    gridroom("pki", "init", pki)
    words = ("station", "init", tmp_path / "station", "--pki", pki, "--cso", cso)
    result = gridroom(*words)
    assert result.exit_code == 1
    assert result.stderr.startswith(f"gridroom: {cso / 'stations.csv'}: No such file or directory; make the CSO's")
    gridroom("cso", "init", cso, "--pki", pki)
    assert f"added to {cso / 'stations.csv'}\n" in gridroom(*words).stdout
    more = ("station", "init", tmp_path / "more", "--pki", pki, "--cso", cso, "--count", "2")
    assert "has station-1, station-2 already" in gridroom(*more).stderr
    assert gridroom(*more, "--prefix", "more").exit_code == 0
    known = [line.partition(",")[0] for line in (cso / "stations.csv").read_text().splitlines()]
    assert known == ["identity", "station-1", "station-2", "station-3", "more-1", "more-2"]


@pytest.mark.parametrize("words", [("dso", "run"), ("cso", "run"), ("station", "run"), ("dso", "import")])
def test_an_empty_folder_cannot_run_and_the_missing_file_is_named(tmp_path: Path, words: tuple[str, ...]) -> None:
    result = gridroom(*words, tmp_path, *((tmp_path / "m.csv",) if words[1] == "import" else ()))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"gridroom: {tmp_path}")
    assert ".toml: No such file or directory" in line


@pytest.mark.parametrize(("side", "party"), [("dso", "cso"), ("cso", "dso")])
def test_what_a_peer_does_not_offer_is_resumed_by_the_operator(tmp_path: Path, side: str, party: str) -> None:
    gridroom("pki", "init", tmp_path / "pki")
    assert gridroom(side, "init", tmp_path / side, "--pki", tmp_path / "pki").exit_code == 0
    nothing = gridroom(side, "resume", tmp_path / side, party)
    assert (nothing.exit_code, nothing.stdout) == (1, f"{party}: nothing was stopped\n")
    db = database.open(f"sqlite:///{tmp_path / side / side}.db", f"gridroom.{side}.migrations")
    with db.transact() as tx:
        Outbox(tx).stop(party, "Heartbeat", "no", datetime(2026, 1, 1, tzinfo=UTC))
    db.close()
    resumed = gridroom(side, "resume", tmp_path / side, party)
    assert (resumed.exit_code, resumed.stdout) == (0, f"{party}: Heartbeat\n")
