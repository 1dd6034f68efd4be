"""The regular reading: clock, profiles and logs since the marks, registers, breaker, in as few questions as possible.

What the columns of a profile are is learnt once and kept. From then on one list of attributes brings everything home;
a meter that takes no lists is asked one by one, and tells the same.
"""

from __future__ import annotations

from datetime import timedelta
from functools import lru_cache, partial
from typing import TYPE_CHECKING, Final, TypeVar

from openami.ami.dlms.axdr import Encoded
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.profile import decode_profile
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.selection import range_of_stamps
from openami.ami.headend import profiles, rules
from openami.ami.headend.dialogues import (
    ABSENT,
    BREAKER,
    BREAKER_CLASS,
    CLOCK,
    CLOCK_CLASS,
    DATA_CLASS,
    IMPORT_REGISTER,
    PROFILE_CLASS,
    REGISTER_CLASS,
    SERIAL,
    breaker_state,
    given,
    load_profile_of,
)
from openami.ami.headend.model import LOGS, Collected, Mark, RegisterValue, Stream
from openami.ami.headend.profiles import UnfitLayoutError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime, tzinfo

    from openami.ami.dlms.profile import Profile
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.model import BreakerState, LoadProfile, LoggedEvent
    from openami.ami.headend.profiles import Layout

LOGS_AHEAD: Final = timedelta(days=1)
"""A clock that runs ahead stamps its events in the future: they are asked for all the same."""

_SERIAL: Final = AttributeRef(DATA_CLASS, Obis.of(SERIAL), 2)
_CLOCK: Final = AttributeRef(CLOCK_CLASS, Obis.of(CLOCK), 2)
_OUTPUT: Final = AttributeRef(BREAKER_CLASS, Obis.of(BREAKER), 2)
_STATE: Final = AttributeRef(BREAKER_CLASS, Obis.of(BREAKER), 3)

_T = TypeVar("_T")

Answer = Encoded | DataAccessResult


async def read_all(dialogue: Dialogue) -> Collected:
    """Everything that is new at a meter since its marks."""
    meter, session = dialogue.meter, dialogue.session
    streams = await _known_streams(dialogue)
    registers = _registers(dialogue)
    now = dialogue.clock.now()
    plan = _plan(dialogue, streams, registers, now)
    found = dict(zip(plan, await session.ask_all(list(plan.values())), strict=True))
    dialogue.check_serial(found["serial"])
    drift_s = (given(found["clock"]).data().instant(zone=dialogue.zone) - now).total_seconds()
    # the clock of a concentrator's cache stands where the meter was read: nothing is to be set
    must_set = not session.stood_in and rules.must_set_clock(drift_s, dialogue.manners.clock_tolerance_s)
    if must_set:  # a repeated or a long answer makes the clock seem late: look again, alone
        drift_s = await dialogue.clock_drift_s()
        must_set = rules.must_set_clock(drift_s, dialogue.manners.clock_tolerance_s)
    reading = _Reading(dialogue, found, now, drift_s)
    profile, daily = await reading.load_profile(), await reading.daily()
    events, marks = await reading.logs([each for each in streams if each in LOGS])
    dials = [reading.register(obis) for obis in registers]
    if must_set:
        await dialogue.set_clock()
    return Collected(
        serial=meter.serial,
        read_at=now,
        profile=profile,
        registers=(*daily, *dials),
        events=tuple(events),
        marks=marks | _data_marks(profile, daily),
        layouts=dialogue.layouts,
        clock_drift_s=None if session.stood_in else drift_s,
        clock_set=must_set,
        breaker=reading.breaker(),
        counter_received=session.counter_received,
    )


async def _known_streams(dialogue: Dialogue) -> list[Stream]:
    """The profiles that the meter has, each with a layout that is known by now."""
    streams = dialogue.standard.streams
    known = [each for each in streams if dialogue.knows(each)]
    unknown = [each for each in streams if each not in known and not dialogue.kept_layout(each).get("absent")]
    if not unknown:
        return known
    await dialogue.learn(unknown)
    return [each for each in streams if dialogue.knows(each)]


def _plan(dialogue: Dialogue, streams: list[Stream], registers: list[str], now: datetime) -> dict[str, AttributeRef]:
    """What is asked of a meter, by name: that of a stream, the OBIS code of a register, or one of our own."""
    asked = {"serial": _SERIAL, "clock": _CLOCK}
    now_s = now.replace(microsecond=0)  # stamps of rows are whole seconds
    for stream in streams:
        until = now_s + LOGS_AHEAD if stream in LOGS else now_s
        asked[stream] = _rows_between(dialogue.profile_of(stream), dialogue.since(stream, until), until, dialogue.zone)
    for obis in registers:
        asked[obis] = _register_value(obis)
    return asked | {"output": _OUTPUT, "state": _STATE}


