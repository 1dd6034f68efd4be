"""The inner loop of the scan, compiled: records of known forms are compared, and their times and values read.

A form is one record without its times and its value: all the rest must be equal byte for byte. The loop stops at the
first record that has no known form; the caller learns its form, or leaves the document to the XML parser.

Meters that are read together tell of the same times. So a record is first compared with the one at its place in the run
before: where all but the value is equal, so are form and times, and only the value is read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, cast

import numpy as np
from numba import njit

from openami.shared.contract.scan_records import DIGITS_MAX

if TYPE_CHECKING:
    from collections.abc import Callable

    Function = TypeVar("Function", bound=Callable[..., Any])

Array: TypeAlias = Any  # numba has no types that a checker knows

DONE: Final = 0
UNKNOWN: Final = 1
"""No form fits the first record that begins at or behind the returned place."""
UNREADABLE: Final = 2
"""Something is not plain, or a record of a known form has a time or a value that is none."""

_LESS_THAN, _ZERO, _DOT, _MINUS, _PLUS, _COLON, _T, _Z, _BANG, _QUERY = b"<0.-+:TZ!?"
_PROLOGUE: Final = 8  # an XML declaration begins before this place
_VALUE_MAX: Final = 24
NOT_A_TIME: Final = -(1 << 62)
_NO_NUMBER: Final = -100_000
_MARCH_1_0000_S: Final = 719_468  # days before 1970, in a calendar whose years begin in March


def compiled(function: Function) -> Function:
    """The function as machine code, kept beside the source between runs."""
    return cast("Function", njit(cache=True, nogil=True)(function))


@compiled
def two_digits(data: Array, at: int) -> int:
    """The number of two digits; far below zero where there are none."""
    high, low = int(data[at]) - _ZERO, int(data[at + 1]) - _ZERO
    return high * 10 + low if 0 <= high <= 9 and 0 <= low <= 9 else _NO_NUMBER


@compiled
def day_number(year: int, month: int, day: int) -> int:
    """Days since 1970 of a civil date."""
    leap = (year % 4 == 0 and year % 100 != 0) or year % 400 == 0
    longest = 30 if month in (4, 6, 9, 11) else 31
    if month == 2:
        longest = 29 if leap else 28
    if year < 1 or month < 1 or month > 12 or day < 1 or day > longest:
        return NOT_A_TIME
    since = year if month > 2 else year - 1
    of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return since * 365 + since // 4 - since // 100 + since // 400 + of_year - _MARCH_1_0000_S


@compiled
def _offset(data: Array, at: int, length: int) -> int:
    """Seconds that a clock is ahead of UTC: `Z` or `+01:00`."""
    if length == 20:
        return 0 if data[at] == _Z else NOT_A_TIME
    hours, minutes = two_digits(data, at + 1), two_digits(data, at + 4)
    ok = data[at + 3] == _COLON and 0 <= hours <= 14 and 0 <= minutes <= 59
    if not ok or (data[at] != _PLUS and data[at] != _MINUS):
        return NOT_A_TIME
    ahead = hours * 3600 + minutes * 60
    return -ahead if data[at] == _MINUS else ahead


@compiled
def _instant(data: Array, at: int, length: int) -> int:
    """Seconds since 1970 of `2026-03-01T00:15:00Z` or `...+01:00`."""
    century, rest = two_digits(data, at), two_digits(data, at + 2)
    hour, minute, second = two_digits(data, at + 11), two_digits(data, at + 14), two_digits(data, at + 17)
    marks = data[at + 4] == _MINUS and data[at + 7] == _MINUS and data[at + 10] == _T
    marks = marks and data[at + 13] == _COLON and data[at + 16] == _COLON
    clock = 0 <= hour <= 23 and 0 <= minute <= 59 and 0 <= second <= 59
    if not marks or not clock or century < 0 or rest < 0:
        return NOT_A_TIME
    day = day_number(century * 100 + rest, two_digits(data, at + 5), two_digits(data, at + 8))
    offset = _offset(data, at + 19, length)
    if day == NOT_A_TIME or offset == NOT_A_TIME:
        return NOT_A_TIME
    return day * 86400 + hour * 3600 + minute * 60 + second - offset


@compiled
def _alike(text: Array, template: Array, mask: Array) -> bool:
    """True if a text equals the template wherever the mask says so; without early exit, for vectors."""
    differs = np.uint8(0)
    for k in range(len(template)):
        differs |= (text[k] ^ template[k]) & mask[k]
    return bool(differs == 0)


@compiled
def _word(data: Array, at: Any) -> Any:  # noqa: ANN401 - unsigned numbers of numpy
    """Eight bytes as one number; for the machine it is a single load."""
    word = np.uint64(0)
    for k in range(8):
        word |= np.uint64(data[at + np.uintp(k)]) << np.uint64(8 * k)
    return word


@compiled
def _equal(data: Array, first: int, second: int, size: int) -> bool:
    """True if so many bytes at two places are equal: none, or at least eight. Without early exit, as above."""
    a, b, past = np.uintp(first), np.uintp(second), np.uintp(size)
    differs, k = np.uint64(0), np.uintp(0)
    while k + np.uintp(8) <= past:
        differs |= _word(data, a + k) ^ _word(data, b + k)
        k += np.uintp(8)
    if k < past:  # the last ones, and some once more
        k = past - np.uintp(8)
        differs |= _word(data, a + k) ^ _word(data, b + k)
    return bool(differs == 0)


@compiled
def begins_with(data: Array, at: int, text: Array) -> bool:
    """True if a text stands at a place."""
    size = len(text)
    if at + size > len(data):
        return False
    for k in range(size):
        if data[at + k] != text[k]:
            return False
    return True


@compiled
def _next(data: Array, at: int, opening: Array, name: Array) -> tuple[int, bool, bool]:
    """Where the next record begins (the end: nowhere), whether only blanks stand before it, and whether all is plain.

    What is not plain: declarations and comments, instructions behind the first line, the name in any other place.
    """
    blank = True
    while at < len(data):
        here = data[at]
        if here == _LESS_THAN:
            if begins_with(data, at, opening):
                return at, blank, True
            odd = at + 1 < len(data) and (data[at + 1] == _BANG or (data[at + 1] == _QUERY and at > _PROLOGUE))
            if odd:
                return at, blank, False
        elif here == name[0] and begins_with(data, at, name):
            return at, blank, False
        blank = blank and (here in (9, 10, 13, 32))
        at += 1
    return at, blank, True


@compiled
def _fit(data: Array, at: int, templates: Array, masks: Array, f: int, head: int, tail: int, valued: bool) -> int:
    """Length of the value if the record at this place has this form, else -1."""
    behind = at + head
    if behind + tail > len(data) or not _alike(data[at:behind], templates[f, :head], masks[f, :head]):
        return -1
    size = _value_size(data, behind) if valued else 0
    end = behind + size + tail
    whole = slice(head, head + tail)
    if size < 0 or end > len(data) or not _alike(data[behind + size : end], templates[f, whole], masks[f, whole]):
        return -1
    return size


@compiled
def _form(
    data: Array, at: int, templates: Array, masks: Array, heads: Array, tails: Array, valued: Array, last: int
) -> tuple[int, int]:
    """The form of the record at this place, the last one's first, and the length of its value; -1: none fits."""
    for turn in range(len(heads)):
        form = last if turn == 0 else turn - 1 if turn <= last else turn
        size = _fit(data, at, templates, masks, form, heads[form], tails[form], valued[form])
        if size >= 0:
            return form, size
    return last, -1


