"""Fields for the scripts of the fake SAP: none, a person who is asked, a program of yours, or a fake AMS that plays it.

A script says what has to happen in the field ("the AMS delivers this day"); a field makes it happen.
"""

from __future__ import annotations

import asyncio
import shlex
import time
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from openami.shared.contract import field as cim
from openami.shared.errors import OpenAmiError
from openami.shared.spans import local_day
from openami.testing.home import ZONE

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence
    from datetime import date, datetime, timedelta

    from openami.shared.clock import Clock
    from openami.testing.home import Home

    Post = Callable[[str, bytes], Awaitable[tuple[int, bytes]]]
    Wait = Callable[[timedelta], Awaitable[None]]

MINUTE: Final = "electricity.delivered.{}s"
LOOK_S: Final = 0.02
ANSWER_S: Final = 60.0


class FieldNeededError(OpenAmiError):
    """A script has come to where a meter would have to do something, and nobody does it."""


class FieldFailedError(OpenAmiError):
    """The field could not do what a script wanted of it."""


def _reading_type(name: str) -> cim.ReadingTypeCode:
    return cim.ReadingTypeCode.parse(cim.reading_type_table()[name].code)


class ToldField:
    """A field to which each step is told as a sentence and as words; `present` says whether anybody acts on it."""

    present = True

    async def do(self, sentence: str, *words: object) -> None:
        """Have one thing happen."""
        raise NotImplementedError

    async def discover(self, *homes: Home) -> None:
        """The AMS reports new meters."""
        serials = [home.serial for home in homes]
        await self.do(f"The AMS has to report {', '.join(serials)}.", "discover", *serials)

    async def deliver(self, home: Home, day: date, *, wh: int = 100, register_wh: int | None = None) -> None:
        """A day of a meter."""
        register = "" if register_wh is None else f", and the register at its end, {register_wh} Wh"
        await self.do(
            f"The AMS has to deliver {day} of {home.serial}: {wh} Wh each {home.interval_s} s{register}.",
            *("deliver", home.serial, day, wh, "" if register_wh is None else register_wh),
        )

    async def deliver_all(self, homes: Sequence[Home], day: date, *, wh: int = 100, register_wh: int) -> None:
        """A day of several meters."""
        for home in homes:
            await self.deliver(home, day, wh=wh, register_wh=register_wh)

    async def read(self, home: Home, at: datetime, register_wh: int) -> None:
        """A reading now."""
        await self.do(
            f"The AMS has to read {home.serial} at {at}: {register_wh} Wh.",
            *("read", home.serial, at.isoformat(), register_wh),
        )

    async def switched(self, home: Home, *, closed: bool) -> None:
        """A breaker moves."""
        verb = "close" if closed else "open"
        await self.do(f"{home.serial} has to {verb} its breaker.", "switched", home.serial, verb)

    async def event(self, home: Home, name: str) -> None:
        """A meter tells something."""
        await self.do(f"{home.serial} has to tell {name}.", "event", home.serial, name)

    async def wait(self, by: timedelta) -> None:
        """Time passes."""
        await self.do(f"{by} have to pass.", "wait", int(by.total_seconds()))


class NoField(ToldField):
    """A field that nobody plays: says what would be needed."""

    present = False

    async def do(self, sentence: str, *words: object) -> None:
        """Nobody does it.

        Raises:
            FieldNeededError: always.
        """
        del words
        raise FieldNeededError(sentence)


@dataclass(slots=True)
class AskedField(ToldField):
    """A person makes it happen in the real field, and says when it is done."""

    ask: Callable[[str], bool]
    """Shows a sentence; True: done, False: it cannot be."""

    async def do(self, sentence: str, *words: object) -> None:
        """Ask the person.

        Raises:
            FieldNeededError: the person says that it cannot be done.
        """
        del words
        if not await asyncio.to_thread(self.ask, sentence):
            raise FieldNeededError(sentence)


