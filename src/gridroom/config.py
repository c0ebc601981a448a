"""Configuration is a value: one TOML file per actor becomes one frozen object; a typo is named with its place."""

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from difflib import get_close_matches
from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import inspect

T = TypeVar("T")


class ConfigError(Exception):
    """A configuration that cannot be used; the text names the file and the key."""


@contextmanager
def listening(path: Path, hint: str) -> Iterator[None]:
    """Names the file whose ports are opened within, and what to do, when they cannot be.

    Raises:
        ConfigError: A port is taken, or not ours to open.
    """
    try:
        yield
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}; {hint}") from error


def read(path: Path, kind: type[T]) -> T:
    """Read a TOML file into a value.

    Args:
        path: The file.
        kind: A msgspec Struct (or frozen dataclass) that forbids unknown fields.

    Raises:
        ConfigError: The file is missing, is no TOML, or a key is unknown, missing or of the wrong type.
    """
    try:
        return msgspec.toml.decode(path.read_bytes(), type=kind)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except msgspec.ValidationError as error:
        raise ConfigError(f"{path}: {_place(str(error), kind)}") from error
    except (msgspec.DecodeError, ValueError) as error:
        raise ConfigError(f"{path}: not valid TOML: {error}") from error


def write_private(path: Path, text: str) -> None:
    """Write a new file that only its owner may read.

    Raises:
        ConfigError: The file is there already.
    """
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError as error:
        raise ConfigError(f"{path} is there already; choose another folder or remove it") from error
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        file.write(text)


def quoted(text: str) -> str:
    r"""A text as a TOML string, for files that are written with comments.

    >>> print(quoted('the "big" one'))
    "the \"big\" one"
    """
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _place(text: str, kind: type) -> str:
    """What is wrong in a file, with its place and what may stand there."""
    found = re.search(r" - at `\$\.?([^`]*)`$", text)
    place, told = (found[1].replace("[...]", ""), text[: found.start()]) if found else ("", text)
    names = re.sub(r"\[\d*\]", "", place).split(".") if place else []
    return (f"`{place}`: " if place else "") + told + _hint(told, _allowed(inspect.type_info(kind), names))


def _hint(told: str, allowed: list[str]) -> str:
    """What may have been meant, of a key or of one of a few texts."""
    slip = re.search(r"unknown field `(.*)`|enum value '(.*)'", told)
    if slip is None or not allowed:
        return ""
    near = get_close_matches(slip[1] or slip[2], allowed, 1)
    return f"; did you mean {near[0]}?" if near and slip[1] else f"; there are {', '.join(allowed)}"


def _allowed(one: inspect.Type, names: list[str]) -> list[str]:
    """What may stand at a place in a value: the keys of a table, or one of a few texts."""
    match one:
        case inspect.UnionType(types=types):
            return [word for each in types for word in _allowed(each, names)]
        case inspect.VarTupleType(item_type=item) | inspect.ListType(item_type=item):
            return _allowed(item, names)
        case inspect.StructType(fields=fields) | inspect.DataclassType(fields=fields):
            if not names:
                return [field.encode_name for field in fields]
            return next((_allowed(field.type, names[1:]) for field in fields if field.encode_name == names[0]), [])
        case inspect.LiteralType(values=values):
            return [str(value) for value in values]
    return []
