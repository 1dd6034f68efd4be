"""The one quality of an interval or register value: where it came from, and what validation said.

A quality is one byte: `origin << 3 | verdict`. Origins 8 to 27 are the estimation methods E01 to E20 of the VEE
catalogue. EMPTY (nothing ever arrived) is not MISSING (the metering system says that it has none).
"""

from __future__ import annotations

from enum import IntEnum
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from numpy.typing import NDArray


class Origin(IntEnum):
    """Where a value came from."""

    EMPTY = 0
    MISSING = 1
    MEASURED = 2
    EDITED = 3
    SUBSTITUTED = 4
    DERIVED = 5
    E01_LINEAR = 8
    E02_FLAT_EDGE = 9
    E03_LIKE_DAY_AVERAGE = 10
    E04_TWO_WEEK_LIKE_DAY = 11
    E05_AVERAGE = 12
    E06_PROXY_DAY = 13
    E07_PROFILE = 14
    E08_AVERAGE_DAILY_LOAD = 15
    E09_CHECK_METER = 16
    E10_SCALE_ALL = 17
    E11_SCALE_ESTIMATED = 18
    E12_TIME_OF_USE_SCALE = 19
    E13_FLAT_REMAINDER = 20
    E14_REGISTER_FROM_INTERVALS = 21
    E15_REGISTER_PRORATION = 22
    E16_EXTRAPOLATION = 23
    E17_ZERO = 24
    E18_AGREED = 25
    E19_MONTHLY_DEMAND = 26
    E20_OUTAGE_AWARE = 27


class Verdict(IntEnum):
    """What validation said; a higher number of the first four is worse, MA is a person's word and stays."""

    NV = 0
    """Not validated yet."""
    PV = 1
    """Passed."""
    WV = 2
    """Warned: usable, but somebody may want to look."""
    FV = 3
    """Failed: not usable; to be estimated."""
    MA = 4
    """Accepted by a person; no rule changes it."""


FIRST_ESTIMATE: Final = int(Origin.E01_LINEAR)


def quality(origin: Origin, verdict: Verdict = Verdict.NV) -> int:
    """Pack one byte."""
    return origin << 3 | verdict


EMPTY: Final = quality(Origin.EMPTY)
MISSING: Final = quality(Origin.MISSING)
MEASURED: Final = quality(Origin.MEASURED)
VALID: Final = quality(Origin.MEASURED, Verdict.PV)


def origin_of(packed: int) -> Origin:
    """The origin of one packed quality."""
    return Origin(packed >> 3)


def verdict_of(packed: int) -> Verdict:
    """The verdict of one packed quality."""
    return Verdict(packed & 7)


def origins(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The origins of packed qualities, same shape."""
    return packed >> np.uint8(3)


def verdicts(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The verdicts of packed qualities, same shape."""
    return packed & np.uint8(7)


def is_estimated(packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where a value was estimated by one of the methods E01 to E20."""
    return origins(packed) >= FIRST_ESTIMATE


def has_value(packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """Where there is a value at all: neither EMPTY nor MISSING."""
    return origins(packed) >= Origin.MEASURED


def label(packed: int) -> str:
    """What a person reads, for example `measured, passed` or `estimated (E03), not validated`."""
    origin, verdict = origin_of(packed), verdict_of(packed)
    source = f"estimated ({origin.name[:3]})" if origin >= FIRST_ESTIMATE else origin.name.lower()
    if origin <= Origin.MISSING:
        return source
    words = {
        Verdict.NV: "not validated",
        Verdict.PV: "passed",
        Verdict.WV: "warned",
        Verdict.FV: "failed",
        Verdict.MA: "accepted by a person",
    }
    return f"{source}, {words[verdict]}"
