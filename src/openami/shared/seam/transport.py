"""HTTP for both seams: post a stored message to its partner, and say whether trying again can help."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import httpx

from openami.shared.seam.outbox import Refused, Unreachable

if TYPE_CHECKING:
    import ssl
    from collections.abc import Mapping

    from openami.shared.seam.model import Envelope

CONNECT_TIMEOUT_S = 30.0  # what live projects on the enterprise seam use (enterprise services, 4)
READ_TIMEOUT_S = 60.0
_TRY_AGAIN = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True, slots=True)
class Partner:
    """Where a partner listens, and how we show who we are.

    A URL with `{interface}` in it is a template of its own, as SAP's process integration wants it: `{interface}` is the
    operation, `{message_id}` the id by which a repeat is known. Any other URL gets the path of the operation behind it.
    """

    url: str
    user: str
    password: str = field(repr=False)

    def address(self, envelope: Envelope) -> str:
        """Where a message goes."""
        if "{interface}" not in self.url:
            return self.url + envelope.path
        return self.url.replace("{interface}", envelope.operation).replace("{message_id}", str(envelope.id))


class HttpTransport:
    """Posts envelopes; connections are kept open between messages."""

    def __init__(
        self, partners: Mapping[str, Partner], *, content_type: str, tls: ssl.SSLContext | None = None
    ) -> None:
        """Take the partners by name, and how to speak TLS to them where it is not the usual way."""
        self._partners = partners
        self._headers = {"content-type": content_type, "soapaction": '"http://sap.com/xi/WebService/soap1.1"'}
        self._client = httpx.AsyncClient(
            timeout=httpx.Timeout(READ_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
            verify=tls if tls is not None else True,
        )

    async def deliver(self, envelope: Envelope) -> bytes:
        """Post once and return the body of a 2xx.

        Raises:
            Unreachable: no connection, time-out, or a status that may pass.
            Refused: any other status: the same bytes will be refused again.
        """
        partner = self._partners.get(envelope.partner)
        if partner is None:
            raise Refused(f"Nobody is known by the name {envelope.partner!r}.", hint="Add the partner to the settings.")
        try:
            response = await self._client.post(
                partner.address(envelope),
                content=envelope.body,
                headers=self._headers | {"x-message-id": str(envelope.id)},
                auth=(partner.user, partner.password),
            )
        except httpx.TransportError as error:
            raise Unreachable(f"{envelope.partner} at {partner.url} does not answer: {error!r}.") from error
        if response.is_success:
            return response.content
        found = f"{envelope.partner} answered {response.status_code}: {response.text[:300]}"
        if response.status_code in _TRY_AGAIN and b"Fault>" not in response.content:
            raise Unreachable(found)
        raise Refused(found, hint="Look at the message in the console, mend the cause, then send it again.")

    async def close(self) -> None:
        """Close the kept connections."""
        await self._client.aclose()
