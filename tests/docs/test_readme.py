"""The README's example does what it says."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_lines_of_python_decode_a_forecast() -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    done = subprocess.run([sys.executable, "-c", code[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "8712423014022 to 8712423222120"
    assert lines[1] == "Amsterdam 2015-04-09 00:00:00+00:00 2015-04-09 00:15:00+00:00 24.00 A"
    assert len(lines) == 1 + 9


def test_the_five_commands_of_the_protocol_work(tmp_path: Path) -> None:
    section = (ROOT / "README.md").read_text().partition("## Use the protocol alone")[2].partition("\n## ")[0]
    setting_up, block = re.findall(r"```console\n(.*?)```", section, re.DOTALL)
    assert ". .venv/bin/activate" in setting_up
    commands = [line.removeprefix("$ ") for line in block.splitlines()]
    assert len(commands) == 5
    for name in ("examples", "tests"):
        (tmp_path / name).symlink_to(ROOT / name)
    env = os.environ | {"PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"}
    script = "\n".join(["set -e", *commands])
    done = subprocess.run(["bash", "-c", script], cwd=tmp_path, env=env, capture_output=True, text=True, check=True)
    assert "Row 11: " in done.stdout
    assert "RequestAdjustedCapacityRequest from 8716892000005 to 8712423014022, priority 1" in done.stdout
    assert b'location="https://grid.example/oscp"' in (tmp_path / "dso.wsdl").read_bytes()
