"""The README's example does what it says."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_ten_lines_decode_a_forecast() -> None:
    code = re.search(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), re.DOTALL)
    assert code is not None
    done = subprocess.run([sys.executable, "-c", code[1]], cwd=ROOT, capture_output=True, text=True, check=True)
    lines = done.stdout.splitlines()
    assert lines[0] == "8712423014022 to 8712423222120"
    assert lines[1] == "Amsterdam 2015-04-09 00:00:00+00:00 2015-04-09 00:15:00+00:00 24.00 A"
    assert len(lines) == 1 + 9
