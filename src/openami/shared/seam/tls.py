"""Doors over TLS: a listener of its own that shows nothing but what partners call, and knows certificates."""

from __future__ import annotations

import hashlib
import ssl
from typing import TYPE_CHECKING, Any

import uvicorn
from starlette.responses import PlainTextResponse
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from openami.shared.errors import OpenAmiError
from openami.shared.seam.access import CERTIFICATE

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from starlette.types import ASGIApp, Receive, Scope, Send

HEALTH = "/healthz"


class TlsFileError(OpenAmiError):
    """A certificate or key that cannot be used."""


class CertificateProtocol(HttpToolsProtocol):
    """HTTP that tells the application which certificate the client has shown."""

    def on_message_begin(self) -> None:
        """Put the fingerprint of the client's certificate into the scope."""
        super().on_message_begin()
        session = self.transport.get_extra_info("ssl_object")
        shown = session.getpeercert(binary_form=True) if session is not None else None
        if shown:
            self.scope[CERTIFICATE] = hashlib.sha256(shown).hexdigest()  # type: ignore[typeddict-unknown-key]


def doors_only(app: ASGIApp, paths: Sequence[str]) -> ASGIApp:
    """The application as partners see it: its doors at `paths`, and whether it is alive."""

    async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
        path = str(scope.get("path", ""))
        if scope["type"] == "http" and not any(path == one or path.startswith(f"{one}/") for one in (*paths, HEALTH)):
            await PlainTextResponse(f"Only {' and '.join(paths)} can be called here.\n", 404)(scope, receive, send)
            return
        await app(scope, receive, send)

    return guarded


def tls_server(
    app: ASGIApp,
    *,
    host: str,
    port: int,
    paths: Sequence[str],
    certificate: Path,
    key: Path,
    client_authorities: Path | None,
) -> uvicorn.Server:
    """A listener with TLS for the doors at `paths`; `client_authorities` issue the certificates that clients may show.

    Raises:
        TlsFileError: one of the files is missing.
    """
    for file in (certificate, key, *([client_authorities] if client_authorities else [])):
        if not file.is_file():
            raise TlsFileError(f"There is no file {file}.", hint="Mend the tls_... settings.")
    options: dict[str, Any] = {}
    if client_authorities is not None:
        options = {"ssl_ca_certs": str(client_authorities), "ssl_cert_reqs": ssl.CERT_OPTIONAL}
    config = uvicorn.Config(
        doors_only(app, paths),
        host=host,
        port=port,
        log_level="warning",
        access_log=False,
        lifespan="off",
        http=CertificateProtocol,
        ssl_certfile=str(certificate),
        ssl_keyfile=str(key),
        timeout_graceful_shutdown=5,
        **options,
    )
    return uvicorn.Server(config)


def client_context(*, authorities: Path | None, certificate: Path | None, key: Path | None) -> ssl.SSLContext:
    """How we call a partner over TLS: whom we trust, and the certificate that we show.

    Raises:
        TlsFileError: a file cannot be used.
    """
    try:
        context = ssl.create_default_context(cafile=str(authorities) if authorities else None)
        if certificate is not None:
            context.load_cert_chain(str(certificate), str(key) if key else None)
    except (OSError, ssl.SSLError) as error:
        raise TlsFileError(f"A TLS file cannot be used: {error}.", hint="Mend the peer's settings.") from error
    return context
