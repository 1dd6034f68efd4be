"""What client and server connections share: framing, protection, the state machine and block transfer.

A connection never opens a socket and never reads a clock. Octets from the wire go into `receive_data`, events come
out of `next_event` (or NEED_DATA); events go into `send`, which returns the octets for the wire. Octets the protocol
itself wants to send (the request for the next block, link control) wait in `data_to_send`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from openami.ami.dlms.apdu import Apdu, decode_apdu, encode_apdu
from openami.ami.dlms.blocks import Block, Incoming, Outgoing
from openami.ami.dlms.classify import classify
from openami.ami.dlms.enums import Conformance
from openami.ami.dlms.errors import LocalProtocolError, RemoteProtocolError, SecurityFailureError
from openami.ami.dlms.events import NEED_DATA, NO_PDU_LIMIT, Event, ExceptionResponse, Initiate
from openami.ami.dlms.general_blocks import OVERHEAD_OCTETS, TAG, GeneralBlocks
from openami.ami.dlms.protection import Protection
from openami.ami.dlms.references import Invoke
from openami.ami.dlms.state import FROM_CLIENT, PLAIN, Sent, State, allowed, step

if TYPE_CHECKING:
    from openami.ami.dlms.enums import Context
    from openami.ami.dlms.events import _NeedData
    from openami.ami.dlms.framing import Delivery, Framing
    from openami.ami.dlms.security.hls import Prover

# What fits one wrapper frame (65,535) with room for a gateway header; used when the peer states no limit.
UNLIMITED_PDU_OCTETS = 65_000
# tag, form, invoke-id, last, number, choice, a length of three octets
BLOCK_OVERHEAD_OCTETS = 13


class Connection:
    """One end of an association; use ClientConnection or ServerConnection."""

    is_client: bool

    def __init__(
        self,
        framing: Framing,
        initiate: Initiate,
        protection: Protection | None = None,
        prover: Prover | None = None,
    ) -> None:
        self._framing = framing
        self._offer = initiate
        self._own_protection = protection or Protection()
        self._protection = Protection()
        self._prover = prover
        self._state = State.IDLE
        self._agree(Initiate())
        self._general = GeneralBlocks()
        self._invoke = Invoke(number=0)
        self._outgoing: Outgoing | None = None
        self._incoming: Incoming | None = None

    @property
    def state(self) -> State:
        """What the two ends are waiting for."""
        return self._state

    @property
    def agreed(self) -> Initiate:
        """What was negotiated: the common conformance, and the largest APDU the peer takes."""
        return self._agreed

    @property
    def stood_in(self) -> bool:
        """Whether somebody answers in the place of the peer that we know, by its keys: a concentrator."""
        return self._protection.stood_in

    def receive_data(self, data: bytes) -> None:
        """Take octets from the wire, cut anywhere."""
        self._framing.receive(data)

    def data_to_send(self) -> bytes:
        """Octets the protocol wants on the wire without being asked; handed out once."""
        return self._framing.data_to_send()

    def next_event(self) -> Event | _NeedData:
        """The next thing the peer said, or NEED_DATA.

        Raises RemoteProtocolError when the peer broke the rules; the connection can go on unless the error says
        that the stream is lost (`service_error` 0).
        """
        while (delivery := self._framing.next_delivery()) is not None:
            if delivery.ended:
                self._state = State.IDLE
                self._drop_transfers()
                continue
            event = self._take(delivery)
            if event is not None:
                return event
        return NEED_DATA

    def _take(self, delivery: Delivery) -> Event | None:
        raise NotImplementedError

    @property
    def peer_limit_octets(self) -> int:
        """The largest APDU that may be sent to the peer; 0 and 65535 mean it states none."""
        stated = self._agreed.max_pdu_octets
        return UNLIMITED_PDU_OCTETS if stated in (0, NO_PDU_LIMIT) else stated

    @property
    def _block_octets(self) -> int:
        return max(1, self.peer_limit_octets - BLOCK_OVERHEAD_OCTETS - self._protection.overhead_octets)

    def _fits(self, apdu: bytes) -> bool:
        """Whether the service need not cut: the APDU is short enough, or general blocks will carry it."""
        return self._cuts_generally or len(apdu) + self._protection.overhead_octets <= self.peer_limit_octets

    def _move(self, sent: Sent, *, by_us: bool) -> None:
        """Move the state machine; raises the local or the remote error when there is no such row."""
        from_us = (sent in FROM_CLIENT) == self.is_client
        target = step(self._state, sent)
        if target is None or from_us != by_us:
            possible = ", ".join(row.name for row in allowed(self._state))
            msg = f"{sent.name} is not allowed in state {self._state.name}; possible: {possible}."
            if by_us:
                raise LocalProtocolError(msg)
            raise RemoteProtocolError(msg, state_error=1, service_error=1 if self._state is State.IDLE else 3)
        self._state = target

    def _put(self, message: Apdu, encoded: bytes | None = None) -> None:
        """Move the state by our message, protect it and give it to the framing."""
        self._move(classify(message, self._state, from_client=self.is_client), by_us=True)
        plain = encode_apdu(message, from_client=self.is_client) if encoded is None else encoded
        exposed = isinstance(message, ExceptionResponse)
        self._transmit(plain if exposed else self._protection.protect(plain))

    def _transmit(self, apdu: bytes) -> None:
        """Give an APDU to the framing: whole, or in general blocks where these are agreed and needed."""
        if self.is_client:
            self._general.reset()
        if self._general.active or (self._cuts_generally and len(apdu) > self.peer_limit_octets):
            for block in self._general.send(apdu, self.peer_limit_octets - OVERHEAD_OCTETS):
                self._framing.send(block)
        else:
            self._framing.send(apdu)

    def _agree(self, agreed: Initiate) -> None:
        """Keep to what was negotiated from now on."""
        self._agreed = agreed
        self._cuts_generally = Conformance.GENERAL_BLOCK_TRANSFER in agreed.conformance

    def _join(self, apdu: bytes) -> bytes | None:
        """The whole APDU, joined from general blocks where it came in such; None when more are due."""
        if apdu[:1] != bytes((TAG,)):
            if not self.is_client:
                self._general.reset()
            return apdu
        if not self._cuts_generally:
            msg = "General block transfer was not negotiated."
            raise RemoteProtocolError(msg, state_error=2, service_error=2)
        whole, back = self._general.receive(apdu)
        for block in back:
            self._framing.send(block)
        return whole

    def _open(self, apdu: bytes) -> tuple[Apdu, Sent]:
        """The message in an APDU, unprotected and decoded, with the row it moves."""
        plain, protected = self._protection.unprotect(apdu)
        message = decode_apdu(plain)
        try:
            sent = classify(message, self._state, from_client=not self.is_client)
        except KeyError:
            msg = f"{type(message).__name__} came from the wrong side."
            raise RemoteProtocolError(msg, state_error=2, service_error=2) from None
        if self._protection.ciphered and not protected and sent not in PLAIN:
            msg = f"{sent.name} came unprotected in a ciphered association."
            raise SecurityFailureError(msg, service_error=5)
        return message, sent

    def _begin(self, context: Context, peer_title: bytes, dedicated_key: bytes) -> None:
        """The protection of the association that opens."""
        fits = context.ciphered == self._own_protection.ciphered
        self._protection = self._own_protection if fits else Protection()
        self._protection.meet(peer_title, dedicated_key)

    def _put_next_block(self) -> None:
        if self._outgoing is None:
            msg = "There is no long value to continue."
            raise LocalProtocolError(msg)
        block = self._outgoing.next()
        if block.last:
            self._outgoing = None
        self._put(block)

    def _collect(self, block: Block) -> Incoming | None:
        """Add a block to the long value on its way in; the whole when this was the last."""
        if self._incoming is None or block.number == 1:
            self._incoming = Incoming(block.service, block.invoke, block.head, listed=block.listed)
        self._incoming.add(block)
        if not block.last:
            return None
        incoming, self._incoming = self._incoming, None
        return incoming

    def _drop_transfers(self) -> None:
        self._outgoing = None
        self._incoming = None
