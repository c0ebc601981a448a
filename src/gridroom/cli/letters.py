"""Commands of the protocol by itself: messages as JSON and as XML, what a deviation means, service descriptions."""

import json
import re
import shutil
import textwrap
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any
from uuid import uuid4

import typer

from gridroom.cli.shell import plainly, read, write

if TYPE_CHECKING:
    from gridroom.oscp.v10.profile import PeerProfile

app = typer.Typer()

NOT_WRITING = ("phases", "shape", "sender_fault_status", "max_cables_per_message", "heartbeat")
"""Switches of a peer profile that decide what is said at all, not how one message is written."""


class Service(StrEnum):
    """Whose service a WSDL describes, by the name of its files."""

    DSO = "dso"
    CSP = "csp"
    CP = "cp"
    CS = "cs"


@app.command()
def decode(
    file: Annotated[Path, typer.Argument(help="A SOAP message of OSCP 1.0; - reads standard input.", allow_dash=True)],
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell in words what each deviation means, instead of JSON.")
    ] = False,
) -> None:
    """Print an OSCP message as JSON: message, header, body, deviations; exit 1 when any part must be refused."""
    from gridroom.oscp.v10 import render, soap

    with plainly():
        shown = render.as_json(soap.read_any(read(file)))
        if explain:
            typer.echo("\n".join(_explained(shown)))
        else:
            typer.echo(json.dumps(shown, indent=2, ensure_ascii=False))
        refused = shown["body"].get("refused", [])
        for one in refused:
            typer.echo(f"gridroom: {one['path']}: {one['Message']}", err=True)
        if refused:
            raise typer.Exit(1)


@app.command()
def encode(
    file: Annotated[Path, typer.Argument(help="JSON as decode prints it; - reads standard input.", allow_dash=True)],
    out: Annotated[Path | None, typer.Option("--out", "-o", help="Where to write; standard output without it.")] = None,
    switches: Annotated[
        list[str] | None,
        typer.Option("--set", help="A switch of the peer profile, such as ends=exclusive; may be repeated."),
    ] = None,
) -> None:
    """Write a message that stands as JSON as XML; a missing MessageID, DateTime or Priority is filled in."""
    from gridroom.oscp.v10 import compose

    profile = _profile(switches or [])
    with plainly():
        now = datetime.now(UTC)
        write(out, compose.encode(read(file), message_id=str(uuid4()), now=now, profile=profile))


@app.command()
def wsdl(
    service: Annotated[
        Service, typer.Argument(help="OSCP 1.0: dso or csp; its chapter 4: cp (controller) or cs (CSO).")
    ],
    url: Annotated[str, typer.Option(help="Where the service is reached.")] = "https://localhost/service",
    out: Annotated[Path | None, typer.Option(help="A folder for the WSDL and its schema, as two files.")] = None,
    switches: Annotated[
        list[str] | None,
        typer.Option("--set", help="OSCP 1.0: a switch of the peer profile, soap=1.1 or adjustment_first=no."),
    ] = None,
) -> None:
    """Print the WSDL of a service, its schema inside, or write both as files."""
    from gridroom.ocpp.draft20 import wsdl as chapter4
    from gridroom.oscp.v10 import messages
    from gridroom.oscp.v10 import wsdl as oscp

    if not re.fullmatch(r"https?://[!-~]+", url):
        raise typer.BadParameter(f"{url!r} is no address like https://grid.example/oscp", param_hint="--url")
    profile = _profile(switches or [])
    namespaces = {Service.DSO: messages.DSO_NAMESPACE, Service.CSP: messages.CSP_NAMESPACE}
    with plainly():
        if service in namespaces:
            described = (namespaces[service], url, profile)
            whole, files = oscp.load(*described), oscp.documents(*described)
        else:
            whole, files = chapter4.load(service, url), chapter4.documents(service, url)
        if out is None:
            write(None, whole)
            return
        out.mkdir(parents=True, exist_ok=True)
        for name, data in files.items():
            (out / name).write_bytes(data)
            typer.echo(out / name)


def _profile(switches: list[str]) -> "PeerProfile":
    """A peer profile from `name=value` texts."""
    import msgspec

    from gridroom.oscp.v10.profile import PeerProfile

    names = [name for name in PeerProfile.__dataclass_fields__ if name not in NOT_WRITING]
    given = dict(switch.split("=", 1) for switch in switches if "=" in switch)
    strange = [switch for switch in switches if switch.partition("=")[0] not in names or "=" not in switch]
    if strange:
        raise typer.BadParameter(
            f"{strange[0]!r} is no name=value with a name of {', '.join(names)}", param_hint="--set"
        )
    yes_or_no: dict[str, Any] = {"yes": True, "no": False}
    try:
        return msgspec.convert(
            {name: yes_or_no.get(value, value) for name, value in given.items()}, PeerProfile, strict=False
        )
    except msgspec.ValidationError as error:
        raise typer.BadParameter(str(error).replace("`$.", "`"), param_hint="--set") from error


def _explained(shown: dict[str, Any]) -> Iterator[str]:
    """A message's deviations in words, row by row."""
    from gridroom.oscp.v10.rows import explain

    width = min(shutil.get_terminal_size().columns, 120)
    header, deviations = shown["header"], shown["deviations"]
    parties = header.get("Parties")
    yield shown["message"] + (f" from {parties['senderID']} to {parties['receiverID']}" if parties else "")
    if not deviations:
        yield "Nothing in it had to be tolerated."
    for number in sorted({one["row"] for one in deviations}):
        row = explain(number)
        yield ""
        yield f"Row {number}: {row.title}"
        points = [("Here", f"{one['path']}: {one['text']}") for one in deviations if one["row"] == number]
        points += [("Says", row.says), *(("Read", one) for one in row.read), ("Written", row.written), ("Why", row.why)]
        for word, text in points:
            lead = f"  {word + ':':<9}"
            yield textwrap.fill(
                text, width, initial_indent=lead, subsequent_indent=" " * len(lead), break_on_hyphens=False
            )
