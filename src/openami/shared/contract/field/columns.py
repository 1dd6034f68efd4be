"""Columns of texts to columns of numbers and back, exactly and without a Python loop over readings.

A decimal column becomes int64 plus one number of decimals for all; a time column becomes seconds since 1970 UTC.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

Int64s = np.ndarray[Any, np.dtype[np.int64]]
Flags = np.ndarray[Any, np.dtype[np.bool_]]

MAX_DIGITS: Final = 18  # the greatest number of nines that int64 holds
_STAMP: Final = b"0000-00-00T00:00:00"
_ZERO, _NINE, _DOT, _MINUS, _PLUS = b"09.-+"


def bytes_matrix(texts: Sequence[str], width: int) -> NDArray[np.uint8]:
    """One row of `width` bytes a text, cut or padded with NUL; a character outside ASCII reads as no digit."""
    try:
        column = np.array(texts, dtype=f"S{width}")
    except UnicodeEncodeError:
        column = np.array([text.encode("ascii", "replace") for text in texts], dtype=f"S{width}")
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


def parse_decimal_groups(texts: Sequence[str], begins: NDArray[np.intp]) -> tuple[Int64s, Int64s, Flags]:
    """Read the decimal texts of many groups at once, each group with a number of decimals of its own.

    Args:
        texts: the texts of all groups, one group after the other; at least one.
        begins: where each group begins; rising, none of them empty.

    Returns:
        The integers, the number of decimals of each group, and where the text was a decimal number that fits.
    """
    group_of = np.repeat(np.arange(len(begins)), np.diff(begins, append=len(texts)))
    width = min(max(map(len, texts)), 2 * MAX_DIGITS + 4) + 1
    matrix = bytes_matrix(texts, width)
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
    values = np.zeros(len(texts), np.int64)
    for column in range(width):  # over the width of the text, not over readings
        here = digit[:, column]
        # at most 18 digits are significant, so no product leaves int64 where the result is used
        values = np.where(here, values * 10 + (matrix[:, column] - _ZERO), values)
    values *= 10 ** np.clip(shared[group_of] - decimals, 0, MAX_DIGITS)
    values[matrix[:, 0] == _MINUS] *= -1
    return np.where(ok, values, 0), shared, ok


def format_decimals(values: Int64s, exponent: int) -> list[str]:
    """Write integers times ten to `exponent` as decimal texts without exponent or needless work."""
    if not values.size:
        return []
    if exponent >= 0:
        zeros = "0" * exponent
        whole: list[str] = np.strings.add(values.astype("U20"), zeros).tolist()
        return whole
    magnitude = np.strings.zfill(np.abs(values).astype("U20"), 1 - exponent)
    lengths = np.strings.str_len(magnitude)
    integer = np.strings.slice(magnitude, lengths + exponent)
    fraction = np.strings.slice(magnitude, lengths + exponent, lengths)
    text = np.strings.add(np.strings.add(integer, "."), fraction)
    signed: list[str] = np.strings.add(np.where(values < 0, "-", ""), text).tolist()
    return signed


def parse_stamps(texts: Sequence[str]) -> tuple[Int64s, Flags]:
    """Read times of the plain forms `2026-03-01T00:15:00Z` and `...+01:00`.

    Returns:
        Seconds since 1970 UTC, and where the text had one of these forms. All else (fractions, no offset, hour 24)
        is for `lexical.parse_instant`, text by text.
    """
    if not len(texts):
        return np.zeros(0, np.int64), np.zeros(0, np.bool_)
    matrix = bytes_matrix(texts, 26)
    template = np.frombuffer(_STAMP, np.uint8)
    is_digit = (matrix >= _ZERO) & (matrix <= _NINE)
    place = template == _ZERO
    ok = is_digit[:, :19][:, place].all(axis=1) & (matrix[:, :19][:, ~place] == template[~place]).all(axis=1)
    digits = np.where(is_digit, matrix, _ZERO).astype(np.int64) - _ZERO
    year = digits[:, 0] * 1000 + digits[:, 1] * 100 + digits[:, 2] * 10 + digits[:, 3]
    month, day, hour, minute, second = (digits[:, at] * 10 + digits[:, at + 1] for at in (5, 8, 11, 14, 17))
    seconds, real = civil_seconds(year, month, day, hour, minute, second)
    ok &= real
    offset_s, offset_ok = _offsets(matrix[:, 19:], digits[:, 19:])
    ok &= offset_ok
    return np.where(ok, seconds - offset_s, 0), ok


def civil_seconds(
    year: Int64s, month: Int64s, day: Int64s, hour: Int64s, minute: Int64s, second: Int64s
) -> tuple[Int64s, Flags]:
    """Seconds since 1970 of calendar dates and clock times in UTC, and where there is such a date and time."""
    ok = (year >= 1) & (month >= 1) & (month <= 12) & (hour <= 23) & (minute <= 59) & (second <= 59)
    months = (year - 1970) * 12 + month - 1
    first = months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    past = (months + 1).astype("datetime64[M]").astype("datetime64[D]").astype(np.int64)
    ok &= (day >= 1) & (day <= past - first)
    return (first + day - 1) * 86400 + hour * 3600 + minute * 60 + second, ok


def _offsets(matrix: NDArray[np.uint8], digits: Int64s) -> tuple[Int64s, Flags]:
    zulu = (matrix[:, 0] == ord("Z")) & (matrix[:, 1] == 0)
    sign = np.where(matrix[:, 0] == _MINUS, -1, 1)
    number = (matrix[:, (1, 2, 4, 5)] >= _ZERO) & (matrix[:, (1, 2, 4, 5)] <= _NINE)
    hours, minutes = digits[:, 1] * 10 + digits[:, 2], digits[:, 4] * 10 + digits[:, 5]
    signed = (matrix[:, 0] == _MINUS) | (matrix[:, 0] == _PLUS)
    written = signed & number.all(axis=1) & (matrix[:, 3] == ord(":")) & (matrix[:, 6] == 0)
    written &= (hours <= 14) & (minutes <= 59)
    return np.where(zulu, 0, sign * (hours * 3600 + minutes * 60)), zulu | written


def format_stamps(seconds: Int64s) -> list[str]:
    """Write seconds since 1970 UTC as `2026-03-01T00:15:00Z`."""
    texts = np.datetime_as_string(seconds.astype("datetime64[s]"))
    stamped: list[str] = np.strings.add(texts, "Z").tolist()
    return stamped
