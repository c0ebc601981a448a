"""The command `gridroom` in processes of its own, as somebody in front of a few terminals runs it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")

PATIENCE_S = 60.0
"""Nothing here takes longer, on a slow machine that is busy with other tests. [s]"""

COMMAND = (sys.executable, "-m", "gridroom")


def gridroom(*words: str | Path, cwd: Path, fails: bool = False) -> str:
    """Run a command to its end; gives what it printed.

    Args:
        words: The command line.
        cwd: Where.
        fails: Whether exit code 1 is expected; gives what it printed to stderr then.
    """
    done = subprocess.run([*COMMAND, *map(str, words)], cwd=cwd, capture_output=True, text=True, timeout=PATIENCE_S)
    assert done.returncode == (1 if fails else 0), done.stderr
    return done.stderr if fails else done.stdout


class Terminal:
    """A command that goes on until it is ended; what it prints is in `log`."""

    def __init__(self, *words: str | Path, cwd: Path) -> None:
        self._words, self._cwd = [str(word) for word in words], cwd
        self.log = cwd / f"{words[0]}.log"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, again if it was ended."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [*COMMAND, *self._words],
                cwd=self._cwd,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=os.environ | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            )

    def kill(self) -> None:
        """As kill -9 does: it can neither finish nor say anything."""
        self._end(signal.SIGKILL)

    def interrupt(self) -> int:
        """Ctrl-C; gives the exit code."""
        return self._end(signal.SIGINT)

    def running(self) -> bool:
        """Whether it still runs."""
        return self._process is not None and self._process.poll() is None

    def said(self) -> str:
        """All that it printed."""
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _end(self, number: signal.Signals) -> int:
        if self._process is None:
            return 0
        if self._process.poll() is None:
            self._process.send_signal(number)
        try:
            return self._process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(PATIENCE_S)
            raise


def until(look: Callable[[], T | None], what: str, patience_s: float = PATIENCE_S) -> T:
    """Look again and again until there is something to see; gives it.

    Args:
        look: Gives something, or something false when it is not there yet.
        what: For the reader of a failure.
        patience_s: How long at most. [s]
    """
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        found = look()
        if found:
            return found
        time.sleep(0.1)
    raise AssertionError(f"not within {patience_s:g} s: {what}")
