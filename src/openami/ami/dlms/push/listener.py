"""Someone who only listens: APDUs in, pushes with their readings out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.ami.dlms.apdu import decode_apdu
from openami.ami.dlms.errors import RemoteProtocolError, SecurityFailureError
from openami.ami.dlms.events import DataNotification
from openami.ami.dlms.general_blocks import TAG as GENERAL_BLOCK_TAG
from openami.ami.dlms.general_blocks import GeneralBlocks
from openami.ami.dlms.push.bodies import PushedValue, decode_body, read_body
from openami.ami.dlms.security.envelopes import unwrap
from openami.ami.dlms.security.sealing import Sealed, SecurityControl, unseal

if TYPE_CHECKING:
    from collections.abc import Callable

    from openami.ami.dlms.data import Data
    from openami.ami.dlms.security.keys import Keys


@dataclass(frozen=True, slots=True)
class Push:
    """One push: from whom (the system title, when it was sealed), under which counter, with what.

    `authentic` is true only when a tag was checked with the authentication key.
    """

    notification: DataNotification
    body: Data
    values: tuple[PushedValue, ...]
    title: bytes = b""
    counter: int | None = None
    authentic: bool = False


class Listener:
    """Reads pushes; `keys_of(title)` gives the keys of a meter, or None when it is not ours.

    Many customers are handed the encryption key only: then messages are decrypted without checking their tag and
    marked as not authentic. Counters are reported, for the caller to compare with the last ones it stored.
    """

    def __init__(self, keys_of: Callable[[bytes], Keys | None] | None = None) -> None:
        self._keys_of = keys_of
        self._blocks = GeneralBlocks()

    def take(self, apdu: bytes) -> Push | None:
        """The push in an APDU, or None when it is one block of a longer one.

        Raises SecurityFailureError when keys are missing or wrong, RemoteProtocolError when it is no push.
        """
        if apdu[:1] == bytes((GENERAL_BLOCK_TAG,)):
            whole, _ = self._blocks.receive(apdu)
            if whole is None:
                return None
            self._blocks.reset()
            apdu = whole
        opened = unwrap(apdu)
        if opened is None:
            return self._push(apdu)
        around, octets = opened
        sealed = Sealed.decode(octets)
        keys = self._keys_of(around.title) if self._keys_of else None
        if keys is None:
            msg = f"A push of {around.title.hex()} is ciphered, and its keys are not known."
            raise SecurityFailureError(msg)
        authentic = bool(sealed.bits & SecurityControl.AUTHENTICATED) and bool(keys.authentication)
        if not authentic and sealed.bits & SecurityControl.AUTHENTICATED:
            sealed = Sealed(sealed.control & ~SecurityControl.AUTHENTICATED, sealed.counter, sealed.body[:-12])
        plain = unseal(
            sealed,
            title=around.title,
            key=keys.broadcast if sealed.bits & SecurityControl.BROADCAST_KEY else keys.encryption,
            authentication_key=keys.authentication,
            header=around.header(),
        )
        return self._push(plain, around.title, sealed.counter, authentic=authentic)

    @staticmethod
    def _push(apdu: bytes, title: bytes = b"", counter: int | None = None, *, authentic: bool = False) -> Push:
        notification = decode_apdu(apdu)
        if not isinstance(notification, DataNotification):
            msg = f"A {type(notification).__name__} is no push."
            raise RemoteProtocolError(msg)
        body = decode_body(notification.body)
        return Push(notification, body, read_body(body), title, counter, authentic)