@dataclass(slots=True)
class ProgramField(ToldField):
    """A program of yours makes it happen: it gets the step as arguments, such as `discover SN1 SN2`."""

    command: str

    async def do(self, sentence: str, *words: object) -> None:
        """Run the program.

        Raises:
            FieldFailedError: it ends with another exit code than 0.
        """
        process = await asyncio.create_subprocess_exec(
            *shlex.split(self.command),
            *map(str, words),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        told, _ = await process.communicate()
        if process.returncode:
            raise FieldFailedError(
                f"{sentence} {self.command} ended with {process.returncode}: {told.decode(errors='replace').strip()}",
                hint="See what the program says.",
            )


class Ams(Protocol):
    """The field seam, as a played field needs it."""

    async def send(self, message: cim.Envelope) -> None:
        """Send a message to the MDUS."""
        ...

    async def question(self, verb: cim.Verb, noun: str, home: Home) -> cim.Envelope:
        """The last message of a kind that the MDUS sent about a home and that was not asked for before."""
        ...


@dataclass(slots=True)
class FakeAms:
    """An AMS on the field seam (IEC 61968-9): takes whatever the MDUS wants of it, and says what it is told to say."""

    clock: Clock
    post: Post
    source: str = "AMS1"
    heard: list[tuple[cim.Envelope, bytes]] = field(default_factory=list)

    def hear(self, body: bytes) -> tuple[int, bytes]:
        """Take a posted message; what HTTP answers."""
        message = cim.decode(body)
        self.heard.append((message, body))
        answer = cim.acknowledge if message.header.async_reply else cim.reply_to
        return 200, cim.encode(answer(message.header, source=self.source, at=self.clock.now()))

    async def send(self, message: cim.Envelope) -> None:
        """Send a message.

        Raises:
            FieldFailedError: the MDUS does not take it.
        """
        status, answer = await self.post(cim.path_of(message.header), cim.encode(message))
        if status not in {200, 202}:
            raise FieldFailedError(f"A message of the AMS was answered by HTTP {status}: {answer[:300]!r}.")

    async def question(self, verb: cim.Verb, noun: str, home: Home) -> cim.Envelope:
        """The last message of a kind about a home that was not asked for; waited for: the MDUS has its own time.

        Raises:
            FieldFailedError: none came.
        """
        deadline = time.monotonic() + ANSWER_S
        while time.monotonic() < deadline:
            for place, (one, body) in reversed(list(enumerate(self.heard))):
                if (one.header.verb, one.header.noun) == (verb, noun) and f">{home.serial}<".encode() in body:
                    del self.heard[place]
                    return one
            await asyncio.sleep(LOOK_S)
        raise FieldFailedError(
            f"The MDUS has sent no {verb.value} {noun} of {home.serial}.", hint="Look at its messages to the AMS."
        )


@dataclass(slots=True)
class PlayedField:
    """Meters behind an AMS, as a script wants them."""

    ams: Ams
    clock: Clock
    waiting: Wait
    source: str = "AMS1"
    events: int = 0
    present: bool = True

    async def discover(self, *homes: Home) -> None:
        """The AMS reports these meters."""
        meters = tuple(
            cim.Meter(
                serial_number=home.serial, names=(cim.Name.of(home.serial, "SerialNumber"),), amr_system=self.source
            )
            for home in homes
        )
        await self._tell(cim.MeterConfig(meters=meters))

    async def deliver(self, home: Home, day: date, *, wh: int = 100, register_wh: int | None = None) -> None:
        """A day: the same energy in every interval, and the register at both its ends."""
        await self._tell(cim.MeterReadings((_day(home, day, wh, register_wh),)))

    async def deliver_all(self, homes: Sequence[Home], day: date, *, wh: int = 100, register_wh: int) -> None:
        """A day of several meters in one message."""
        await self._tell(cim.MeterReadings(tuple(_day(home, day, wh, register_wh) for home in homes)))

    async def read(self, home: Home, at: datetime, register_wh: int) -> None:
        """The register at an instant, when the MDUS has asked for it."""
        await self.ams.question(cim.Verb.GET, "MeterReadings", home)
        kind = _reading_type("electricity.delivered.register")
        value = cim.Reading(reading_type=kind, at=at, value=Decimal(register_wh).scaleb(-3))
        await self._tell(cim.MeterReadings((cim.MeterReading(meter=home.identity, readings=(value,)),)))

    async def switched(self, home: Home, *, closed: bool) -> None:
        """The breaker does what the MDUS orders: the event, and the position that the MDUS asks for then."""
        await self.ams.question(cim.Verb.CREATE, "EndDeviceControls", home)
        await self.event(home, "switch.connected" if closed else "switch.disconnected")
        question = await self.ams.question(cim.Verb.GET, "MeterReadings", home)
        now = self.clock.now()
        kind = _reading_type("switch.position")
        value = cim.Reading(reading_type=kind, at=now, value=Decimal(int(closed)))
        payload = cim.MeterReadings((cim.MeterReading(meter=home.identity, readings=(value,)),))
        await self.ams.send(cim.reply_to(question.header, source=self.source, at=now, payload=payload))

    async def event(self, home: Home, name: str) -> None:
        """The meter tells of something."""
        self.events += 1
        now = self.clock.now()
        event = cim.EndDeviceEvent(
            mrid=f"E{int(now.timestamp())}-{self.events}", created=now, device=home.identity, code=cim.event_code(name)
        )
        await self._tell(cim.EndDeviceEvents((event,)))

    async def wait(self, by: timedelta) -> None:
        """Business time passes."""
        await self.waiting(by)

    async def _tell(self, payload: Any) -> None:  # noqa: ANN401 - any payload
        await self.ams.send(cim.event(cim.Verb.CREATED, payload, source=self.source, at=self.clock.now()))


def _day(home: Home, day: date, wh: int, register_wh: int | None) -> cim.MeterReading:
    span = local_day(ZONE, day)
    count = span.duration_s // home.interval_s
    starts = int(span.start.timestamp()) + np.arange(count, dtype=np.int64) * home.interval_s
    kind = _reading_type(MINUTE.format(home.interval_s))
    block = cim.IntervalBlock.of(kind, starts, home.interval_s, np.full(count, wh, np.int64))
    if register_wh is None:
        return cim.MeterReading(meter=home.identity, blocks=(block,))
    daily = _reading_type("electricity.delivered.daily")
    dials = tuple(
        cim.Reading(reading_type=daily, at=at, value=Decimal(value).scaleb(-3))
        for at, value in ((span.start, register_wh - wh * count), (span.end, register_wh))
    )
    return cim.MeterReading(meter=home.identity, blocks=(block,), readings=dials)
