"""The register: substations, transformers, cables, connections and contracts, in the DSO's database."""

from gridroom.dso.register.checks import check
from gridroom.dso.register.entries import Batch, Connection, Entries, entries_of, merged, register
from gridroom.dso.register.importing import Imported, import_files, is_register
from gridroom.dso.register.rows import FORM, read_csv
from gridroom.dso.register.strange import HEAD, strange
from gridroom.dso.register.tables import read, revision, write

__all__ = [
    "FORM",
    "HEAD",
    "Batch",
    "Connection",
    "Entries",
    "Imported",
    "check",
    "entries_of",
    "import_files",
    "is_register",
    "merged",
    "read",
    "read_csv",
    "register",
    "revision",
    "strange",
    "write",
]
