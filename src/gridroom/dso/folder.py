"""The folder of a DSO: its configuration, its database, and files that are taken into it."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from gridroom.clock import WallClock
from gridroom.dso import recording, register
from gridroom.dso.config import FILE, DsoConfig, read
from gridroom.dso.office import opened
from gridroom.dso.readings.files import read_file, zone_named
from gridroom.dso.readings.measurements import HeaderError, Received
from gridroom.dso.readings.tables import Progress
from gridroom.dso.register import Imported
from gridroom.dso.rules import Office
from gridroom.dso.store import Store
from gridroom.storage import address, database
from gridroom.storage.database import Database

MIGRATIONS = "gridroom.dso.migrations"


def open_database(config: DsoConfig, *, alone: bool = False) -> Database:
    """The configured database at its latest migration; opened alone by the one DSO that runs on it.

    Raises:
        DatabaseError: It cannot be used.
    """
    return database.open(address.url(config.database), MIGRATIONS, alone=alone)


def look_at_database(config: DsoConfig) -> Database:
    """The configured database as it is, for who only looks.

    Raises:
        DatabaseError: Nothing is there yet, it is not at its latest migration, or it cannot be used.
    """
    return database.look(address.url(config.database), MIGRATIONS)


def load(folder: Path) -> DsoConfig:
    """The configuration in a folder, its paths made usable.

    Raises:
        ConfigError: It cannot be used; the text names every place that is wrong.
    """
    return read(folder / FILE).within(folder)


def open_office(config: DsoConfig, db: Database, now: datetime | None = None) -> Office:
    """The register in a database, and the rules of its configuration.

    Args:
        config: The configuration.
        db: Its database.
        now: The present moment; by the wall clock when not given. [UTC]

    Raises:
        ConfigError: The register names what the configuration does not.
    """
    with db.transact() as tx:
        return opened(config, tx, now or WallClock().now()).office


def import_register(
    folder: Path, files: Sequence[Path], *, replace: bool = False, now: datetime | None = None
) -> Imported:
    """Take files of the register into the database of a folder: all of them, or nothing when there is an error.

    Args:
        folder: Folder of the DSO.
        files: CSV files and grid models; see docs/register.md.
        replace: The files are the whole of the kinds that they are about.
        now: The present moment; by the wall clock when not given. [UTC]

    Raises:
        ConfigError: The configuration cannot be used.
        DatabaseError: The database cannot be used.
        OSError: A file cannot be read.
    """
    config = load(folder)
    db = open_database(config)
    parties, classes = {one.party for one in config.peer}, {one.name for one in config.risk_class}
    try:
        with db.transact() as tx:
            return register.import_files(tx, files, parties, classes, now or WallClock().now(), replace=replace)
    finally:
        db.close()


def import_measurements(
    folder: Path,
    file: Path,
    zone: str | None = None,
    now: datetime | None = None,
    progress: Progress | None = None,
    *,
    replace: bool = False,
) -> Received:
    """Take a file of measurements into the database of a folder, cable by cable; a file that comes again adds nothing.

    Args:
        folder: Folder of the DSO.
        file: CSV or Parquet, long or wide; see docs/measurements.md.
        zone: Whose clock times without a zone were read from, such as Europe/Amsterdam; None refuses them.
        now: The present moment, which tells what is too old to be kept; by the wall clock when not given. [UTC]
        progress: Is told how much is done, and how much there is: reading and storing are half of it each.
        replace: What it tells takes the place of what is stored.

    Raises:
        ConfigError: The configuration cannot be used.
        DatabaseError: The database cannot be used.
        DeliveryError: The file is no file of measurements, or there is no such zone.
        OSError: The file cannot be read.
    """
    config, moment = load(folder), now or WallClock().now()
    db = open_database(config)
    tell = progress or (lambda _done, _whole: None)
    try:
        office = open_office(config, db, moment)
        try:
            delivery = read_file(file, office.rules.block, zone_named(zone), lambda done, whole: tell(done, 2 * whole))
        except HeaderError as error:
            raise HeaderError(f"{error}; {register.FORM}") from error
        received, n = delivery.received, len(delivery.series)
        for i, (cable, series) in enumerate(delivery.series.items()):
            with db.transact() as tx:
                store = Store(tx, office.rules.block)
                received.add(recording.record_series(store, office, {cable: series}, moment, replace=replace))
            tell(n + i + 1, 2 * n)
        return received
    finally:
        db.close()
