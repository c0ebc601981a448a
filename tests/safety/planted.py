"""Builds of the product with one bug each, made by changing a line of the source while it is imported."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType
from typing import Any

from safety.roads import Modules


@dataclass(frozen=True)
class Bug:
    """A line of ours, and what a careless hand might have made of it.

    Attributes:
        does: What it does.
        check: The property that must find it.
        module: Below `gridroom`.
        line: What stands there; must be there, so that the bug is planted.
        instead: What stands there then.
    """

    does: str
    check: str
    module: str
    line: str
    instead: str


class _Planted(SourceFileLoader):
    """Compiles a changed source, past the cache of compiled files."""

    def __init__(self, name: str, path: str, bug: Bug) -> None:
        super().__init__(name, path)
        self._bug = bug

    def get_code(self, fullname: str) -> CodeType:
        source = self.get_data(self.path).decode()
        if self._bug.line not in source:
            raise LookupError(f"the line of the bug {self._bug.does!r} is gone from {fullname}: {self._bug.line}")
        return compile(source.replace(self._bug.line, self._bug.instead), self.path, "exec")


class _Finder(MetaPathFinder):
    def __init__(self, bug: Bug) -> None:
        self._bug = bug

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != f"gridroom.{self._bug.module}":
            return None
        spec = PathFinder.find_spec(fullname, path)
        assert spec is not None
        assert spec.origin is not None
        spec.loader = _Planted(fullname, spec.origin, self._bug)
        return spec


@contextmanager
def planted(bug: Bug, db: Any) -> Iterator[Modules]:
    """The modules of a build with the bug; afterwards those that were there before.

    Args:
        bug: What is broken.
        db: A database that the sound build has opened.
    """
    ours = {name: module for name, module in sys.modules.items() if name.partition(".")[0] == "gridroom"}
    finder = _Finder(bug)
    for name in ours:
        del sys.modules[name]
    sys.meta_path.insert(0, finder)
    try:
        broken = Modules()
        broken.__dict__["db"] = db
        yield broken
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.partition(".")[0] == "gridroom"]:
            del sys.modules[name]
        sys.modules.update(ours)
