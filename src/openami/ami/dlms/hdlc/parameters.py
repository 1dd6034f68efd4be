"""What SNRM and UA agree on: how long an information field may be, and how many frames may be under way."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.reader import Reader

_FORMAT, _GROUP = 0x81, 0x80
_MAX_TRANSMIT, _MAX_RECEIVE, _WINDOW_TRANSMIT, _WINDOW_RECEIVE = 5, 6, 7, 8
MAX_INFORMATION_OCTETS = 2030
MAX_WINDOW = 7


@dataclass(frozen=True, slots=True)
class LinkParameters:
    """The parameters as one side sees them; the defaults are those of the standard."""

    transmit_octets: int = 128
    receive_octets: int = 128
    transmit_window: int = 1
    receive_window: int = 1

    def encode(self) -> bytes:
        """The information field of SNRM or UA; empty when everything is at its default."""
        if self == LinkParameters():
            return b""
        body = b"".join(
            bytes((number, octets)) + value.to_bytes(octets, "big")
            for number, octets, value in (
                (_MAX_TRANSMIT, 2, self.transmit_octets),
                (_MAX_RECEIVE, 2, self.receive_octets),
                (_WINDOW_TRANSMIT, 4, self.transmit_window),
                (_WINDOW_RECEIVE, 4, self.receive_window),
            )
        )
        return bytes((_FORMAT, _GROUP, len(body))) + body

    @classmethod
    def decode(cls, information: bytes) -> Self:
        """The parameters in an information field; what is absent has its default, lengths of values vary."""
        if not information:
            return cls()
        reader = Reader(information)
        if (reader.u8(), reader.u8()) != (_FORMAT, _GROUP):
            msg = f"Link parameters start with {information[:2].hex()} instead of 8180."
            raise RemoteProtocolError(msg)
        found: dict[int, int] = {}
        group = Reader(reader.octets())
        while group.remaining:
            number = group.u8()
            found[number] = int.from_bytes(group.octets(), "big")
        return cls(
            _within(found.get(_MAX_TRANSMIT, 128), MAX_INFORMATION_OCTETS),
            _within(found.get(_MAX_RECEIVE, 128), MAX_INFORMATION_OCTETS),
            _within(found.get(_WINDOW_TRANSMIT, 1), MAX_WINDOW),
            _within(found.get(_WINDOW_RECEIVE, 1), MAX_WINDOW),
        )

    def agreed(self, peer: LinkParameters) -> LinkParameters:
        """What both sides can do, in our view: what we send is what the peer receives."""
        return LinkParameters(
            min(self.transmit_octets, peer.receive_octets),
            min(self.receive_octets, peer.transmit_octets),
            min(self.transmit_window, peer.receive_window),
            min(self.receive_window, peer.transmit_window),
        )


def _within(value: int, most: int) -> int:
    # zero would stop the link; some meters count the whole frame and state more than the standard allows
    return max(1, min(value, most))
