"""Service-specific block transfer: the PDUs that carry a long GET, SET or ACTION piece by piece (Green Book 9.4.6.5).

A block belongs to a service and carries part of a value; the other side answers with the number it wants or has.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from openami.ami.dlms.errors import RemoteProtocolError

if TYPE_CHECKING:
    from openami.ami.dlms.enums import DataAccessResult
    from openami.ami.dlms.references import Invoke

# A transfer is held in memory until its last block: a year of quarter hours with twelve columns is about 2.5 MB.
MAX_TRANSFER_OCTETS = 4 * 1024 * 1024


class Service(Enum):
    """The services that know blocks."""

    GET = "get"
    SET = "set"
    ACTION = "action"


@dataclass(frozen=True, slots=True)
class Block:
    """One piece of a long value; the first block of a request also says what is meant (`head`, wire form)."""

    service: Service
    invoke: Invoke
    number: int
    raw: bytes = b""
    last: bool = False
    head: bytes | None = None
    listed: bool = False
    failure: DataAccessResult | None = None


@dataclass(frozen=True, slots=True)
class NextBlock:
    """GET and ACTION answers: send the block after `number`; SET and ACTION requests: `number` has arrived."""

    service: Service
    invoke: Invoke
    number: int


@dataclass(slots=True)
class Outgoing:
    """A long value on its way out."""

    service: Service
    invoke: Invoke
    raw: bytes
    block_octets: int
    head: bytes | None = None
    listed: bool = False
    number: int = 0
    _position: int = 0

    def next(self) -> Block:
        """The next block; the first carries the head and starts the count at 1."""
        head = self.head if self.number == 0 else None
        room = max(1, self.block_octets - (len(head) if head is not None else 0))
        start, self._position = self._position, self._position + room
        self.number += 1
        raw = self.raw[start : self._position]
        return Block(
            self.service, self.invoke, self.number, raw, self._position >= len(self.raw), head, listed=self.listed
        )


@dataclass(slots=True)
class Incoming:
    """A long value on its way in; blocks must come in order and fit the bound."""

    service: Service
    invoke: Invoke
    head: bytes | None = None
    listed: bool = False
    number: int = 0
    _raw: bytearray | None = None

    def add(self, block: Block) -> None:
        """Take the next block."""
        raw = self._raw if self._raw is not None else bytearray()
        self._raw = raw
        # block numbers start at 1 and rise by 1; the invoke-id stays the same in the whole transfer
        if block.number != self.number + 1:
            msg = f"Block {block.number} came where {self.number + 1} is due."
            raise RemoteProtocolError(msg)
        if len(raw) + len(block.raw) > MAX_TRANSFER_OCTETS:
            msg = f"A block transfer grew beyond {MAX_TRANSFER_OCTETS} octets."
            raise RemoteProtocolError(msg, service_error=4)
        self.number = block.number
        raw += block.raw

    @property
    def raw(self) -> bytes:
        """What has arrived so far."""
        return bytes(self._raw or b"")
