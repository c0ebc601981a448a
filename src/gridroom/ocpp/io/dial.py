"""How a station reaches its CSO."""

import base64
import ssl
from urllib.parse import quote, urlsplit

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus

from gridroom.ocpp.errors import NotConnectedError
from gridroom.ocpp.io.line import LARGEST_MESSAGE, OCPP16, TIMEOUT_S
from gridroom.ocpp.wire import Dial, Transport


def dial_tls(url: str, identity: str, password: str, ssl_context: ssl.SSLContext) -> Dial:
    """A way to reach a CSMS over TLS.

    Args:
        url: wss://host:port/path; the identity is added to it.
        identity: The station.
        password: Its password for HTTP Basic authentication.
        ssl_context: With the certificates that the station trusts.

    Raises:
        ValueError: The URL has no TLS.
    """
    if urlsplit(url).scheme != "wss":
        raise ValueError(f"{url}: a station speaks over TLS only, the address starts with wss://")
    credentials = base64.b64encode(f"{identity}:{password}".encode()).decode()

    async def dial() -> Transport:
        try:
            connection = await connect(
                f"{url.rstrip('/')}/{quote(identity, safe='')}",
                ssl=ssl_context,
                subprotocols=[OCPP16],
                additional_headers={"Authorization": f"Basic {credentials}"},
                compression=None,
                max_size=LARGEST_MESSAGE,
                open_timeout=TIMEOUT_S,
                close_timeout=1,
                proxy=None,
            )
        except InvalidStatus as error:
            status = error.response.status_code
            hint = ": check its identity and password" if status == 401 else ""
            raise NotConnectedError(f"{identity}: {url} answers {status}{hint}") from None
        except (OSError, InvalidHandshake, TimeoutError, ConnectionClosed) as error:
            raise NotConnectedError(f"{identity}: {url} cannot be reached: {error}") from None
        if connection.subprotocol != OCPP16:
            await connection.close()
            raise NotConnectedError(f"{identity}: {url} does not speak OCPP 1.6")
        return connection

    return dial
