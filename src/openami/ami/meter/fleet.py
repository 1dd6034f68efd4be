"""All meters of a street, living through time together: faults and swaps take effect at their exact instants."""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.ami.meter.breaker import Trigger
from openami.ami.meter.calendars import due_activation_s
from openami.ami.meter.channels import discover
from openami.ami.meter.distortion import due_events
from openami.ami.meter.happenings import (
    COVERS,
    LOGGED,
    BadHappeningError,
    Happening,
    HappeningKind,
    Stage,
    TooLateError,
    tampering,
)
from openami.ami.meter.homes import connections_of
from openami.ami.meter.limiter import first_trip_s
from openami.ami.meter.model import PUSHES_MAX, Attention, Meter
from openami.ami.meter.prepayment import empty_s
from openami.ami.meter.schedules import due_pushes_s
from openami.ami.meter.settings import PUSH_INTERVAL, PUSH_SMS, Flag
from openami.ami.meter.slave import SlaveTelegram, telegram_of
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.errors import OpenAmiError
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Iterable

    from openami.ami.meter.facts import DuePush, Fact
    from openami.ami.meter.history import RegisterHistory
    from openami.ami.meter.street import Street

POLL_S: Final = 3600
CRADLE_S: Final = 2 * 86400
"""How long a removed meter can still be read: the fitter puts it into the concentrator's cradle."""


class OtherStreetError(OpenAmiError):
    """What was stored belongs to a street of another layout."""


