"""A part of a message that could not be taken while the rest was: where, why, and the code to answer with."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from lxml import etree

    from openami.shared.contract.field.scan import Scan, Scans


@dataclass(frozen=True, slots=True)
class Refusal:
    """One refused part. Nothing is dropped silently: each becomes a Reply/Error and a line in quarantine."""

    position: str
    """Where it stands, for example `MeterReading[3]/IntervalBlocks[1] line 40`."""
    code: str
    """Reply code, see `tables/errors.csv`."""
    reason: str
    object_name: str | None = None
    """The meter or device that is concerned, if the message names one."""


@dataclass(frozen=True, slots=True)
class Partner:
    """What was agreed with one sender where the standard leaves a choice or the sender deviates."""

    zone_name: str | None = None
    """The zone of time stamps without an offset; without a zone such stamps are refused."""
    interval_stamp: Literal["end", "start"] = "end"
    """Which end of its interval a bare `timeStamp` names; a `timePeriod` always wins."""


@dataclass(slots=True)
class Reader:
    """What goes along while one message is read: the agreement, and what was noticed on the way."""

    partner: Partner = field(default_factory=Partner)
    notes: list[str] = field(default_factory=list)
    """Oddities that cost nothing."""
    refusals: list[Refusal] = field(default_factory=list)
    """Parts that were not taken."""
    scan: Scan | Scans | None = None
    """Interval readings that were taken from the bytes before the tree was built."""

    def line_of(self, element: etree._Element) -> str:
        """The line of an element for a position; nothing where text was cut out, since the parser counts without it."""
        return f" line {element.sourceline}" if self.scan is None or not self.scan.cut else ""
