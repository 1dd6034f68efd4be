"""A brake on guessing passwords: who fails often waits, twice as long each time, up to a bound.

Failures are counted for a user from one source, for a source whatever user it names, and for a user from anywhere: the
last with short pauses, so that a stranger cannot keep somebody out for long. Kept in memory, bounded, soon forgotten.
"""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass
from datetime import timedelta
from math import ceil
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator
    from datetime import datetime

    from openami.shared.clock import Clock

FORGET_AFTER: Final = timedelta(hours=1)
KEPT_MAX: Final = 10_000
"""How many counts are kept; the one that was not touched for longest goes first."""


@dataclass(frozen=True, slots=True)
class Limit:
    """How many failures cost nothing, and the longest pause after more."""

    free: int
    most_s: int

    def pause(self, failures: int) -> timedelta:
        """How long nothing may be tried after so many failures."""
        beyond = failures - self.free
        return timedelta(seconds=0 if beyond < 0 else min(2 ** min(beyond, 32), self.most_s))


USER_AT_SOURCE: Final = Limit(free=5, most_s=900)
SOURCE: Final = Limit(free=20, most_s=900)
USER: Final = Limit(free=50, most_s=60)


@dataclass(frozen=True, slots=True)
class _Count:
    failures: int
    last_at: datetime


class Brake:
    """Counts failures and says how long to wait; an attempt counts as failed until it has succeeded."""

    def __init__(self, clock: Clock, kept_max: int = KEPT_MAX) -> None:
        self._clock = clock
        self._kept_max = kept_max
        self._counts: OrderedDict[tuple[str, ...], _Count] = OrderedDict()

    def __len__(self) -> int:
        return len(self._counts)

    def wait_s(self, user: str, source: str) -> int:
        """For how many seconds nothing may be tried; 0 if something may. Nobody in particular is the user ""."""
        return max(self._wait_s(key, limit) for key, limit in _keys(user, source))

    def attempt(self, user: str, source: str) -> None:
        """Somebody tries: many at once are many."""
        for key, _ in _keys(user, source):
            known = self._known(key)
            self._counts[key] = _Count(known.failures + 1 if known else 1, self._clock.now())
            self._counts.move_to_end(key)
        while len(self._counts) > self._kept_max:
            self._counts.popitem(last=False)

    def succeeded(self, user: str, source: str) -> None:
        """It was the right password: the user's failures are forgotten, and the source has one less."""
        for key, limit in _keys(user, source):
            known = self._counts.pop(key, None)
            if limit is SOURCE and known is not None and known.failures > 1:
                self._counts[key] = _Count(known.failures - 1, known.last_at)

    def _wait_s(self, key: tuple[str, ...], limit: Limit) -> int:
        known = self._known(key)
        if known is None:
            return 0
        left_s = ceil((known.last_at + limit.pause(known.failures) - self._clock.now()).total_seconds())
        return left_s if 0 < left_s <= limit.most_s else 0  # more is left only when the clock was set back

    def _known(self, key: tuple[str, ...]) -> _Count | None:
        count = self._counts.get(key)
        return None if count is None or self._clock.now() - count.last_at > FORGET_AFTER else count


def _keys(user: str, source: str) -> Iterator[tuple[tuple[str, ...], Limit]]:
    yield (user, source), USER_AT_SOURCE
    yield ("", "", source), SOURCE
    if user:
        yield (user,), USER
