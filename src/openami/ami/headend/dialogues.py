"""What is said in a session: readings on demand, a breaker order with its proof, what profiles look like."""

from __future__ import annotations

import asyncio
from dataclasses import asdict, dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, TypeVar

from openami.ami.dlms import queries
from openami.ami.dlms.data import octet_string
from openami.ami.dlms.enums import DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.dlms.selection import capture_objects
from openami.ami.dlms.times import CosemDateTime
from openami.ami.headend import profiles, rules
from openami.ami.headend.model import (
    LOGS,
    BreakerState,
    Column,
    ControlState,
    LoadProfile,
    RegisterValue,
    Stream,
    Switch,
    SwitchResult,
)
from openami.ami.headend.profiles import Layout, UnfitLayoutError
from openami.ami.headend.sessions import WrongMeterError
from openami.ami.headend.standards import standard_of
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from datetime import datetime

    import numpy as np
    from numpy.typing import NDArray

    from openami.ami.dlms.axdr import Encoded
    from openami.ami.dlms.data import Data
    from openami.ami.dlms.profile import Profile
    from openami.ami.headend.model import IntervalRows, Meter
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
        self.session = session
        self.meter = meter
        self.clock = clock
        self.manners = manners
        self.zone = zone(manners.zone_name)
        self.standard = standard_of(meter)
        self.layouts: dict[str, dict[str, object]] = {}
        """What was learnt of profiles and registers in this session."""
        self._layouts: dict[Stream, Layout] = {}

    async def check_identity(self) -> None:
        """Make sure that this is the meter we were told of, before anything of it is believed or switched.

        Raises:
            WrongMeterError: another serial number answers here, say after a swap that nobody reported.
        """
        (answer,) = await self.session.ask_all([AttributeRef(DATA_CLASS, Obis.of(SERIAL), 2)])
        self.check_serial(answer)

    def check_serial(self, answer: Encoded | DataAccessResult) -> None:
        """The same for an answer that is there already.

        Raises:
            WrongMeterError: it is another meter's.
        """
        if isinstance(answer, DataAccessResult) and answer in ABSENT:
            return  # a meter without the object cannot be checked
        found = given(answer).data().text().strip()
        if found and found != self.meter.serial:
            raise WrongMeterError(
                f"{found} answers where {self.meter.serial} should be.", hint="Was the meter swapped? Provision it."
            )

    async def register(self, obis: str, *, reason: str | None = None) -> RegisterValue:
        """A dial value now, in its physical unit."""
        if "scaler" not in self.kept_layout(obis):
            scaled = await self.session.ask(queries.read(obis, REGISTER_CLASS, SCALER_ATTRIBUTE[REGISTER_CLASS]))
            scaler, unit = scaled.elements()
            self.layouts[obis] = asdict(self._column(obis, scaler, unit))
        raw = (await self.session.ask(queries.read(obis, REGISTER_CLASS))).integer()
        value = profiles.physical(raw, int(str(self.kept_layout(obis)["scaler"])))
        return RegisterValue(obis, self.clock.now(), value, reason=reason)

    async def intervals(self, since: datetime, until: datetime) -> LoadProfile:
        """The load profile of a span on demand: every interval in it that has ended, or the word that it is missing."""
        layout, rows = await self._decoded(Stream.LOAD_PROFILE, since, until, profiles.interval_rows)
        end_s = min(int(until.timestamp()), rules.floor_to_s(self.clock.now(), layout.interval_s))
        fresh = rules.new_rows(rows, since, None)
        fresh = fresh.where(fresh.ends_s <= end_s)
        missing = rules.missing_ends(fresh, since, end_s, layout.interval_s)
        return load_profile_of(layout, fresh, missing)

    async def daily(self, since: datetime, until: datetime) -> list[RegisterValue]:
        """The daily dial values stamped from `since` to `until`, both included."""
        _, values = await self._decoded(Stream.DAILY_PROFILE, since, until, profiles.daily_values)
        return values

    async def breaker(self) -> BreakerState:
        """The breaker as the meter says it stands."""
        refs = [AttributeRef(BREAKER_CLASS, Obis.of(BREAKER), number) for number in (2, 3)]
        output, state = await self.session.ask_all(refs)
        return breaker_state(given(output).data(), given(state).data())

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
            await self.session.ask(queries.act(BREAKER, BREAKER_CLASS, method))
            result = await self._proof(result)
        reason = "serviceDisconnect" if wanted is Switch.DISCONNECT else "serviceConnect"
        return replace(result, register=await self.register(IMPORT_REGISTER, reason=reason))

    async def _proof(self, result: SwitchResult) -> SwitchResult:
        for attempt in range(self.manners.breaker_polls):
            if attempt:
                await asyncio.sleep(self.manners.breaker_poll_s)
            result = replace(result, after=await self.breaker())
            if result.proven:
                break
        return result

    async def clock_drift_s(self) -> float:
        """How far the meter's clock is ahead."""
        stamp = await self.session.ask(queries.read(CLOCK, CLOCK_CLASS))
        return (stamp.instant(zone=self.zone) - self.clock.now()).total_seconds()

    async def set_clock(self) -> None:
        """Set the meter's clock to ours."""
        stamp = CosemDateTime.of(self.clock.now(), zone=self.zone)
        await self.session.ask(queries.write(CLOCK, CLOCK_CLASS, 2, octet_string(stamp)))

    # what profiles look like

    def kept_layout(self, name: str) -> Mapping[str, Any]:
        """What is kept of a profile or register, empty if nothing."""
        return self.layouts.get(name) or self.meter.layouts.get(name) or {}

    def profile_of(self, stream: Stream) -> Obis:
        """Where the meter's standard has the profile of a stream."""
        return Obis.of(self.standard.streams[stream])

    def _column(self, obis: str, scaler: Data, unit: Data) -> Column:
        """What a register measures; some makers do not tell its power of ten as it is."""
        return Column(obis, self.standard.scales.get(obis, scaler.integer()), unit.integer())

    def knows(self, stream: Stream) -> bool:
        """Whether the layout of a profile is known."""
        return Layout.is_kept(self.kept_layout(stream))

    def layout(self, stream: Stream) -> Layout:
        """The layout of a profile that is known."""
        found = self._layouts.get(stream)
        if found is None:
            found = self._layouts[stream] = Layout.from_json(self.kept_layout(stream))
        return found

    def since(self, stream: Stream, until: datetime) -> datetime:
        """From where a profile is asked: its mark, the installation, or as far back as a billing month needs."""
        mark = self.meter.marks.get(stream)
        known = mark.at if mark else self.meter.installed_at
        return min(known or until - FIRST_LOOK_BACK, until)

    async def learn(self, streams: Sequence[Stream]) -> None:
        """Read what the columns of profiles are, and the scalers of what they measure; absent logs are remembered.

        Raises:
            AccessDeniedError: the meter has no such profile.
        """
        if not streams:
            return
        names = [self.profile_of(each) for each in streams]
        refs = [AttributeRef(PROFILE_CLASS, each, number) for each in names for number in (3, 4)]
        answers = await self.session.ask_all(refs)
        learnt: list[tuple[Stream, Layout, list[int]]] = []
        for index, stream in enumerate(streams):
            columns, period = answers[2 * index], answers[2 * index + 1]
            if stream in LOGS and isinstance(columns, DataAccessResult) and columns in ABSENT:
                self.layouts[stream.value] = {"absent": True}
                continue
            captures = capture_objects(given(columns).data())
            layout = profiles.layout_of(captures, given(period).data().integer(), is_log=stream in LOGS)
            learnt.append((stream, layout, [captures[value].class_id for value in layout.values]))
        await self._learn_scalers(learnt)

    async def _learn_scalers(self, learnt: list[tuple[Stream, Layout, list[int]]]) -> None:
        wanted = {
            column.obis: class_id
            for _, layout, classes in learnt
            for column, class_id in zip(layout.measured, classes, strict=bool(layout.measured))
        }
        refs = [AttributeRef(class_id, Obis.of(obis), SCALER_ATTRIBUTE[class_id]) for obis, class_id in wanted.items()]
        columns = {}
        for obis, answer in zip(wanted, await self.session.ask_all(refs), strict=True):
            scaler, unit = given(answer).data().elements()
            columns[obis] = self._column(obis, scaler, unit)
            self.layouts[obis] = asdict(columns[obis])
        for stream, layout, _ in learnt:
            scaled = tuple([columns[column.obis] for column in layout.measured])
            self._layouts[stream] = replace(layout, measured=scaled)
            self.layouts[stream.value] = self._layouts[stream].to_json()

    async def _decoded(
        self, stream: Stream, since: datetime, until: datetime, decode: Callable[[Profile, Layout], _T]
    ) -> tuple[Layout, _T]:
        """The rows of a profile by range; rows that do not fit the kept layout make it be read again, once."""
        if not self.knows(stream):
            await self.learn([stream])
        layout = self.layout(stream)
        query = queries.read_profile(
            self.profile_of(stream), since, until, zone=self.zone, capture_period_s=layout.interval_s
        )
        profile = await self.session.ask(query)
        try:
            return layout, decode(profile, layout)
        except UnfitLayoutError:
            await self.learn([stream])
            layout = self.layout(stream)
            return layout, decode(profile, layout)


def given(answer: Encoded | DataAccessResult) -> Encoded:
    """The value that a meter gave.

    Raises:
        AccessDeniedError: it gave a reason instead.
    """
    if isinstance(answer, DataAccessResult):
        raise AccessDeniedError(answer)
    return answer


def load_profile_of(layout: Layout, rows: IntervalRows, missing: NDArray[np.int64]) -> LoadProfile:
    """Rows of a load profile with what their columns measure."""
    return LoadProfile(layout.measured, layout.interval_s, rows, missing)


def breaker_state(output: Data, state: Data) -> BreakerState:
    """The breaker as attributes 2 and 3 of class 70 say."""
    number = state.integer()
    return BreakerState(_STATES[number] if 0 <= number < len(_STATES) else ControlState.DISCONNECTED, output.boolean())
