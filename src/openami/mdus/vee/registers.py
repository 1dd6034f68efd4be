"""Registers that run backwards (V24): rolled over, estimated too high, or reset."""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from decimal import Decimal

    from numpy.typing import NDArray


class Backwards(IntEnum):
    """What a lower reading means."""

    FORWARDS = 0
    ROLLED_OVER = 1
    ESTIMATE_TOO_HIGH = 2
    IMPOSSIBLE = 3
    """Reset, exchange or misread: a person or the registry must say."""


def assess(
    before: NDArray[np.int64],
    after: NDArray[np.int64],
    modulus: NDArray[np.int64],
    most: NDArray[np.int64],
    before_estimated: NDArray[np.bool_],
    last_actual: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """V24: the state of each pair of readings and its advance (from the last actual reading if the estimate was off).

    A rollover is believed when the wrapped advance is at most the most that the time allows; else, when the reading
    before was an estimate and the new one is not below the last actual, the estimate was too high (IEE, SAP assessing).
    """
    advance = after - before
    wrapped = advance + modulus
    rolled = (advance < 0) & (modulus > 0) & (wrapped <= most)
    too_high = (advance < 0) & ~rolled & before_estimated.astype(np.bool_) & (after >= last_actual)
    state = np.where(
        advance >= 0,
        Backwards.FORWARDS,
        np.where(rolled, Backwards.ROLLED_OVER, np.where(too_high, Backwards.ESTIMATE_TOO_HIGH, Backwards.IMPOSSIBLE)),
    )
    return state.astype(np.int64), np.where(rolled, wrapped, np.where(too_high, after - last_actual, advance))


def most_in(hourly_limit: NDArray[np.int64] | int, elapsed_s: NDArray[np.int64]) -> NDArray[np.int64]:
    """V24: the most that a register can advance, by the rating of its connection, the time, and a fifth on top."""
    return np.asarray(hourly_limit * elapsed_s * 12 // 36_000, np.int64)


def unrolled(
    at_s: NDArray[np.int64], value: NDArray[np.int64], modulus: int, hourly_limit: int
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Readings in order of time as if the register had no end, and a number for each piece between two resets.

    A fall is a rollover when the wrapped advance is possible in the time (V24); else a piece ends there.
    """
    advance = np.diff(value)
    turned = (advance < 0) & (modulus > 0) & (advance + modulus <= most_in(hourly_limit, np.diff(at_s)))
    turns = np.concatenate(([0], np.cumsum(turned)))[: len(value)]
    pieces = np.concatenate(([0], np.cumsum((advance < 0) & ~turned)))[: len(value)]
    return value + turns * modulus, pieces


def average_daily_use(previous: Decimal, days: int) -> Decimal:
    """MDFF types 61 and 62: an average daily load over a period of days."""
    return previous * days
