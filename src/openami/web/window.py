"""Which local days a load curve shows: one day, seven days or a calendar month, and the way to the neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Mapping

_DAY = timedelta(days=1)


class View(StrEnum):
    """How much is shown at once."""

    WEEK = "week"
    DAY = "day"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Window:
    """The days of one view; `day` is the one that was asked for and stays in sight when the view changes."""

    view: View
    day: date
    zone_name: str

    @property
    def first(self) -> date:
        """The first local day shown."""
        match self.view:
            case View.DAY:
                return self.day
            case View.WEEK:
                return self.day - 6 * _DAY
            case View.MONTH:
                return self.day.replace(day=1)

    @property
    def past_last(self) -> date:
        """The local day after the last one shown."""
        if self.view is View.MONTH:
            return (self.day.replace(day=1) + timedelta(days=32)).replace(day=1)
        return self.day + _DAY

    @property
    def span(self) -> Span:
        """The instants shown."""
        return Span(local_midnight(self.zone_name, self.first), local_midnight(self.zone_name, self.past_last))

    def as_json(self) -> dict[str, Any]:
        """The window as plain values, with the days that its neighbours are asked for with."""
        last = self.past_last - _DAY
        length = self.past_last - self.first
        return {
            "view": self.view.value,
            "day": self.day.isoformat(),
            "first": self.first.isoformat(),
            "last": last.isoformat(),
            "from": self.span.start.isoformat(),
            "to": self.span.end.isoformat(),
            "zone": self.zone_name,
            "earlier": (self.first - _DAY if self.view is not View.WEEK else self.day - length).isoformat(),
            "later": (self.past_last if self.view is not View.WEEK else self.day + length).isoformat(),
        }


def window_of(data: Mapping[str, Any]) -> Window:
    """The window that `as_json` wrote down."""
    return Window(View(data["view"]), date.fromisoformat(data["day"]), data["zone"])