@compiled
def _twin(data: Array, at: int, begin: int, end: int, head: int, tail: int, valued: bool) -> int:
    """Length of the value if the record at this place equals another one in all but its value, else -1."""
    behind = at + head
    if behind + tail > len(data) or not _equal(data, at, begin, head):
        return -1
    size = _value_size(data, behind) if valued else 0
    if size < 0 or behind + size + tail > len(data) or not _equal(data, behind + size, end - tail, tail):
        return -1
    return size


@compiled
def _value_size(data: Array, at: int) -> int:
    """Length of the text before the next tag; -1 if there is none, or too much to be a number."""
    size = 0
    while size <= _VALUE_MAX and at + size < len(data) and data[at + size] != _LESS_THAN:
        size += 1
    return size if 0 < size <= _VALUE_MAX else -1


@compiled
def number(data: Array, at: int, size: int) -> tuple[bool, int, int, int]:
    """A decimal number: whether it is one, its digits as an integer, how many are significant, how many decimals."""
    whole, significant, dot = 0, 0, -1
    first = 1 if size and (data[at] == _MINUS or data[at] == _PLUS) else 0
    for k in range(first, size):
        digit = int(data[at + k]) - _ZERO
        if 0 <= digit <= 9:
            if significant < DIGITS_MAX:
                whole = whole * 10 + digit
            significant += 1 if whole else 0
        elif digit == _DOT - _ZERO and dot < 0:
            dot = k
        else:
            return False, whole, significant, 0
    decimals = size - 1 - dot if dot >= 0 else 0
    some = size == 0 or size - first > (1 if dot >= 0 else 0)
    return some and significant <= DIGITS_MAX, -whole if first and data[at] == _MINUS else whole, significant, decimals


