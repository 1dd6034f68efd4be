"""The field area: meters and concentrators of a street in one process, and the JSON through which one looks at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.ami.concentrator.cache import Mode
from openami.ami.concentrator.calling import Calls
from openami.ami.concentrator.collecting import Collecting
from openami.ami.concentrator.model import Concentrator
from openami.ami.concentrator.pushes import Pushes
from openami.ami.concentrator.router import Router
from openami.ami.concentrator.segment import PERFECT, Line, Segment
from openami.ami.concentrator.uplink import Uplink
from openami.ami.meter import views
from openami.ami.meter.altering import alteration_of
from openami.ami.meter.customer_port import p1_telegram
from openami.ami.meter.field import Field
from openami.ami.meter.happenings import HappeningKind, happening_of, instant_in
from openami.ami.meter.street import PLAIN, Kind, build_street
from openami.ami.meter.times import instant_of, seconds_of
from openami.shared.service import Area, Work, json_body
from openami.shared.spans import local_date, local_midnight

if TYPE_CHECKING:
    from datetime import datetime

    from starlette.requests import Request

    from openami.ami.meter.fleet import Fleet
    from openami.ami.meter.street import Equipment, Transformer
    from openami.shared.clock import Clock
    from openami.shared.database import Database


def build(
    *,
    database: Database,
    clock: Clock,
    zone: str,
    homes: int,
    seed: int,
    fleet_secret: str,
    host: str,
    first_concentrator_port: int,
    collector_host: str,
    collector_port: int,
    mode: Mode = Mode.ROUTER,
    line: Line = PERFECT,
    equipment: Equipment = PLAIN,
) -> Area:
    """Wire the field. A `first_concentrator_port` of 0 lets the system choose all ports."""
    field = Field(database, clock, build_street(homes, seed, equipment), zone)

    def concentrator(transformer: Transformer) -> Concentrator:
        port = first_concentrator_port + transformer.index if first_concentrator_port else 0
        segment = Segment(line, seed + transformer.index)
        collecting = None if mode is Mode.ROUTER else Collecting(transformer, segment, fleet_secret)
        known = None if collecting is None else collecting.meters
        router = Router(field, transformer, fleet_secret, host, port, segment, mode, known)
        uplink = Uplink(field, transformer, collector_host, collector_port)
        return Concentrator(field, transformer, router, uplink, collecting)

    concentrators = [concentrator(transformer) for transformer in field.street.transformers]
    pushes = Pushes(field, fleet_secret)
    field.listeners += [*concentrators, pushes]
    calls = Calls(field, fleet_secret)
    door = Door(field, concentrators, calls, host, fleet_secret)
    area = Area("field", clock, database)
    area.routes += door.routes()
    area.on_start += [*(each.start for each in concentrators), field.start]
    area.on_start += [each.uplink.start for each in concentrators]
    area.on_start += [each.router.start for each in concentrators]
    area.loops.append(field.live)
    area.loops += [pushes.run, calls.run]
    area.loops += [loop for each in concentrators for loop in (each.router.run, each.uplink.run)]
    area.work.append(door.work)
    area.activity = lambda: field.counters.activity
    return area


class Door:
    """The JSON interface of the field."""

    def __init__(
        self, field: Field, concentrators: list[Concentrator], calls: Calls, host: str, fleet_secret: str
    ) -> None:
        self._field = field
        self._calls = calls
        self._concentrators = concentrators
        self._host = host
        self._fleet_secret = fleet_secret

    def routes(self) -> list[Route]:
        """What is served under `/api`."""
        return [
            Route("/api/meters", self.meters),
            Route("/api/meters/{serial}", self.meter),
            Route("/api/meters/{serial}/p1", self.customer_port),
            Route("/api/meters/{serial}/objects", self.alter, methods=["POST"]),
            Route("/api/street", self.street),
            Route("/api/status", self.status),
            Route("/api/faults", self.faults, methods=["GET"]),
            Route("/api/faults", self.order, methods=["POST"]),
            Route("/api/swap", self.swap, methods=["POST"]),
            Route("/api/call", self.call, methods=["POST"]),
            Route("/api/advance", self.advance, methods=["POST"]),
        ]

    async def work(self) -> Work:
        """Telegrams that can be sent; due are ordered things, and midnights (then slaves' days are complete)."""
        pending = sum(each.uplink.pending for each in self._concentrators)
        return Work("telegrams", pending, self._next_due())

    def _next_due(self) -> datetime | None:
        fleet = self._field.fleet
        dues = [instant_of(due_s)] if (due_s := fleet.next_due_s()) is not None else []
        if any(device.kind is not Kind.ELECTRICITY for device in fleet.street.devices):
            lived_to = instant_of(fleet.lived_s)
            day_after = local_date(fleet.zone_name, lived_to).toordinal() + 1
            dues.append(local_midnight(fleet.zone_name, type(lived_to.date()).fromordinal(day_after)))
        return min(dues, default=None)

    async def meters(self, request: Request) -> Response:
        """`?at=` an instant; `?from=&to=` adds what went through in each interval."""
        async with self._field.step() as fleet:
            at_s, span_s = self._asked(request, fleet)
            return JSONResponse([views.meter_view(fleet, meter, at_s, span_s) for meter in fleet.meters.values()])

    async def meter(self, request: Request) -> Response:
        """One meter with its logs."""
        async with self._field.step() as fleet:
            meter = fleet.meters[fleet.street.device(request.path_params["serial"]).serial]
            return JSONResponse(views.meter_detail(fleet, meter, *self._asked(request, fleet)))

    async def customer_port(self, request: Request) -> Response:
        """What the customer's port (P1) of a meter says now."""
        async with self._field.step() as fleet:
            meter = fleet.meters[fleet.street.device(request.path_params["serial"]).serial]
            telegram = p1_telegram(meter, fleet.slaves_of(meter), fleet.lived_s, fleet.zone_name)
            return Response(telegram, media_type="text/plain")

    async def alter(self, request: Request) -> Response:
        """Alter any COSEM value of a meter: `obis`, `attribute`, `value` (A-XDR, hexadecimal; null gives it back).

        What a meter keeps is written, and acts; what it measures or computes is overlaid for whoever reads it.
        """
        body = await json_body(request)
        async with self._field.step() as fleet:
            meter = fleet.meters[fleet.street.device(request.path_params["serial"]).serial]
            alteration = alteration_of(body, fleet, meter)
            alteration.carry_out(meter, fleet.lived_s)
        return JSONResponse(
            {
                "serial": meter.serial,
                "obis": str(alteration.obis),
                "attribute": alteration.attribute,
                "acts": alteration.acts,
            }
        )

    async def street(self, _request: Request) -> Response:
        """The layout, with what a shipment file carries."""
        ports = {each.transformer.name: each.router.port for each in self._concentrators}
        async with self._field.step() as fleet:
            return JSONResponse(views.street_view(fleet.street, fleet, self._host, ports, self._fleet_secret))

    async def status(self, _request: Request) -> Response:
        """Counters."""
        fleet, counters = self._field.fleet, self._field.counters
        return JSONResponse(
            {
                "lived_to": views.iso(fleet.lived_s),
                "meters": len(fleet.meters),
                "hanging": sum(meter.hangs for meter in fleet.meters.values()),
                "steps": counters.steps,
                "dlms_frames": counters.frames,
                "telegrams_heard": counters.telegrams_heard,
                "telegrams_acknowledged": counters.telegrams_acknowledged,
                "concentrators": [
                    {
                        "transformer": each.transformer.name,
                        "name": each.transformer.concentrator,
                        "port": each.router.port,
                        "link_down": each.uplink.down,
                        "clients": each.router.connections,
                        "telegrams_waiting": each.uplink.waiting,
                        "segment": views.segment_view(each.router.segment),
                        "meters": [] if each.collecting is None else views.known_view(each.collecting.meters),
                    }
                    for each in self._concentrators
                ],
            }
        )

    async def faults(self, _request: Request) -> Response:
        """All orders, done and to come."""
        return JSONResponse([views.happening_view(each) for each in self._field.fleet.happenings.values()])

    async def order(self, request: Request) -> Response:
        """Order a fault; the same order twice is one."""
        body = await json_body(request)
        happening = happening_of(body, self._field.street, self._field.zone_name)
        return JSONResponse(views.happening_view(await self._field.order(happening)))

    async def swap(self, request: Request) -> Response:
        """Order a fitter; once done, the answer to the same order has both registers."""
        body = await json_body(request) | {"kind": HappeningKind.SWAP.value}
        ordered = await self._field.order(happening_of(body, self._field.street, self._field.zone_name))
        return JSONResponse(views.swap_view(self._field.fleet, ordered))

    async def call(self, request: Request) -> Response:
        """Let a meter dial in: `serial`, `host`, `port`, and whether it `says_hello`."""
        body = await json_body(request)
        device = self._field.street.device(str(body.get("serial")))
        host, port = str(body.get("host")), int(str(body.get("port")))
        await self._calls.call(device.serial, host, port, says_hello=bool(body.get("says_hello", True)))
        return JSONResponse({"on_the_line": self._calls.going})

    async def advance(self, request: Request) -> Response:
        """Live through time; the conductor calls this before it moves the clock."""
        body = await json_body(request)
        await self._field.advance(instant_in(str(body.get("to")), "to"))
        return JSONResponse({"lived_to": views.iso(self._field.now_s())})

    def _asked(self, request: Request, fleet: Fleet) -> tuple[int, tuple[int, int] | None]:
        query = request.query_params
        at_s = seconds_of(instant_in(query["at"], "at")) if "at" in query else fleet.lived_s
        if "from" not in query or "to" not in query:
            return min(at_s, fleet.lived_s), None
        from_s, to_s = (seconds_of(instant_in(query[name], name)) for name in ("from", "to"))
        return min(at_s, fleet.lived_s), (from_s, min(to_s, fleet.lived_s))
