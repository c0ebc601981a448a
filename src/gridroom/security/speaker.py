"""Whom our own certificate speaks for: who sends in another name is refused by every peer.

Source: OSCP 1.0 section 5.2.
"""

from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from gridroom.oscp.io.identity import party_of
from gridroom.security.pki import PkiError


def check(party: str, cert: Path) -> None:
    """See that a certificate does not speak for somebody else; one that names no party is for our peers to map.

    Args:
        party: Our name.
        cert: Our certificate chain, PEM.

    Raises:
        PkiError: It cannot be read, or speaks for another party.
    """
    try:
        first, *_ = x509.load_pem_x509_certificates(cert.read_bytes())
    except OSError as error:
        raise PkiError(f"{cert} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise PkiError(f"{cert} holds no certificate: {error}") from error
    found = party_of(first.public_bytes(Encoding.DER))
    if found not in (None, party):
        raise PkiError(
            f"`party` is {party!r}, but {cert} speaks for {found!r}, so peers would refuse us: name the same in both"
        )
