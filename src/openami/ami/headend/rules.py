"""The head-end's decisions without any input or output: when to read, when to try again, what is missing."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.contract.field.codes import QualityCode
from openami.shared.spans import local_date, local_midnight

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from openami.ami.headend.model import IntervalRows

# The first pause outlasts a meter's restart; six hours still give four tries a day to a link that is down for long.
BACK_OFF_S: Final = (1800, 3600, 7200, 14400, 21600)

# A profile status octet that says the value itself is good (cosem 7.4: bit 3 is only daylight saving).
STATUS_DAYLIGHT_SAVING: Final = 0x08
STATUS_QUALITIES: Final[dict[int, QualityCode]] = {
    0x01: QualityCode(1, 1, 0),  # critical error: diagnostics flag
    0x02: QualityCode(1, 1, 9),  # clock invalid
    0x04: QualityCode(1, 5, 257),  # data not valid: value unusable
    0x20: QualityCode(1, 4, 9),  # clock adjusted
    0x80: QualityCode(1, 2, 32),  # power down during the interval
}
GOOD: Final = QualityCode(1, 0, 0)
SHORT_INTERVAL: Final = QualityCode(1, 4, 2)


def next_daily(zone_name: str, offset_s: int, after: datetime) -> datetime:
    """The first instant strictly after `after` that lies `offset_s` behind a local midnight."""
    day = local_date(zone_name, after) - timedelta(days=1)
    while (due := local_midnight(zone_name, day) + timedelta(seconds=offset_s)) <= after:
        day += timedelta(days=1)
    return due


def next_regular(zone_name: str, offset_s: int, period_s: int | None, after: datetime) -> datetime:
    """The next regular reading strictly after `after`: daily, or every `period_s` counted from the offset in UTC."""
    if period_s is None:
        return next_daily(zone_name, offset_s, after)
    passed = (int(after.timestamp()) - offset_s) // period_s + 1
    return instant_of(passed * period_s + offset_s)


def back_off(failures: int) -> timedelta:
    """The pause after the n-th failure in a row (from 1): half an hour, doubling up to six hours."""
    return timedelta(seconds=BACK_OFF_S[min(max(failures, 1), len(BACK_OFF_S)) - 1])


def next_attempt(now: datetime, regular: datetime, failures: int, *, retry_helps: bool) -> datetime:
    """When to try a meter again that failed: after the pause, but never later than its regular reading.

    Where a repeat cannot help (wrong password, wrong meter at the address) only the regular reading tries again: each
    further try would only fill the meter's fraud log.
    """
    return min(regular, now + back_off(failures)) if retry_helps else regular


def floor_to_s(instant: datetime, interval_s: int) -> int:
    """The last interval boundary at or before an instant, in Unix seconds."""
    return int(instant.timestamp()) // interval_s * interval_s


def instant_of(unix_s: int) -> datetime:
    """The aware UTC instant of Unix seconds."""
    return datetime.fromtimestamp(unix_s, UTC)


def new_rows(rows: IntervalRows, mark: datetime | None, since: datetime | None) -> IntervalRows:
    """The rows behind the mark (or behind the installation, if nothing was told yet), in the order of their ends.

    Requests overlap by one row on purpose, so that a mark never hides its neighbour; here the overlap goes.
    """
    known = mark or since
    ends_s = rows.ends_s
    in_order = bool((ends_s[1:] >= ends_s[:-1]).all())
    ordered = rows if in_order else rows.where(np.argsort(ends_s, kind="stable"))
    if known is None:
        return ordered
    first = int(np.searchsorted(ordered.ends_s, int(known.timestamp()), side="right"))
    return ordered.where(slice(first, None))


def missing_ends(rows: IntervalRows, mark: datetime | None, until_s: int, interval_s: int) -> NDArray[np.int64]:
    """The interval ends that should have a row but have none, although the meter answered.

    Counted from the mark up to `until_s`; without a mark from the meter's own first row on: a meter can only miss
    what it was there to measure.
    """
    if mark is None and not len(rows):
        return np.empty(0, np.int64)
    first_s = _first_end_s(mark, interval_s) if mark else int(rows.ends_s[0])
    expected = np.arange(first_s, until_s + 1, interval_s, dtype=np.int64)
    if np.array_equal(expected, rows.ends_s):  # nearly always: nothing is missing
        return expected[:0]
    slots = -(-rows.ends_s // interval_s) * interval_s  # a short interval fills the slot it lies in
    return np.setdiff1d(expected, slots)


def _first_end_s(mark: datetime, interval_s: int) -> int:
    """The end of the first whole interval that starts at or after the mark."""
    return -(-int(mark.timestamp()) // interval_s) * interval_s + interval_s


def status_qualities(status: int, *, short: bool = False) -> tuple[QualityCode, ...]:
    """What a row's status octet says in the seam's words; a row without a flag is good."""
    flags = tuple(code for bit, code in STATUS_QUALITIES.items() if status & bit)
    if short:
        flags += (SHORT_INTERVAL,)
    return flags or (GOOD,)


def must_set_clock(drift_s: float, tolerance_s: float) -> bool:
    """Whether a meter's clock is so far off that it must be set."""
    return abs(drift_s) > tolerance_s


def bundles(sizes: list[int], *, meters_max: int, readings_max: int) -> list[range]:
    """Cut a list of meters into messages of bounded size; a meter is never cut, a large one travels alone."""
    cuts: list[range] = []
    start = 0
    held = 0
    for index, size in enumerate(sizes):
        if index > start and (held + size > readings_max or index - start >= meters_max):
            cuts.append(range(start, index))
            start, held = index, 0
        held += size
    if start < len(sizes):
        cuts.append(range(start, len(sizes)))
    return cuts
