"""The inner loop of MSCONS, compiled: quantities with their periods, straight from the bytes.

A group is `QTY+220:1.5:KWH'DTM+163:202603022300?+00:303'DTM+164:202603022315?+00:303'`, in the usual service
characters, with or without the release character. The loop stops where anything is otherwise, and leaves it to the
patterns: another unit or length of period than the first, another form of number or time, whatever stands between.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np

from openami.shared.contract.scan_kernel import NOT_A_TIME, begins_with, compiled, day_number, number, two_digits

if TYPE_CHECKING:
    from typing import TypeAlias

    from numpy.typing import NDArray

    Array: TypeAlias = Any  # numba has no types that a checker knows

_ZERO, _NINE, _A, _Z, _LOW_A, _LOW_Z, _DOT, _MINUS, _PLUS, _COLON, _END, _RELEASE = b"09AZaz.-+:'?"
_QUANTITY: Final = np.frombuffer(b"QTY+", np.uint8)
_FROM: Final = np.frombuffer(b"DTM+163:", np.uint8)
_TO: Final = np.frombuffer(b"DTM+164:", np.uint8)
_FORM: Final = np.frombuffer(b":303'", np.uint8)
_ENDING: Final = frozenset({b"QTY+", b"LIN+", b"UNT+", b"LOC+", b"NAD+"})
"""What ends a value: behind anything else it may still go on."""
_WORD_MAX: Final = 3
_NUMBER_MAX: Final = 24
_ROWS: Final = 4096


class Run(NamedTuple):
    """Groups that stand together: one unit, one length of period."""

    starts: NDArray[np.int64]
    length_s: int
    unit: int
    """As a number, see `word_of`."""
    values: NDArray[np.int64]
    decimals: NDArray[np.int64]
    significant: NDArray[np.int64]
    flags: NDArray[np.int64]
    """Qualifiers of the quantities, each as a number, see `word_of`."""
    end: int
    """Where the run ends."""


def word_of(number_: int) -> str:
    """The short text that a number stands for."""
    return number_.to_bytes(_WORD_MAX, "big").lstrip(b"\0").decode("ascii")


@compiled
def _word(data: Array, at: int) -> tuple[int, int]:
    """Up to three letters and digits as a number, and how many they are; -1 if there are more."""
    word, size = 0, 0
    while at + size < len(data):
        char = int(data[at + size])
        letter = _A <= char <= _Z or _LOW_A <= char <= _LOW_Z
        if not letter and not _ZERO <= char <= _NINE:
            return word, size
        if size == _WORD_MAX:
            return word, -1
        word = word * 256 + char
        size += 1
    return word, -1


@compiled
def _instant(data: Array, at: int) -> tuple[int, int]:
    """Seconds since 1970 of `202603022300?+00:303'`, and where it ends."""
    if at + 21 > len(data):
        return NOT_A_TIME, at
    sign = at + 12 + (1 if data[at + 12] == _RELEASE else 0)
    signed = data[sign] == _MINUS or (data[sign] == _PLUS and sign > at + 12) if sign + 8 <= len(data) else False
    if not signed:  # a plus that is not released is a separator
        return NOT_A_TIME, at
    century, year = two_digits(data, at), two_digits(data, at + 2)
    hour, minute, ahead = two_digits(data, at + 8), two_digits(data, at + 10), two_digits(data, sign + 1)
    clock = 0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= ahead <= 14
    if century < 0 or year < 0 or not clock or not begins_with(data, sign + 3, _FORM):
        return NOT_A_TIME, at
    day = day_number(century * 100 + year, two_digits(data, at + 4), two_digits(data, at + 6))
    if day == NOT_A_TIME:
        return NOT_A_TIME, at
    offset_s = ahead * 3600 if data[sign] == _PLUS else -ahead * 3600
    return day * 86400 + hour * 3600 + minute * 60 - offset_s, sign + 8


@compiled
def _quantity(data: Array, at: int) -> tuple[int, int, int, int, int]:
    """`QTY+220:1.5:KWH'`: qualifier, where the number stands and its length, unit, where it ends (-1: it is odd)."""
    flag, size = _word(data, at + 4) if begins_with(data, at, _QUANTITY) else (0, -1)
    at += 4 + size
    if size <= 0 or data[at] != _COLON:
        return 0, 0, 0, 0, -1
    begin, digits = at + 1, 0
    while begin + digits < len(data) and digits <= _NUMBER_MAX:
        char = int(data[begin + digits])
        if char not in (_DOT, _MINUS, _PLUS) and not _ZERO <= char <= _NINE:
            break
        digits += 1
    at = begin + digits
    unit = 0
    if 0 < digits <= _NUMBER_MAX and at < len(data) and data[at] == _COLON:
        unit, size = _word(data, at + 1)
        if size < 0:
            return 0, 0, 0, 0, -1
        at += 1 + size
    if digits == 0 or digits > _NUMBER_MAX or at >= len(data) or data[at] != _END:
        return 0, 0, 0, 0, -1
    return flag, begin, digits, unit, at + 1


@compiled
def _groups(data: Array, at: int, out: Array) -> tuple[int, int, int, int, int]:
    """Read groups from `at` on into columns: how many, length, unit, where the last one begins, where it ends."""
    starts, values, decimals, significant, flags = out
    row, length_s, unit, last = 0, 0, 0, at
    while row < len(starts):
        flag, place, digits, its_unit, behind = _quantity(data, at)
        if behind < 0 or (row > 0 and its_unit != unit) or not begins_with(data, behind, _FROM):
            break
        start, behind = _instant(data, behind + 8)
        if start == NOT_A_TIME or not begins_with(data, behind, _TO):
            break
        end, behind = _instant(data, behind + 8)
        if end == NOT_A_TIME or end <= start or (row > 0 and end - start != length_s):
            break
        ok, whole, counted, places = number(data, place, digits)
        if not ok:
            break
        unit, length_s = its_unit, end - start
        starts[row], values[row], decimals[row] = start, whole, places
        significant[row], flags[row] = counted, flag
        row, last, at = row + 1, at, behind
    return row, length_s, unit, last, at


class Groups:
    """Reads runs of groups; the columns into which it reads are made once."""

    def __init__(self) -> None:
        self._out = tuple(np.empty(_ROWS, np.int64) for _ in range(5))

    def read(self, data: NDArray[np.uint8], at: int) -> Run | None:
        """The groups that stand from a place on; None if there is none. The last one is left if it may still go on."""
        rows, length_s, unit, last, end = _groups(data, at, self._out)
        if rows and data[end : end + 4].tobytes() not in _ENDING:
            rows, end = rows - 1, last
        if not rows:
            return None
        starts, values, decimals, significant, flags = (one[:rows].copy() for one in self._out)
        return Run(starts, length_s, unit, values, decimals, significant, flags, end)
