"""What every answer of the console says to the browser, be it a page, a file, a refusal or a way to another page."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from starlette.datastructures import MutableHeaders

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

HEADERS: Final = {
    "content-security-policy": "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=(), payment=(), usb=()",
}
OVER_TLS: Final = {"strict-transport-security": "max-age=31536000", "cross-origin-opener-policy": "same-origin"}
"""Browsers take these from a safe origin alone."""


def policy(sources: str) -> dict[str, str]:
    """Where a page may load things from; pages are framed by the console only (a bill's document is)."""
    return {"content-security-policy": f"{sources}; frame-ancestors 'self'"}


class SecurityHeaders:
    """Adds the headers that an answer does not set itself."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and add to its answer."""
        wanted = HEADERS | (OVER_TLS if scope["scheme"] == "https" else {})

        async def said(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                # what has a tag is a file of ours: it may be kept, and asked for again; all else is of one person
                kept = "no-cache" if "etag" in headers else "no-store"
                for name, value in (wanted | {"cache-control": kept}).items():
                    headers.setdefault(name, value)
            await send(message)

        await self._app(scope, receive, said)
