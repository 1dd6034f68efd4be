"""The protection of a ciphered association: which key, counter and envelope each message gets, and what is accepted."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from openami.ami.dlms.errors import SecurityFailureError
from openami.ami.dlms.protection import Protection
from openami.ami.dlms.security.counters import ReceiveCounter, SendCounter
from openami.ami.dlms.security.envelopes import Envelop, Envelope, KeyInfo, unwrap, wrap
from openami.ami.dlms.security.keys import KeyId, unwrap_key
from openami.ami.dlms.security.sealing import (
    TITLE_OCTETS,
    Sealed,
    SecurityControl,
    overhead_octets,
    seal,
    unseal,
)
from openami.ami.dlms.security.session_keys import AGREED_KEY
from openami.ami.dlms.security.signed import TAG as SIGNED_TAG

if TYPE_CHECKING:
    from openami.ami.dlms.security.keys import Keys
    from openami.ami.dlms.security.session_keys import Agreement
    from openami.ami.dlms.security.signed import Signer

# tag, lengths, title of an envelope; general-ciphering with its longest usual header
_ENVELOPE_OCTETS = {Envelope.SERVICE: 4, Envelope.GENERAL_GLO_DED: 14, Envelope.GENERAL: 48}

# the bits as plain numbers, which are quicker to combine
_BOTH, _BROADCAST_KEY = 0x30, 0x40

_USUAL = SecurityControl.both()

_DEDICATED = "dedicated"
_UNICAST = "unicast"
_BROADCAST = "broadcast"
_SESSION = "session"


class Ciphering(Protection):
    """Seals what we send and opens what the peer sends, as one end of a ciphered association.

    `control` is applied to everything sent, and `required` (the same unless stated) is the least accepted. Answers go
    out in the envelope the peer used last. Counters are objects of the caller, who stores them; those of a peer with
    another title than `peer_title` (a concentrator that knows the meter's keys) are kept apart. With an `agreement`
    general envelopes get keys of their own; with a `signer` messages are signed before they are sealed, and what is
    not signed by the peer is refused.
    """

    ciphered = True

    def __init__(
        self,
        title: bytes,
        keys: Keys,
        *,
        peer_title: bytes = b"",
        control: SecurityControl | None = None,
        required: SecurityControl | None = None,
        envelope: Envelope = Envelope.SERVICE,
        dedicated_key: bytes = b"",
        agreement: Agreement | None = None,
        signer: Signer | None = None,
        sent: SendCounter | None = None,
        received: dict[str, ReceiveCounter] | None = None,
    ) -> None:
        self.title = title
        self.keys = keys
        self.peer_title = self._usual_title = peer_title
        self.control = _USUAL if control is None else control
        self.required = required
        self.envelope = envelope
        self.dedicated_key = dedicated_key
        self.agreement = agreement
        self.signer = signer
        self.sent = SendCounter() if sent is None else sent
        self.received = {} if received is None else received
        self._session_key = b""

    @property
    def overhead_octets(self) -> int:  # type: ignore[override]  # a constant of the plain protection
        """What protection adds to an APDU."""
        signature = 64 + 4 * self.keys.suite * 16 if self.signer is not None else 0
        agreed = 200 if self.agreement is not None and self.envelope is Envelope.GENERAL else 0
        return overhead_octets(int(self.control)) + _ENVELOPE_OCTETS[self.envelope] + signature + agreed

    def meet(self, peer_title: bytes, dedicated_key: bytes = b"") -> None:
        """Begin an association; the counter of a dedicated key starts with it."""
        if peer_title:
            self.peer_title = peer_title
        self.stood_in = bool(self._usual_title) and self.peer_title != self._usual_title
        self._session_key = dedicated_key
        self.received.pop(_DEDICATED, None)

    def protect(self, apdu: bytes) -> bytes:
        """The APDU sealed: by the dedicated key when the association has one, else by the global key."""
        return self._seal(apdu, dedicated=bool(self._session_key))

    def protect_initiate(self, apdu: bytes) -> bytes:
        """The initiate APDU sealed by the global key."""
        return self._seal(apdu, dedicated=False)

    def unprotect(self, apdu: bytes) -> tuple[bytes, bool]:
        """The plain APDU, and whether its protection was what we require.

        Raises SecurityFailureError for a wrong tag, sender, key or policy, ReplayedCounterError for an old counter.
        """
        opened = unwrap(apdu)
        if opened is None:
            return apdu, False
        around, octets = opened
        sealed = Sealed.decode(octets)
        required = int(self.control if self.required is None else self.required)
        if required & ~sealed.control & _BOTH:
            msg = f"A message is protected by {sealed.bits!r}; {SecurityControl(required)!r} is required."
            raise SecurityFailureError(msg, service_error=5)
        name, key = self._key_of(around, sealed)
        sender = self._sender(around)
        plain = unseal(
            sealed,
            title=sender,
            key=key,
            authentication_key=self.keys.authentication,
            header=around.header(),
        )
        if around.plain_tag is not None and plain[:1] != bytes((around.plain_tag,)):
            msg = f"A message labelled {around.plain_tag:02X} holds {plain[:1].hex()}."
            raise SecurityFailureError(msg, service_error=5)
        if self.stood_in:
            name += f" of {sender.hex()}"  # who answers in the place of the usual peer counts for itself
        # the counter is looked at last: only an authentic message may move it
        self.received.setdefault(name, ReceiveCounter()).accept(sealed.counter)
        self.envelope = around.envelope
        return self._verified(plain), True

    def _verified(self, plain: bytes) -> bytes:
        if self.signer is None:
            return plain
        if plain[:1] != bytes((SIGNED_TAG,)):
            msg = "A message is not signed, and signatures are required."
            raise SecurityFailureError(msg, service_error=5)
        return self.signer.unwrap(plain, originator=self.peer_title)

    def _seal(self, apdu: bytes, *, dedicated: bool) -> bytes:
        transaction_id = self.sent.next_value.to_bytes(8, "big")
        if self.signer is not None:
            apdu = self.signer.wrap(
                apdu, originator=self.title, recipient=self.peer_title, transaction_id=transaction_id
            )
        key = self.keys.broadcast if int(self.control) & _BROADCAST_KEY else self.keys.encryption
        around = Envelop(self.envelope, dedicated, self.title)
        if self.envelope is Envelope.GENERAL:
            info = KeyInfo()
            if self.agreement is not None:
                info, key = self.agreement.make(self.title, self.peer_title, transaction_id)
            around = replace(
                around, dedicated=False, recipient=self.peer_title, transaction_id=transaction_id, key_info=info
            )
        elif dedicated:
            key = self._session_key
        sealed = seal(
            apdu,
            control=int(self.control) | self.keys.suite,
            counter=self.sent.take(),
            title=self.title,
            key=key,
            authentication_key=self.keys.authentication,
            header=around.header(),
        )
        return wrap(around, apdu[0], sealed.encode())

    def _sender(self, around: Envelop) -> bytes:
        if around.title and self.peer_title and around.title != self.peer_title:
            msg = f"A message comes from {around.title.hex()}, not from {self.peer_title.hex()}."
            raise SecurityFailureError(msg, service_error=5)
        title = around.title or self.peer_title
        if len(title) != TITLE_OCTETS:
            msg = "The system title of the sender is not known."
            raise SecurityFailureError(msg, hint="Configure it, or let the peer send it.", service_error=5)
        return title

    def _key_of(self, around: Envelop, sealed: Sealed) -> tuple[str, bytes]:
        info = around.key_info
        if info is not None and info.choice == 1:
            return _SESSION, unwrap_key(self.keys.key_encryption, info.data)
        if info is not None and info.choice == AGREED_KEY:
            if self.agreement is None:
                msg = "A message is sealed by an agreed key, and no agreement is set up."
                raise SecurityFailureError(msg, service_error=5)
            return _SESSION, self.agreement.find(info, around.title, around.recipient, around.transaction_id)
        broadcast = bool(sealed.control & _BROADCAST_KEY)
        if info is not None and info.number == KeyId.GLOBAL_BROADCAST_ENCRYPTION:
            broadcast = True
        name, key = (_BROADCAST, self.keys.broadcast) if broadcast else (_UNICAST, self.keys.encryption)
        if around.dedicated:
            name, key = _DEDICATED, self._session_key
        if not key:
            msg = f"A message is sealed by the {name} key, which is not known here."
            raise SecurityFailureError(msg, service_error=5)
        return name, key
