"""What carries APDUs between a client and a server: the face every framing shows to a connection."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from openami.ami.dlms.gateway import GatewayAddress


@dataclass(frozen=True, slots=True)
class Delivery:
    """One APDU as it came out of its frames: who sent it, for whom, and through which gateway.

    `ended` says instead that the link below is gone, and with it the association.
    """

    source: int
    destination: int
    apdu: bytes
    gateway: GatewayAddress | None = None
    ended: bool = False


class Framing(Protocol):
    """Turns APDUs into octets and octets into APDUs; may have octets of its own to send (link control)."""

    def send(self, apdu: bytes) -> None:
        """Frame an APDU for the peer; its octets wait in `data_to_send`."""

    def receive(self, data: bytes) -> None:
        """Take octets from the wire, cut anywhere."""

    def next_delivery(self) -> Delivery | None:
        """The next complete APDU, or None when more octets are needed."""

    def data_to_send(self) -> bytes:
        """The octets that wait for the wire; they are handed out once."""
