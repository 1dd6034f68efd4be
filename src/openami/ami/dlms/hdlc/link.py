"""The data link: connecting, numbering, segments, windows and repetition in normal response mode.

The client is the primary: it polls (P), and the server answers until its final frame (F). Each side keeps what the
other has not acknowledged and sends it again from there when asked, so one rule repairs every loss: whoever has the
turn and holds unacknowledged frames sends them; otherwise it says RECEIVE_READY. The client's clock ends in `poll`.
"""

from __future__ import annotations

from enum import Enum, auto
from typing import Self

from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.framing import Delivery
from openami.ami.dlms.hdlc.frames import Frame, FrameKind, FrameReader, HdlcAddress
from openami.ami.dlms.hdlc.parameters import LinkParameters

LLC_REQUEST = bytes.fromhex("e6e600")
LLC_RESPONSE = bytes.fromhex("e6e700")
BROADCAST_1 = 0x7F
BROADCAST_2 = 0x3FFF

# A segmented APDU is joined in memory: as much as a wrapper frame may carry.
MAX_JOINED_OCTETS = 0xFFFF + len(LLC_REQUEST)
_MODULUS = 8


class LinkState(Enum):
    """Whether the two stations are connected."""

    DISCONNECTED = auto()
    CONNECTING = auto()
    CONNECTED = auto()
    DISCONNECTING = auto()


