"""Commands of the protocol by itself: messages as JSON and as XML, what a deviation means, service descriptions."""

import json
import re
from datetime import UTC, datetime
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

import typer

from gridroom.cli import explaining, switches
from gridroom.cli.shell import plainly, read, write

if TYPE_CHECKING:
    from gridroom.oscp.v10.messages import Envelope, Fault

app = typer.Typer()


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
    from gridroom.oscp.v10 import render

    with plainly():
        shown = render.as_json(_message(read(file)))
        if explain:
            typer.echo("\n".join(explaining.explained(shown)))
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
    chosen: Annotated[
        list[str] | None,
        typer.Option("--set", help="A switch of the peer profile, such as ends=exclusive; may be repeated."),
    ] = None,
) -> None:
    """Write a message that stands as JSON as XML; a missing MessageID, DateTime or Priority is filled in."""
    from gridroom.oscp.errors import LocalError
    from gridroom.oscp.v10 import compose

    profile = switches.for_message(chosen or [])
    with plainly():
        data = read(file)
        if other := explaining.no_json(data):
            raise LocalError(other)
        write(out, compose.encode(data, message_id=str(uuid4()), now=datetime.now(UTC), profile=profile))


@app.command()
def wsdl(
    service: Annotated[
        Service, typer.Argument(help="OSCP 1.0: dso or csp; its chapter 4: cp (controller) or cs (CSO).")
    ],
    url: Annotated[str, typer.Option(help="Where the service is reached.")] = "https://localhost/service",
    out: Annotated[Path | None, typer.Option(help="A folder for the WSDL and its schema, as two files.")] = None,
    chosen: Annotated[
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
    namespaces = {Service.DSO: messages.DSO_NAMESPACE, Service.CSP: messages.CSP_NAMESPACE}
    profile = switches.for_wsdl(chosen or [], chapter4=service not in namespaces)
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


def _message(data: bytes) -> "Envelope | Fault":
    """Whatever OSCP 1.0 can say, in either version of SOAP; of anything else, the error tells what it is."""
    from gridroom.oscp.errors import LocalError, RemoteError
    from gridroom.oscp.v10 import soap

    if other := explaining.no_xml(data):
        raise LocalError(other)
    try:
        return soap.read_any(data, soap11=True)
    except RemoteError as error:
        if hint := explaining.of_chapter4(data):
            raise LocalError(f"{error}{hint}") from error
        raise
