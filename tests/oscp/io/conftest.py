"""A development authority, and sockets on loopback."""

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest

from gridroom.security import pki, tls

ClientContext = Callable[[str | None], ssl.SSLContext]


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Certificates of one authority, and in `other` those of another."""
    folder = tmp_path_factory.mktemp("pki")
    for place in (folder, folder / "other"):
        pki.init(place)
        pki.issue(place, "dso")
        pki.issue(place, "cso")
    pki.issue(folder, "station", kind="station")
    return folder


@pytest.fixture
def server_context(keys: Path) -> ssl.SSLContext:
    return tls.server_context(keys / "dso.pem", keys / "dso.key", keys / "ca.pem")


@pytest.fixture
def client_context(keys: Path) -> ClientContext:
    """Context of a client by the name of its certificate; None for one without."""

    def make(name: str | None) -> ssl.SSLContext:
        if name is None:
            return tls.client_context(None, None, keys / "ca.pem")
        return tls.client_context(keys / f"{name}.pem", keys / f"{name}.key", keys / "ca.pem")

    return make