class HdlcFraming:
    """HDLC as the framing of one connection.

    The client connects the link by itself when it first sends; `disconnect` ends it and `poll` is what its timer calls.
    The server answers whoever connects, and the association ends with the link.
    """

    def __init__(
        self, own: HdlcAddress, peer: HdlcAddress | None, parameters: LinkParameters, *, is_client: bool
    ) -> None:
        self.own = own
        self.peer = peer
        self.is_client = is_client
        self.state = LinkState.DISCONNECTED
        self.strays = 0
        self._offer = parameters
        self._agreed = LinkParameters()
        self._reader = FrameReader()
        self._octets = bytearray()
        self._waiting: list[bytes] = []
        # the address the peer used for us, which our answers come from
        self._as = own
        self._reset()

    @classmethod
    def client(cls, client_sap: int, server: HdlcAddress, parameters: LinkParameters | None = None) -> Self:
        """The client side: connects as `client_sap` to `server`."""
        return cls(HdlcAddress(client_sap), server, parameters or LinkParameters(), is_client=True)

    @classmethod
    def server(cls, own: HdlcAddress, parameters: LinkParameters | None = None) -> Self:
        """The server side: answers at `own`, and at the broadcast addresses."""
        return cls(own, None, parameters or LinkParameters(), is_client=False)

    def send(self, apdu: bytes) -> None:
        """Frame an APDU for the peer; a client connects first."""
        self._waiting.append((LLC_REQUEST if self.is_client else LLC_RESPONSE) + apdu)
        if self.state is LinkState.CONNECTED:
            self._start_waiting()
        elif self.is_client and self.state is LinkState.DISCONNECTED:
            self.state = LinkState.CONNECTING
            self._put(FrameKind.SNRM, self._offer.encode())

    def send_unnumbered(self, apdu: bytes, to: HdlcAddress) -> None:
        """Send an APDU without a link: a push from the server, a broadcast from the client."""
        self.peer = to
        self._put(FrameKind.UI, (LLC_REQUEST if self.is_client else LLC_RESPONSE) + apdu, poll=False)

    def disconnect(self) -> None:
        """End the link."""
        self.state = LinkState.DISCONNECTING
        self._put(FrameKind.DISC)

    def poll(self) -> None:
        """The client's timer ran out: ask again for what is missing, in the way the state needs."""
        if self.state is LinkState.CONNECTING:
            self._put(FrameKind.SNRM, self._offer.encode())
        elif self.state is LinkState.DISCONNECTING:
            self._put(FrameKind.DISC)
        elif self.state is LinkState.CONNECTED:
            self._put(FrameKind.RECEIVE_READY)

    def receive(self, data: bytes) -> None:
        """Take octets from the line, cut anywhere."""
        self._reader.receive(data)

    def next_delivery(self) -> Delivery | None:
        """The next whole APDU, or the end of the link, or None when more octets are needed."""
        while (frame := self._reader.next_frame()) is not None:
            if not self._is_for_us(frame):
                # other stations on the bus
                self.strays += 1
                continue
            delivery = self._take(frame)
            if delivery is not None:
                return delivery
        return None

    def data_to_send(self) -> bytes:
        """The octets that wait for the line; they are handed out once."""
        octets = bytes(self._octets)
        self._octets.clear()
        return octets

    def _reset(self) -> None:
        self._next_send = 0
        self._next_receive = 0
        # segments not acknowledged yet, oldest first: (information, more segments follow)
        self._unacknowledged: list[tuple[bytes, bool]] = []
        self._joined = bytearray()

    def _is_for_us(self, frame: Frame) -> bool:
        if self.is_client:
            if (frame.destination, frame.source) == (self.peer, self.own) and self.peer != self.own:
                # the echo of an optical head
                return False
            return frame.destination.upper == self.own.upper and (self.peer is None or _same(frame.source, self.peer))
        to, own = frame.destination, self.own
        if to.upper in (BROADCAST_1, BROADCAST_2):
            return frame.kind is FrameKind.UI
        return to.upper == own.upper and (to.octets == 1 or own.octets == 1 or to.lower == own.lower)

    def _take(self, frame: Frame) -> Delivery | None:
        if not self.is_client and frame.kind is not FrameKind.UI:
            if self.state is LinkState.CONNECTED and self.peer is not None and not _same(frame.source, self.peer):
                if frame.kind is not FrameKind.SNRM:
                    self.strays += 1
                    return None
            else:
                self.peer = frame.source
            self._as = frame.destination
        match frame.kind:
            case FrameKind.INFORMATION if self.state is LinkState.CONNECTED:
                return self._take_information(frame)
            case FrameKind.RECEIVE_READY | FrameKind.REJECT | FrameKind.RECEIVE_NOT_READY if (
                self.state is LinkState.CONNECTED
            ):
                self._acknowledged(frame.receive_number)
                if frame.kind is not FrameKind.RECEIVE_NOT_READY and frame.poll:
                    self._use_turn(is_answer=not self.is_client)
                return None
            case FrameKind.UI:
                return self._delivery(frame, frame.information)
            case _:
                return self._take_control(frame)

    def _take_control(self, frame: Frame) -> Delivery | None:
        match frame.kind:
            case FrameKind.SNRM if not self.is_client:
                was_connected = self.state is LinkState.CONNECTED
                self._agreed = self._offer.agreed(LinkParameters.decode(frame.information))
                self._waiting.clear()
                self._reset()
                self.peer, self.state = frame.source, LinkState.CONNECTED
                self._put(FrameKind.UA, self._agreed.encode())
                return self._ended(frame) if was_connected else None
            case FrameKind.DISC if not self.is_client:
                connected = self.state is LinkState.CONNECTED
                self.state = LinkState.DISCONNECTED
                self._put(FrameKind.UA if connected else FrameKind.DM)
                return self._ended(frame)
            case FrameKind.UA if self.is_client and self.state is LinkState.CONNECTING:
                self._agreed = self._offer.agreed(LinkParameters.decode(frame.information))
                self._reset()
                self.state = LinkState.CONNECTED
                self._start_waiting()
                return None
            case FrameKind.UA if self.is_client and self.state is LinkState.CONNECTED:
                # the answer to a repeated SNRM
                return None
            case FrameKind.UA | FrameKind.DM | FrameKind.FRMR if self.is_client:
                # the link is gone (or never was): the client has to connect anew
                self.state = LinkState.DISCONNECTED
                self._waiting.clear()
                self._reset()
                return self._ended(frame)
            case _:
                if not self.is_client and frame.poll:
                    self._put(FrameKind.DM)
                return None

    def _take_information(self, frame: Frame) -> Delivery | None:
        self._acknowledged(frame.receive_number)
        if frame.send_number != self._next_receive:
            # lost or doubled: what we hold unacknowledged goes out again, or we say which frame is due
            if frame.poll:
                self._use_turn(is_answer=True)
            return None
        self._next_receive = (self._next_receive + 1) % _MODULUS
        if len(self._joined) + len(frame.information) > MAX_JOINED_OCTETS:
            self._joined.clear()
            msg = f"A segmented APDU grew beyond {MAX_JOINED_OCTETS} octets."
            raise RemoteProtocolError(msg, service_error=4)
        self._joined += frame.information
        if frame.segmented:
            if frame.poll:
                self._put(FrameKind.RECEIVE_READY)
            return None
        whole = bytes(self._joined)
        self._joined.clear()
        return self._delivery(frame, whole)

    def _acknowledged(self, receive_number: int) -> None:
        """Forget the segments the peer has; its number is that of the next it expects."""
        in_flight = min(len(self._unacknowledged), self._agreed.transmit_window)
        first = self._next_send
        done = (receive_number - first) % _MODULUS
        if done <= in_flight:
            del self._unacknowledged[:done]
            self._next_send = receive_number

    def _use_turn(self, *, is_answer: bool) -> None:
        if self._unacknowledged:
            self._send_window()
        elif is_answer:
            self._put(FrameKind.RECEIVE_READY)

    def _start_waiting(self) -> None:
        if self._unacknowledged or not self._waiting:
            return
        information = self._waiting.pop(0)
        room = self._agreed.transmit_octets
        pieces = [information[at : at + room] for at in range(0, len(information), room)]
        self._unacknowledged = [(piece, index < len(pieces) - 1) for index, piece in enumerate(pieces)]
        self._send_window()

    def _send_window(self) -> None:
        window = self._unacknowledged[: self._agreed.transmit_window]
        for index, (piece, more) in enumerate(window):
            number = (self._next_send + index) % _MODULUS
            self._put(FrameKind.INFORMATION, piece, segmented=more, poll=index == len(window) - 1, send_number=number)

    def _put(
        self,
        kind: FrameKind,
        information: bytes = b"",
        *,
        segmented: bool = False,
        poll: bool = True,
        send_number: int = 0,
    ) -> None:
        if self.peer is None:
            return
        frame = Frame(self.peer, self._as, kind, information, segmented, poll, send_number, self._next_receive)
        self._octets += frame.encode()

    def _delivery(self, frame: Frame, information: bytes) -> Delivery:
        has_llc = information[:3] in (LLC_REQUEST, LLC_RESPONSE)
        apdu = information[3:] if has_llc else information
        return Delivery(frame.source.upper, frame.destination.upper, apdu)

    @staticmethod
    def _ended(frame: Frame) -> Delivery:
        return Delivery(frame.source.upper, frame.destination.upper, b"", ended=True)


def _same(one: HdlcAddress, other: HdlcAddress) -> bool:
    return one.upper == other.upper and (one.octets == 1 or other.octets == 1 or one.lower == other.lower)
