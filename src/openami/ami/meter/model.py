"""One meter: its life as facts, and what follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from openami.ami.meter.alarms import BITS
from openami.ami.meter.breaker import EVENTS, Breaker, ControlState, Trigger
from openami.ami.meter.calendars import FACTORY
from openami.ami.meter.capacitor import Capacitor
from openami.ami.meter.channels import Channels
from openami.ami.meter.clock import place_of
from openami.ami.meter.facts import (
    CALENDAR_WRITTEN,
    CONFIGURATION_CHANGED,
    LIMIT_EXCEEDED,
    LOGGED_CODES,
    POWER_DOWN,
    DuePush,
    Fact,
    FactKind,
    LoggedEvent,
)
from openami.ami.meter.firmware import ImageTransfer
from openami.ami.meter.history import ALL, PowerHistory, RegisterHistory
from openami.ami.meter.limiter import Limiter
from openami.ami.meter.prepayment import Purse
from openami.ami.meter.protection import InvocationCounters
from openami.ami.meter.recordings import Flow
from openami.ami.meter.remembering import remember
from openami.ami.meter.settings import (
    ALARM_FILTER,
    CALENDAR,
    MESSAGE_CODE,
    MESSAGE_TEXT,
    PUSH_ALARM,
    PUSH_LAST_GASP,
    Settings,
)

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import tzinfo

    from openami.ami.dlms.obis import Obis
    from openami.ami.meter.calendars import Calendar
    from openami.ami.meter.history import Connection
    from openami.ami.meter.street import Device

LAST_PASSIVE: Final = 9
UNLOGGED: Final = frozenset({MESSAGE_TEXT, MESSAGE_CODE})


PUSHES_MAX: Final = 64
"""A meter that cannot push any more forgets its oldest pushes."""


@dataclass(slots=True)
class Attention:
    """Where the meters of a fleet say that somebody must look at them: nobody looks at all ten thousand for that."""

    touched: dict[str, Meter] = field(default_factory=dict)
    """Those with something to store or to tell."""
    timed: dict[str, Meter] = field(default_factory=dict)
    """Those to which something can happen while time passes: a limit, an empty purse, a calendar, a push."""


class Meter:
    """A meter of any medium: it counts while it hangs somewhere; an electricity meter also needs mains and a breaker.

    Gas and water are counted by mechanics: neither power cuts nor breakers stop them.
    """

    def __init__(self, device: Device, home: str | None, attention: Attention | None = None) -> None:
        self._attention = attention or Attention()
        self.device = device
        self.home = home
        self.breaker = Breaker()
        self.power = PowerHistory()
        self.capacitor = Capacitor()
        self.events: list[LoggedEvent] = []
        self.lost_rows_s: list[tuple[int, int]] = []
        self.clock_offset_s = 0
        self.limiter = Limiter()
        self.settings = Settings()
        self.altered: dict[tuple[Obis, int], bytes] = {}
        """Values that somebody laid over what the meter would say, to test who reads it."""
        self.calendars: list[tuple[int, Calendar]] = [(0, FACTORY)]
        """Which calendar is in force from when on."""
        self.image: ImageTransfer = ImageTransfer()
        self.wrapped_keys: list[dict[str, str]] = []
        """Keys that replaced the factory's, as they came: wrapped by the master key."""
        self.relay_closed = True
        self.channels: Channels = Channels()
        self.purse: Purse = Purse()
        self.pushes: list[DuePush] = []
        self.gasping = False
        self.through_permille = ALL
        """How much of what flows goes through it, and not past it over a bridge."""
        self.turned = False
        """Whether its connection is the wrong way round."""
        self.demand_reset_s = 0
        self.counters: InvocationCounters = InvocationCounters()
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

    def register_at(self, at_s: int, flow: Flow = Flow.IMPORT) -> int:
        """The register of a flow at an instant."""
        if self._history is None:
            return self.device.start_register if flow is Flow.IMPORT else 0
        return self._history.at(at_s, flow)

    @property
    def changed(self) -> bool:
        """Whether it has facts that are not stored yet."""
        return bool(self._facts)

    def take_facts(self) -> list[Fact]:
        """The facts since the last call, to be stored."""
        facts, self._facts = self._facts, []
        return facts

    # what happens

    def install(self, at_s: int, home: str, connection: Connection) -> None:
        """A fitter hangs it in a home and switches on."""
        self._begin(at_s, home, RegisterHistory(connection, self.device.start_register))
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

    def tamper(self, at_s: int, code: int | None, changes: Mapping[str, Any]) -> None:
        """Somebody turns the connection round or lays a bridge (`turned`, `through_permille`), or takes it back."""
        self._happened(at_s, FactKind.TAMPERED, {**changes, "code": code})

    def lose_rows(self, at_s: int, from_s: int, to_s: int) -> None:
        """The memory forgets the profile rows of intervals that begin in [from, to)."""
        self._happened(at_s, FactKind.ROWS_LOST, {"from_s": from_s, "to_s": to_s})

    def set_clock(self, at_s: int, offset_s: int) -> None:
        """The clock now shows the true time plus an offset."""
        self._happened(at_s, FactKind.CLOCK_SET, {"offset_s": offset_s})

    def drift(self, at_s: int, seconds: int) -> None:
        """The clock has gone astray by so much; nobody notices but who compares it."""
        self._happened(at_s, FactKind.DRIFTED, {"offset_s": self.clock_offset_s + seconds})

    def set_limit(self, at_s: int, threshold_w: int, over_s: int) -> None:
        """Another threshold (0 = none), and how long it may be exceeded."""
        self._happened(at_s, FactKind.LIMIT_SET, {"threshold_w": threshold_w, "over_s": over_s})

    def exceed_limit(self, at_s: int) -> None:
        """The limiter has had enough."""
        self.log(at_s, LIMIT_EXCEEDED)
        self.trigger(at_s, Trigger.LOCAL_DISCONNECT)

    def write_setting(self, at_s: int, obis: Obis, attribute: int, octets: bytes) -> None:
        """A head-end writes an attribute that is kept."""
        detail: dict[str, Any] = {"obis": str(obis), "attribute": attribute, "value": octets.hex()}
        if obis == CALENDAR:
            if attribute == LAST_PASSIVE:
                detail["code"] = CALENDAR_WRITTEN
        elif obis not in UNLOGGED:
            detail["code"] = CONFIGURATION_CHANGED
        self._happened(at_s, FactKind.WRITTEN, detail)

    def alter(self, at_s: int, obis: Obis, attribute: int, octets: bytes | None) -> None:
        """From now on an attribute reads as these octets, whatever the meter would say; None gives it back."""
        detail = {"obis": str(obis), "attribute": attribute, "value": None if octets is None else octets.hex()}
        self._happened(at_s, FactKind.ALTERED, detail)

    def activate_calendar(self, at_s: int) -> None:
        """The passive calendar becomes the active one."""
        self._happened(at_s, FactKind.CALENDAR)

    def set_emergency(self, at_s: int, detail: Mapping[str, Any]) -> None:
        """Another emergency profile of the limiter, or its threshold."""
        self._happened(at_s, FactKind.EMERGENCY, detail)

    def take_image(self, at_s: int, detail: Mapping[str, Any]) -> None:
        """A step of an image transfer."""
        self._happened(at_s, FactKind.IMAGE, detail)

    def change_keys(self, at_s: int, wrapped: Mapping[str, str]) -> None:
        """New keys by their number, as they came; they hold from the next association on."""
        self._happened(at_s, FactKind.KEYS, {"wrapped": dict(wrapped)})
        self.counters.new_key()

    def switch_relay(self, at_s: int, *, closed: bool) -> None:
        """The auxiliary relay moves."""
        self._happened(at_s, FactKind.RELAY, {"closed": closed})

    def couple(self, at_s: int, detail: Mapping[str, Any]) -> None:
        """Something about an M-Bus channel changes."""
        self._happened(at_s, FactKind.COUPLED, detail)

    def credit(self, at_s: int, detail: Mapping[str, Any]) -> None:
        """Money came, or the price or the mode of payment changes."""
        self._happened(at_s, FactKind.CREDIT, detail)

    def paid(self, at_s: int) -> None:
        """Money came: who was cut off for want of it is connected again, as far as the breaker's mode lets it."""
        if self.purse.at(self.register_at(at_s)) > 0:
            self.trigger(at_s, Trigger.LOCAL_RECONNECT)

    def reset_demand(self, at_s: int) -> None:
        """The maximum demand begins anew."""
        self._happened(at_s, FactKind.DEMAND_RESET)

    def push(self, at_s: int, setup: Obis, codes: tuple[int, ...] = ()) -> None:
        """Tell something by itself, if the setup has a destination."""
        if self.settings.of(setup, 3).elements()[1].octets():
            self.pushes = [*self.pushes, DuePush(setup, at_s, codes)][-PUSHES_MAX:]
            self._attention.touched[self.serial] = self

    def take_pushes(self) -> list[DuePush]:
        """What it wanted to tell since the last call."""
        pushes, self.pushes = self.pushes, []
        return pushes

    def place(self, zone_name: str) -> tzinfo:
        """The local time that it keeps, hanging in this zone."""
        return place_of(self.settings, zone_name)

    def calendar_at(self, at_s: int) -> Calendar:
        """The calendar in force at an instant."""
        return next(calendar for from_s, calendar in reversed(self.calendars) if from_s <= at_s)

    def clear_alarms(self, at_s: int) -> None:
        """A head-end has seen the alarms."""
        self._happened(at_s, FactKind.ALARMS_CLEARED)

    def reserve_counters(self, at_s: int) -> None:
        """Make sure that the next messages have counters that were never used."""
        if self.counters.running_low:
            self._happened(at_s, FactKind.COUNTERS_RESERVED, self.counters.next_step())

    def replay(self, fact: Fact, connection_of_home: Mapping[str, Connection]) -> None:
        """Take back a stored fact."""
        if fact.kind is FactKind.INSTALLED:
            home = str(fact.detail["home"])
            self._begin(fact.at_s, home, RegisterHistory(connection_of_home[home], self.device.start_register))
        self._apply(fact)
        if fact.kind is FactKind.COUNTERS_RESERVED:
            self.counters.restarted()

    # how facts take effect

    def _begin(self, at_s: int, home: str, history: RegisterHistory) -> None:
        self.home, self.installed_s, self._history = home, at_s, history

    def _happened(self, at_s: int, kind: FactKind, detail: Mapping[str, Any] | None = None) -> int:
        fact = Fact(self.serial, at_s, kind, self.register_at(at_s), detail or {})
        logged = len(self.events)
        self._apply(fact)
        self._facts.append(fact)
        self._attention.touched[self.serial] = self
        self._alarm(fact, [event.code for event in self.events[logged:]])
        return fact.register

    def _apply(self, fact: Fact) -> None:
        detail = fact.detail
        match fact.kind:
            case FactKind.INSTALLED | FactKind.POWER_UP:
                self.power.up(fact.at_s)
                self.capacitor = self.capacitor.mains(fact.at_s, on=True)
            case FactKind.REMOVED | FactKind.POWER_DOWN:
                self.power.down(fact.at_s)
                self._gasp(fact)
                if fact.kind is FactKind.REMOVED:
                    self.removed_s = fact.at_s
            case FactKind.SWITCHED:
                self.breaker = Breaker(ControlState(detail["state"]), self.breaker.mode)
            case FactKind.MODE:
                self.breaker = Breaker(self.breaker.state, detail["mode"])
            case _:
                remember(self, fact)
        code = LOGGED_CODES.get(fact.kind, detail.get("code"))
        if code is not None:
            self.events.append(LoggedEvent(fact.at_s, code))
        if fact.kind is FactKind.ALARMS_CLEARED:
            self.events_acknowledged = len(self.events)
        self._count(fact)
        if self.mains_fed and self._is_timed():
            self._attention.timed[self.serial] = self
        else:
            self._attention.timed.pop(self.serial, None)

    def _is_timed(self) -> bool:
        return self.limiter.limits or self.purse.prepaid or self.settings.has_times

    def _gasp(self, fact: Fact) -> None:
        """Losing mains is told with what the capacitor holds; one that was hardly filled again says nothing."""
        self.capacitor = self.capacitor.mains(fact.at_s, on=False)
        left = self.capacitor.gasped(fact.at_s)
        self.gasping = left is not None and fact.kind is FactKind.POWER_DOWN
        if left is not None and self.gasping:
            self.capacitor = left

    def _alarm(self, fact: Fact, codes: list[int]) -> None:
        """Codes that the filter lets through are told at once."""
        if fact.kind is FactKind.POWER_DOWN:
            if self.gasping:
                self.push(fact.at_s, PUSH_LAST_GASP, (POWER_DOWN,))
            return
        wanted = self.settings.of(ALARM_FILTER, 2).integer()
        told = tuple(code for code in codes if BITS.get(code, 0) & wanted)
        if told:
            self.push(fact.at_s, PUSH_ALARM, told)

    def _count(self, fact: Fact) -> None:
        """Count from now on exactly when it hangs, has mains, and its breaker is closed (or it is mechanical).

        A meter turned round counts as export what comes in; one without export registers counts whichever way.
        """
        if self._history is None:
            return
        live = self.hangs and (not self.mains_fed or (self.power.on and self.breaker.closed))
        through = (self.through_permille if live else 0) * (-1 if self.turned and self.device.exports else 1)
        if through != self._history.through_permille or fact.kind is FactKind.INSTALLED:
            self._history.switch(fact.at_s, through, register=fact.register)
