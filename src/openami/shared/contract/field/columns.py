"""Columns of texts to columns of numbers and back, exactly and without a Python loop over readings.

A decimal column becomes int64 plus one number of decimals for all; a time column becomes seconds since 1970 UTC.
"""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    Texts: TypeAlias = Sequence[str] | Sequence[bytes]

Int64s = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

_KEPT_BELOW: Final = 10_000  # Wh or litres: what a home uses in an interval
MAX_DIGITS: Final = 18  # the greatest number of nines that int64 holds
_STAMP: Final = b"0000-00-00T00:00:00"
_ZERO, _NINE, _DOT, _MINUS, _PLUS = b"09.-+"


def bytes_matrix(texts: Texts, width: int) -> NDArray[np.uint8]:
    """One row of `width` bytes a text, cut or padded with NUL; a character outside ASCII reads as no digit."""
    try:
        column = np.array(texts, dtype=f"S{width}")
    except UnicodeEncodeError:
        column = np.array([str(text).encode("ascii", "replace") for text in texts], dtype=f"S{width}")
    return column.view(np.uint8).reshape(len(texts), width)


def parse_decimals(texts: Sequence[str]) -> tuple[Int64s, int, Flags]:
    """Read decimal texts.

    Returns:
        The integers, the number of decimals that they share, and where the text was a decimal number that fits.
        An integer is the value times ten to that number; it is zero where the text was not a number.
    """
    if not len(texts):
        return np.zeros(0, np.int64), 0, np.zeros(0, np.bool_)
    values, decimals, ok = parse_decimal_groups(texts, np.zeros(1, np.intp))
    return values, int(decimals[0]), ok


def parse_decimal_groups(texts: Texts, begins: NDArray[np.intp]) -> tuple[Int64s, Int64s, Flags]:
    """Read the decimal texts of many groups at once, each group with a number of decimals of its own.

    Args:
        texts: the texts of all groups, one group after the other; at least one.
        begins: where each group begins; rising, none of them empty.

    Returns:
        The integers, the number of decimals of each group, and where the text was a decimal number that fits.
    """
    width = min(max(map(len, texts)), 2 * MAX_DIGITS + 4) + 1
    return decimals_of(bytes_matrix(texts, width), begins)


def decimals_of(matrix: NDArray[np.uint8], begins: NDArray[np.intp]) -> tuple[Int64s, Int64s, Flags]:
    """`parse_decimal_groups` of texts that are rows of bytes, padded with NUL; a full last column reads as cut."""
    width = matrix.shape[1]
    group_of = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(matrix)))
    digit = (matrix >= _ZERO) & (matrix <= _NINE)
    dot = matrix == _DOT
    dots = dot.sum(axis=1)
    sign = ((matrix[:, 0] == _MINUS) | (matrix[:, 0] == _PLUS)).astype(np.int64)
    lengths = (matrix != 0).sum(axis=1)
    # Every character is a digit, the one dot or a leading sign, nothing after a NUL, and it was not cut.
    ok = (digit.sum(axis=1) + dots + sign == lengths) & (dots <= 1) & digit.any(axis=1) & (matrix[:, -1] == 0)
    last = width - 1 - (matrix[:, ::-1] != 0).argmax(axis=1)
    ok &= last + 1 == lengths
    decimals = np.where(dots > 0, lengths - 1 - dot.argmax(axis=1), 0)
    shared = np.maximum.reduceat(np.where(ok, decimals, 0), begins)
    significant = (np.maximum.accumulate(digit & (matrix != _ZERO), axis=1) & digit).sum(axis=1)
    ok &= significant + (shared[group_of] - decimals) <= MAX_DIGITS
    shared = np.maximum.reduceat(np.where(ok, decimals, 0), begins)
    values = np.zeros(len(matrix), np.int64)
    for column in range(width):  # over the width of the text, not over readings
        here = digit[:, column]
        # at most 18 digits are significant, so no product leaves int64 where the result is used
        values = np.where(here, values * 10 + (matrix[:, column] - _ZERO), values)
    values *= 10 ** np.clip(shared[group_of] - decimals, 0, MAX_DIGITS)
    values[matrix[:, 0] == _MINUS] *= -1
    return np.where(ok, values, 0), shared, ok


def format_decimals(values: Int64s, exponent: int) -> list[bytes]:
    """Write integers times ten to `exponent` as decimal texts without exponent, in octets."""
    return list(map(_written(exponent).__getitem__, values.tolist()))


