"""The authentication and fragmentation layer (CI 90h, OMS volume 2 clause 6), on the air and on the wire.

It brings what security mode 7 needs: a message counter, from which the keys of one telegram are derived, and the code
over the transport layer behind it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Self

from openami.ami.mbus import security
from openami.ami.mbus.errors import ControlInformationError, HeaderTruncatedError

if TYPE_CHECKING:
    from openami.ami.mbus.header import Header

CI_AFL: Final = 0x90


@dataclass(frozen=True, slots=True)
class Authentication:
    """What the layer says; empty where a telegram has none."""

    counter: bytes = b""
    mac: bytes = b""
    protected_head: bytes = b""
    """What the code protects before the transport layer."""

    @classmethod
    def decode(cls, data: bytes) -> tuple[Self, int, bytes]:
        """The layer behind CI 90h, the CI field of the transport layer, and its content.

        Raises:
            HeaderTruncatedError: it ends early.
            ControlInformationError: it is one of several fragments.
        """
        size = data[0] if data else 0
        content, rest = data[1 : 1 + size], data[1 + size :]
        if len(content) < max(size, 2) or not rest:
            raise HeaderTruncatedError(
                f"The authentication layer of {size} bytes has {len(content)}.", hint="The telegram was cut."
            )
        control, fields = int.from_bytes(content[:2], "little"), content[2:]
        if control & 0x4000:
            raise ControlInformationError("The telegram is a fragment.", hint="Fragments are not put together.")
        message_control = counter = mac = b""
        if control & 0x2000:
            message_control, fields = fields[:1], fields[1:]
        if control & 0x0200:
            fields = fields[2:]  # key information: we know one key a meter
        if control & 0x0800:
            counter, fields = fields[:4], fields[4:]
        if control & 0x0400 and message_control:
            mac_size = security.MAC_SIZES.get(message_control[0] & 0x0F, 0)
            mac, fields = fields[:mac_size], fields[mac_size:]
            if len(mac) < mac_size:  # a shorter code would be easier to guess
                raise HeaderTruncatedError(
                    f"The code of {mac_size} bytes has {len(mac)}.", hint="The telegram was cut."
                )
        head = message_control + counter + (fields[:2] if control & 0x1000 else b"")
        return cls(counter, mac, head), rest[0], rest[1:]

    def open(self, key: bytes, header: Header, identification: bytes, transport: bytes, data: bytes) -> bytes:
        """The records of mode 7: the code is checked if there is one, then they are deciphered.

        Args:
            key: the meter's own.
            header: of the transport layer; it says how many blocks are ciphered.
            identification: of the meter, as its four bytes travel.
            transport: the transport layer from its CI field on, which the code protects.
            data: what is behind its header and the extension of its configuration.

        Raises:
            WrongKeyError: the key does not fit.
        """
        if self.mac:
            security.check_mac(key, self.counter, identification, self.protected_head + transport, self.mac)
        blocks = header.configuration >> 4 & 0x0F
        return security.decrypt_mode_7(data, blocks, key, self.counter, identification)


NO_AUTHENTICATION: Final = Authentication()
