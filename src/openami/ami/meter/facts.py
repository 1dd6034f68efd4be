"""What can happen to a meter for good, and what of it stands in its logs."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.dlms.obis import Obis

# standard and fraud log, IDIS numbering
POWER_DOWN: Final = 1
POWER_UP: Final = 2
CLOCK_OLD_TIME: Final = 4
CLOCK_NEW_TIME: Final = 5
MEMORY_ERROR: Final = 14
ASSOCIATION_FAILURES: Final = 46
BREAKER_FAILURE: Final = 68
ALARMS_CLEARED: Final = 11
LIMIT_EXCEEDED: Final = 65
CALENDAR_ACTIVATED: Final = 9
CALENDAR_WRITTEN: Final = 19
CONFIGURATION_CHANGED: Final = 47
KEYS_CHANGED: Final = 48
LIMIT_CHANGED: Final = 67


class FactKind(StrEnum):
    """What can happen to a meter for good."""

    INSTALLED = "installed"
    REMOVED = "removed"
    POWER_DOWN = "power down"
    POWER_UP = "power up"
    SWITCHED = "switched"
    MODE = "control mode"
    EVENT = "event"
    ROWS_LOST = "rows lost"
    CLOCK_SET = "clock set"
    LIMIT_SET = "limit set"
    ALARMS_CLEARED = "alarms cleared"
    COUNTERS_RESERVED = "counters reserved"
    WRITTEN = "written"
    CALENDAR = "calendar activated"
    EMERGENCY = "emergency profile"
    IMAGE = "image"
    KEYS = "keys"
    RELAY = "relay switched"
    COUPLED = "channel"
    CREDIT = "credit"
    DEMAND_RESET = "demand reset"
    DRIFTED = "clock drifted"
    ALTERED = "value altered"
    TAMPERED = "measuring tampered with"


LOGGED_CODES: Final = {
    FactKind.POWER_DOWN: POWER_DOWN,
    FactKind.POWER_UP: POWER_UP,
    FactKind.ROWS_LOST: MEMORY_ERROR,
    FactKind.LIMIT_SET: LIMIT_CHANGED,
    FactKind.ALARMS_CLEARED: ALARMS_CLEARED,
    FactKind.CALENDAR: CALENDAR_ACTIVATED,
    FactKind.KEYS: KEYS_CHANGED,
}
"""Which fact stands in a log under which code; others say theirs themselves."""


@dataclass(frozen=True, slots=True)
class Fact:
    """Something that happened to a meter at an instant (seconds since 1970 UTC); `register` is what it showed then."""

    serial: str
    at_s: int
    kind: FactKind
    register: int
    detail: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LoggedEvent:
    """A row of an event log."""

    at_s: int
    code: int


@dataclass(frozen=True, slots=True)
class DuePush:
    """Something that a meter wants to tell by itself: by which push setup, and what happened."""

    setup: Obis
    at_s: int
    codes: tuple[int, ...] = ()
