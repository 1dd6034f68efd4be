"""General block transfer: any APDU, ciphered or not, cut into numbered blocks with windows (Green Book 9.3.12).

Both sides number their blocks from 1 and acknowledge the highest one received in order. A block with streaming set is
followed by more; one without hands the turn to the partner, who answers with blocks of its own or with an empty one.
What is not acknowledged is sent again from there, and what came already is dropped.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from openami.ami.dlms.blocks import MAX_TRANSFER_OCTETS
from openami.ami.dlms.errors import RemoteProtocolError
from openami.ami.dlms.reader import Reader, encode_octets

TAG = 0xE0
# tag, control, number, acknowledgement, a length of three octets
OVERHEAD_OCTETS = 9
_LAST, _STREAMING, _WINDOW_BITS = 0x80, 0x40, 0x3F
DEFAULT_WINDOW = 8


@dataclass(frozen=True, slots=True)
class GeneralBlock:
    """One general-block-transfer APDU."""

    number: int
    acknowledged: int
    data: bytes = b""
    last: bool = False
    streaming: bool = False
    window: int = 1

    def encode(self) -> bytes:
        """The octets of the block."""
        control = self.window & _WINDOW_BITS | _LAST * self.last | _STREAMING * self.streaming
        numbers = self.number.to_bytes(2, "big") + self.acknowledged.to_bytes(2, "big")
        return bytes((TAG, control)) + numbers + encode_octets(self.data)

    @classmethod
    def decode(cls, octets: bytes) -> Self:
        """The block in `octets`."""
        reader = Reader(octets)
        reader.u8()
        control, number, acknowledged = reader.u8(), reader.u16(), reader.u16()
        data = reader.octets()
        reader.finish("general block")
        return cls(
            number, acknowledged, data, bool(control & _LAST), bool(control & _STREAMING), control & _WINDOW_BITS
        )


class GeneralBlocks:
    """The block transfer of one exchange, for one side; a new exchange begins with `reset`."""

    __slots__ = ("_acknowledged", "_incoming", "_peer_window", "_pieces", "_received", "active", "window")

    def __init__(self, window: int = DEFAULT_WINDOW) -> None:
        self.window = window
        self.reset()

    def reset(self) -> None:
        """Forget the exchange before."""
        # whether one of us has used blocks in this exchange: then both do until its end
        self.active = False
        self._pieces: list[bytes] = []
        self._acknowledged = 0
        self._received = 0
        self._peer_window = 1
        self._incoming = bytearray()

    def send(self, apdu: bytes, block_octets: int) -> list[bytes]:
        """The first blocks of an APDU."""
        self.active = True
        room = max(1, block_octets)
        self._pieces = [apdu[at : at + room] for at in range(0, len(apdu), room)]
        return self._window_of_blocks()

    def receive(self, octets: bytes) -> tuple[bytes | None, list[bytes]]:
        """Take a block: the whole APDU if it is complete now, and the blocks that go back at once."""
        block = GeneralBlock.decode(octets)
        if (block.number, block.acknowledged) == (1, 0) and self._received:
            self.reset()
        self.active = True
        self._peer_window = max(1, block.window)
        self._forget(block.acknowledged)
        whole = self._take(block)
        if whole is not None or block.streaming:
            return whole, []
        # the turn is ours: what is left to send, or the number of what has come
        return None, self._window_of_blocks() if self._pieces else [self._block(0, b"", last=True).encode()]

    def _forget(self, acknowledged: int) -> None:
        new = acknowledged - self._acknowledged
        # an acknowledgement of ours counts as a block too
        if 0 < new <= max(1, len(self._pieces)):
            del self._pieces[:new]
            self._acknowledged = acknowledged

    def _take(self, block: GeneralBlock) -> bytes | None:
        if block.number != self._received + 1:
            return None
        self._received = block.number
        self._incoming += block.data
        if len(self._incoming) > MAX_TRANSFER_OCTETS:
            self.reset()
            msg = f"A general block transfer grew beyond {MAX_TRANSFER_OCTETS} octets."
            raise RemoteProtocolError(msg, service_error=4)
        if not block.last or not self._incoming:
            return None
        whole = bytes(self._incoming)
        self._incoming.clear()
        return whole

    def _window_of_blocks(self) -> list[bytes]:
        window = self._pieces[: self._peer_window]
        final, end = len(self._pieces) - 1, len(window) - 1
        return [
            self._block(at, piece, last=at == final, streaming=at < end).encode() for at, piece in enumerate(window)
        ]

    def _block(self, at: int, data: bytes, *, last: bool, streaming: bool = False) -> GeneralBlock:
        return GeneralBlock(self._acknowledged + 1 + at, self._received, data, last, streaming, self.window)
