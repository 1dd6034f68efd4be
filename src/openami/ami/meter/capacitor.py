"""What a meter can still say when mains are gone: the energy of a capacitor that mains fill and a last gasp empties."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

CAPACITY_MJ: Final = 9_000
"""Millijoules when full: enough for one modem burst, with a reserve for a cold night."""
GASP_MJ: Final = 6_000
CHARGING_MW: Final = 150
"""So it takes a minute of mains to fill it."""


@dataclass(frozen=True, slots=True)
class Capacitor:
    """How much it held at an instant, and whether mains have been filling it since."""

    level_mj: int = 0
    at_s: int = 0
    filling: bool = False

    def level_at(self, at_s: int) -> int:
        """What it holds at a later instant; between cuts of hours it loses nothing worth counting."""
        gained = CHARGING_MW * (at_s - self.at_s) if self.filling else 0
        return min(CAPACITY_MJ, self.level_mj + gained)

    def mains(self, at_s: int, *, on: bool) -> Capacitor:
        """Mains come or go."""
        return Capacitor(self.level_at(at_s), at_s, on)

    def gasped(self, at_s: int) -> Capacitor | None:
        """The same after a last gasp; None if it does not hold enough for one."""
        left = self.level_at(at_s) - GASP_MJ
        return Capacitor(left, at_s, self.filling) if left >= 0 else None
