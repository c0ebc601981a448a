"""TLS as both back offices use it: 1.2 or later, certificates of one authority, names checked.

Source: OSCP 1.0 sections 5.2 and 7.4. Sessions are not resumed: a resumed session would skip the look at the
client's certificate.
"""

import ssl
from pathlib import Path

from gridroom.security.pki import PkiError


def server_context(cert: Path, key: Path, ca: Path, *, require_client: bool = True) -> ssl.SSLContext:
    """For a service.

    Args:
        cert: Our certificate chain.
        key: Its private key.
        ca: The authorities that clients' certificates must come from.
        require_client: Refuse the handshake without a client certificate; otherwise one is asked for, and verified
            when it comes.

    Raises:
        PkiError: A file is missing or does not fit.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.verify_mode = ssl.CERT_REQUIRED if require_client else ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET | ssl.OP_NO_RENEGOTIATION
    context.num_tickets = 0
    return _loaded(context, cert, key, ca)


def client_context(cert: Path | None, key: Path | None, ca: Path) -> ssl.SSLContext:
    """For who calls a service; the server's certificate must come from the authority and name the host.

    Args:
        cert: Our certificate chain; None to call without one (a driver, a station with a password).
        key: Its private key.
        ca: The authorities that we trust.

    Raises:
        PkiError: A file is missing or does not fit.
    """
    return _loaded(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT), cert, key, ca)


def _loaded(context: ssl.SSLContext, cert: Path | None, key: Path | None, ca: Path) -> ssl.SSLContext:
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION
    if cert is not None and key is not None:
        _readable(cert, key)
        try:
            context.load_cert_chain(cert, key, password="")  # an encrypted key fails instead of asking on the terminal
        except (ssl.SSLError, ValueError) as error:
            raise PkiError(f"{key} is not the (unencrypted) key of the certificate {cert}: {error}") from error
    _readable(ca)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError as error:
        raise PkiError(f"{ca} holds no certificate: {error}") from error
    return context


def _readable(*paths: Path) -> None:
    for path in paths:
        try:
            path.open("rb").close()
        except OSError as error:
            raise PkiError(f"{path} cannot be read: {error.strerror}") from error
