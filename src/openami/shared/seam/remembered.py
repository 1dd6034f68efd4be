"""Messages read on arrival, until their turn comes a moment later: they need not be read again."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Final

from openami.shared.contract.enterprise.encode import Prewritten
from openami.shared.contract.enterprise.model import Bulk

if TYPE_CHECKING:
    from openami.shared.contract.enterprise.model import HeadedMessage

MEMORY_BYTES_MAX: Final = 160 * 1024 * 1024
"""A bulk of the largest size in columns, or what comes of small messages in a second."""
OBJECTS_SIZE: Final = 10
"""How much larger than its XML a message of objects is in memory; one in columns is not."""


class Remembered:
    """As many of the last messages as fit into memory, by the digest of what was received."""

    def __init__(self, memory_bytes_max: int = MEMORY_BYTES_MAX) -> None:
        self._memory_bytes_max = memory_bytes_max
        self._messages: OrderedDict[bytes, tuple[HeadedMessage, int]] = OrderedDict()
        self._memory_bytes = 0

    def keep(self, digest: bytes, message: HeadedMessage, size_bytes: int) -> None:
        """Remember a message whose XML has so many bytes; the oldest ones make room."""
        self.take(digest)
        memory_bytes = size_bytes * (1 if _is_in_columns(message) else OBJECTS_SIZE)
        if memory_bytes > self._memory_bytes_max:
            return
        self._messages[digest] = (message, memory_bytes)
        self._memory_bytes += memory_bytes
        while self._memory_bytes > self._memory_bytes_max:
            self._memory_bytes -= self._messages.popitem(last=False)[1][1]

    def take(self, digest: bytes) -> HeadedMessage | None:
        """The message, which is forgotten; None if it is not remembered."""
        message, memory_bytes = self._messages.pop(digest, (None, 0))
        self._memory_bytes -= memory_bytes
        return message


def _is_in_columns(message: HeadedMessage) -> bool:
    """Whether its many values are columns: its items, or the intervals of their series."""
    if not isinstance(message, Bulk):
        return False
    if isinstance(message.items, Prewritten):
        return True
    series = getattr(message.items[0], "utilities_time_series", None) if message.items else None
    return isinstance(getattr(series, "item", None), Prewritten)
