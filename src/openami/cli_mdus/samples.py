"""Real recordings as channel-days of complete, actual values: what estimates are measured against."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series import Calendar, ChannelDays, place
from openami.shared.errors import OpenAmiError
from openami.shared.quality import EMPTY, VALID

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from openami.mdus.unify.adapters import SourceSeries
    from openami.mdus.vee.reference_data import Given

_FIRST: Final = date(2026, 1, 5).toordinal()
"""A Monday; recordings of the street begin with one."""
_LEAST_DAYS: Final = 28
_MOST_READINGS: Final = 20_000_000
"""Of one length of interval; what is beyond them is not looked at."""


class TooLittleError(OpenAmiError):
    """Not enough whole days to hide values in."""


def from_recordings() -> Iterator[tuple[str, int, ChannelDays]]:
    """The electricity recordings that ship with the simulated street, by length of interval."""
    from openami.ami.meter.recordings import library  # noqa: PLC0415 - other commands start faster

    homes = [one for one in library().values() if one.medium == "electricity"]
    for slot_s in sorted({one.slot_s for one in homes}):
        count = 86_400 // slot_s
        own = [one.values for one in homes if one.slot_s == slot_s and len(one.values) >= _LEAST_DAYS * count]
        if not own:
            continue
        days = 7 * min(len(values) // (7 * count) for values in own)
        values = np.concatenate([one[: days * count].reshape(days, count) for one in own])
        channel = np.repeat(np.arange(len(own)), days)
        day = np.tile(np.arange(_FIRST, _FIRST + days), len(own))
        batch = ChannelDays.of(channel, day, values, np.full(values.shape, VALID, np.uint8))
        yield f"{len(own)} homes of the street, {days} days", slot_s, batch


def from_file(path: Path) -> Iterator[tuple[str, int, ChannelDays]]:
    """The whole days (of UTC) of every interval channel of a file, by length of interval.

    Raises:
        TooLittleError: no channel has enough of them.
    """
    by_length: dict[int, list[SourceSeries]] = {}
    for one in _series(path):
        by_length.setdefault(one.block.interval_s, []).append(one)
    found = False
    for interval_s, members in sorted(by_length.items()):
        days = _whole_days(interval_s, members)
        if len(days) and int(days.day.max() - days.day.min()) >= _LEAST_DAYS:
            found = True
            yield f"{path.name}, {len(np.unique(days.channel))} channels", interval_s, days
    if not found:
        raise TooLittleError(f"{path} has no {_LEAST_DAYS} whole days of any channel.", hint="Give a longer file.")


def weather_of(path: Path) -> list[Given]:
    """The temperatures of a file such as `openami vee load temperature` takes; of one place.

    Raises:
        BadReferenceError: a line cannot be read, or it speaks of several places.
    """
    from openami.mdus.vee.reference_data import TEMPERATURE, BadReferenceError, parse  # noqa: PLC0415 - as above

    found = parse(TEMPERATURE, path.read_text())
    if len({one.key for one in found}) > 1:
        raise BadReferenceError(f"{path} speaks of several places.", hint="Give the one of the recordings.")
    return found


def _series(path: Path) -> Iterator[SourceSeries]:
    from openami.mdus.unify.adapters import read_file  # noqa: PLC0415 - as above

    seen: dict[int, int] = {}
    for _, batch in read_file(path):
        for one in batch.series:
            length = one.block.interval_s
            if length and seen.get(length, 0) < _MOST_READINGS:
                seen[length] = seen.get(length, 0) + len(one.block)
                yield one


def _whole_days(interval_s: int, members: list[SourceSeries]) -> ChannelDays:
    names = {name: number for number, name in enumerate(dict.fromkeys(one.id for one in members))}
    scale = min(one.block.scale for one in members)
    channel = np.concatenate([np.full(len(one.block), names[one.id]) for one in members])
    values = np.concatenate([one.block.values * 10 ** (one.block.scale - scale) for one in members])
    packed = np.concatenate([np.where(one.block.missing, EMPTY, VALID) for one in members]).astype(np.uint8)
    starts = np.concatenate([one.block.starts for one in members])
    groups = place(Calendar("UTC", interval_s), channel, starts, values, packed).groups
    (days,) = groups or [ChannelDays.empty(np.zeros(0, np.int64), np.zeros(0, np.int64), 86_400 // interval_s)]
    return days.rows((days.quality == VALID).all(axis=1))
