"""Recordings as exact cumulative functions of time, for one home or for a whole fleet at once."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from datetime import date, datetime
from functools import lru_cache
from importlib.resources import files
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.errors import OpenAmiError
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

WEEK_S: Final = 7 * 86400
# a Monday, 00:00 in the street's standard time, on which recordings begin (they repeat before and after)
ANCHOR: Final = datetime(2026, 2, 23)  # noqa: DTZ001 - local standard time, see `standard_offset_s`
_UTC_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001 - only for differences of local times


class UnknownRecordingError(OpenAmiError):
    """No recording ships under this name."""


@dataclass(frozen=True, slots=True)
class Recording:
    """What one home used in whole weeks, slot by slot: Wh of electricity, litres of gas or water.

    It is replayed from its week `rotate_weeks` on, and from its first one again after its last.
    """

    name: str
    data_set: str
    medium: str
    slot_s: int
    first_weekday: int
    values: NDArray[np.int64]
    rotate_weeks: int = 0

    @property
    def period_s(self) -> int:
        """After this time the recording repeats: a whole number of weeks."""
        return len(self.values) * self.slot_s

    @property
    def begins_s(self) -> int:
        """When its first slot is replayed, in seconds after the anchor."""
        return self.first_weekday * 86400 - self.rotate_weeks * WEEK_S

    def rotated(self, weeks: int) -> Recording:
        """The same recording begun some weeks later: another month of the same home."""
        return replace(self, rotate_weeks=self.rotate_weeks + weeks)


class Loads:
    """The loads of many homes as one exact function: how much home `i` has used since the anchor, at any second.

    Inside a slot the use grows evenly, in whole units; the differences of any division of time therefore add up.
    """

    def __init__(self, recordings: Sequence[Recording], zone_name: str) -> None:
        # homes that replay the same recording share its slots, each from a week of its own
        unique = {id(each.values): each for each in recordings}
        offsets = np.cumsum([0, *(len(each.values) for each in unique.values())])
        offset_of = dict(zip(unique, offsets.tolist(), strict=False))
        self._values = np.concatenate([each.values for each in unique.values()])
        self._before = np.concatenate([np.cumsum(each.values) - each.values for each in unique.values()])
        self._offset = np.array([offset_of[id(each.values)] for each in recordings], np.int64)
        self._slot_s = np.array([each.slot_s for each in recordings], np.int64)
        self._period_s = np.array([each.period_s for each in recordings], np.int64)
        totals = {key: int(each.values.sum()) for key, each in unique.items()}
        self._total = np.array([totals[id(each.values)] for each in recordings], np.int64)
        self._anchor_s = _anchor_s(zone_name) + np.array([each.begins_s for each in recordings], np.int64)

    def cumulative(self, home: NDArray[np.int64] | int, at_s: NDArray[np.int64] | int) -> NDArray[np.int64]:
        """Units used from the anchor to second `at_s` (since 1970 UTC), exact; negative before the anchor."""
        cycles, within = np.divmod(np.asarray(at_s, dtype=np.int64) - self._anchor_s[home], self._period_s[home])
        slot, into_slot = np.divmod(within, self._slot_s[home])
        index = self._offset[home] + slot
        begun = self._values[index] * into_slot // self._slot_s[home]
        used: NDArray[np.int64] = cycles * self._total[home] + self._before[index] + begun
        return used

    def slot_s(self, home: int) -> int:
        """For how long the power of a home stays the same, in seconds."""
        return int(self._slot_s[home])

    def rates(self, home: int, at_s: NDArray[np.int64]) -> NDArray[np.int64]:
        """What a home uses at each instant, in whole units per hour (watts of electricity)."""
        within = (at_s - self._anchor_s[home]) % self._period_s[home]
        slot_s = self._slot_s[home]
        rates: NDArray[np.int64] = self._values[self._offset[home] + within // slot_s] * 3600 // slot_s
        return rates

    def between(self, home: int, start_s: int, end_s: int) -> int:
        """Units that one home uses from one second to another."""
        return int(self.cumulative(home, end_s) - self.cumulative(home, start_s))


@lru_cache(maxsize=1)
def library() -> dict[str, Recording]:
    """All recordings that ship, by name."""
    folder = files(__package__)
    index = json.loads(folder.joinpath("recordings.json").read_text(encoding="utf-8"))
    with folder.joinpath("recordings.npz").open("rb") as file, np.load(file) as arrays:
        return {each["name"]: _recording(each, arrays[each["name"]].astype(np.int64)) for each in index}


def load(name: str, *, rotate_weeks: int = 0) -> Recording:
    """One recording, begun `rotate_weeks` later.

    Raises:
        UnknownRecordingError: none ships under this name.
    """
    try:
        return library()[name].rotated(rotate_weeks)
    except KeyError:
        raise UnknownRecordingError(
            f"There is no recording {name!r}.", hint=f"There are {', '.join(sorted(library())[:5])} and more."
        ) from None


def standard_offset_s(zone_name: str) -> int:
    """Seconds that the zone's standard time is ahead of UTC; recordings replay in it all year round.

    So a day of 23 or 25 hours neither skips nor repeats what a home uses.
    """
    offsets = (datetime(ANCHOR.year, month, 1, tzinfo=zone(zone_name)).utcoffset() for month in (1, 7))
    return min(int(offset.total_seconds()) for offset in offsets if offset is not None)


def _anchor_s(zone_name: str) -> int:
    return int((ANCHOR - _UTC_EPOCH).total_seconds()) - standard_offset_s(zone_name)


def _recording(about: dict[str, object], values: NDArray[np.int64]) -> Recording:
    weeks = about["weeks"]
    assert isinstance(weeks, list)
    return Recording(
        name=str(about["name"]),
        data_set=str(about["data_set"]),
        medium=str(about["medium"]),
        slot_s=int(str(about["slot_s"])),
        first_weekday=date.fromisoformat(weeks[0]).weekday(),
        values=values,
    )
