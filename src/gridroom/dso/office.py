"""The register as stored and the rules as configured, together: what the use cases work with."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa

from gridroom.config import ConfigError
from gridroom.dso import promises, register
from gridroom.dso.cables import Finding
from gridroom.dso.config import DsoConfig
from gridroom.dso.register import Entries
from gridroom.dso.rules import Office
from gridroom.dso.tables import LOADS, PLANS
from gridroom.timegrid import DAY


@dataclass(frozen=True)
class Furnished:
    """An office, and what it was made of.

    Attributes:
        office: Cables and rules.
        revision: Of the register; another one means that it was changed.
        ended: Cables and CSOs whose contract has ended while the CSO may still hold a forecast.
        findings: Contracts of CSOs that are not configured, left out; what else the operator should know.
        warnings: What in the register is allowed and looks wrong.
    """

    office: Office
    revision: int
    ended: tuple[tuple[str, str], ...]
    findings: tuple[Finding, ...]
    warnings: tuple[Finding, ...]


def furnish(config: DsoConfig, tx: sa.Connection, now: datetime) -> Furnished:
    """Read the register; contracts of unknown CSOs do not count.

    Args:
        config: The configuration.
        tx: A transaction of the DSO's database.
        now: The present moment. [UTC]

    Raises:
        ConfigError: The blocks of the database have another length than those of the configuration.
    """
    _check_blocks(tx, config.rules().block)
    entries, parties = register.read(tx), {one.party for one in config.peer}
    findings = register.check(entries, parties, {one.name for one in config.risk_class})
    contracts = {key: one for key, one in entries.contracts.items() if one.party in parties}
    known = Entries(entries.substations, entries.transformers, entries.cables, entries.connections, contracts)
    ended = tuple(one for one in promises.holders(tx, contracts, now) if one[0] in entries.cables)
    office = Office(register.register(known, ended), config.rules())
    strangers = [
        Finding(f"meter {meter.party!r}", f"there is no cable {cable!r} in the register", "warning")
        for meter in config.meter
        for cable in sorted(set(meter.cables) - entries.cables.keys() - office.register.nodes.keys())
    ]
    errors = (one for one in findings if one.severity == "error")
    warnings = tuple(one for one in findings if one.severity == "warning")
    return Furnished(office, register.revision(tx), ended, (*errors, *strangers), warnings)


def opened(config: DsoConfig, tx: sa.Connection, now: datetime) -> Furnished:
    """The same when a DSO begins: what does not fit its configuration is refused.

    Raises:
        ConfigError: The register names what the configuration does not; the text tells all of it.
    """
    furnished = furnish(config, tx, now)
    errors = [one for one in furnished.findings if one.severity == "error"]
    if errors:
        raise ConfigError("\n".join(f"the register does not fit dso.toml: {one}" for one in errors))
    return furnished


def _check_blocks(tx: sa.Connection, block: timedelta) -> None:
    """See that what is stored has blocks of that length."""
    for sheet in (LOADS, PLANS):
        cells = tx.scalar(sa.select(sheet.table.c[next(iter(sheet.blanks))]).limit(1))
        if cells is not None and DAY // block != cells.shape[1]:
            was, asked = (int(one.total_seconds()) for one in (DAY / cells.shape[1], block))
            raise ConfigError(
                f"dso.toml: `publish.block_s` is {asked}, but the database was begun with blocks of {was} s: "
                f"set it to {was}, or name another `database`"
            )
