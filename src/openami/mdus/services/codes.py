"""Codes of the enterprise services that customizing may change, as data with defaults."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.registry.codes import CodeTables
from openami.mdus.registry.errors import UnknownCodeError
from openami.shared.errors import OpenAmiError
from openami.shared.quality import FIRST_ESTIMATE, Origin, Verdict, origin_of, origins, verdict_of, verdicts
from openami.shared.spans import UnknownZoneError, zone

if TYPE_CHECKING:
    from numpy.typing import NDArray


class ItemStatus(StrEnum):
    """What an interval item is worth, by its name in the table of item statuses."""

    VALID = "valid"
    ESTIMATED = "estimated"
    IMPLAUSIBLE = "implausible"
    MISSING = "missing"


class Pick(StrEnum):
    """Which reading of a day a reading reason asks for."""

    END_OF_DAY = "end of day"
    EARLIEST = "earliest"
    LATEST = "latest"

    @property
    def at_end_of_day(self) -> bool:
        """Whether the reading at the end of the day answers it."""
        return self is not Pick.EARLIEST


class UnknownReasonError(OpenAmiError):
    """A reading reason that the table does not know."""

    number = "3001"
    category = "DCE.VME"


def item_status(quality: int) -> ItemStatus | None:
    """The status of one packed quality; None for an interval of which nothing is known, which is not uploaded."""
    origin, verdict = origin_of(quality), verdict_of(quality)
    if origin is Origin.EMPTY:
        return None
    if origin is Origin.MISSING:
        return ItemStatus.MISSING
    if verdict is Verdict.FV:
        return ItemStatus.IMPLAUSIBLE
    return ItemStatus.ESTIMATED if origin >= FIRST_ESTIMATE else ItemStatus.VALID


@dataclass(frozen=True, slots=True)
class EnterpriseCodes:
    """The tables of one landscape, in the words of the middle."""

    registry: CodeTables = field(default_factory=CodeTables)

    def zone(self, code: str | None, default: str) -> str:
        """The IANA name of a time zone code; a code that is an IANA name itself is taken as such.

        Raises:
            UnknownCodeError: neither the table nor the zone database knows it.
        """
        if not code:
            return default
        try:
            return str(self.registry.of("time_zones", code).values["zone"])
        except UnknownCodeError as error:
            try:
                zone(code)
            except UnknownZoneError:
                raise error from None
            return code

    def pick(self, reason: str) -> Pick:
        """Which reading of the day a reason asks for.

        Raises:
            UnknownReasonError: the table has no such reason.
        """
        try:
            return Pick(str(self.registry.of("reading_reasons", reason).values["pick"]))
        except UnknownCodeError as error:
            raise UnknownReasonError(
                f"Reading reason {reason!r} is not supported.", hint="Add it to the reason table."
            ) from error

    def status_index(self) -> tuple[NDArray[np.uint8], list[str]]:
        """A table from packed quality to an index into the list of status codes; index 0 is "not uploaded"."""
        statuses = list(ItemStatus)
        index = np.zeros(256, np.uint8)
        for packed in range(28 << 3):
            status = item_status(packed) if _known(packed) else None
            index[packed] = statuses.index(status) + 1 if status else 0
        table = self.registry.tables["item_statuses"]
        return index, ["", *(table.named(one.value).code for one in statuses)]

    @property
    def missing(self) -> str:
        """The status code of an interval without a value."""
        return self.registry.tables["item_statuses"].named(ItemStatus.MISSING.value).code


def _known(packed: int) -> bool:
    every = np.array([packed], np.uint8)
    return int(origins(every)[0]) in set(Origin) and int(verdicts(every)[0]) in set(Verdict)
