"""What an event means here: a table from codes to meaning and to the case that it opens."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache
from importlib import resources
from typing import Final

ANY: Final = "*"
UNKNOWN_MEANING: Final = "unknown"


class CaseState(StrEnum):
    """A case is opened by an event and closed by a person."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class EventType:
    """One row of the table; `case` is the kind of case that such an event opens, empty for none."""

    category: str
    type: str
    meaning: str
    case: str


@lru_cache(maxsize=1)
def event_types() -> tuple[EventType, ...]:
    """The table (`event_types.csv`): customizing, so it is data. `*` stands for any code."""
    text = (resources.files("openami.office.events") / "event_types.csv").read_text("utf-8")
    return tuple(EventType(**row) for row in csv.DictReader(text.splitlines()))


def classify(category: str, type_code: str) -> EventType:
    """The meaning of an event; rows that name the type come before rows that name the category only.

    An unknown event is kept with the meaning `unknown` and opens no case.
    """
    category, type_code = category.lstrip("0"), type_code.lstrip("0")
    fitting = [
        row
        for row in event_types()
        if row.category.lstrip("0") in (ANY, category) and row.type.lstrip("0") in (ANY, type_code)
    ]
    fitting.sort(key=lambda row: (row.type == ANY, row.category == ANY))
    return fitting[0] if fitting else EventType(category, type_code, UNKNOWN_MEANING, "")
