"""Values of loading: where a worker finds everything, what became of a delivery."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.shared.seam.enterprise import BULK_BYTES_MAX
from openami.shared.spans import local_date

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date, datetime
    from pathlib import Path

    from numpy.typing import NDArray

    from openami.mdus.series.determinants import Window

WAITING: Final = "waiting"
DONE: Final = "done"
REFUSED: Final = "refused"


@dataclass(frozen=True, slots=True)
class Place:
    """Where the middle keeps what it has, by URL: all that a worker on another machine needs to know.

    Deliveries and lake are folders or `s3://bucket/prefix`; `clock` is the file of a simulated landscape's clock.
    """

    database: str
    deliveries: str
    lake: str | None = None
    zone: str = "Europe/Amsterdam"
    systems: tuple[tuple[str, str], ...] = (("AMS1", "AMS1"),)
    windows: tuple[Window, ...] = ()
    """Time-of-use windows of the totals that loading returns; none: no totals."""
    estimate_after_s: int = 30 * 3600
    """How long a day must be over before its gaps are estimated along with the load."""
    clock: Path | None = None
    bulk_bytes_max: int = BULK_BYTES_MAX
    """As the setting of this name: larger bulk messages to the back office leave in parts."""

    def last_due(self, now: datetime) -> date:
        """The last local day of which gaps are estimated."""
        return local_date(self.zone, now - timedelta(seconds=self.estimate_after_s)) - timedelta(days=1)


@dataclass(frozen=True, slots=True, eq=False)
class Totals:
    """Energy by channel, local day and bucket [row, bucket]."""

    channel: NDArray[np.int64]
    day: NDArray[np.int64]
    energy: NDArray[np.int64]


NO_TOTALS: Final = Totals(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros((0, 0), np.int64))


@dataclass(frozen=True, slots=True, eq=False)
class Loaded:
    """What became of one delivery; `taken` is False when another worker had it, or when it is estimates only."""

    digest: str
    taken: bool = True
    readings: int = 0
    refused: int = 0
    findings: int = 0
    totals: Totals = NO_TOTALS
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Where the time went, by step."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a load is."""

    deliveries: int = 0
    readings: int = 0
    refused: int = 0

    def __add__(self, one: Loaded) -> Progress:
        return Progress(self.deliveries + one.taken, self.readings + one.readings, self.refused + one.refused)
