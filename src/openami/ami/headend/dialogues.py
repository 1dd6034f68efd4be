"""What is said in a session: the regular reading, an on-demand reading, a breaker order with its proof."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from functools import partial
from typing import TYPE_CHECKING, Final, TypeVar

from openami.ami.dlms import queries
from openami.ami.dlms.data import octet_string
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.selection import capture_objects
from openami.ami.dlms.times import CosemDateTime
from openami.ami.headend import profiles, rules
from openami.ami.headend.model import (
    LOGS,
    BreakerState,
    Collected,
    Column,
    ControlState,
    LoadProfile,
    Mark,
    RegisterValue,
    Stream,
    Switch,
    SwitchResult,
)
from openami.ami.headend.profiles import Layout, UnfitLayoutError
from openami.ami.headend.sessions import WrongMeterError
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from openami.ami.dlms.profile import Profile
    from openami.ami.headend.model import IntervalRows, LoggedEvent, Meter
    from openami.ami.headend.sessions import Session
    from openami.shared.clock import Clock

_T = TypeVar("_T")

CLOCK: Final = "0-0:1.0.0.255"
SERIAL: Final = "0-0:96.1.0.255"
BREAKER: Final = "0-0:96.3.10.255"
IMPORT_REGISTER: Final = "1-0:1.8.0.255"
DATA_CLASS, REGISTER_CLASS, EXTENDED_CLASS, DEMAND_CLASS, PROFILE_CLASS, CLOCK_CLASS, BREAKER_CLASS = (
    1,
    3,
    4,
    5,
    7,
    8,
    70,
)
REMOTE_DISCONNECT, REMOTE_RECONNECT = 1, 2
# The Blue Book puts scaler_unit in attribute 3 of registers, in attribute 4 of demand registers.
SCALER_ATTRIBUTE: Final = {REGISTER_CLASS: 3, EXTENDED_CLASS: 3, DEMAND_CLASS: 4}
FIRST_LOOK_BACK: Final = timedelta(days=40)  # of a meter that nothing is known of: longer than a billing month
ABSENT: Final = {DataAccessResult.OBJECT_UNDEFINED, DataAccessResult.OBJECT_UNAVAILABLE}
_STATES: Final = (ControlState.DISCONNECTED, ControlState.CONNECTED, ControlState.READY)


@dataclass(frozen=True, slots=True)
class Manners:
    """How the head-end reads: its zone, and how far a clock may drift before it is set."""

    zone_name: str
    clock_tolerance_s: float = 10.0
    breaker_polls: int = 20
    breaker_poll_s: float = 0.25


class Dialogue:
    """One session's conversation with one meter."""

    def __init__(self, session: Session, meter: Meter, clock: Clock, manners: Manners) -> None:
        self._session = session
        self._meter = meter
        self._clock = clock
        self._manners = manners
        self._zone = zone(manners.zone_name)
        self._layouts: dict[str, dict[str, object]] = {}

    async def check_identity(self) -> None:
        """Make sure that this is the meter we were told of, before anything of it is believed or switched.

        Raises:
            WrongMeterError: another serial number answers here, say after a swap that nobody reported.
        """
        try:
            answer = await self._session.ask(queries.read(SERIAL, DATA_CLASS))
        except AccessDeniedError as error:
            if error.result in ABSENT:
                return  # a meter without the object cannot be checked
            raise
        found = answer.text().strip()
        if found and found != self._meter.serial:
            raise WrongMeterError(
                f"{found} answers where {self._meter.serial} should be.", hint="Was the meter swapped? Provision it."
            )

    async def read_all(self) -> Collected:
        """The regular reading: clock, load profile and daily values since the marks, registers, logs, breaker."""
        await self.check_identity()
        drift_s = await self._clock_drift_s()
        now = self._clock.now()
        meter_now = now + timedelta(seconds=drift_s)
        profile = await self._load_profile(min(now, meter_now))
        daily = await self._daily_values(now)
        register = await self.register(IMPORT_REGISTER)
        events: list[LoggedEvent] = []
        marks: dict[str, Mark] = {}
        for stream in LOGS:
            found, mark = await self._log(stream, max(now, meter_now))
            events += found
            marks |= {} if mark is None else {stream.value: mark}
        breaker = await self.breaker_or_none()
        must_set = rules.must_set_clock(drift_s, self._manners.clock_tolerance_s)
        if must_set:
            await self._set_clock()
        return Collected(
            serial=self._meter.serial,
            read_at=now,
            profile=profile,
            registers=(*daily, register),
            events=tuple(events),
            marks=marks | self._data_marks(profile, daily),
            layouts=self._layouts,
            clock_drift_s=drift_s,
            clock_set=must_set,
            breaker=breaker,
        )

    async def register(self, obis: str, *, reason: str | None = None) -> RegisterValue:
        """A dial value now, in its physical unit."""
        kept = self._layouts.get(obis) or self._meter.layouts.get(obis)
        if kept is None:
            kept = asdict(await self._scaled(REGISTER_CLASS, Column(obis, 0, 255)))
            self._layouts[obis] = kept
        raw = (await self._session.ask(queries.read(obis, REGISTER_CLASS))).integer()
        value = profiles.physical(raw, int(str(kept["scaler"])))
        return RegisterValue(obis, self._clock.now(), value, reason=reason)

    async def intervals(self, since: datetime, until: datetime) -> LoadProfile:
        """The load profile of a span on demand: every interval in it that has ended, or the word that it is missing."""
        layout, rows = await self._interval_rows(since, until)
        end_s = min(int(until.timestamp()), rules.floor_to_s(self._clock.now(), layout.interval_s))
        fresh = rules.new_rows(rows, since, None)
        fresh = fresh.where(fresh.ends_s <= end_s)
        missing = rules.missing_ends(fresh, since, end_s, layout.interval_s)
        return _load_profile(layout, fresh, missing)

    async def daily(self, since: datetime, until: datetime) -> list[RegisterValue]:
        """The daily dial values stamped from `since` to `until`, both included."""
        _, values = await self._decoded(Stream.DAILY_PROFILE, since, until, profiles.daily_values)
        return values

    async def breaker(self) -> BreakerState:
        """The breaker as the meter says it stands."""
        output = (await self._session.ask(queries.read(BREAKER, BREAKER_CLASS, 2))).boolean()
        state = (await self._session.ask(queries.read(BREAKER, BREAKER_CLASS, 3))).integer()
        return BreakerState(_STATES[state] if 0 <= state < len(_STATES) else ControlState.DISCONNECTED, output)

    async def breaker_or_none(self) -> BreakerState | None:
        """The breaker, or None for a meter without one."""
        try:
            return await self.breaker()
        except AccessDeniedError as error:
            if error.result in ABSENT:
                return None
            raise

    async def switch(self, wanted: Switch, before_act: Callable[[], Awaitable[None]]) -> SwitchResult:
        """Bring the breaker where it is wanted and read it back; a breaker that stands there already is left alone.

        `before_act` is awaited just before the meter is told: it may still stop the order by raising.
        """
        await self.check_identity()
        before = await self.breaker()
        result = SwitchResult(wanted, before, before, None)
        if not result.proven:
            await before_act()
            method = REMOTE_DISCONNECT if wanted is Switch.DISCONNECT else REMOTE_RECONNECT
            await self._session.ask(queries.act(BREAKER, BREAKER_CLASS, method))
            result = await self._proof(result)
        reason = "serviceDisconnect" if wanted is Switch.DISCONNECT else "serviceConnect"
        return replace(result, register=await self.register(IMPORT_REGISTER, reason=reason))

    async def _proof(self, result: SwitchResult) -> SwitchResult:
        for attempt in range(self._manners.breaker_polls):
            if attempt:
                await asyncio.sleep(self._manners.breaker_poll_s)
            result = replace(result, after=await self.breaker())
            if result.proven:
                break
        return result

    async def _clock_drift_s(self) -> float:
        stamp = await self._session.ask(queries.read(CLOCK, CLOCK_CLASS))
        return (stamp.instant(zone=self._zone) - self._clock.now()).total_seconds()

    async def _set_clock(self) -> None:
        stamp = CosemDateTime.of(self._clock.now(), zone=self._zone)
        await self._session.ask(queries.write(CLOCK, CLOCK_CLASS, 2, octet_string(stamp)))

    async def _load_profile(self, until: datetime) -> LoadProfile:
        mark = self._meter.marks.get(Stream.LOAD_PROFILE.value)
        since = self._since(mark, until)
        layout, rows = await self._interval_rows(since, until)
        told_until = mark.at if mark else None
        fresh = rules.new_rows(rows, told_until, self._meter.installed_at)
        end_s = rules.floor_to_s(until, layout.interval_s)
        missing = rules.missing_ends(fresh, told_until, end_s, layout.interval_s)
        return _load_profile(layout, fresh, missing)

    async def _interval_rows(self, since: datetime, until: datetime) -> tuple[Layout, IntervalRows]:
        return await self._decoded(Stream.LOAD_PROFILE, since, until, profiles.interval_rows)

    async def _daily_values(self, until: datetime) -> list[RegisterValue]:
        mark = self._meter.marks.get(Stream.DAILY_PROFILE.value)
        values = await self.daily(self._since(mark, until), until)
        return [value for value in values if mark is None or value.at > mark.at]

    async def _log(self, stream: Stream, until: datetime) -> tuple[list[LoggedEvent], Mark | None]:
        """What is new in a log; a log that the meter does not have is remembered as absent."""
        if self._meter.layouts.get(stream.value, {}).get("absent"):
            return [], None
        mark = self._meter.marks.get(stream.value)
        try:
            decode = partial(profiles.logged_events, stream=stream)
            _, found = await self._decoded(stream, self._since(mark, until), until, decode)
        except AccessDeniedError as error:
            if error.result not in ABSENT:
                raise
            self._layouts[stream.value] = {"absent": True}
            return [], None
        fresh = [each for each in found if mark is None or each.at > mark.at or not _told(each, mark)]
        if not fresh:
            return [], None
        last = fresh[-1].at
        codes = tuple(each.code for each in found if each.at == last)
        return fresh, Mark(last, codes)

    def _since(self, mark: Mark | None, until: datetime) -> datetime:
        known = mark.at if mark else self._meter.installed_at
        return min(known or until - FIRST_LOOK_BACK, until)

    async def _decoded(
        self, stream: Stream, since: datetime, until: datetime, decode: Callable[[Profile, Layout], _T]
    ) -> tuple[Layout, _T]:
        """The rows of a profile by range; rows that do not fit the kept layout make it be read again, once."""
        kept = self._layouts.get(stream.value) or self._meter.layouts.get(stream.value)
        layout = Layout.from_json(kept) if kept else await self._read_layout(stream)
        query = queries.read_profile(stream.value, since, until, zone=self._zone, capture_period_s=layout.interval_s)
        profile = await self._session.ask(query)
        try:
            return layout, decode(profile, layout)
        except UnfitLayoutError:
            layout = await self._read_layout(stream)
            return layout, decode(profile, layout)

    async def _read_layout(self, stream: Stream) -> Layout:
        captures = capture_objects(await self._session.ask(queries.read(stream.value, PROFILE_CLASS, 3)))
        period_s = (await self._session.ask(queries.read(stream.value, PROFILE_CLASS, 4))).integer()
        layout = profiles.layout_of(captures, period_s, is_log=stream in LOGS)
        if layout.measured is not None:
            measured = await self._scaled(captures[layout.value].class_id, layout.measured)
            layout = replace(layout, measured=measured)
        self._layouts[stream.value] = layout.to_json()
        return layout

    async def _scaled(self, class_id: int, column: Column) -> Column:
        attribute = SCALER_ATTRIBUTE[class_id]
        scaler, unit = (await self._session.ask(queries.read(column.obis, class_id, attribute))).elements()
        return Column(column.obis, scaler.integer(), unit.integer())

    def _data_marks(self, profile: LoadProfile, daily: list[RegisterValue]) -> dict[str, Mark]:
        marks = {}
        ends = [int(column[-1]) for column in (profile.rows.ends_s, profile.missing_ends_s) if len(column)]
        if ends:
            marks[Stream.LOAD_PROFILE.value] = Mark(rules.instant_of(max(ends)))
        if daily:
            marks[Stream.DAILY_PROFILE.value] = Mark(max(value.at for value in daily))
        return marks


def _told(event: LoggedEvent, mark: Mark) -> bool:
    """Whether a row at or before the mark was told already; equal stamps are told apart by their codes."""
    return event.at < mark.at or event.position < mark.codes.count(event.code)


def _load_profile(layout: Layout, rows: IntervalRows, missing: NDArray[np.int64]) -> LoadProfile:
    assert layout.measured is not None
    return LoadProfile(layout.measured, layout.interval_s, rows, missing)
