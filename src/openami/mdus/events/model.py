"""An event of a device in our vocabulary, and its codes in the back office."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

from openami.mdus.registry.ids import bare

if TYPE_CHECKING:
    from datetime import datetime

    from openami.mdus.registry.ids import DeviceId

_SPACE: Final = uuid.UUID("6f70656e-616d-4969-8000-6d6475730002")
_DIGITS: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


class Forwarding(StrEnum):
    """What became of an event on its way to the back office."""

    KEPT = "kept"
    """The table says that the back office does not want it, or its device is not registered."""
    SENT = "sent"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DeviceEvent:
    """What happened to a device; `name` is ours, `code` the one that the AMS sent, kept as it came."""

    device: DeviceId
    name: str
    code: str
    severity: str
    occurred_at: datetime
    mrid: str = ""
    reason: str = ""
    tracking_id: str = ""
    source: str = ""
    details: dict[str, str] = field(default_factory=dict)

    @property
    def key(self) -> tuple[str, str, datetime, str]:
        """Two messages with this in common tell of the same event."""
        return bare(self.device), self.code, self.occurred_at, self.mrid

    @property
    def enterprise_id(self) -> str:
        """Its id in the back office: 22 characters that follow from the key, so that a repeat is recognised."""
        number = uuid.uuid5(_SPACE, "|".join(str(part) for part in self.key)).int
        digits = []
        for _ in range(22):
            number, rest = divmod(number, 62)
            digits.append(_DIGITS[rest])
        return "".join(reversed(digits))


@dataclass(frozen=True, slots=True)
class EnterpriseCodes:
    """One line of the mapping table."""

    forward: bool
    category: str
    type: str
    severity: str
    origin: str
