"""Business time as a dependency: real, set by hand, or shared by all processes of one simulated landscape.

Business timers (schedules, deadlines, time stamps) ask a Clock. Transport retries wait in wall time: peers are real
even when the month is not.
"""

from __future__ import annotations

import asyncio
import contextlib
import mmap
import os
import struct
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pathlib import Path

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_POLL_S = 0.02  # how soon a process notices that the shared clock has jumped
_LONGEST_REAL_SLEEP_S = 60.0


class Clock(Protocol):
    """What every service asks instead of the operating system."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        ...

    async def sleep_until(self, instant: datetime) -> None:
        """Return once `now()` is at or past `instant`."""
        ...


class RealClock:
    """The operating system's clock."""

    def now(self) -> datetime:
        """The present instant, aware, UTC."""
        return datetime.now(UTC)

    async def sleep_until(self, instant: datetime) -> None:
        """Sleep in bounded slices, so that a corrected system clock is noticed."""
        while (remaining_s := (instant - self.now()).total_seconds()) > 0:  # noqa: ASYNC110 - time itself is the event
            await asyncio.sleep(min(remaining_s, _LONGEST_REAL_SLEEP_S))


class ManualClock:
    """A clock that stands still until a test moves it; sleepers wake in the order of their instants."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._moved = asyncio.Event()

    def now(self) -> datetime:
        """The instant that was set last."""
        return self._now

    def advance_to(self, instant: datetime) -> None:
        """Move forward (never back) and wake whoever is due."""
        self._now = max(self._now, instant)
        self._moved.set()
        self._moved = asyncio.Event()

    def advance(self, by: timedelta) -> None:
        """Move forward by a duration."""
        self.advance_to(self._now + by)

    async def sleep_until(self, instant: datetime) -> None:
        """Return once the clock was moved to `instant` or past it."""
        while self._now < instant:
            await self._moved.wait()


class SharedClock:
    """One instant in a memory-mapped file: a conductor moves it, every process of the landscape reads it.

    Eight bytes, microseconds since 1970 UTC, little-endian: an aligned eight-byte store is atomic on every machine
    we run on, so readers need no lock.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), 8)

    @classmethod
    def create(cls, path: Path, now: datetime) -> SharedClock:
        """Make the file if it is not there; an existing clock keeps its instant."""
        if not path.exists():
            # whole or not at all, and made by one of several areas that start together
            fresh = path.with_name(f"{path.name}.{os.getpid()}")
            fresh.write_bytes(struct.pack("<q", _microseconds(now)))
            with contextlib.suppress(FileExistsError):
                os.link(fresh, path)
            fresh.unlink()
        return cls(path)

    def now(self) -> datetime:
        """The landscape's instant, aware, UTC."""
        (microseconds,) = struct.unpack("<q", self._map[:8])
        return EPOCH + timedelta(microseconds=microseconds)

    def advance_to(self, instant: datetime) -> None:
        """Move the landscape forward (never back). Only the conductor calls this."""
        if instant > self.now():
            self._map[:8] = struct.pack("<q", _microseconds(instant))
            self._map.flush()

    async def sleep_until(self, instant: datetime) -> None:
        """Return soon after the conductor has moved the clock to `instant` or past it."""
        while self.now() < instant:  # noqa: ASYNC110 - another process moves it: no event reaches us
            await asyncio.sleep(_POLL_S)


def _microseconds(instant: datetime) -> int:
    return (instant - EPOCH) // timedelta(microseconds=1)
