"""One meter: its life as facts, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from openami.ami.meter.breaker import EVENTS, Breaker, ControlState, Trigger
from openami.ami.meter.history import PowerHistory, RegisterHistory
from openami.ami.meter.limiter import Limiter
from openami.ami.meter.protection import InvocationCounters

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.meter.recordings import Loads
    from openami.ami.meter.street import Device

# standard and fraud log, IDIS numbering
POWER_DOWN: Final = 1
POWER_UP: Final = 2
CLOCK_OLD_TIME: Final = 4
CLOCK_NEW_TIME: Final = 5
MEMORY_ERROR: Final = 14
ASSOCIATION_FAILURES: Final = 46
METER_COVER_REMOVED: Final = 44
METER_COVER_CLOSED: Final = 45
BREAKER_FAILURE: Final = 68
ALARMS_CLEARED: Final = 11
LIMIT_EXCEEDED: Final = 65
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


_LOGGED: Final = {
    FactKind.POWER_DOWN: POWER_DOWN,
    FactKind.POWER_UP: POWER_UP,
    FactKind.ROWS_LOST: MEMORY_ERROR,
    FactKind.LIMIT_SET: LIMIT_CHANGED,
    FactKind.ALARMS_CLEARED: ALARMS_CLEARED,
}


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


class Meter:
    """A meter of any medium: it counts while it hangs somewhere; an electricity meter also needs mains and a breaker.

    Gas and water are counted by mechanics: neither power cuts nor breakers stop them.
    """

    def __init__(self, device: Device, home: str | None) -> None:
        self.device = device
        self.home = home
        self.breaker = Breaker()
        self.power = PowerHistory()
        self.events: list[LoggedEvent] = []
        self.lost_rows_s: list[tuple[int, int]] = []
        self.clock_offset_s = 0
        self.limiter = Limiter()
        self.counters = InvocationCounters()
        self.events_acknowledged = 0
        self.failed_logins = 0
        self.installed_s: int | None = None
        self.removed_s: int | None = None
        self._history: RegisterHistory | None = None
        self._facts: list[Fact] = []

    @property
    def serial(self) -> str:
        """What the meter is called."""
        return self.device.serial

    @property
    def hangs(self) -> bool:
        """Whether it is installed and was not removed."""
        return self.installed_s is not None and self.removed_s is None

    @property
    def mains_fed(self) -> bool:
        """Whether it lives on the mains, as electricity meters do."""
        return not self.device.mbus_address

    @property
    def history(self) -> RegisterHistory | None:
        """Its register through time; None for one on the shelf."""
        return self._history

    def register_at(self, at_s: int) -> int:
        """The register at an instant."""
        return self.device.start_register if self._history is None else self._history.at(at_s)

    @property
    def changed(self) -> bool:
        """Whether it has facts that are not stored yet."""
        return bool(self._facts)

    def take_facts(self) -> list[Fact]:
        """The facts since the last call, to be stored."""
        facts, self._facts = self._facts, []
        return facts

    # what happens

    def install(self, at_s: int, home: str, loads: Loads, load: int) -> None:
        """A fitter hangs it in a home and switches on."""
        self._begin(at_s, home, RegisterHistory(loads, load, self.device.start_register))
        self._happened(at_s, FactKind.INSTALLED, {"home": home})

    def remove(self, at_s: int) -> int:
        """A fitter takes it down; returns the final register."""
        return self._happened(at_s, FactKind.REMOVED)

    def power_down(self, at_s: int) -> None:
        """Mains fail."""
        if self.power.on and self.hangs:
            self._happened(at_s, FactKind.POWER_DOWN)

    def power_up(self, at_s: int) -> None:
        """Mains return."""
        if not self.power.on and self.hangs:
            self._happened(at_s, FactKind.POWER_UP)

    def trigger(self, at_s: int, trigger: Trigger) -> bool:
        """Try to move the breaker; whether it moved."""
        moved = self.breaker.moved(trigger)
        if moved is not None:
            code = EVENTS.get((trigger, moved.state))
            self._happened(at_s, FactKind.SWITCHED, {"state": int(moved.state), "code": code})
        return moved is not None

    def set_mode(self, at_s: int, mode: int) -> None:
        """Another control mode of the breaker."""
        self._happened(at_s, FactKind.MODE, {"mode": mode})

    def log(self, at_s: int, code: int) -> None:
        """An event for the log that has this code."""
        self._happened(at_s, FactKind.EVENT, {"code": code})

    def lose_rows(self, at_s: int, from_s: int, to_s: int) -> None:
        """The memory forgets the profile rows of intervals that begin in [from, to)."""
        self._happened(at_s, FactKind.ROWS_LOST, {"from_s": from_s, "to_s": to_s})

    def set_clock(self, at_s: int, offset_s: int) -> None:
        """The clock now shows the true time plus an offset."""
        self._happened(at_s, FactKind.CLOCK_SET, {"offset_s": offset_s})

    def set_limit(self, at_s: int, threshold_w: int, over_s: int) -> None:
        """Another threshold (0 = none), and how long it may be exceeded."""
        self._happened(at_s, FactKind.LIMIT_SET, {"threshold_w": threshold_w, "over_s": over_s})

    def exceed_limit(self, at_s: int) -> None:
        """The limiter has had enough."""
        self.log(at_s, LIMIT_EXCEEDED)
        self.trigger(at_s, Trigger.LOCAL_DISCONNECT)

    def clear_alarms(self, at_s: int) -> None:
        """A head-end has seen the alarms."""
        self._happened(at_s, FactKind.ALARMS_CLEARED)

    def reserve_counters(self, at_s: int) -> None:
        """Make sure that the next messages have counters that were never used."""
        if self.counters.running_low:
            self._happened(at_s, FactKind.COUNTERS_RESERVED, self.counters.next_step())

    def replay(self, fact: Fact, loads: Loads, load_of_home: Mapping[str, int]) -> None:
        """Take back a stored fact."""
        if fact.kind is FactKind.INSTALLED:
            home = str(fact.detail["home"])
            self._begin(fact.at_s, home, RegisterHistory(loads, load_of_home[home], self.device.start_register))
        self._apply(fact)
        if fact.kind is FactKind.COUNTERS_RESERVED:
            self.counters.restarted()

    # how facts take effect

    def _begin(self, at_s: int, home: str, history: RegisterHistory) -> None:
        self.home, self.installed_s, self._history = home, at_s, history

    def _happened(self, at_s: int, kind: FactKind, detail: Mapping[str, Any] | None = None) -> int:
        fact = Fact(self.serial, at_s, kind, self.register_at(at_s), detail or {})
        self._apply(fact)
        self._facts.append(fact)
        return fact.register

    def _apply(self, fact: Fact) -> None:
        detail = fact.detail
        match fact.kind:
            case FactKind.INSTALLED | FactKind.POWER_UP:
                self.power.up(fact.at_s)
            case FactKind.REMOVED | FactKind.POWER_DOWN:
                self.power.down(fact.at_s)
                if fact.kind is FactKind.REMOVED:
                    self.removed_s = fact.at_s
            case FactKind.SWITCHED:
                self.breaker = Breaker(ControlState(detail["state"]), self.breaker.mode)
            case FactKind.MODE:
                self.breaker = Breaker(self.breaker.state, detail["mode"])
            case _:
                self._remember(fact)
        code = _LOGGED.get(fact.kind, detail.get("code"))
        if code is not None:
            self.events.append(LoggedEvent(fact.at_s, code))
        if fact.kind is FactKind.ALARMS_CLEARED:
            self.events_acknowledged = len(self.events)
        self._count(fact)

    def _remember(self, fact: Fact) -> None:
        detail = fact.detail
        match fact.kind:
            case FactKind.ROWS_LOST:
                self.lost_rows_s.append((detail["from_s"], detail["to_s"]))
            case FactKind.CLOCK_SET:
                self._set_clock(fact.at_s, detail["offset_s"])
            case FactKind.COUNTERS_RESERVED:
                self.counters.reserved(detail["sent"], detail["received"])
            case FactKind.LIMIT_SET:
                self.limiter = Limiter(detail["threshold_w"], detail["over_s"], fact.at_s)
            case _:
                pass  # only logged

    def _set_clock(self, at_s: int, offset_s: int) -> None:
        self.events.append(LoggedEvent(at_s + self.clock_offset_s, CLOCK_OLD_TIME))
        self.events.append(LoggedEvent(at_s + offset_s, CLOCK_NEW_TIME))
        self.clock_offset_s = offset_s

    def _count(self, fact: Fact) -> None:
        """Count from now on exactly when it hangs, has mains, and its breaker is closed (or it is mechanical)."""
        if self._history is None:
            return
        live = self.hangs and (not self.mains_fed or (self.power.on and self.breaker.closed))
        if live != self._history.live or fact.kind is FactKind.INSTALLED:
            self._history.switch(fact.at_s, live=live, register=fact.register)
