"""Files that are no text: what they look like, and what to do with them."""

PARQUET = b"PAR1"
SPREADSHEETS = (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")
"""How files of spreadsheets begin: those of today (which are zip files), and those of before 2007."""

UTF16 = (b"\xff\xfe", b"\xfe\xff")
GZIP = b"\x1f\x8b"

HEAD = 10_000
"""So much of a file tells what it is. [bytes]"""


def strange(head: bytes) -> str:
    r"""Why a file cannot be read as CSV, JSON or Parquet, by its first bytes; empty when nothing speaks against it.

    >>> strange(b"cable,limit_a\n"), strange(b"PK\x03\x04...")
    ('', 'looks like a spreadsheet: save it as CSV')
    """
    if head.startswith(PARQUET):
        return ""
    if head.startswith(SPREADSHEETS):
        return "looks like a spreadsheet: save it as CSV"
    if head.startswith(UTF16) or (len(head) > 1 and 0 in head and (0 not in head[::2] or 0 not in head[1::2])):
        return "is UTF-16 text: save it as CSV in UTF-8"
    if head.startswith(GZIP):
        return "is compressed: unpack it first"
    return "is neither text nor Parquet; was it cut or damaged?" if 0 in head else ""
