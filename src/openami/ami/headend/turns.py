"""Who of many ready sessions goes on: those of the schedule one a turn of the event loop, orders at once.

When the processor and not the field is what is short, a hundred sessions are ready at the same moment; without this an
order would wait behind all of them at each of its steps. Of the regular ones the oldest goes on: then few are open at
a time, each for a short while, instead of all of them for long. One whose meter an order waits for is hurried: it
waits for nobody any more. And while an order is in hand they go on slowly: it consists of many small steps (questions
to the database and to the meter), and would else wait at each of them for one step of somebody else.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

PAUSE_S: Final = 0.005
"""Between two steps of those who may wait, while something urgent is in hand."""
URGENT_MAX_S: Final = 0.25
"""What takes longer waits for its meter and not for us: then the others go on as usual."""


class Turn:
    """The place of one session among those that may wait."""

    def __init__(self, turns: Turns, number: int) -> None:
        self._turns = turns
        self.number = number
        self.hurried = False
        self._waits: asyncio.Future[None] | None = None

    async def take(self) -> None:
        """Return when it is this session's turn."""
        if not self.hurried:
            waits: asyncio.Future[None] = asyncio.get_running_loop().create_future()
            self.wake(waits)
            await waits

    def wake(self, waits: asyncio.Future[None]) -> None:
        """Let the session go on, which waits for this, when it is its turn."""
        if self.hurried:
            _let_go_on(waits)
        elif waits is not self._waits:  # else it has its place already
            self._waits = waits
            self._turns.queue(self.number, waits)

    def hurry(self) -> None:
        """From now on it is always its turn."""
        self.hurried = True
        if self._waits is not None:
            _let_go_on(self._waits)


class Turns:
    """Lets those who may wait go on one by one; whoever may not, does not ask."""

    def __init__(self) -> None:
        self._waiting: list[tuple[int, int, asyncio.Future[None]]] = []
        self._going: dict[str, Turn] = {}
        self._numbers = itertools.count()
        self._turning = False
        self._urgent: dict[int, float] = {}
        """Until when each urgent thing in hand is given way to."""

    @contextmanager
    def urgent(self) -> Iterator[None]:
        """Something urgent is in hand: those who may wait go on slowly until it is done, or for a moment."""
        number = next(self._numbers)
        self._urgent[number] = asyncio.get_running_loop().time() + URGENT_MAX_S
        try:
            yield
        finally:
            del self._urgent[number]

    @contextmanager
    def of(self, name: str) -> Iterator[Turn]:
        """A place for the session with a meter, as long as it lasts."""
        turn = self._going[name] = Turn(self, next(self._numbers))
        try:
            yield turn
        finally:
            if self._going.get(name) is turn:
                del self._going[name]

    def hurry(self, name: str) -> None:
        """Somebody urgent waits for this meter: let whoever speaks with it come to an end."""
        if (turn := self._going.get(name)) is not None:
            turn.hurry()

    def queue(self, number: int, waits: asyncio.Future[None]) -> None:
        """Let a session go on when it is its turn, the oldest first."""
        heapq.heappush(self._waiting, (number, next(self._numbers), waits))
        if not self._turning:
            self._turning = True
            asyncio.get_running_loop().call_soon(self._next)

    def _next(self) -> None:
        """Wake one; its step runs in the next turn of the loop, together with whatever became ready meanwhile."""
        while self._waiting:
            *_, waits = heapq.heappop(self._waiting)
            if not waits.done():  # else cancelled or hurried: its turn goes to the next
                waits.set_result(None)
                loop = asyncio.get_running_loop()
                give_way = bool(self._urgent) and max(self._urgent.values()) > loop.time()
                loop.call_later(PAUSE_S if give_way else 0, self._next)
                return
        self._turning = False


def _let_go_on(waits: asyncio.Future[None]) -> None:
    if not waits.done():
        waits.set_result(None)
