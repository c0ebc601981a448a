"""Switches of a peer profile from `--set name=value`: only those that change what the command writes."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, NoReturn, get_args, get_type_hints

import typer

if TYPE_CHECKING:
    from gridroom.oscp.v10.profile import PeerProfile

NOT_WRITING = ("phases", "shape", "sender_fault_status", "max_cables_per_message", "heartbeat")
"""Switches that decide what is said at all, or how it is sent; not how one message is written."""

OF_WSDL = ("soap", "adjustment_first")
"""Switches that change the description of a service of OSCP 1.0."""


def for_message(switches: Iterable[str]) -> "PeerProfile":
    """How one message is written."""
    from gridroom.oscp.v10.profile import PeerProfile

    names = [name for name in PeerProfile.__dataclass_fields__ if name not in NOT_WRITING]
    return _profile(switches, names, f"decides what is said, not how one message is written; here {_or(names)} apply")


def for_wsdl(switches: Iterable[str], *, chapter4: bool) -> "PeerProfile":
    """How a service is described; those of chapter 4 look the same to everybody."""
    names = () if chapter4 else OF_WSDL
    which = "nothing does" if chapter4 else f"only {_or(names)} do"
    return _profile(switches, names, f"does not change this WSDL; {which}")


def _profile(switches: Iterable[str], names: Iterable[str], elsewhere: str) -> "PeerProfile":
    from gridroom.oscp.v10.profile import PeerProfile

    kinds, given = get_type_hints(PeerProfile), dict[str, Any]()
    for switch in switches:
        name, equals, value = switch.partition("=")
        if name not in kinds or not equals:
            _refuse(f"{switch!r} is no name=value with a switch of a peer profile: {', '.join(kinds)}")
        if name not in names:
            _refuse(f"{name} {elsewhere}")
        yes_or_no: dict[str, Any] = {"yes": True, "no": False}
        allowed = yes_or_no if kinds[name] is bool else {one: one for one in get_args(kinds[name])}
        if allowed and value not in allowed:
            _refuse(f"{name} is {_or(allowed)}, not {value!r}")
        given[name] = allowed.get(value, value)
    return PeerProfile(**given)


def _or(words: Iterable[str]) -> str:
    *most, last = words
    return f"{', '.join(most)} or {last}" if most else last


def _refuse(text: str) -> NoReturn:
    raise typer.BadParameter(text, param_hint="--set")
