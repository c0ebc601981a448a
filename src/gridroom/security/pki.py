"""One development certificate authority per folder: `ca.pem`, `ca.key`, and the certificates it signed.

For trying out and for tests. In production certificates come from an official CA. Source: OSCP 1.0 section 5.2.
"""

import ipaddress
import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Literal

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Kind = Literal["party", "station", "meter"]
"""What a certificate speaks for: a company, a charge station, a substation meter."""

CA_LIFETIME = timedelta(days=3650)
"""How long a new authority is good."""

LIFETIME = timedelta(days=825)
"""How long a new certificate is good."""

_BACKDATE = timedelta(hours=1)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class PkiError(Exception):
    """A certificate that cannot be made or used; the text says what to do."""


@dataclass(frozen=True)
class CA:
    """The authority in a folder.

    Attributes:
        cert: Path of its certificate, what others have to trust.
        key: Path of its private key; stays where it is.
    """

    cert: Path
    key: Path


def init(folder: Path) -> CA:
    """Make a new authority in a folder.

    Raises:
        PkiError: There is one already, or the folder cannot be written.
    """
    ca = CA(folder / "ca.pem", folder / "ca.key")
    for path in (ca.cert, ca.key):
        if path.exists():
            raise PkiError(f"{path} exists; an authority is never overwritten, choose another folder")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Gridroom development CA")])
    cert = (
        _builder(name, name, key.public_key(), CA_LIFETIME)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(_key_usage(ca=True), critical=True)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .sign(key, hashes.SHA256())
    )
    _make_folder(folder)
    _write(ca.key, _key_bytes(key), 0o600)
    _write(ca.cert, cert.public_bytes(serialization.Encoding.PEM), 0o644)
    return ca


def issue(
    folder: Path,
    party: str,
    *,
    hosts: Iterable[str] = ("localhost", "127.0.0.1"),
    kind: Kind = "party",
    into: Path | None = None,
) -> tuple[Path, Path]:
    """Sign a certificate: `<party>.pem` (with the authority's behind it) and `<party>.key`.

    Args:
        folder: Folder of the authority.
        party: Who it is for: letters, digits, `.`, `_`, `-`; becomes the URI `urn:gridroom:<kind>:<party>` in it.
        hosts: DNS names and IP addresses where it serves. Only a party serves.
        kind: What it speaks for.
        into: Folder to write to, the authority's by default.

    Returns:
        Paths of the certificate and of its private key (mode 0600).

    Raises:
        PkiError: No authority there, a bad name or host, or the files exist.
    """
    if not _NAME.fullmatch(party) or party == "ca":
        raise PkiError(f"{party!r} cannot name a certificate: use 1 to 64 letters, digits, '.', '_', '-' (not 'ca')")
    authority, signer = _load(folder)
    target = folder if into is None else into
    cert_path, key_path = target / f"{party}.pem", target / f"{party}.key"
    for path in (cert_path, key_path):
        if path.exists():
            raise PkiError(f"{path} exists; remove it to issue {party} a new certificate")
    key = ec.generate_private_key(ec.SECP256R1())
    usages = [ExtendedKeyUsageOID.CLIENT_AUTH]
    names: list[x509.GeneralName] = [x509.UniformResourceIdentifier(f"urn:gridroom:{kind}:{party}")]
    if kind == "party":
        usages.append(ExtendedKeyUsageOID.SERVER_AUTH)
        names.extend(_host(host) for host in hosts)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, party)])
    cert = (
        _builder(subject, authority.subject, key.public_key(), LIFETIME)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(_key_usage(ca=False), critical=True)
        .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), critical=False)
        .sign(signer, hashes.SHA256())
    )
    _make_folder(target)
    chain = b"".join(one.public_bytes(serialization.Encoding.PEM) for one in (cert, authority))
    _write(key_path, _key_bytes(key), 0o600)
    _write(cert_path, chain, 0o644)
    return cert_path, key_path


def _load(folder: Path) -> tuple[x509.Certificate, ec.EllipticCurvePrivateKey]:
    cert_path, key_path = folder / "ca.pem", folder / "ca.key"
    try:
        cert = x509.load_pem_x509_certificate(cert_path.read_bytes())
        key = serialization.load_pem_private_key(key_path.read_bytes(), password=None)
    except FileNotFoundError as error:
        raise PkiError(f"no authority in {folder} ({error.filename} is missing); make one with `pki init`") from error
    except (OSError, ValueError, TypeError) as error:
        raise PkiError(f"the authority in {folder} cannot be read: {error}") from error
    if not isinstance(key, ec.EllipticCurvePrivateKey) or key.public_key() != cert.public_key():
        raise PkiError(f"{key_path} is not the key of {cert_path}")
    return cert, key


def _builder(
    subject: x509.Name, issuer: x509.Name, public: ec.EllipticCurvePublicKey, lifetime: timedelta
) -> x509.CertificateBuilder:
    now = datetime.now(UTC).replace(microsecond=0)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(public)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - _BACKDATE)
        .not_valid_after(now + lifetime)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )


def _key_usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not ca,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=ca,
        crl_sign=ca,
        encipher_only=False,
        decipher_only=False,
    )


def _host(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        pass
    try:
        return x509.DNSName(host)
    except ValueError as error:
        raise PkiError(f"{host!r} is neither a DNS name nor an IP address") from error


def _key_bytes(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PkiError(f"{folder} cannot be made: {error.strerror}") from error


def _write(path: Path, data: bytes, mode: int) -> None:
    try:
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "wb") as file:
            file.write(data)
    except OSError as error:
        raise PkiError(f"{path} cannot be written: {error.strerror}") from error
