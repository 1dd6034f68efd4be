"""Cut a serial line into P1 telegrams, in bounded memory."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Final

TELEGRAM_OCTETS_MAX: Final = 8192
"""The longest seen (thirteen months of demand, four slaves) is below 3 kB; a text message may add 2 kB."""
_END: Final = re.compile(rb"\r?\n!([0-9A-Fa-f]{0,4})\r?\n")


@dataclass(slots=True)
class TelegramSplitter:
    """Feed it what the line gives; it yields the bytes of whole telegrams, from `/` to the line end behind `!`."""

    dropped_bytes: int = 0
    _buffer: bytearray = field(default_factory=bytearray)

    def feed(self, octets: bytes) -> list[bytes]:
        """The telegrams that are complete with these bytes, in their order."""
        self._buffer += octets
        telegrams = []
        while (match := _END.search(self._buffer)) is not None:
            whole = bytes(self._buffer[: match.end()])
            del self._buffer[: match.end()]
            # a telegram that was cut is followed by the next one's beginning
            start = whole.rfind(b"/")
            self.dropped_bytes += max(start, 0) if start >= 0 else len(whole)
            if start >= 0:
                telegrams.append(whole[start:])
        if len(self._buffer) > TELEGRAM_OCTETS_MAX:
            self.dropped_bytes += len(self._buffer) - TELEGRAM_OCTETS_MAX
            del self._buffer[:-TELEGRAM_OCTETS_MAX]
        return telegrams

    @property
    def pending_bytes(self) -> int:
        """How many bytes wait for the rest of their telegram."""
        return len(self._buffer)
