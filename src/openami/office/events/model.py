"""What an event means here: its name from the code table, and the case that such an event opens."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Final

from openami.shared.contract.enterprise.codes import UnknownCode

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.shared.contract.enterprise.codes import CodeTable

UNKNOWN: Final = "unknown"


class CaseState(StrEnum):
    """A case is opened by an event and closed by a person."""

    OPEN = "open"
    CLOSED = "closed"


@dataclass(frozen=True, slots=True)
class EventType:
    """An event's name and meaning; `case` is the kind of case that it opens, empty for none."""

    name: str
    meaning: str
    case: str


@lru_cache(maxsize=1)
def case_rules() -> tuple[tuple[str, str], ...]:
    """Patterns of event names and the case that each opens (`cases.csv`); the first that fits counts."""
    text = (resources.files("openami.office.events") / "cases.csv").read_text("utf-8")
    return tuple((row["event"], row["case"]) for row in csv.DictReader(text.splitlines()))


def classify(tables: Mapping[str, CodeTable], type_code: str) -> EventType:
    """The meaning of an event type; one that the table does not know is kept as `unknown` and opens no case."""
    try:
        code = tables["event_types"].of(type_code)
    except UnknownCode:
        return EventType(UNKNOWN, f"unknown event type {type_code}", "")
    case = next((case for pattern, case in case_rules() if fnmatchcase(code.name, pattern)), "")
    return EventType(code.name, code.meaning, case)
