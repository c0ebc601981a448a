"""Configuration is a value: one TOML file per actor becomes one frozen object; a typo is named with its place."""

import os
import re
from pathlib import Path
from typing import TypeVar

import msgspec

T = TypeVar("T")


class ConfigError(Exception):
    """A configuration that cannot be used; the text names the file and the key."""


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
        raise ConfigError(f"{path}: {_place(str(error))}") from error
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


def _place(text: str) -> str:
    found = re.search(r" - at `\$\.?([^`]*)`$", text)
    if found:
        return f"`{found[1].replace('[...]', '')}`: {text[: found.start()]}"
    return text
