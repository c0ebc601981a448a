"""Files become the register: all that they say, or nothing with all the reasons."""

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import sqlalchemy as sa

from gridroom.dso import promises
from gridroom.dso.cables import Finding
from gridroom.dso.register import rows, tables
from gridroom.dso.register.checks import check
from gridroom.dso.register.entries import KINDS, Batch, Entries, Kind, merged, named
from gridroom.dso.register.json_files import is_grid, read_json
from gridroom.dso.register.strange import HEAD, strange

LARGEST_FILE = 256 * 2**20
"""Longest file that is read. [bytes]"""


@dataclass(frozen=True)
class Imported:
    """What became of an import.

    Attributes:
        changes: How many entries of each kind were added, changed or removed.
        findings: All that is wrong (then nothing is stored) or worth knowing.
        without_cso: Connections in the register that are of no CSO: no forecast names them.
    """

    changes: dict[Kind, int] = field(default_factory=dict)
    findings: list[Finding] = field(default_factory=list)
    without_cso: int = 0

    @property
    def stored(self) -> bool:
        """Whether the register is now as the files say."""
        return not any(one.severity == "error" for one in self.findings)

    @property
    def words(self) -> str:
        """It all in a line.

        >>> Imported({"cables": 2, "contracts": 0}).words, Imported({}, [Finding("x", "bad")]).words
        ('2 cables changed', 'nothing stored: 1 error')
        """
        errors = sum(one.severity == "error" for one in self.findings)
        if errors:
            return f"nothing stored: {errors} error{'s' if errors > 1 else ''}"
        told = [f"{count} {kind if count > 1 else kind[:-1]}" for kind, count in self.changes.items() if count]
        none = f"; {self.without_cso} of the connections in the register have no CSO"
        shown = none if self.changes.get("connections") and self.without_cso else ""
        return f"{', '.join(told)} changed{shown}" if told else "nothing changed"


def is_register(file: Path) -> bool:
    """Whether a file is about the register, by its content.

    Raises:
        OSError: It cannot be read.
    """
    with file.open("rb") as stream:
        head = stream.read(HEAD).decode("utf-8-sig", errors="replace")
    return rows.is_register(head) or is_grid(head)


def import_files(
    tx: sa.Connection,
    files: Sequence[Path],
    parties: Collection[str],
    risk_classes: Collection[str],
    now: datetime,
    *,
    replace: bool = False,
) -> Imported:
    """Take files into the register, in the transaction: all of them, or nothing when there is an error.

    Args:
        tx: A transaction of the DSO's database.
        files: In any order; an entry may name one that stands in another file.
        parties: The CSOs that are known as peers.
        risk_classes: The classes that are configured.
        now: The present moment. [UTC]
        replace: The files are the whole of the kinds that they are about.

    Raises:
        OSError: A file cannot be read.
    """
    batch = Batch()
    for file in files:
        _read(file, batch)
    old = tables.read(tx)
    new = merged(old, batch, replace_kinds=replace)
    before = {one for one in check(old, parties, risk_classes) if one.severity == "warning"}
    checked = check(new, parties, risk_classes, batch)
    checked = _told_once(checked, old, new) if replace else checked
    findings = [*batch.findings, *(one for one in checked if one not in before), *_held(tx, old, new, batch, now)]
    if any(one.severity == "error" for one in findings):
        return Imported(findings=findings)
    older = sum(one in before for one in checked)
    if older:
        text = f"{older} older warning{'s' if older > 1 else ''} about other entries: `gridroom dso cables` lists them"
        findings.append(Finding("register", text, "warning"))
    without_cso = sum(not one.party for one in new.connections.values())
    return Imported(tables.write(tx, new), findings, without_cso)


def _read(file: Path, batch: Batch) -> None:
    if file.stat().st_size > LARGEST_FILE:
        batch.unread |= set(KINDS)
        batch.fault(file.name, f"is larger than {LARGEST_FILE >> 20} MiB: import it in parts")
        return
    data = file.read_bytes()
    if why := strange(data[:HEAD]):
        batch.unread |= set(KINDS)
        batch.fault(file.name, why)
        return
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        batch.unread |= set(KINDS)
        row = data.count(b"\n", 0, error.start) + 1
        batch.fault(f"{file.name} row {row}", "is no UTF-8 text: save it as CSV in UTF-8")
        return
    if is_grid(text):
        read_json(text, file.name, batch)
    else:
        rows.read_csv(text, file.name, batch)


def _told_once(findings: list[Finding], old: Entries, new: Entries) -> list[Finding]:
    """Of entries that are taken out, what is left below them is not told one by one."""
    gone: dict[Kind, list[str]] = {kind: sorted(old.of(kind).keys() - new.of(kind).keys()) for kind in KINDS[:3]}
    for kind, ids in gone.items():
        texts = {f"there is no {kind.removesuffix('s')} {one!r}" for one in ids}
        missing = [one for one in findings if one.severity == "error" and one.text in texts]
        left = {named(one, key): one for one in KINDS for key in new.of(one)} if missing else {}
        orphans = {one: left[one.where] for one in missing if one.where in left}  # others stand in these files
        if orphans:
            kinds = [one for one in KINDS if one in orphans.values()]
            files = " and ".join(f"{one}.csv" for one in kinds)
            first = next(iter(orphans)).where
            more = f"{first} and {len(orphans) - 1} more" if len(orphans) > 1 else first
            text = f"would be taken out, but {more} would be left: with --replace give {files} too"
            where = f"{named(kind, ids[0])}{f' and {len(ids) - 1} more' if len(ids) > 1 else ''}"
            findings = [Finding(where, text), *(one for one in findings if one not in orphans)]
    return findings


def _held(tx: sa.Connection, old: Entries, new: Entries, batch: Batch, now: datetime) -> Iterator[Finding]:
    """A cable does not go while a CSO may use it: nobody could tell that CSO any more."""
    gone = {one for one in old.cables.keys() - new.cables.keys() if not batch.misses("cables", one)}
    if not gone:
        return
    kept = {(cable, party) for cable, party in old.contracts if cable not in gone}
    for cable, party in promises.holders(tx, kept, now):
        if cable in gone:
            text = f"{party!r} may still hold a forecast: take its contract out first, and the cable a day later"
            yield Finding(f"cable {cable!r}", text)


assert set(rows.COLUMNS) == set(KINDS)  # noqa: S101 - a file for each kind
