"""The programs in examples/ are small and real: over mutual TLS they talk with each other and with both offices."""

import ast
import io
import re
import subprocess
import sys
import tokenize
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from gridroom.cso import setup as cso_setup
from gridroom.dso import setup as dso_setup
from gridroom.oscp import v10
from gridroom.security import pki
from ports import free_ports
from terminals import PATIENCE_S, Terminal, gridroom, until

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
NAMES = {"build.py", "decode.py", "tiny_cso.py", "tiny_dso.py"}
GOLDEN = ROOT / "tests" / "oscp" / "v10" / "golden"
GRANTED = "granted: [(400, 400, 400)]"


def run(name: str, *words: str | int | Path) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == 0, done.stderr
    return done.stdout


@contextmanager
def running(name: str, *words: str | int | Path, log: Path) -> Iterator[None]:
    """An example that goes on until it is ended."""
    with log.open("wb") as out:
        process = subprocess.Popen([sys.executable, EXAMPLES / name, *map(str, words)], stdout=out, stderr=out)
        try:
            yield
        finally:
            process.kill()
            process.wait(PATIENCE_S)


@pytest.fixture
def authority(tmp_path: Path) -> Path:
    """A development authority with a certificate for each of the two."""
    folder = tmp_path / "pki"
    pki.init(folder)
    for party in ("dso", "cso"):
        pki.issue(folder, party)
    return folder


def lines_of_code(source: str) -> int:
    """Lines that hold code, below the imports: no blank lines, comments or docstrings."""
    tree = ast.parse(source)
    left_out: set[int] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import | ast.ImportFrom):
            left_out.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
        if isinstance(node, ast.Module | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(node):
            left_out.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    space = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    used = {line for one in tokens if one.type not in space for line in range(one.start[0], one.end[0] + 1)}
    return len(used - left_out)


def test_these_are_the_examples() -> None:
    assert {path.name for path in EXAMPLES.glob("*.py")} == NAMES


@pytest.mark.parametrize("name", sorted(NAMES))
def test_an_example_has_at_most_40_lines_below_its_imports(name: str) -> None:
    assert 10 < lines_of_code((EXAMPLES / name).read_text()) <= 40


def test_decode_tells_limits_and_what_was_tolerated() -> None:
    lines = run("decode.py", GOLDEN / "6.1.1.xml").splitlines()
    assert lines[0] == "UpdateCableCapacityForecastRequest from 8712423014022 to 8712423222120, priority 2"
    assert lines[1] == "Amsterdam 09 00:00 to 09 00:15: 24.00 24.00 24.00 A on L1 L2 L3"
    told = run("decode.py", GOLDEN / "6.3.xml").splitlines()
    assert any(line.startswith("row 11, times without a zone: ") for line in told)


@pytest.mark.parametrize("section", ["6.1.1", "6.1.2", "6.2", "6.3", "6.4", "6.5.1", "6.5.2"])
def test_decode_tells_the_deviations_that_gridroom_decode_tells(section: str) -> None:
    told = re.findall(r"^row (\d+), ", run("decode.py", GOLDEN / f"{section}.xml"), re.MULTILINE)
    shown = v10.as_json(v10.read_any((GOLDEN / f"{section}.xml").read_bytes()))["deviations"]
    assert {int(row) for row in told} == {one["row"] for one in shown}


def test_decode_tells_what_was_used_and_what_a_fault_says(tmp_path: Path) -> None:
    assert "SP2 09 07:45 to 09 08:00: ? ? ? and 16.00 in all, A on L1 L2 L3\n" in run("decode.py", GOLDEN / "6.3.xml")
    (tmp_path / "fault.xml").write_bytes(v10.write_fault(v10.RemoteError("busy", sender=False)))
    command = [sys.executable, str(EXAMPLES / "decode.py"), str(tmp_path / "fault.xml")]
    done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "Fault from the Receiver: busy\n")


def test_build_writes_a_forecast_and_reads_its_answer() -> None:
    lines = run("build.py").splitlines()
    assert lines[0].endswith('application/soap+xml; charset=utf-8; action="/UpdateCableCapacityForecast"')
    assert lines[1] == "SUCCESS: MESSAGE_PROCESSED"


def test_the_tiny_dso_and_the_tiny_cso_talk_with_each_other(tmp_path: Path, authority: Path) -> None:
    dso_port, cso_port = free_ports(2)
    log = tmp_path / "dso.log"
    with running("tiny_dso.py", authority, dso_port, f"https://localhost:{cso_port}/oscp", log=log):
        said = run("tiny_cso.py", authority, cso_port, f"https://localhost:{dso_port}/oscp")
        until(lambda: "SUCCESS" in log.read_text(), "the DSO hears that its forecast was taken")
    lines = said.splitlines()
    assert lines[:2] == ["limits: [1600, 1600, 900]", GRANTED]
    assert lines[2].startswith("reported: Delivered(")
    assert "SUCCESS" in lines[2]
    assert "Decimal('230.00'), unit='Wh', phase=1" in log.read_text()


def test_the_tiny_cso_talks_with_the_real_dso(tmp_path: Path, authority: Path) -> None:
    dso_port, cso_port = free_ports(2)
    dso_setup.init(tmp_path / "office", authority, cso_url=f"https://localhost:{cso_port}/oscp", port=dso_port)
    now = datetime.now(UTC).replace(second=0, microsecond=0)
    times = (now - n * timedelta(minutes=15) for n in range(8 * 96, 0, -1))
    rows = "".join(f"{time:%Y-%m-%dT%H:%M:%SZ},cable-1" + f",{20 + time.minute / 10}" * 3 + "\n" for time in times)
    (tmp_path / "history.csv").write_text(f"time,cable,L1,L2,L3\n{rows}")
    gridroom("dso", "import", "office", "history.csv", cwd=tmp_path)
    dso = Terminal("dso", "run", "office", cwd=tmp_path)
    dso.start()
    try:
        url = f"https://localhost:{dso_port}/OSCP/DistributionSystemOperatorServiceV10"
        lines = run("tiny_cso.py", authority, cso_port, url).splitlines()
    finally:
        dso.kill()
    assert lines[0].startswith("limits: [")
    assert "limits: [0, 0, 0]" not in lines
    assert lines[1] == "granted: [(600, 600, 600)]"
    assert lines[2].startswith("reported: Delivered(")
    assert "SUCCESS" in lines[2]


def test_the_tiny_dso_talks_with_the_real_cso(tmp_path: Path, authority: Path) -> None:
    dso_port, *ports = free_ports(4)
    url = f"https://localhost:{dso_port}/oscp"
    oscp, ocpp, drivers = ports
    office = tmp_path / "office"
    cso_setup.init(office, authority, dso_url=url, oscp_port=oscp, ocpp_port=ocpp, driver_port=drivers)
    cso = Terminal("cso", "run", "office", cwd=tmp_path)
    cso.start()
    log = tmp_path / "dso.log"
    try:
        until(lambda: "CSO listens" in cso.said(), "the CSO listens")
        service = f"https://localhost:{oscp}/OSCP/ChargeServiceProviderServiceV10"
        with running("tiny_dso.py", authority, dso_port, service, log=log):
            until(lambda: "forecast came" in cso.said(), "the CSO has a forecast")
            until(lambda: "SUCCESS" in log.read_text(), "and said so")
    finally:
        cso.kill()
    assert "next_blocks_a=16/16/9" in cso.said().replace("'", "")