class _Written(dict[int, bytes]):
    """The decimal texts of integers times ten to an exponent: those that most intervals hold are written but once."""

    def __init__(self, exponent: int) -> None:
        super().__init__()
        self._exponent = exponent

    def __missing__(self, value: int) -> bytes:
        text = self._text(value).encode()
        if 0 <= value < _KEPT_BELOW:
            self[value] = text
        return text

    def _text(self, value: int) -> str:
        if self._exponent >= 0:
            return f"{value}{'0' * self._exponent}"
        whole, fraction = divmod(abs(value), 10**-self._exponent)
        return f"{'-' if value < 0 else ''}{whole}.{fraction:0{-self._exponent}d}"


@lru_cache(maxsize=32)
def _written(exponent: int) -> _Written:
    return _Written(exponent)


def parse_stamps(texts: Texts) -> tuple[Int64s, Flags]:
    """Read times of the plain forms `2026-03-01T00:15:00Z` and `...+01:00`.

    Returns:
        Seconds since 1970 UTC, and where the text had one of these forms. All else (fractions, no offset, hour 24)
        is for `lexical.parse_instant`, text by text.
    """
    if not len(texts):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    return stamps_of(bytes_matrix(texts, 26))


def stamps_of(matrix: NDArray[np.uint8]) -> tuple[Int64s, Flags]:
    """`parse_stamps` of texts that are rows of 26 bytes, padded with NUL."""
    template = np.frombuffer(_STAMP, np.uint8)
    digits = np.ascontiguousarray(matrix.T) - np.uint8(_ZERO)  # column by column; what is no digit is above 9
    place = template == _ZERO
    ok = (digits[:19][place] <= 9).all(axis=0) & (matrix[:, :19][:, ~place] == template[~place]).all(axis=1)
    century, year, month, day, hour, minute, second = (pair(digits, at) for at in (0, 2, 5, 8, 11, 14, 17))
    seconds, real = civil_seconds(century * 100 + year, month, day, hour, minute, second)
    offset_s, offset_ok = _offsets(matrix[:, 19:], digits[19:])
    ok &= real & offset_ok
    return np.where(ok, seconds - offset_s, 0), ok


def _first_days(months: Int64s) -> Int64s:
    """The first day of each month, both counted from 1970."""
    days: Int64s = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    return days


def pair(digits: NDArray[np.uint8], at: int) -> Int64s:
    """The number of two digits; what is no digit is cut to one, so that sums stay small."""
    number: Int64s = np.minimum(digits[at], 9).astype(np.int64) * 10 + np.minimum(digits[at + 1], 9)
    return number


def civil_seconds(
    year: Int64s, month: Int64s, day: Int64s, hour: Int64s, minute: Int64s, second: Int64s
) -> tuple[Int64s, Flags]:
    """Seconds since 1970 of calendar dates and clock times in UTC, and where there is such a date and time."""
    ok = (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    months = (year - 1970) * 12 + month - 1
    if len(months) and (months == months[0]).all():  # nearly always: one delivery, one month
        first, past = (each[0] for each in (_first_days(months[:1]), _first_days(months[:1] + 1)))
    else:
        first, past = _first_days(months), _first_days(months + 1)
    ok &= (day >= 1) & (day <= past - first)
    return (first + day - 1) * 86400 + hour * 3600 + minute * 60 + second, ok


def _offsets(matrix: NDArray[np.uint8], digits: NDArray[np.uint8]) -> tuple[Int64s, Flags]:
    zulu = (matrix[:, 0] == ord("Z")) & (matrix[:, 1] == 0)
    if zulu.all():
        return np.zeros(len(matrix), np.int64), zulu
    sign = np.where(matrix[:, 0] == _MINUS, -1, 1)
    number = (digits[[1, 2, 4, 5]] <= 9).all(axis=0)
    hours, minutes = pair(digits, 1), pair(digits, 4)
    signed = (matrix[:, 0] == _MINUS) | (matrix[:, 0] == _PLUS)
    written = signed & number & (matrix[:, 3] == ord(":")) & (matrix[:, 6] == 0)
    written &= (hours <= 14) & (minutes <= 59)
    return np.where(zulu, 0, sign * (hours * 3600 + minutes * 60)), zulu | written


def format_stamps(seconds: Int64s) -> list[str]:
    """Write seconds since 1970 UTC as `2026-03-01T00:15:00Z`."""
    return list(_stamp_texts(seconds.astype(np.int64).tobytes()))


@lru_cache(maxsize=64)  # a street's meters are read for the same day, each with several blocks
def _stamp_texts(seconds: bytes) -> tuple[str, ...]:
    texts = np.datetime_as_string(np.frombuffer(seconds, np.int64).astype("datetime64[s]"))
    return tuple(np.strings.add(texts, "Z").tolist())
