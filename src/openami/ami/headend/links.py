"""Permits: how many sessions a shared link carries at once, who goes first, and what is known of a link that is down.

Wall time and sockets only; no DLMS here.
"""

from __future__ import annotations

import asyncio
import itertools
from bisect import insort
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

from openami.ami.headend.model import Purpose
from openami.ami.headend.turns import Turns
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from openami.ami.headend.model import Address
    from openami.shared.clock import Clock

# Neighbours of a meter that could not be reached are not tried one by one into the same dead link.
DOWN_FOR: Final = timedelta(seconds=60)
SHOWN_MAX: Final = 100  # segments named in the status
SILENT_MAX: Final = 3  # meters in a row that do not answer before the link itself is held to be down


class LinkDownError(OpenAmiError):
    """The concentrator cannot be reached: nothing of any meter behind it."""


@dataclass(order=True, slots=True)
class _Waiter:
    """One session that may not begin yet; the first in order is the most urgent."""

    rank: int
    arrival: int
    keeps_free: int = field(compare=False)
    """How many permits must stay free when it goes on."""
    serial: str = field(compare=False)
    admitted: asyncio.Future[None] = field(compare=False)


@dataclass(slots=True, eq=False)
class _Segment:
    """One shared link: free permits, who waits for one, and the last bad news."""

    free: int
    waiting: list[_Waiter] = field(default_factory=list)
    down_at: datetime | None = None
    down_reason: str = ""
    silent: int = 0


class Links:
    """The permits of all segments; a meter has one association at a time."""

    def __init__(self, clock: Clock, *, permits_per_segment: int = 4, turns: Turns | None = None) -> None:
        self._clock = clock
        self._turns = turns or Turns()
        self._permits = permits_per_segment
        self._segments: dict[str, _Segment] = {}
        self._busy: dict[str, _Segment] = {}
        """Where each meter is spoken with."""
        self._moved: dict[str, list[_Segment]] = {}
        """Where else somebody waits for a meter: its address changed in the middle of a session."""
        self._order = itertools.count()
        self.open = 0

    @asynccontextmanager
    async def permit(self, serial: str, address: Address, purpose: Purpose) -> AsyncIterator[None]:
        """Hold the meter and a permit of its segment, both from the same instant; more urgent purposes overtake.

        Who waits for a permit does not keep an order from its meter, and who waits for a meter does not keep a permit
        from its neighbours. A regular reading that is under way when an order comes for its meter is hurried.

        Raises:
            LinkDownError: the segment was found down a moment ago; nothing was tried.
        """
        segment = self._segment(address)
        if serial in self._busy and purpose is not Purpose.SCHEDULE:
            self._turns.hurry(serial)
        await self._enter(serial, segment, purpose)
        try:
            self._refuse_if_down(address, segment)
            self.open += 1
            try:
                yield
            finally:
                self.open -= 1
        finally:
            self._leave(serial, segment)

    def reached(self, address: Address) -> None:
        """A meter answered: the link is up."""
        segment = self._segment(address)
        segment.down_at, segment.silent = None, 0

    def unreachable(self, address: Address, reason: str) -> None:
        """The concentrator did not take the connection: the link is down for everybody behind it."""
        segment = self._segment(address)
        segment.down_at, segment.down_reason = self._clock.now(), reason

    def silent(self, address: Address) -> None:
        """A meter did not answer over an open connection; several in a row mean that the link is down."""
        segment = self._segment(address)
        segment.silent += 1
        if segment.silent >= SILENT_MAX:
            self.unreachable(address, f"{segment.silent} meters in a row did not answer")

    def down_segments(self) -> dict[str, str]:
        """Which segments were last found down, and why."""
        return {
            name: f"{segment.down_reason} ({segment.down_at:%Y-%m-%d %H:%M}Z)"
            for name, segment in self._segments.items()
            if segment.down_at is not None
        }

    def permits(self) -> list[dict[str, object]]:
        """The segments on which something is going on or waits for a permit, the busiest first."""
        busy = [(name, each) for name, each in self._segments.items() if each.free < self._permits or each.waiting]
        busy.sort(key=lambda each: (-len(each[1].waiting), each[1].free, each[0]))
        return [
            {"segment": name, "open": self._permits - each.free, "of": self._permits, "waiting": len(each.waiting)}
            for name, each in busy[:SHOWN_MAX]
        ]

    def _keeps_free(self, purpose: Purpose) -> int:
        """The permits that the schedule leaves to orders, so that none waits for a regular reading to end."""
        return 1 if purpose is Purpose.SCHEDULE and self._permits > 1 else 0

    def _segment(self, address: Address) -> _Segment:
        return self._segments.setdefault(address.segment, _Segment(self._permits))

    def _refuse_if_down(self, address: Address, segment: _Segment) -> None:
        if segment.down_at is not None and self._clock.now() - segment.down_at < DOWN_FOR:
            raise LinkDownError(
                f"The link to {address.segment} is down: {segment.down_reason}.", hint="It is tried again later."
            )
        if segment.down_at is not None:
            segment.down_at, segment.silent = None, SILENT_MAX - 1  # one probe tells whether it is up again

    async def _enter(self, serial: str, segment: _Segment, purpose: Purpose) -> None:
        admitted: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        keeps_free = self._keeps_free(purpose)
        waiter = _Waiter(purpose.rank, next(self._order), keeps_free, serial, admitted)
        insort(segment.waiting, waiter)
        if self._busy.get(serial, segment) is not segment:
            self._moved.setdefault(serial, []).append(segment)
        self._admit(segment)
        try:
            await admitted
        except asyncio.CancelledError:
            if not admitted.cancelled():
                self._leave(serial, segment)  # it was admitted together with the cancellation: pass it on
            elif waiter in segment.waiting:
                segment.waiting.remove(waiter)
            raise

    def _leave(self, serial: str, segment: _Segment) -> None:
        segment.free += 1
        del self._busy[serial]
        for each in (segment, *self._moved.pop(serial, ())):
            self._admit(each)

    def _admit(self, segment: _Segment) -> None:
        """Let those go on who may: the most urgent first whose meter is free, the schedule while enough is left."""
        waiting, at = segment.waiting, 0
        while at < len(waiting) and segment.free > waiting[at].keeps_free:
            waiter = waiting[at]
            if waiter.admitted.cancelled():
                del waiting[at]
            elif waiter.serial in self._busy:
                at += 1
            else:
                del waiting[at]
                segment.free -= 1
                self._busy[waiter.serial] = segment
                waiter.admitted.set_result(None)