class Fleet:
    """The meters of a street, and how far they have lived (seconds since 1970 UTC)."""

    def __init__(self, street: Street, zone_name: str, genesis_s: int) -> None:
        self.street = street
        self.zone_name = zone_name
        self.genesis_s = genesis_s
        self.lived_s = genesis_s
        self._attention = Attention()
        self.meters = {device.serial: Meter(device, device.home, self._attention) for device in street.devices}
        self.happenings: dict[str, Happening] = {}
        self._to_come: dict[str, Happening] = {}
        """Those of them that are not done."""
        self._slaves = self._by_home()
        self._changed: dict[str, Happening] = {}
        self._dark = False
        self.connections = connections_of(street, zone_name)

    # life

    def begin(self) -> None:
        """Hang every meter that has a home, at the genesis."""
        for meter in self.meters.values():
            if meter.home is not None:
                self._install(meter, self.genesis_s, meter.home)

    def replay(self, facts: Iterable[Fact], happenings: Iterable[Happening], lived_s: int) -> None:
        """Take back what was stored.

        Raises:
            OtherStreetError: it is of a meter that this street does not have.
        """
        for fact in facts:
            meter = self.meters.get(fact.serial)
            if meter is None:
                raise OtherStreetError(
                    f"What is stored tells of the meter {fact.serial}, which this street does not have.",
                    hint="Set homes, seed and street as they were, or begin anew: openami reset.",
                )
            meter.replay(fact, self.connections[meter.device.kind])
        self._slaves = self._by_home()
        for happening in happenings:
            self._know(happening)
        self.lived_s = lived_s

    def live_through(self, to_s: int) -> list[SlaveTelegram]:
        """Live up to `to_s`; what the concentrators heard from their slaves on the way."""
        cursor_s = self.lived_s
        while (due := self._next_due(to_s)) is not None:
            # what was lost earlier is noticed now
            at_s = max(due.next_s or 0, cursor_s)
            self._limit(cursor_s, at_s)
            self._next_stage(due, at_s)
            cursor_s = at_s
        self._limit(cursor_s, to_s)
        heard = [] if self._dark else self._poll(self.lived_s, to_s)
        self.lived_s = max(self.lived_s, to_s)
        return heard

    def power_cut(self, to_s: int) -> None:
        """The whole street is dark from the last instant lived to `to_s`: what a killed process means in the field."""
        for meter in self._mains_fed():
            meter.power_down(self.lived_s)
        self._dark = True
        self.live_through(to_s)
        self._dark = False
        for meter in self._mains_fed():
            self._power_up(meter, self.lived_s)

    def order(self, happening: Happening) -> Happening:
        """Schedule something; the same order twice is one.

        Raises:
            TooLateError: the street has lived through its instant.
            BadHappeningError: it cannot be carried out.
        """
        known = self.happenings.get(happening.id)
        if known is not None:
            return known
        if happening.starts_s < self.lived_s and happening.kind is not HappeningKind.LOSE_PROFILE_DAY:
            raise TooLateError(
                f"The street has lived to {instant_of(self.lived_s).isoformat()}, past that instant.",
                hint="The past of a meter cannot be changed; choose a later instant.",
            )
        if happening.kind is HappeningKind.SWAP:
            self._check_swap(happening)
        self._store(happening)
        return happening

    def next_due_s(self) -> int | None:
        """When the next ordered thing begins or ends."""
        return min((each.next_s for each in self._to_come.values() if each.next_s is not None), default=None)

    def link_is_down(self, transformer: str) -> bool:
        """Whether the concentrator of a transformer is cut off now."""
        return any(
            each.stage is Stage.ACTIVE and each.detail["transformer"] == transformer
            for each in self._to_come.values()
            if each.kind is HappeningKind.LINK_DOWN
        )

    def answers(self, meter: Meter) -> bool:
        """Whether a meter can be spoken to: it has mains, or was taken down so recently that it lies in the cradle."""
        in_cradle = meter.removed_s is not None and self.lived_s < meter.removed_s + CRADLE_S
        return not self._dark and (meter.power.on or in_cradle)

    def slaves_of(self, meter: Meter) -> list[Meter]:
        """The gas and water meters that an electricity meter hears on its M-Bus, by their addresses."""
        slaves = self._slaves.get(meter.home or "", [])
        return sorted(slaves, key=lambda slave: slave.device.mbus_address)

    @property
    def changed(self) -> bool:
        """Whether something happened that is not stored yet."""
        return bool(self._changed) or any(meter.changed for meter in self._attention.touched.values())

    @property
    def wants_to_push(self) -> bool:
        """Whether a meter wants to tell something by itself."""
        return any(meter.pushes for meter in self._attention.touched.values())

    def take_pushes(self) -> list[tuple[Meter, DuePush]]:
        """What the meters want to tell by themselves, since the last call."""
        return [(meter, push) for meter in self._attention.touched.values() for push in meter.take_pushes()]

    def take_changes(self) -> tuple[list[Fact], list[Happening]]:
        """What happened since the last call, to be stored."""
        changed, self._changed = list(self._changed.values()), {}
        facts = [fact for meter in self._attention.touched.values() for fact in meter.take_facts()]
        for serial in [serial for serial, meter in self._attention.touched.items() if not meter.pushes]:
            del self._attention.touched[serial]
        return facts, changed

    # the parts of life

    def _next_due(self, to_s: int) -> Happening | None:
        due = [
            (max(each.next_s, each.starts_s), each.id, each)
            for each in self._to_come.values()
            if each.next_s is not None and each.next_s <= to_s
        ]
        return min(due)[2] if due else None

    def _limit(self, after_s: int, to_s: int) -> None:
        """What time itself does to meters in (after, to]; nothing else happens then."""
        for meter in list(self._attention.timed.values()):
            if meter.history is not None:
                self._cut_off(meter, meter.history, after_s, to_s)
                self._come_due(meter, after_s, to_s)

    def _cut_off(self, meter: Meter, history: RegisterHistory, after_s: int, to_s: int) -> None:
        """Limiters trip, and purses run out."""
        if meter.limiter.limits:
            trip_s = first_trip_s(meter.limiter, history, after_s, to_s)
            if trip_s is not None:
                meter.exceed_limit(trip_s)
        if meter.purse.prepaid:
            out_s = empty_s(meter.purse, history, after_s, to_s)
            if out_s is not None:
                meter.trigger(out_s, Trigger.LOCAL_DISCONNECT)

    def _come_due(self, meter: Meter, after_s: int, to_s: int) -> None:
        """Calendars change, harmonics are too high for too long, pushes are due."""
        due_s = due_activation_s(meter.settings, self.zone_name)
        if due_s is not None and after_s < due_s <= to_s:
            meter.activate_calendar(due_s)
        for event_s, code in due_events(meter, after_s, to_s):
            meter.log(event_s, code)
        place = meter.place(self.zone_name)
        for push_s in due_pushes_s(meter.settings, meter.serial, after_s, to_s, place, PUSHES_MAX):
            if meter.power.up_at(np.array([push_s], np.int64))[0]:
                meter.push(push_s, PUSH_INTERVAL)

    def _next_stage(self, happening: Happening, at_s: int) -> None:
        if happening.stage is Stage.SCHEDULED:
            self._starts(happening, at_s)
            self._store(happening.staged(Stage.DONE if happening.ends_s is None else Stage.ACTIVE))
        else:
            self._store(happening.staged(Stage.DONE))
            self._ends(happening, at_s)

    def _starts(self, happening: Happening, at_s: int) -> None:
        detail = happening.detail
        match happening.kind:
            case kind if kind in LOGGED:
                self._log(happening, at_s, LOGGED[kind][0], begins=True)
            case HappeningKind.POWER_CUT:
                self.meters[detail["serial"]].power_down(at_s)
            case HappeningKind.LOSE_PROFILE_DAY:
                day = local_day(self.zone_name, date.fromisoformat(detail["day"]))
                self.meters[detail["serial"]].lose_rows(at_s, seconds_of(day.start), seconds_of(day.end))
            case HappeningKind.CLOCK_DRIFT:
                self.meters[detail["serial"]].drift(at_s, int(detail["seconds"]))
            case HappeningKind.WAKE_UP:
                meter = self.meters[detail["serial"]]
                if meter.power.on:
                    meter.push(at_s, PUSH_SMS)
            case HappeningKind.SWAP:
                self._swap(self.meters[detail["old_serial"]], self.meters[detail["new_serial"]], at_s)
            case HappeningKind.LINK_DOWN:
                pass  # concentrators ask `link_is_down`

    def _ends(self, happening: Happening, at_s: int) -> None:
        if happening.kind in LOGGED:
            self._log(happening, at_s, LOGGED[happening.kind][1], begins=False)
        elif happening.kind is HappeningKind.POWER_CUT:
            self._power_up(self.meters[happening.detail["serial"]], at_s)

    def _log(self, happening: Happening, at_s: int, code: int | None, *, begins: bool) -> None:
        meter, changes = self.meters[happening.detail["serial"]], tampering(happening, begins=begins)
        if changes:
            meter.tamper(at_s, code, changes)
        elif code is not None:
            meter.log(at_s, code)
        if begins and happening.kind in COVERS:
            self._discover(meter, at_s, Flag.DISCOVER_ON_OPEN_COVER)

    def _discover(self, meter: Meter, at_s: int, flag: Flag) -> None:
        """Where the configuration object says so, a meter looks for its slaves again."""
        if meter.power.on and meter.settings.flag(flag):
            discover(meter, self.slaves_of(meter), at_s)

    def _power_up(self, meter: Meter, at_s: int) -> None:
        cut_off = any(
            each.kind is HappeningKind.POWER_CUT
            and each.stage is Stage.ACTIVE
            and each.detail["serial"] == meter.serial
            for each in self._to_come.values()
        )
        if not self._dark and not cut_off:
            meter.power_up(at_s)
            self._discover(meter, at_s, Flag.DISCOVER_ON_POWER_ON)

    def _swap(self, old: Meter, new: Meter, at_s: int) -> None:
        if not old.hangs or new.installed_s is not None or old.home is None:
            return  # an earlier swap of the same instant took one of them
        old.remove(at_s)
        self._install(new, at_s, old.home)
        if self._dark:
            new.power_down(at_s)

    def _check_swap(self, happening: Happening) -> None:
        old, new = (self.meters[happening.detail[name]] for name in ("old_serial", "new_serial"))
        if not old.hangs:
            raise BadHappeningError(f"{old.serial} hangs nowhere.", hint="GET /api/meters shows what hangs where.")
        if new.installed_s is not None:
            raise BadHappeningError(f"{new.serial} is not on the shelf.", hint="Choose a spare that never hung.")

    def _install(self, meter: Meter, at_s: int, home: str) -> None:
        meter.install(at_s, home, self.connections[meter.device.kind][home])
        if not meter.mains_fed and meter not in self._slaves.setdefault(home, []):
            self._slaves[home].append(meter)

    def _mains_fed(self) -> list[Meter]:
        return [meter for meter in self.meters.values() if meter.mains_fed and meter.hangs]

    def _poll(self, from_s: int, to_s: int) -> list[SlaveTelegram]:
        hours_s = np.arange((from_s // POLL_S + 1) * POLL_S, to_s + 1, POLL_S, dtype=np.int64)
        if not len(hours_s):
            return []
        heard = []
        for meter in self.meters.values():
            if meter.history is None or meter.installed_s is None or meter.mains_fed:
                continue
            hanging_s = hours_s[(hours_s >= meter.installed_s) & (hours_s <= (meter.removed_s or to_s))]
            registers, rates = meter.history.registers(hanging_s), meter.history.rates(hanging_s)
            heard += [
                telegram_of(meter.device, int(hour_s), int(register), int(rate), self.zone_name)
                for hour_s, register, rate in zip(hanging_s, registers, rates, strict=True)
            ]
        return sorted(heard, key=lambda telegram: telegram.taken_s)

    def _by_home(self) -> dict[str, list[Meter]]:
        """The meters on the M-Bus of each home."""
        found: dict[str, list[Meter]] = {}
        for meter in self.meters.values():
            if meter.home is not None and not meter.mains_fed:
                found.setdefault(meter.home, []).append(meter)
        return found

    def _know(self, happening: Happening) -> None:
        self.happenings[happening.id] = happening
        if happening.next_s is None:
            self._to_come.pop(happening.id, None)
        else:
            self._to_come[happening.id] = happening

    def _store(self, happening: Happening) -> None:
        self._know(happening)
        self._changed[happening.id] = happening
