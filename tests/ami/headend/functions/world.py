"""A head-end's sessions joined to simulated meters without a socket: the same frames, seals and waits, no network."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from tests.ami.meter.conftest import GENESIS, SECRET, ZONE

from openami.ami.concentrator.router import Session as MeterEnd
from openami.ami.dlms.wrapper import WrapperBuffer
from openami.ami.headend.dialogues import Manners
from openami.ami.headend.functions.catalogue import function_of
from openami.ami.headend.links import Links
from openami.ami.headend.model import Address, Meter, Purpose
from openami.ami.headend.protections import Protections
from openami.ami.headend.reader import MeterReader
from openami.ami.headend.sessions import Sessions, Timing
from openami.ami.headend.wires import Wire, Wires
from openami.ami.meter.fleet import Fleet
from openami.ami.meter.street import lls_password
from openami.ami.meter.times import seconds_of
from openami.shared.clock import ManualClock
from openami.shared.secrets import Sealer

if TYPE_CHECKING:
    from openami.ami.headend.functions.model import Found
    from openami.ami.meter.street import Street
    from openami.shared.database import Database

SERIAL = "OAE0000003"  # it has gas and water on its channels
SEALER = Sealer(bytes(32))
TITLE = b"OAM\x00\x00\x00\x00\x01"
LIVED = timedelta(hours=36)


class _MeterWire(Wire):
    """A wire whose other end is a meter of the fleet, as its concentrator would speak for it."""

    def __init__(self, fleet: Fleet, serial: str) -> None:
        super().__init__()
        self._fleet = fleet
        self._meter = MeterEnd(fleet.street.device(serial), SECRET, lambda: fleet.lived_s)
        self._asked = WrapperBuffer()

    def write(self, octets: bytes) -> None:
        self._asked.receive(octets)
        while (frame := self._asked.next_frame()) is not None:
            self.data_received(self._meter.serve(self._fleet, frame))


class _MeterWires(Wires):
    """Wires to the meters of a fleet."""

    def __init__(self, fleet: Fleet) -> None:
        super().__init__()
        self._fleet = fleet

    async def take(self, serial: str, address: Address, connect_s: float, *, fresh: bool = False) -> Wire:
        del address, connect_s, fresh  # each session gets a wire of its own
        return _MeterWire(self._fleet, serial)

    def give(self, address: Address, wire: Wire, *, good: bool) -> None:
        del address, good
        wire.close()


class World:
    """One meter that has lived for a day and a half, and a head-end that knows it."""

    def __init__(self, street: Street, database: Database | None = None) -> None:
        self.fleet = Fleet(street, ZONE, seconds_of(GENESIS))
        self.fleet.begin()
        self.clock = ManualClock(GENESIS)
        self.meter = self.fleet.meters[SERIAL]
        self.gas, self.water = self.fleet.slaves_of(self.meter)
        self.protections = Protections(database, SEALER, title=TITLE)  # type: ignore[arg-type]  # only keys need one
        sessions = Sessions(_MeterWires(self.fleet), self.protections, SEALER, Timing(1.0, 1.0, 0))
        manners = Manners(ZONE, breaker_poll_s=0.0)
        self.reader = MeterReader(Links(self.clock), self.clock, sessions, manners=manners)
        password = SEALER.seal(lls_password(SECRET, SERIAL).encode(), context=SERIAL)
        self.known = Meter(SERIAL, Address("segment", 1), password)
        self.live(LIVED)

    @property
    def now_s(self) -> int:
        return self.fleet.lived_s

    @property
    def codes(self) -> list[int]:
        """What the meter has logged."""
        return [event.code for event in self.meter.events]

    def live(self, span: timedelta) -> None:
        """Time passes."""
        self.fleet.live_through(self.fleet.lived_s + int(span.total_seconds()))
        self.clock.advance_to(datetime.fromtimestamp(self.fleet.lived_s, UTC))

    async def done(self, name: str, parameters: dict[str, Any] | None = None) -> Found:
        """What a function answers that is carried out in one session."""
        function, given = function_of(name), parameters or {}
        # the desk adds an image, and whether its transfer goes on
        function.check({name: given[name] for name in given.keys() - {"content", "resume"}})
        run = function.run
        assert run is not None, name
        visit = await self.reader.visit(self.known, Purpose.ON_DEMAND, lambda dialogue: run(dialogue, given))
        if visit.error is not None:
            raise visit.error
        assert visit.result is not None
        return visit.result
