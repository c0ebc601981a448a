"""Who is speaking, by the certificate that TLS has verified.

Source: OSCP 1.0 section 5.2; row 29 of the deviations.
"""

import re
from collections.abc import Mapping
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import NameOID

_URN = re.compile(r"urn:gridroom:(party|station|meter):([^\s:]{1,255})", re.IGNORECASE)


def party_of(cert_der: bytes, mapping: Mapping[str, str] | None = None, *, kind: str = "party") -> str | None:
    """The party that a verified certificate proves.

    Args:
        cert_der: The certificate, DER.
        mapping: For certificates of others: `sha256:<hex of the certificate's digest>` or `cn:<common name>` to party.
        kind: `party`, `station` or `meter`, as in the URI `urn:gridroom:<kind>:<id>`.

    Returns:
        The party, or None when the certificate names none, or more than one.
    """
    try:
        cert = x509.load_der_x509_certificate(cert_der)
        names = _common_names(cert)
        uris = _uris(cert)
    except ValueError:
        return None
    if mapping:
        wanted = {_plain(key): party for key, party in mapping.items()}
        keys = [f"sha256:{cert.fingerprint(hashes.SHA256()).hex()}", *(f"cn:{name}" for name in names)]
        mapped = {wanted[key] for key in keys if key in wanted}
        if mapped:
            return mapped.pop() if len(mapped) == 1 else None
    proved = {found[2] for uri in uris if (found := _URN.fullmatch(uri)) and found[1].lower() == kind}
    return proved.pop() if len(proved) == 1 else None


def certificate_of(scope: Mapping[str, Any]) -> bytes | None:
    """The verified client certificate (DER) of an ASGI request, as our server puts it there; None without one."""
    tls: Mapping[str, bytes | None] = scope.get("extensions", {}).get("gridroom.tls", {})
    return tls.get("client_cert")


def _plain(key: str) -> str:
    """Fingerprints as people write them: any case, with or without colons between the bytes."""
    prefix, _, value = key.partition(":")
    if prefix.lower() == "sha256":
        return "sha256:" + value.replace(":", "").replace(" ", "").lower()
    return f"{prefix.lower()}:{value}"


def _common_names(cert: x509.Certificate) -> list[str]:
    return [str(one.value) for one in cert.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]


def _uris(cert: x509.Certificate) -> list[str]:
    try:
        names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return names.get_values_for_type(x509.UniformResourceIdentifier)
