"""Who is speaking, by certificate."""

import hashlib
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from gridroom.oscp.io.identity import certificate_of, party_of


def certificate(*uris: str, name: str = "a.example") -> bytes:
    """A certificate with some URIs in it, DER."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now)
        .not_valid_after(now + timedelta(days=1))
    )
    if uris:
        alternatives = [x509.UniformResourceIdentifier(uri) for uri in uris]
        builder = builder.add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.DER)


def test_the_uri_names_the_party() -> None:
    assert party_of(certificate("urn:gridroom:party:cso-zuid")) == "cso-zuid"


def test_other_uris_do_not_matter() -> None:
    assert party_of(certificate("https://a.example/", "urn:gridroom:party:cso")) == "cso"


def test_a_certificate_of_two_parties_proves_neither() -> None:
    assert party_of(certificate("urn:gridroom:party:one", "urn:gridroom:party:two")) is None


def test_a_certificate_without_uri_proves_no_party() -> None:
    assert party_of(certificate()) is None


def test_a_common_name_alone_is_not_believed() -> None:
    assert party_of(certificate(name="urn:gridroom:party:cso")) is None


def test_a_foreign_certificate_is_known_by_its_fingerprint_however_written() -> None:
    der = certificate()
    digest = hashlib.sha256(der).hexdigest()
    colons = ":".join(digest[i : i + 2] for i in range(0, 64, 2)).upper()
    assert party_of(der, {f"sha256:{digest}": "cso"}) == "cso"
    assert party_of(der, {f"SHA256:{colons}": "cso"}) == "cso"
    assert party_of(certificate(), {f"sha256:{digest}": "cso"}) is None


def test_a_foreign_certificate_is_known_by_its_common_name() -> None:
    assert party_of(certificate(name="cso.example"), {"cn:cso.example": "cso"}) == "cso"


def test_the_configuration_goes_before_the_uri() -> None:
    der = certificate("urn:gridroom:party:old", name="cso.example")
    assert party_of(der, {"cn:cso.example": "new"}) == "new"
    assert party_of(der, {"cn:else.example": "new"}) == "old"


def test_a_configuration_that_contradicts_itself_proves_nothing() -> None:
    der = certificate(name="cso.example")
    digest = hashlib.sha256(der).hexdigest()
    assert party_of(der, {"cn:cso.example": "one", f"sha256:{digest}": "two"}) is None


def test_nonsense_proves_no_party() -> None:
    assert party_of(b"nonsense") is None


def test_a_stations_certificate_is_no_partys(keys: Path) -> None:
    der = x509.load_pem_x509_certificate((keys / "station.pem").read_bytes()).public_bytes(serialization.Encoding.DER)
    assert (party_of(der), party_of(der, kind="station")) == (None, "station")


def test_a_request_without_tls_has_no_certificate() -> None:
    assert certificate_of({"type": "http"}) is None
