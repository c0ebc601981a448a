"""The public names of the protocols, read from the source: shared by the tests of the reference."""

import ast
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SOURCE = Path(__file__).parents[1] / "src"

Function = ast.FunctionDef | ast.AsyncFunctionDef


@dataclass(frozen=True)
class Name:
    """A public name."""

    full: str
    kind: str
    doc: str
    node: ast.AST


def module_of(file: Path) -> str:
    return ".".join(file.relative_to(SOURCE).with_suffix("").parts).removesuffix(".__init__")


def files() -> list[Path]:
    """Modules of the protocols, what they stand on, and what every program over TLS needs."""
    found = [file for name in ("oscp", "ocpp", "security") for file in (SOURCE / "gridroom" / name).rglob("*.py")]
    public = [file for file in found if not file.stem.startswith("_") or file.stem == "__init__"]
    return sorted([*public, SOURCE / "gridroom" / "xml.py", SOURCE / "gridroom" / "timegrid.py"])


def is_public(name: str) -> bool:
    """A name that is neither private nor a type variable."""
    return not name.startswith("_") and not (len(name) == 1 and name.isupper())


def described(body: list[ast.stmt], index: int) -> str:
    """The text behind an assignment."""
    after = body[index + 1] if index + 1 < len(body) else None
    if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant) and isinstance(after.value.value, str):
        return after.value.value
    return ""


def names(file: Path) -> Iterator[Name]:
    module = module_of(file)
    body = ast.parse(file.read_text()).body
    for index, node in enumerate(body):
        if isinstance(node, Function | ast.ClassDef) and is_public(node.name):
            kind = "class" if isinstance(node, ast.ClassDef) else "function"
            yield Name(f"{module}.{node.name}", kind, ast.get_docstring(node) or "", node)
            if isinstance(node, ast.ClassDef):
                for one in node.body:
                    if isinstance(one, Function) and is_public(one.name):
                        yield Name(f"{module}.{node.name}.{one.name}", "method", ast.get_docstring(one) or "", one)
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and is_public(target.id) and target.id != "log":
                yield Name(f"{module}.{target.id}", "constant", described(body, index), node)
