"""Readings of the scan to columns, compiled: what makes starts, values and qualities of a million records a blink."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from openami.shared.contract.scan_kernel import NOT_A_TIME, compiled

if TYPE_CHECKING:
    from typing import TypeAlias

    Array: TypeAlias = Any  # numba has no types that a checker knows

_REPORTED, _STAMP, _START, _END = range(4)
_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600


@compiled
def lay_out(runs: Array, forms: Array, records: Array, stamped_at_start: bool, of_run: Array, of_read: Array) -> bool:
    """Lay the readings of runs end to end; true if each begins where the one before it ends.

    Args:
        runs: where each begins among the records, how many it has, how long their intervals are.
        forms: which of the times the records of a form have, their quality byte and flags.
        records: the form of each, its times, its value.
        stamped_at_start: whether a bare stamp is the start of an interval, or its end.
        of_run: to be filled, whether its intervals are as long as they should be, and when it was reported.
        of_read: to be filled, start, value, quality byte and flags.
    """
    begins, counts, interval_s = runs
    timed, marks = forms
    form_of, times, numbers = records
    regular, reported_s = of_run
    starts, values, quality, flags = of_read
    even, row = True, 0
    for run in range(len(begins)):
        length_s, first, reported_s[run] = interval_s[run], row, NOT_A_TIME
        # a daily interval of a local day may have 23 or 25 hours
        tolerance_s = _HOUR_S if length_s == _DAY_S else 0
        for at in range(begins[run], begins[run] + counts[run]):
            form, start, end = form_of[at], times[at, _START], times[at, _END]
            has_start, has_end = timed[form, _START], timed[form, _END]
            if has_start and has_end and abs(end - start - length_s) > tolerance_s:
                regular[run] = False
            if not has_start:
                stamp = times[at, _STAMP]
                start = end - length_s if has_end else stamp if stamped_at_start else stamp - length_s
            even = even and start == (starts[first] + (row - first) * length_s if row > first else start)
            starts[row], values[row] = start, numbers[at]
            quality[row], flags[row] = marks[form, 0], marks[form, 1]
            reported_s[run] = max(reported_s[run], times[at, _REPORTED] if timed[form, _REPORTED] else 0)
            row += 1
    return even
