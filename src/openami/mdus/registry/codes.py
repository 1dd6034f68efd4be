"""Codes of the back office that belong to customizing: units, recurrences. Tables as data, each with a default."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from openami.mdus.registry.errors import UnknownCodeError

DAY_S: Final = 86_400


@dataclass(frozen=True, slots=True)
class UnitRule:
    """How a unit of the back office stands in the books: `1 code = 10**power` of `unit`, kept at `10**scale`."""

    unit: str
    power: int
    scale: int


UNITS: Final[dict[str, UnitRule]] = {
    "WH": UnitRule("Wh", 0, 0),
    "KWH": UnitRule("Wh", 3, 0),
    "MWH": UnitRule("Wh", 6, 0),
    "VRH": UnitRule("varh", 0, 0),
    "KVR": UnitRule("varh", 3, 0),
    "KVH": UnitRule("varh", 3, 0),
    "W": UnitRule("W", 0, 0),
    "KW": UnitRule("W", 3, 0),
    "KVA": UnitRule("VA", 3, 0),
    "M3": UnitRule("m3", 0, -3),
    "L": UnitRule("m3", -3, -3),
    "V": UnitRule("V", 0, -1),
    "A": UnitRule("A", 0, -3),
}
"""Unit code -> books. Energy is kept in Wh and volume in litres even where the display shows less."""

RECURRENCES: Final[dict[str, int]] = {
    "1": 60,
    "5": 300,
    "10": 600,
    "15": 900,
    "30": 1_800,
    "60": 3_600,
    "1440": DAY_S,
}
"""Interval length id -> seconds. Absent or 0 is a register."""


@dataclass(frozen=True, slots=True)
class CodeTables:
    """The tables of one landscape; an entry that is missing here is an error, never a guess."""

    units: dict[str, UnitRule] = field(default_factory=lambda: dict(UNITS))
    recurrences: dict[str, int] = field(default_factory=lambda: dict(RECURRENCES))

    def unit(self, code: str) -> UnitRule:
        """The books' unit of a unit code.

        Raises:
            UnknownCodeError: the table has no such code.
        """
        rule = self.units.get(code.upper())
        if rule is None:
            raise UnknownCodeError(f"Unit code {code!r} is not in the unit table.", hint="Add it to the unit table.")
        return rule

    def interval_s(self, recurrence: str) -> int:
        """The interval length of a recurrence code, 0 for a register.

        Raises:
            UnknownCodeError: the table has no such code.
        """
        code = recurrence.strip().lstrip("0")
        if not code:
            return 0
        interval_s = self.recurrences.get(code)
        if interval_s is None:
            raise UnknownCodeError(
                f"Recurrence code {recurrence!r} is not in the recurrence table.", hint="Add its length in seconds."
            )
        return interval_s
