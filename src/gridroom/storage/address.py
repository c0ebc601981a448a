"""Where a database is: a file beside the configuration, or PostgreSQL. A password in it is never shown."""

from ipaddress import ip_address
from pathlib import Path

import sqlalchemy as sa

POSTGRES = "postgresql+psycopg"
FORM = "write postgresql://user@host/database, and @ and % in a password as %40 and %25"


class AddressError(Exception):
    """A text that names no database; it is not quoted, for it may hold a password."""


def within(text: str, folder: Path) -> str:
    """What the key `database` names: a file is taken from a folder, a URL stays.

    >>> within("dso.db", Path("/grid")), within("postgresql://dso@/dso", Path("/grid"))
    ('/grid/dso.db', 'postgresql://dso@/dso')
    """
    return text if "://" in text else str(folder / text)


def url(text: str) -> str:
    """A file or a URL as a URL.

    >>> url("/grid/dso.db"), url("postgresql://dso@/dso")
    ('sqlite:////grid/dso.db', 'postgresql://dso@/dso')
    """
    return text if "://" in text else f"sqlite:///{Path(text).absolute()}"


def parse(text: str) -> sa.URL:
    """A URL in its parts.

    Raises:
        AddressError: It is none of ours.
    """
    try:
        found = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError):
        raise AddressError(f"is no URL of a database; {FORM}") from None
    if found.drivername == "sqlite":
        return found
    if found.drivername not in ("postgresql", POSTGRES):
        raise AddressError(f"{found.drivername} is neither sqlite nor postgresql; {FORM}")
    if "@" in f"{found.host}{found.database}" or not (found.database or "service" in found.query):
        raise AddressError(f"is no URL of a database; {FORM}")
    return found.set(drivername=POSTGRES)


def shown(address: sa.URL) -> str:
    """A URL as people may see it, passwords masked.

    >>> shown(parse("postgresql://dso:secret@grid.example/dso?sslpassword=other&sslmode=require"))
    'postgresql://dso:***@grid.example/dso?sslmode=require&sslpassword=***'
    """
    masks = {key: "***" for key in address.query if "password" in key}
    told = address.update_query_dict(masks).render_as_string(hide_password=True)
    return told.replace(POSTGRES, "postgresql", 1).replace("%2A", "*")


def secrets(address: sa.URL) -> set[str]:
    """The passwords in a URL."""
    query = {value for key, value in address.query.items() if "password" in key and isinstance(value, str)}
    return {text for text in {str(address.password or ""), *query} if text}


def remote(address: sa.URL) -> bool:
    """Whether the way to the server leaves this machine.

    >>> [remote(parse(f"postgresql://{rest}")) for rest in ("/dso", "[::1]/dso", "/dso?host=/run/postgresql")]
    [False, False, False]
    >>> remote(parse("postgresql://grid.example/dso")), remote(parse("postgresql:///dso?host=a:5432&host=b:5432"))
    (True, True)
    """
    named = address.query.get("hostaddr") or address.query.get("host") or address.host or ""
    return any(_far(host) for one in ([named] if isinstance(named, str) else named) for host in one.split(","))


def _far(host: str) -> bool:
    if not host or host.startswith(("/", "@")) or host == "localhost":
        return False
    try:
        return not ip_address(host).is_loopback
    except ValueError:
        return True
