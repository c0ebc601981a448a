"""Programs written with other SOAP toolkits: how they are told what to call, and what they tell.

Each reads its task from environment variables and prints one fact a line: step, name, value, with tabs between.
"""

import asyncio
import os
import shutil
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from gridroom.oscp.v10 import wsdl
from gridroom.oscp.v10.messages import CSP_NAMESPACE, DSO_NAMESPACE
from gridroom.oscp.v10.profile import DEFAULT, PeerProfile
from offices_online import CABLE, Online

HERE = Path(__file__).parent
SECONDS = 120
"""How long one program may take. [s]"""


@dataclass(frozen=True)
class Task:
    """One service to be called, by whom.

    Attributes:
        url: The service.
        namespace: Which of the two it is.
        sender, receiver: The parties.
        certificate, key: Of the sender.
        ca: Whom to trust.
    """

    url: str
    namespace: str
    sender: str
    receiver: str
    certificate: Path
    key: Path
    ca: Path

    @property
    def served(self) -> str:
        """Where the service publishes its WSDL."""
        return f"{self.url}?wsdl"

    def files(self, folder: Path, profile: PeerProfile = DEFAULT) -> str:
        """The WSDL and its schema as `gridroom wsdl --out` writes them; gives the WSDL's path."""
        for name, data in wsdl.documents(self.namespace, self.url, profile).items():
            (folder / name).write_bytes(data)
        return str(folder / f"{wsdl.FILES[self.namespace]}.wsdl")

    def pem(self, folder: Path) -> Path:
        """Certificate and key in one file, as gSOAP wants them."""
        both = folder / f"{self.sender}-both.pem"
        both.write_text(self.certificate.read_text() + self.key.read_text())
        return both


Toolkit = Callable[[Task, str, Path], Awaitable[Sequence[str]]]
"""Gives the command that does a task: built from a WSDL (URL or path) in a folder where the toolkit needs that."""


def script(*command: str) -> Toolkit:
    """A toolkit that reads the WSDL when it runs."""

    async def ready(task: Task, described: str, folder: Path) -> Sequence[str]:
        return command

    return ready


ZEEP = script(sys.executable, str(HERE / "python" / "zeep_client.py"))
PHP = script("php", str(HERE / "php" / "client.php"))
NODE_SOAP = script("node", str(HERE / "node" / "soap.js"))
STRONG_SOAP = script("node", str(HERE / "node" / "strong-soap.js"))


def to_cso(offices: Online) -> Task:
    """A DSO's program calls the CSO's service."""
    return Task(offices.cso_url, CSP_NAMESPACE, "dso", "cso", *offices.files("dso"), offices.ca)


def to_dso(offices: Online) -> Task:
    """A CSO's program calls the DSO's service."""
    return Task(offices.dso_url, DSO_NAMESPACE, "cso", "dso", *offices.files("cso"), offices.ca)


@dataclass(frozen=True)
class Facts:
    """What a program told of one step, by name, in order."""

    said: Mapping[str, tuple[str, ...]]

    def one(self, name: str) -> str:
        """The only value of a name."""
        (value,) = self.said[name]
        return value

    @property
    def amounts(self) -> dict[str, list[tuple[Decimal, str, str]]]:
        """Granted and left: value, unit, phase (`-` for none)."""
        found = {}
        for name in ("granted", "left"):
            split = [line.split() for line in self.said.get(name, ())]
            found[name] = [(Decimal(value), unit, phase) for value, unit, phase in split]
        return found

    @property
    def block(self) -> tuple[str, datetime, datetime]:
        """Cable, start and end of the only block."""
        cable, start, end = self.one("block").split()
        return cable, datetime.fromisoformat(start), datetime.fromisoformat(end)

    @property
    def codes(self) -> list[str]:
        """Codes of the details."""
        return [line.split()[0] for line in self.said["detail"]]


async def run(
    toolkit: Toolkit, task: Task, described: str, folder: Path, *, start: datetime, **more: str
) -> dict[str, Facts]:
    """Run a toolkit's program to its end.

    Args:
        toolkit: Which one.
        task: What it calls.
        described: Where its WSDL is.
        folder: For what it needs on disk.
        start: Of the block that it speaks of. [UTC]
        **more: Further environment variables.
    """
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "OSCP_WSDL": described,
        "OSCP_URL": task.url,
        "OSCP_NAMESPACE": task.namespace,
        "OSCP_SENDER": task.sender,
        "OSCP_RECEIVER": task.receiver,
        "OSCP_CERT": str(task.certificate),
        "OSCP_KEY": str(task.key),
        "OSCP_PEM": str(task.pem(folder)),
        "OSCP_CA": str(task.ca),
        "OSCP_CABLE": CABLE,
        "OSCP_START": start.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        **more,
    }
    out, said = await execute(await toolkit(task, described, folder), environment)
    steps: dict[str, dict[str, list[str]]] = {}
    for line in out.splitlines():
        step, name, value = line.split("\t")
        steps.setdefault(step, {}).setdefault(name, []).append(value)
    assert steps, said
    return {step: Facts({name: tuple(values) for name, values in facts.items()}) for step, facts in steps.items()}


async def execute(
    command: Sequence[str], environment: Mapping[str, str], folder: Path | None = None
) -> tuple[str, str]:
    """Run a program in a folder; gives what it printed and what it complained."""
    present(command[0])
    process = await asyncio.create_subprocess_exec(
        *command, env=dict(environment), cwd=folder, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(SECONDS):
            out, complaint = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, f"{command}: {complaint.decode()}\n{out.decode()}"
    return out.decode(), complaint.decode()


def present(program: str) -> None:
    """See that a program is there.

    Raises:
        AssertionError: It is not; says what to do.
    """
    if program == "node":
        assert (HERE / "node_modules").is_dir(), "npm's packages are missing: `make test` fetches them"
    assert shutil.which(program) or Path(program).exists(), f"{program} is missing: run scripts/foreign-tools"


def near(text: str) -> bool:
    """Whether a moment is the present one, give or take a minute."""
    return abs(datetime.fromisoformat(text) - datetime.now(UTC)) < timedelta(minutes=1)
