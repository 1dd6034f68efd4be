"""DLMS APDUs on wired M-Bus (IEC 62056-7-3): long frames whose CI field numbers the segments of an APDU."""

from __future__ import annotations

_START, _STOP = 0x68, 0x16
# start, two lengths, start; checksum and stop
_HEAD_OCTETS, _TAIL_OCTETS = 4, 2
# C, A, CI, STSAP, DTSAP
_FIELD_OCTETS = 5
_LAST_DLMS_CI = 0x1F
_FINAL, _NUMBER_BITS = 0x10, 0x0F


class MBusReader:
    """Finds M-Bus long frames in a stream and joins the APDUs they carry; holds one frame and sixteen segments at most.

    `discarded` counts octets that belonged to no good frame.
    """

    __slots__ = ("_buffer", "_joined", "_next", "discarded")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._joined = bytearray()
        self._next = 0
        self.discarded = 0

    def receive(self, data: bytes) -> None:
        """Take octets from the bus, cut anywhere."""
        self._buffer += data

    def next_apdu(self) -> bytes | None:
        """The next whole APDU, or None when more octets are needed."""
        while (fields := self._next_frame()) is not None:
            control = fields[2]
            number = control & _NUMBER_BITS
            if number == 0:
                self._joined.clear()
                self._next = 0
            if number != self._next:
                # a segment is missing: wait for the next APDU
                self._joined.clear()
                continue
            self._next = number + 1
            self._joined += fields[_FIELD_OCTETS:]
            if control & _FINAL:
                whole = bytes(self._joined)
                self._joined.clear()
                self._next = 0
                return whole
        return None

    def _next_frame(self) -> bytes | None:
        buffer = self._buffer
        while True:
            start = buffer.find(_START)
            self._drop(len(buffer) if start < 0 else start)
            if len(buffer) < _HEAD_OCTETS:
                return None
            length = buffer[1]
            if buffer[2] != length or buffer[3] != _START or length <= _FIELD_OCTETS:
                self._drop(1)
                continue
            end = _HEAD_OCTETS + length
            if len(buffer) < end + _TAIL_OCTETS:
                return None
            fields = bytes(buffer[_HEAD_OCTETS:end])
            good = buffer[end + 1] == _STOP and buffer[end] == sum(fields) & 0xFF and fields[2] <= _LAST_DLMS_CI
            if not good:
                self._drop(1)
                continue
            del buffer[: end + _TAIL_OCTETS]
            return fields

    def _drop(self, octets: int) -> None:
        if octets:
            self.discarded += octets
            del self._buffer[:octets]