@lru_cache(maxsize=256)  # the meters of a street are read from the same marks to the same second
def _rows_between(profile: Obis, since: datetime, until: datetime, zone: tzinfo) -> AttributeRef:
    selection = range_of_stamps(since, until, zone=zone, columns=()).selection()
    return AttributeRef(PROFILE_CLASS, profile, 2, selection.written())


@lru_cache(maxsize=256)
def _register_value(obis: str) -> AttributeRef:
    return AttributeRef(REGISTER_CLASS, Obis.of(obis), 2)


def _registers(dialogue: Dialogue) -> list[str]:
    """The dial values that are read now: those that the daily profile captures, or at least the import register."""
    if not dialogue.knows(Stream.DAILY_PROFILE):
        return [IMPORT_REGISTER]
    return [column.obis for column in dialogue.layout(Stream.DAILY_PROFILE).measured] or [IMPORT_REGISTER]


class _Reading:
    """The answers to a plan, on their way to values."""

    def __init__(self, dialogue: Dialogue, found: dict[str, Answer], now: datetime, drift_s: float) -> None:
        self._dialogue = dialogue
        self._found = found
        self._now = now
        self._meter_now = now + timedelta(seconds=drift_s)

    async def load_profile(self) -> LoadProfile | None:
        dialogue, stream = self._dialogue, Stream.LOAD_PROFILE
        mark = dialogue.meter.marks.get(stream)
        layout, rows = await self._decoded(stream, profiles.interval_rows)
        told_until = mark.at if mark else None
        fresh = rules.new_rows(rows, told_until, dialogue.meter.installed_at)
        end_s = rules.floor_to_s(min(self._now, self._meter_now), layout.interval_s)
        missing = rules.missing_ends(fresh, told_until, end_s, layout.interval_s)
        return load_profile_of(layout, fresh, missing)

    async def daily(self) -> list[RegisterValue]:
        stream = Stream.DAILY_PROFILE
        if stream not in self._found:
            return []
        mark = self._dialogue.meter.marks.get(stream)
        _, values = await self._decoded(stream, profiles.daily_values)
        return [value for value in values if mark is None or value.at > mark.at]

    async def logs(self, streams: list[Stream]) -> tuple[list[LoggedEvent], dict[str, Mark]]:
        """What is new in the logs, and the marks that it leads to."""
        events: list[LoggedEvent] = []
        marks: dict[str, Mark] = {}
        for stream in streams:
            mark = self._dialogue.meter.marks.get(stream)
            _, found = await self._decoded(stream, partial(profiles.logged_events, stream=stream))
            fresh = [each for each in found if mark is None or each.at > mark.at or not _told(each, mark)]
            if fresh:
                last = fresh[-1].at
                marks[stream.value] = Mark(last, tuple(each.code for each in found if each.at == last))
                events += fresh
        return events, marks

    def register(self, obis: str) -> RegisterValue:
        raw = given(self._found[obis]).data().integer()
        scaler = int(str(self._dialogue.kept_layout(obis)["scaler"]))
        at = self._meter_now if self._dialogue.session.stood_in else self._now
        return RegisterValue(obis, at.replace(microsecond=0), profiles.physical(raw, scaler))  # as rows are stamped

    def breaker(self) -> BreakerState | None:
        """The breaker, or None for a meter without one, and where nobody can know how it stands now."""
        output, state = self._found["output"], self._found["state"]
        if self._dialogue.session.stood_in or (isinstance(output, DataAccessResult) and output in ABSENT):
            return None
        return breaker_state(given(output).data(), given(state).data())

    async def _decoded(self, stream: Stream, decode: Callable[[Profile, Layout], _T]) -> tuple[Layout, _T]:
        """The rows of a profile; rows that do not fit the kept layout make it be learnt again, once."""
        dialogue = self._dialogue
        layout = dialogue.layout(stream)
        buffer = given(self._found[stream])
        profile = decode_profile(buffer.raw, zone=dialogue.zone, capture_period_s=layout.interval_s, runs=buffer.runs)
        try:
            return layout, decode(profile, layout)
        except UnfitLayoutError:
            await dialogue.learn([stream])
            layout = dialogue.layout(stream)
            return layout, decode(profile, layout)


def _told(event: LoggedEvent, mark: Mark) -> bool:
    """Whether a row at or before the mark was told already; equal stamps are told apart by their codes."""
    return event.at < mark.at or event.position < mark.codes.count(event.code)


def _data_marks(profile: LoadProfile | None, daily: list[RegisterValue]) -> dict[str, Mark]:
    marks = {}
    columns = () if profile is None else (profile.rows.ends_s, profile.missing_ends_s)
    ends = [int(column[-1]) for column in columns if len(column)]
    if ends:
        marks[Stream.LOAD_PROFILE.value] = Mark(rules.instant_of(max(ends)))
    if daily:
        marks[Stream.DAILY_PROFILE.value] = Mark(max(value.at for value in daily))
    return marks
