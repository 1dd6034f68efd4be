"""Instants as whole seconds since 1970, as the fleet counts them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def seconds_of(instant: datetime) -> int:
    """Whole seconds since 1970 UTC, rounded down."""
    return (instant - _EPOCH) // timedelta(seconds=1)


def instant_of(seconds: int) -> datetime:
    """The instant, aware, UTC."""
    return _EPOCH + timedelta(seconds=int(seconds))
