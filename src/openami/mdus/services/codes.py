"""Codes of the enterprise services that customizing may change, as data with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.registry.codes import CodeTables
from openami.mdus.registry.errors import UnknownCodeError
from openami.shared.errors import OpenAmiError
from openami.shared.quality import FIRST_ESTIMATE, Origin, Verdict, origin_of, origins, verdict_of, verdicts
from openami.shared.spans import UnknownZoneError, zone

if TYPE_CHECKING:
    from numpy.typing import NDArray

TIME_ZONES: Final[dict[str, str]] = {
    "CET": "Europe/Amsterdam",
    "WET": "Europe/Lisbon",
    "EET": "Europe/Helsinki",
    "GMTUK": "Europe/London",
    "UTC": "UTC",
    "EST": "America/New_York",
    "CST": "America/Chicago",
    "MST": "America/Denver",
    "PST": "America/Los_Angeles",
    "INDIA": "Asia/Kolkata",
}
"""Time zone names of the back office -> IANA; a name that is not here may be an IANA name itself."""


class ItemStatus(StrEnum):
    """The status of an interval item; the codes are the values of energy data management."""

    VALID = "01"
    ESTIMATED = "02"
    IMPLAUSIBLE = "03"
    MISSING = "99"


class Pick(StrEnum):
    """Which reading of a day a reading reason asks for."""

    END_OF_DAY = "end of day"
    EARLIEST = "earliest"
    LATEST = "latest"

    @property
    def at_end_of_day(self) -> bool:
        """Whether the reading at the end of the day answers it."""
        return self is not Pick.EARLIEST


PICKS: Final[dict[int, Pick]] = {
    1: Pick.END_OF_DAY,
    2: Pick.END_OF_DAY,
    3: Pick.LATEST,
    5: Pick.END_OF_DAY,
    6: Pick.EARLIEST,
    8: Pick.EARLIEST,
    9: Pick.END_OF_DAY,
    10: Pick.END_OF_DAY,
    12: Pick.LATEST,
    21: Pick.EARLIEST,
    22: Pick.LATEST,
}
"""Reading reason -> which reading; reasons are compared as numbers, senders use `1` and `01`."""


class UnknownReasonError(OpenAmiError):
    """A reading reason that the table does not know."""

    number = "3001"
    category = "DCE.VME"


def default_item_status(quality: int) -> str | None:
    """The status of one packed quality; None for an interval of which nothing is known, which is not uploaded."""
    origin, verdict = origin_of(quality), verdict_of(quality)
    if origin is Origin.EMPTY:
        return None
    if origin is Origin.MISSING:
        return ItemStatus.MISSING
    if verdict is Verdict.FV:
        return ItemStatus.IMPLAUSIBLE
    return ItemStatus.ESTIMATED if origin >= FIRST_ESTIMATE else ItemStatus.VALID


@dataclass(frozen=True, slots=True)
class EnterpriseCodes:
    """The tables of one landscape."""

    registry: CodeTables = field(default_factory=CodeTables)
    time_zones: dict[str, str] = field(default_factory=lambda: dict(TIME_ZONES))
    picks: dict[int, Pick] = field(default_factory=lambda: dict(PICKS))
    item_status: dict[int, str] = field(
        default_factory=lambda: {
            packed: status for packed in range(28 << 3) if _known(packed) and (status := default_item_status(packed))
        }
    )
    """Packed quality -> status code, for every quality that is uploaded."""

    def zone(self, code: str | None, default: str) -> str:
        """The IANA name of a time zone code.

        Raises:
            UnknownCodeError: neither the table nor the zone database knows it.
        """
        if not code:
            return default
        name = self.time_zones.get(code.upper(), code)
        try:
            zone(name)
        except UnknownZoneError as error:
            raise UnknownCodeError(
                f"Time zone {code!r} is not in the zone table.", hint="Add it to the time zone table."
            ) from error
        return name

    def pick(self, reason: str) -> Pick:
        """Which reading of the day a reason asks for.

        Raises:
            UnknownReasonError: the table has no such reason.
        """
        found = self.picks.get(int(reason)) if reason.strip().isdecimal() else None
        if found is None:
            raise UnknownReasonError(f"Reading reason {reason!r} is not supported.", hint="Add it to the reason table.")
        return found

    def status_index(self) -> tuple[NDArray[np.uint8], list[str]]:
        """A table from packed quality to an index into the list of statuses; index 0 is "not uploaded"."""
        names = ["", *dict.fromkeys(self.item_status.values())]
        index = np.zeros(256, np.uint8)
        for packed, status in self.item_status.items():
            index[packed] = names.index(status)
        return index, names


def _known(packed: int) -> bool:
    every = np.array([packed], np.uint8)
    return int(origins(every)[0]) in set(Origin) and int(verdicts(every)[0]) in set(Verdict)
