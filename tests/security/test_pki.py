"""The development authority and its certificates."""

import stat
from pathlib import Path

import pytest
from cryptography import x509

from gridroom.oscp.io.identity import party_of
from gridroom.security import pki
from gridroom.security.pki import PkiError


def der(path: Path) -> bytes:
    from cryptography.hazmat.primitives.serialization import Encoding

    return x509.load_pem_x509_certificate(path.read_bytes()).public_bytes(Encoding.DER)


def test_a_certificate_proves_the_party_it_was_issued_to(tmp_path: Path) -> None:
    pki.init(tmp_path)
    cert, _ = pki.issue(tmp_path, "dso-noord")
    assert party_of(der(cert)) == "dso-noord"


def test_a_stations_certificate_proves_no_party(tmp_path: Path) -> None:
    pki.init(tmp_path)
    cert, _ = pki.issue(tmp_path, "CS-1", kind="station")
    assert party_of(der(cert)) is None
    assert party_of(der(cert), kind="station") == "CS-1"


def test_private_keys_are_for_their_owner_only(tmp_path: Path) -> None:
    ca = pki.init(tmp_path / "new" / "pki")
    _, key = pki.issue(tmp_path / "new" / "pki", "cso", into=tmp_path / "cso")
    assert key == tmp_path / "cso" / "cso.key"
    assert [stat.S_IMODE(path.stat().st_mode) for path in (ca.key, key)] == [0o600, 0o600]


def test_only_a_party_may_serve(tmp_path: Path) -> None:
    pki.init(tmp_path)
    cert, _ = pki.issue(tmp_path, "meter-1", kind="meter")
    usage = x509.load_pem_x509_certificate(cert.read_bytes()).extensions
    assert list(usage.get_extension_for_class(x509.ExtendedKeyUsage).value) == [x509.OID_CLIENT_AUTH]


def test_an_authority_is_never_overwritten(tmp_path: Path) -> None:
    ca = pki.init(tmp_path)
    before = ca.key.read_bytes()
    with pytest.raises(PkiError, match="never overwritten"):
        pki.init(tmp_path)
    assert ca.key.read_bytes() == before


def test_a_certificate_is_not_overwritten(tmp_path: Path) -> None:
    pki.init(tmp_path)
    pki.issue(tmp_path, "cso")
    with pytest.raises(PkiError, match=r"cso\.pem exists; remove it"):
        pki.issue(tmp_path, "cso")


@pytest.mark.parametrize("name", ["", "ca", "../evil", "a b", "x" * 65, ".hidden", "a/b", "a\n"])
def test_a_name_that_is_no_file_name_is_refused(tmp_path: Path, name: str) -> None:
    pki.init(tmp_path)
    with pytest.raises(PkiError, match="cannot name a certificate"):
        pki.issue(tmp_path, name)


def test_without_an_authority_the_error_says_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(PkiError, match=r"no authority in .*pki init"):
        pki.issue(tmp_path, "cso")


def test_a_broken_authority_is_named(tmp_path: Path) -> None:
    ca = pki.init(tmp_path)
    ca.key.write_text("nonsense")
    with pytest.raises(PkiError, match="cannot be read"):
        pki.issue(tmp_path, "cso")


def test_the_key_of_another_authority_is_noticed(tmp_path: Path) -> None:
    ca = pki.init(tmp_path / "one")
    other = pki.init(tmp_path / "two")
    ca.key.write_bytes(other.key.read_bytes())
    with pytest.raises(PkiError, match="is not the key of"):
        pki.issue(tmp_path / "one", "cso")


def test_a_host_that_is_none_is_refused(tmp_path: Path) -> None:
    pki.init(tmp_path)
    with pytest.raises(PkiError, match="neither a DNS name nor an IP address"):
        pki.issue(tmp_path, "cso", hosts=("münchen",))
    assert not (tmp_path / "cso.key").exists()


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PkiError, match="cannot be made"):
        pki.init(tmp_path / "file")