@compiled
def _times(data: Array, at: int, head: int, size: int, places: Array, sizes: Array, f: int, times: Array) -> bool:
    """Read the times of a record of a form, 0 for what it does not tell; False if one of them is none."""
    for which in range(len(times)):
        times[which] = 0
        if sizes[f, which]:
            place = places[f, which]
            times[which] = _instant(data, at + place + (size if place >= head else 0), sizes[f, which])
            if times[which] == NOT_A_TIME:
                return False
    return True


@compiled
def _copy(times: Array, row: int, to: int) -> None:
    for which in range(times.shape[1]):
        times[to, which] = times[row, which]


@compiled
def _past_blanks(data: Array, at: int) -> int:
    """Where the next byte is that is no blank."""
    while at < len(data) and (data[at] in (9, 10, 13, 32)):
        at += 1
    return at


@compiled
def _latest(times: Array, row: int) -> int:
    """The latest of what a record says of its interval."""
    return int(max(times[row, 1], times[row, 2], times[row, 3]))


@compiled
def read(data: Array, at: int, opening: Array, name: Array, forms: Array, out: Array, row: int) -> tuple[int, int, int]:
    """Read records from `at` on into the columns from `row` on: why it stopped, where, and the next row.

    Args:
        data: the document.
        at: where to look for the first record.
        opening: the tag that a record begins with.
        name: the name in it, which must not stand anywhere else.
        forms: templates, masks, lengths before and after the value, whether there is one, and where times stand.
        out: columns with a row for each record of the document.
        row: the first row that is not filled yet.
    """
    begins, ends, follows, form_of, times, values, decimals, significant = out
    templates, masks, heads, tails, valued, time_at, time_n = forms  # a tuple costs more to hand on than a record
    last, run, like = 0, row, row  # where this run begins, and the record of the run before that the next may equal
    while True:
        begin, blank, size = _past_blanks(data, at), True, -1
        if like < run and row < len(begins):
            last = form_of[like]
            size = _twin(data, begin, begins[like], ends[like], heads[last], tails[last], valued[last])
        ok = size >= 0
        if ok:
            _copy(times, like, row)
        else:
            begin, blank, plain = _next(data, at, opening, name)
            if not plain or row == len(begins):
                return UNREADABLE, at, row
            if begin == len(data):
                return DONE, at, row
            if not blank:
                like, run = run, row
            last, size = _form(data, begin, templates, masks, heads, tails, valued, last)
            if size < 0:
                return UNKNOWN, at, row
            ok = _times(data, begin, heads[last], size, time_at, time_n, last, times[row])
        is_number, values[row], significant[row], decimals[row] = number(data, begin + heads[last], size)
        if not ok or not is_number:
            return UNREADABLE, at, row
        at = begin + heads[last] + size + tails[last]
        begins[row], ends[row], follows[row], form_of[row] = begin, at, blank and row > 0, last
        while like < run and _latest(times, like) <= _latest(times, row):
            like += 1
        row += 1
