"""TLS contexts, tried without sockets."""

import ssl
from pathlib import Path

import pytest

from gridroom.security import pki, tls
from gridroom.security.pki import PkiError


def shake(server: ssl.SSLContext, client: ssl.SSLContext, name: str = "localhost") -> ssl.SSLObject:
    """A handshake in memory, and a byte through it; the server's side of the connection."""
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    there = server.wrap_bio(to_server, to_client, server_side=True)
    here = client.wrap_bio(to_client, to_server, server_hostname=name)
    for _ in range(5):
        for side in (here, there):
            try:
                side.do_handshake()
            except ssl.SSLWantReadError:
                continue
    there.write(b"!")
    assert here.read() == b"!"
    return there


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    pki.init(tmp_path)
    for party in ("dso", "cso"):
        pki.issue(tmp_path, party)
    return tmp_path


def server(folder: Path, *, require_client: bool = True) -> ssl.SSLContext:
    return tls.server_context(folder / "dso.pem", folder / "dso.key", folder / "ca.pem", require_client=require_client)


def client(folder: Path, party: str = "cso") -> ssl.SSLContext:
    return tls.client_context(folder / f"{party}.pem", folder / f"{party}.key", folder / "ca.pem")


def test_two_parties_of_one_authority_meet_over_tls_1_3(folder: Path) -> None:
    met = shake(server(folder), client(folder))
    assert met.version() == "TLSv1.3"
    assert met.getpeercert(binary_form=True)


def test_the_certificates_stand_a_strict_look(folder: Path) -> None:
    here, there = client(folder), server(folder)
    here.verify_flags |= ssl.VERIFY_X509_STRICT  # what Python 3.13 does by itself
    there.verify_flags |= ssl.VERIFY_X509_STRICT
    assert shake(there, here)


def test_tls_1_2_still_works_and_1_1_does_not(folder: Path) -> None:
    old = client(folder)
    old.maximum_version = ssl.TLSVersion.TLSv1_2
    assert shake(server(folder), old).version() == "TLSv1.2"
    assert server(folder).minimum_version == client(folder).minimum_version == ssl.TLSVersion.TLSv1_2


def test_without_a_certificate_there_is_no_handshake(folder: Path) -> None:
    with pytest.raises(ssl.SSLError, match="PEER_DID_NOT_RETURN_A_CERTIFICATE"):
        shake(server(folder), tls.client_context(None, None, folder / "ca.pem"))


def test_where_certificates_are_optional_a_client_without_one_is_let_in(folder: Path) -> None:
    met = shake(server(folder, require_client=False), tls.client_context(None, None, folder / "ca.pem"))
    assert met.getpeercert(binary_form=True) is None


def test_a_certificate_of_another_authority_is_refused(folder: Path) -> None:
    other = folder / "other"
    pki.init(other)
    pki.issue(other, "cso")
    stranger = tls.client_context(other / "cso.pem", other / "cso.key", folder / "ca.pem")
    for require_client in (True, False):
        with pytest.raises(ssl.SSLError, match="CERTIFICATE_VERIFY_FAILED"):
            shake(server(folder, require_client=require_client), stranger)


def test_a_server_that_is_not_the_named_host_is_refused(folder: Path) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
        shake(server(folder), client(folder), "elsewhere.example")


def test_a_meters_certificate_cannot_serve(folder: Path) -> None:
    pki.issue(folder, "meter", kind="meter")
    posing = tls.server_context(folder / "meter.pem", folder / "meter.key", folder / "ca.pem")
    with pytest.raises(ssl.SSLCertVerificationError):
        shake(posing, client(folder))


def test_sessions_are_not_resumed(folder: Path) -> None:
    context = server(folder)
    assert context.num_tickets == 0
    assert context.options & ssl.OP_NO_TICKET


def test_a_missing_file_is_named(folder: Path) -> None:
    with pytest.raises(PkiError, match=r"gone\.pem cannot be read: No such file"):
        tls.server_context(folder / "gone.pem", folder / "dso.key", folder / "ca.pem")
    with pytest.raises(PkiError, match=r"gone\.pem cannot be read"):
        tls.client_context(None, None, folder / "gone.pem")


def test_the_key_of_another_certificate_is_named(folder: Path) -> None:
    with pytest.raises(PkiError, match=r"cso\.key is not the .*key of the certificate .*dso\.pem"):
        tls.server_context(folder / "dso.pem", folder / "cso.key", folder / "ca.pem")


def test_an_authority_file_without_certificate_is_named(folder: Path) -> None:
    (folder / "empty.pem").write_text("")
    with pytest.raises(PkiError, match=r"empty\.pem holds no certificate"):
        tls.client_context(None, None, folder / "empty.pem")
