"""The wire between a concentrator and its meters: slow, shared, and not everything arrives (power line, radio).

A frame that is lost is repeated a few times by the link, as power line modems do; each try takes its time on the air.
Losses come from a seed, so that a test meets the same ones again.
"""

from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Final

REPEATS: Final = 3


@dataclass(frozen=True, slots=True)
class Line:
    """What a segment can do: bits a second (0 = no limit), delay of each frame, and which part of them gets lost."""

    bits_per_s: int = 0
    latency_s: float = 0.0
    loss: float = 0.0


PERFECT: Final = Line()


class Segment:
    """One segment, and what it has carried."""

    def __init__(self, line: Line, seed: int = 0) -> None:
        self.line = line
        self._chance = random.Random(seed)  # noqa: S311 - noise, no secret
        self.frames = 0
        self.repeated = 0
        self.lost = 0

    def carry(self, octets: bytes) -> tuple[bool, float]:
        """Whether a frame arrives at last, and for how long it kept the segment busy."""
        self.frames += 1
        took_s = 0.0
        for attempt in range(1 + REPEATS):
            took_s += self.line.latency_s
            if self.line.bits_per_s:
                took_s += 8 * len(octets) / self.line.bits_per_s
            if self._chance.random() >= self.line.loss:
                self.repeated += attempt
                return True, took_s
        self.repeated += REPEATS
        self.lost += 1
        return False, took_s
