"""The TCP/UDP wrapper of IEC 62056-47: eight octets of header, then the APDU; on TCP the stream may be cut anywhere."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import Self

from openami.ami.dlms import gateway
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError
from openami.ami.dlms.framing import Delivery

VERSION = 1
_HEADER = struct.Struct(">HHHH")
HEADER_LENGTH = _HEADER.size
MAX_PAYLOAD = 0xFFFF


@dataclass(frozen=True, slots=True)
class WrapperFrame:
    """One wrapper PDU: source and destination wPort, and what it carries (gateway header included)."""

    source: int
    destination: int
    payload: bytes

    def encode(self) -> bytes:
        """The octets of the frame."""
        if len(self.payload) > MAX_PAYLOAD:
            msg = f"An APDU of {len(self.payload)} octets does not fit a wrapper frame; use block transfer."
            raise LocalProtocolError(msg)
        return _HEADER.pack(VERSION, self.source, self.destination, len(self.payload)) + self.payload

    @classmethod
    def decode(cls, datagram: bytes) -> Self:
        """The one frame a UDP datagram holds."""
        buffer = WrapperBuffer()
        buffer.receive(datagram)
        frame = buffer.next_frame()
        if frame is None or buffer.pending:
            msg = "A datagram does not hold exactly one wrapper frame."
            raise RemoteProtocolError(msg)
        return cls(frame.source, frame.destination, frame.payload)

    @property
    def gateway_address(self) -> gateway.GatewayAddress | None:
        """The meter behind a concentrator this frame is for or from; None when it is for the station itself.

        Raises RemoteProtocolError when the gateway header is cut short.
        """
        return gateway.split(self.payload)[0]

    @property
    def apdu(self) -> bytes:
        """The payload without a gateway header."""
        return gateway.split(self.payload)[1]

    def delivery(self) -> Delivery:
        """What a connection needs to know of the frame."""
        address, apdu = gateway.split(self.payload)
        return Delivery(self.source, self.destination, apdu, address)


class WrapperBuffer:
    """Collects a TCP stream and cuts it into wrapper frames.

    It holds at most what `receive` was given plus one unfinished frame of 65,543 octets: a header that is not one
    is refused at once, before anything behind it is kept.
    """

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    @property
    def pending(self) -> int:
        """Octets held that do not make a whole frame yet (or are not taken yet)."""
        return len(self._buffer)

    def receive(self, data: bytes) -> None:
        """Take octets from the stream, cut anywhere."""
        self._buffer += data

    def next_frame(self) -> WrapperFrame | None:
        """The next complete frame, or None when more octets are needed."""
        buffer = self._buffer
        if len(buffer) >= 2 and int.from_bytes(buffer[:2], "big") != VERSION:
            # IEC 62056-47: the version is 0001; on a stream nothing after a bad header can be trusted
            msg = f"A wrapper frame starts with {bytes(buffer[:2]).hex()} instead of 0001."
            raise RemoteProtocolError(msg, hint="Close the connection.", service_error=0)
        if len(buffer) < HEADER_LENGTH:
            return None
        _, source, destination, length = _HEADER.unpack_from(buffer)
        end = HEADER_LENGTH + length
        if len(buffer) < end:
            return None
        frame = WrapperFrame(source, destination, bytes(buffer[HEADER_LENGTH:end]))
        del buffer[:end]
        return frame


class WrapperFraming:
    """The wrapper as the framing of one connection.

    A client states its own wPort, the server's and the gateway address of the meter, if it sits behind one; answers
    from other meters on the same stream are counted in `strays` and skipped. A server that states no `peer` answers
    whoever asked last, through the same gateway.
    """

    __slots__ = ("_buffer", "_outgoing", "address", "is_client", "own", "peer", "strays")

    def __init__(
        self,
        *,
        own: int,
        peer: int | None = None,
        address: gateway.GatewayAddress | None = None,
        is_client: bool = True,
    ) -> None:
        self.own = own
        self.peer = peer
        self.address = address
        self.is_client = is_client
        self.strays = 0
        self._buffer = WrapperBuffer()
        self._outgoing = bytearray()

    @classmethod
    def client(cls, client_sap: int = 1, server_sap: int = 1, address: gateway.GatewayAddress | None = None) -> Self:
        """The client side: speaks as `client_sap` to `server_sap`, through a gateway when `address` is given."""
        return cls(own=client_sap, peer=server_sap, address=address)

    @classmethod
    def server(cls, server_sap: int = 1) -> Self:
        """The server side: answers at `server_sap`."""
        return cls(own=server_sap, is_client=False)

    def send(self, apdu: bytes) -> None:
        """Frame an APDU for the peer."""
        if self.peer is None:
            msg = "A server has nobody to send to before a client has spoken."
            raise LocalProtocolError(msg, hint="Set `peer` to push.")
        payload = gateway.prepend(self.address, apdu, response=not self.is_client)
        self._outgoing += WrapperFrame(self.own, self.peer, payload).encode()

    def receive(self, data: bytes) -> None:
        """Take octets from the wire, cut anywhere."""
        self._buffer.receive(data)

    def next_delivery(self) -> Delivery | None:
        """The next APDU for this side, or None when more octets are needed."""
        while (frame := self._buffer.next_frame()) is not None:
            delivery = self._readable(frame)
            if (
                delivery is None
                or delivery.destination != self.own
                or (self.is_client and not self._from_peer(delivery))
            ):
                self.strays += 1
                continue
            if not self.is_client:
                self.peer, self.address = delivery.source, delivery.gateway
            return delivery
        return None

    @staticmethod
    def _readable(frame: WrapperFrame) -> Delivery | None:
        """The delivery of a frame, or None when its gateway header is broken and nobody could be answered."""
        try:
            return frame.delivery()
        except RemoteProtocolError:
            return None

    def _from_peer(self, delivery: Delivery) -> bool:
        return delivery.source == self.peer and delivery.gateway == self.address

    def data_to_send(self) -> bytes:
        """The octets that wait for the wire; they are handed out once."""
        data = bytes(self._outgoing)
        self._outgoing.clear()
        return data
