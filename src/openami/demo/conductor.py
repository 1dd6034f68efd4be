"""Moves the clock of a simulated landscape: from one due instant to the next, and only when all is quiet.

Quiet means: every area, asked twice, has nothing in hand, waits for nothing that is due, and did nothing in between.
A message is always in the sender's outbox or the receiver's inbox, so that nobody can be quiet while one is on its way.
The field lives through the time first; only then does the clock show it.
"""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from openami.demo.areas import Areas
    from openami.shared.clock import SharedClock

LOOK_AGAIN_S = 0.03  # while somebody works, at first; asking costs everybody a little
LOOK_AGAIN_SHARE = 0.15  # of the time already waited: work that takes long is asked about less often
ASSURE_S = 0.004  # before the second look that makes sure
QUIET_TIMEOUT_S = 90.0
LANDSCAPE = ("field", "headend", "mdus", "office")


class NeverQuietError(OpenAmiError):
    """The landscape did not come to rest."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What the areas said of their work at one look."""

    pending: dict[str, int]
    activity: dict[str, int]
    next_due: datetime | None

    @property
    def busy(self) -> tuple[str, ...]:
        """Who has something in hand."""
        return tuple(area for area, count in self.pending.items() if count)

    @property
    def quiet(self) -> bool:
        """Whether everybody was asked and nobody has anything in hand."""
        return len(self.pending) == len(LANDSCAPE) and not self.busy


def snapshot_of(answers: Sequence[dict[str, Any]], now: datetime) -> Snapshot:
    """Put the areas' answers together; a timer that is due counts as work in hand."""
    dues = {answer["area"]: datetime.fromisoformat(answer["next_due"]) for answer in answers if answer["next_due"]}
    return Snapshot(
        pending={
            answer["area"]: answer["pending"] + (answer["area"] in dues and dues[answer["area"]] <= now)
            for answer in answers
        },
        activity={answer["area"]: answer["activity"] for answer in answers},
        next_due=min(dues.values(), default=None),
    )


class Conductor:
    """Carries a landscape through business time."""

    def __init__(self, areas: Areas, clock: SharedClock, *, told: Callable[[str], None] = lambda _step: None) -> None:
        """Take the areas, the clock and a function that hears what is being waited for (the progress bar)."""
        self._areas = areas
        self._clock = clock
        self._told = told

    async def settle(self) -> Snapshot:
        """Wait until the landscape is quiet.

        Raises:
            NeverQuietError: names what was still in hand.
        """
        begun = time.monotonic()
        deadline = begun + QUIET_TIMEOUT_S
        before = Snapshot({}, {}, None)
        while True:
            # who works is asked alone until that is done; then everybody
            answers = await asyncio.gather(*(self._areas.get(area, "/api/work") for area in before.busy or LANDSCAPE))
            snapshot = snapshot_of(answers, self._clock.now())
            moved = any(before.activity.get(area) != activity for area, activity in snapshot.activity.items())
            if snapshot.quiet and before.quiet and not moved:
                return snapshot
            if moved:
                deadline = time.monotonic() + QUIET_TIMEOUT_S  # as long as something moves, we wait
            if time.monotonic() > deadline:
                in_hand = {answer["area"]: answer["parts"] for answer in answers}
                raise NeverQuietError(
                    f"The landscape is not quiet after {QUIET_TIMEOUT_S:.0f} s without progress; in hand: {in_hand}.",
                    hint="Look at the messages in the console and at the logs.",
                )
            before = snapshot
            self._told(_busiest(snapshot))
            waited_s = time.monotonic() - begun
            await asyncio.sleep(max(LOOK_AGAIN_S, LOOK_AGAIN_SHARE * waited_s) if snapshot.busy else ASSURE_S)

    async def run_until(self, instant: datetime) -> None:
        """Let business time pass up to `instant`, stopping at every timer on the way."""
        while (now := self._clock.now()) < instant:
            snapshot = await self.settle()
            due = snapshot.next_due
            step = min(instant, due) if due is not None and due > now else instant
            await self._areas.post("field", "/api/advance", {"to": step.isoformat()})
            self._clock.advance_to(step)
        await self.settle()


def _busiest(snapshot: Snapshot) -> str:
    words = {
        "field": "meters measure",
        "headend": "head-end reads",
        "mdus": "MDUS validates",
        "office": "office books",
    }
    area = max(snapshot.pending, key=lambda name: snapshot.pending[name])
    return words[area] if snapshot.pending[area] else "all quiet"
