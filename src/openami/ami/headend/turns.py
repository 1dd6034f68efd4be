"""Who of many ready sessions goes on: those of the schedule one a turn of the event loop, orders at once.

When the processor and not the field is what is short, a hundred sessions are ready at the same moment; without this an
order would wait behind all of them at each of its steps.
"""

from __future__ import annotations

import asyncio
from collections import deque


class Turns:
    """Lets those who may wait go on one by one; whoever may not, does not ask."""

    def __init__(self) -> None:
        self._waiting: deque[asyncio.Future[None]] = deque()
        self._turning = False

    async def take(self) -> None:
        """Return when it is the caller's turn."""
        loop = asyncio.get_running_loop()
        turn: asyncio.Future[None] = loop.create_future()
        self._waiting.append(turn)
        if not self._turning:
            self._turning = True
            loop.call_soon(self._next)
        await turn

    def _next(self) -> None:
        """Wake one; its step runs in the next turn of the loop, together with whatever became ready meanwhile."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():  # else cancelled: its turn goes to the next
                turn.set_result(None)
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._turning = False
