"""Cut a stream of bytes into M-Bus frames, surviving noise, in bounded memory."""

from __future__ import annotations

from dataclasses import dataclass, field

from openami.ami.mbus.errors import MBusError
from openami.ami.mbus.frames import Frame, decode, frame_size


@dataclass(slots=True)
class FrameSplitter:
    """Feed it what the line gives; it yields whole good frames and counts the bytes that belonged to none.

    Its memory is bounded: an incomplete frame never has more than 261 bytes (EN 13757-2), since a false start is
    given up byte by byte.
    """

    noise_bytes: int = 0
    last_error: MBusError | None = None
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, octets: bytes) -> list[Frame]:
        """The frames that are complete with these bytes, in their order."""
        return [frame for frame, _ in self.feed_raw(octets)]

    def feed_raw(self, octets: bytes) -> list[tuple[Frame, bytes]]:
        """The same, each with the bytes it came in."""
        self._buffer += octets
        frames: list[tuple[Frame, bytes]] = []
        position = 0
        while position < len(self._buffer):
            try:
                size = frame_size(bytes(self._buffer[position : position + 4]))
                if size is None or position + size > len(self._buffer):
                    break
                raw = bytes(self._buffer[position : position + size])
                frames.append((decode(raw), raw))
                position += size
            except MBusError as error:
                # resynchronize on the next byte: a false start must not swallow the true frame behind it
                self.last_error = error
                self.noise_bytes += 1
                position += 1
        del self._buffer[:position]
        return frames

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their frame."""
        return len(self._buffer)
