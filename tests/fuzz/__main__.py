"""`make fuzz`: every target for its share of the time, guided by coverage where atheris is installed.

    PYTHONPATH=tests python -m fuzz --seconds 300
    PYTHONPATH=tests python -m fuzz --replay .fuzz/soap/crash-0123abcd

An input that breaks a law is written to a file, and the command that replays it is printed.
"""

import argparse
import hashlib
import importlib.util
import re
import subprocess
import sys
import time
import traceback
from pathlib import Path
from random import Random

SLOW_S = 1.0
"""Most that an input of at most `LONGEST` bytes may cost, in CPU seconds; under coverage eight times that."""

LONGEST = 64 * 1024
MOST_MEGABYTES = 1024
NAMES = ("xml", "soap", "json", "cso", "dso", "frames", "payloads", "controllers", "talk", "http")
"""Of `targets.TARGETS`, which a guided run may import only after its own preparations."""

WRITTEN = re.compile(r"Test unit written to (.*/(?:crash|timeout|oom|leak)-\w+)$", re.MULTILINE)
"""How libFuzzer names the input that broke a law."""


def main() -> int:
    """Run what was asked for; 1 when a law was broken."""
    parser = argparse.ArgumentParser(prog="fuzz", description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--seconds", type=int, default=300, help="for all targets together")
    parser.add_argument("--target", choices=NAMES, help="only this one")
    parser.add_argument("--folder", type=Path, default=Path(".fuzz"), help="for inputs found")
    parser.add_argument("--replay", type=Path, help="one input; its folder names the target")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.replay:
        return _replay(asked.replay)
    if asked.child:
        return _guided(asked.target, asked.folder, asked.seconds)
    names = [asked.target] if asked.target else NAMES
    guided = importlib.util.find_spec("atheris") is not None
    print("guided by coverage (atheris)" if guided else "not guided by coverage: atheris is not installed", flush=True)
    broken = [name for name in names if not _fuzz(name, asked.folder / name, asked.seconds // len(names) or 1, guided)]
    print(f"broken: {', '.join(broken)}" if broken else "no law was broken")
    return 1 if broken else 0


def _fuzz(name: str, folder: Path, seconds: int, guided: bool) -> bool:
    """One target; whether all its laws held."""
    folder.mkdir(parents=True, exist_ok=True)
    _write_seeds(name, folder)
    if not guided:
        return _unguided(name, folder, seconds)
    command = [sys.executable, "-m", "fuzz", "--child", "--target", name, "--folder", folder, "--seconds", str(seconds)]
    found = subprocess.run([str(word) for word in command], capture_output=True, text=True, check=False)
    (folder / "log").write_text(found.stderr + found.stdout)
    executions = re.findall(r"^#(\d+)", found.stderr, re.MULTILINE)
    done = int(executions[-1]) if executions else 0
    covered = re.findall(r"cov: (\d+)", found.stderr)
    words = f"{name}: {done} executions, {done // max(seconds, 1)} a second, {covered[-1] if covered else 0} edges"
    if found.returncode == 0:
        print(words, flush=True)
        return True
    written = WRITTEN.findall(found.stderr)
    if not written:
        print(f"{words}\n{name}: the fuzzer itself failed, see {folder / 'log'}", flush=True)
        return False
    print(f"{words}\n{name}: a law was broken, see {folder / 'log'}; once more:", flush=True)
    print(f"  PYTHONPATH=tests {sys.executable} -m fuzz --replay {written[-1]}", flush=True)
    return False


def _write_seeds(name: str, folder: Path) -> None:
    from fuzz.seeds import seeds, words

    corpus = folder / "corpus"
    corpus.mkdir(exist_ok=True)
    for seed in seeds(name):
        (corpus / hashlib.sha256(seed).hexdigest()[:16]).write_bytes(seed)
    plain = [word for word in words() if word.isascii() and word.isalnum()]
    (folder / "words").write_text("".join(f'"{word}"\n' for word in plain))


def _guided(name: str, folder: Path, seconds: int) -> int:
    """In a process of its own: libFuzzer does not come back."""
    import importlib

    atheris = importlib.import_module("atheris")
    with atheris.instrument_imports(include=["gridroom"]):
        from fuzz.targets import TARGETS
    from safety.mutations import shake

    _be_quiet()
    target = TARGETS[name]

    def once(data: bytes) -> None:
        _measured(target, data, 8 * SLOW_S)

    def neighbour(data: bytes, most: int, seed: int) -> bytes:
        chance = Random(seed)
        changed: bytes = atheris.Mutate(data, most) if chance.random() < 0.5 or not data else shake(chance, data, 3)
        return _rearranged(chance, changed)[:most] if chance.random() < 0.3 else changed[:most]

    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST}", "-timeout=60", f"-rss_limit_mb={MOST_MEGABYTES}"]
    options += [f"-artifact_prefix={folder}/", f"-dict={folder}/words", "-len_control=20", str(folder / "corpus")]
    atheris.Setup([sys.argv[0], *options], once, custom_mutator=neighbour)
    atheris.Fuzz()
    return 0


PIECES = re.compile(rb"<[^>]+>|[^<]+")


def _rearranged(chance: Random, data: bytes) -> bytes:
    """Tags and texts dropped, doubled, exchanged."""
    pieces = PIECES.findall(data)
    if len(pieces) < 2:
        return data
    for _ in range(chance.randint(1, 3)):
        one, other = chance.randrange(len(pieces)), chance.randrange(len(pieces))
        match chance.randrange(3):
            case 0:
                pieces[one] = b""
            case 1:
                pieces[other] += pieces[one]
            case _:
                pieces[one], pieces[other] = pieces[other], pieces[one]
    return b"".join(pieces)


def _unguided(name: str, folder: Path, seconds: int) -> bool:
    """Without atheris: neighbours of the seeds, in this process."""
    from fuzz.targets import TARGETS
    from safety.mutations import shake

    _be_quiet()
    known = [path.read_bytes() for path in sorted((folder / "corpus").iterdir())]
    chance, done, until = Random(time.time_ns()), 0, time.monotonic() + seconds
    while time.monotonic() < until:
        data = known[done] if done < len(known) else _rearranged(chance, shake(chance, chance.choice(known), 3))
        done += 1
        try:
            _measured(TARGETS[name], data[:LONGEST], SLOW_S)
        except Exception:
            traceback.print_exc()
            path = folder / f"crash-{hashlib.sha256(data).hexdigest()[:16]}"
            path.write_bytes(data)
            print(f"{name}: a law was broken; once more:\n  PYTHONPATH=tests {sys.executable} -m fuzz --replay {path}")
            return False
    print(f"{name}: {done} executions, {done // max(seconds, 1)} a second", flush=True)
    return True


def _measured(target: object, data: bytes, most_s: float) -> None:
    begin = time.process_time()
    target(data)  # type: ignore[operator]
    cost = time.process_time() - begin
    assert cost < most_s, f"{len(data)} bytes took {cost:.1f} s"


def _replay(path: Path) -> int:
    from fuzz.targets import TARGETS

    _measured(TARGETS[path.resolve().parent.name], path.read_bytes(), SLOW_S)
    print("every law holds")
    return 0


def _be_quiet() -> None:
    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))


if __name__ == "__main__":
    sys.exit(main())
