"""A telegram as the collector keeps it: its bytes, and what they say if they say anything."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.ami.mbus import LongFrame, MBusError, decode_telegram, reading_of

if TYPE_CHECKING:
    from datetime import datetime

    from openami.ami.mbus import Frame


@dataclass(frozen=True, slots=True)
class KeptTelegram:
    """One long frame; either a cumulative volume of a meter at an instant, or the reason why it says none."""

    raw: bytes
    mbus_id: str | None = None
    manufacturer: str | None = None
    medium: int | None = None
    measured_at: datetime | None = None
    volume_litres: int | None = None
    status: int = 0
    error: str | None = None

    @property
    def digest(self) -> bytes:
        """What makes a repeat known: the same bytes are the same telegram (access number and time are in them)."""
        return hashlib.sha256(self.raw).digest()


def telegram_of(frame: Frame, raw: bytes, zone_name: str) -> KeptTelegram | None:
    """What a frame says; None for a frame that carries nothing to keep (an acknowledgement, a request).

    A frame that is whole but cannot be understood is kept with the reason: asking for it again would not help.
    """
    if not isinstance(frame, LongFrame):
        return None
    mbus_id = None
    try:
        telegram = decode_telegram(frame)
        mbus_id = telegram.header.identification if hasattr(telegram, "header") else None
        reading = reading_of(telegram, zone_name)
    except MBusError as error:
        return KeptTelegram(raw, mbus_id=mbus_id, error=str(error))
    return KeptTelegram(
        raw,
        mbus_id=reading.identification,
        manufacturer=reading.manufacturer,
        medium=reading.medium,
        measured_at=reading.instant,
        volume_litres=reading.volume_litres,
        status=reading.status,
    )
