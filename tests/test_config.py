"""A slip in a configuration is told with its place and with what may stand there."""

from pathlib import Path
from typing import Literal

import msgspec
import pytest

from gridroom import config


class Inner(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A table."""

    risk: float = 0.001
    criterion: Literal["15min", "1h", "1h10"] = "15min"


class Outer(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A file."""

    party: str = ""
    forecast: Inner = Inner()
    last: Inner | None = None
    peer: tuple[Inner, ...] = ()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("partyy = 'a'", "Object contains unknown field `partyy`; did you mean party?"),
        ("[forecast]\nriks = 1", "`forecast`: Object contains unknown field `riks`; did you mean risk?"),
        ("[forecast]\nzzz = 1", "`forecast`: Object contains unknown field `zzz`; there are risk, criterion"),
        (
            "[forecast]\ncriterion = '2h'",
            "`forecast.criterion`: Invalid enum value '2h'; there are 15min, 1h, 1h10",
        ),
        ("[last]\ncriterion = '2h'", "`last.criterion`: Invalid enum value '2h'; there are 15min, 1h, 1h10"),
        (
            "[[peer]]\ncriterion = '1h'\n[[peer]]\ncriterion = '2h'",
            "`peer[1].criterion`: Invalid enum value '2h'; there are 15min, 1h, 1h10",
        ),
        ("[[peer]]\nriks = 1", "`peer[0]`: Object contains unknown field `riks`; did you mean risk?"),
        ("party = 1", "`party`: Expected `str`, got `int`"),
    ],
)
def test_a_slip_is_told_with_what_may_stand_there(tmp_path: Path, text: str, told: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(text)
    with pytest.raises(config.ConfigError) as caught:
        config.read(file, Outer)
    assert str(caught.value) == f"{file}: {told}"
