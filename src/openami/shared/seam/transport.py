"""HTTP for both seams: post a stored message to its partner, and say whether trying again can help."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING

from openami.shared.seam.http_client import HttpClient
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
        common = {
            "content-type": content_type,
            "soapaction": '"http://sap.com/xi/WebService/soap1.1"',
            "user-agent": "openami",
        }
        self._headers = {
            name: common | {"authorization": basic(one.user, one.password)} for name, one in partners.items()
        }
        self._client = HttpClient(connect_timeout_s=CONNECT_TIMEOUT_S, read_timeout_s=READ_TIMEOUT_S, tls=tls)

    async def deliver(self, envelope: Envelope) -> bytes:
        """Post once and return the body of a 2xx.

        Raises:
            Unreachable: no connection, time-out, or a status that may pass.
            Refused: any other status: the same bytes will be refused again.
        """
        partner = self._partners.get(envelope.partner)
        if partner is None:
            raise Refused(f"Nobody is known by the name {envelope.partner!r}.", hint="Add the partner to the settings.")
        headers = self._headers[envelope.partner] | {"x-message-id": str(envelope.id)}
        try:
            answer = await self._client.post(partner.address(envelope), headers, envelope.body)
        except OSError as error:  # a TimeoutError is one, too
            raise Unreachable(f"{envelope.partner} at {partner.url} does not answer: {error!r}.") from error
        except ValueError as error:
            raise Refused(str(error), hint="Mend the partner's URL in the settings.") from error
        if HTTPStatus.OK <= answer.status < HTTPStatus.MULTIPLE_CHOICES:
            return answer.content
        found = f"{envelope.partner} answered {answer.status}: {answer.content.decode(errors='replace')[:300]}"
        if answer.status in _TRY_AGAIN and b"Fault>" not in answer.content:
            raise Unreachable(found)
        raise Refused(found, hint="Look at the message in the console, mend the cause, then send it again.")

    async def close(self) -> None:
        """Close the kept connections."""
        await self._client.close()


def basic(user: str, password: str) -> str:
    """The header by which a user shows who it is."""
    return f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"
