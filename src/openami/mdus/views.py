"""What the middle shows as JSON: counters, devices, series, registers, events, orders, quarantine, reconciliation."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import func, select
from starlette.routing import Route

from openami.mdus import provisioning
from openami.mdus.answers import BadQueryError, as_response, instant_in, limit_of, not_found, span_of
from openami.mdus.commands import store as commands
from openami.mdus.events import store as events
from openami.mdus.intake import store as intake
from openami.mdus.reconciliation import reconcile
from openami.mdus.registry import profiles, store
from openami.mdus.registry.channel_store import all_channels, channels_by_id, channels_of_devices
from openami.mdus.registry.errors import UnknownDeviceError
from openami.mdus.registry.ids import bare
from openami.mdus.registry.tables import channel_table, device_table
from openami.mdus.series.calendar import instant_of
from openami.mdus.series.tables import day as day_table
from openami.mdus.services import calculation_store, order_store, upkeep_store, upload
from openami.mdus.tables import seam
from openami.shared.quality import label
from openami.shared.service import json_body

if TYPE_CHECKING:
    from uuid import UUID

    from starlette.requests import Request
    from starlette.responses import Response

    from openami.mdus.middle import Middle
    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device


class Views:
    """The pages of one middle."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page, and what a person may order."""
        return [
            Route("/api/status", self.status),
            Route("/api/devices", self.devices),
            Route("/api/devices/{device:path}", self.device),
            Route("/api/channels", self.channels),
            Route("/api/series/{channel:int}", self.series),
            Route("/api/registers/{channel:int}", self.registers),
            Route("/api/events", self.events),
            Route("/api/orders", self.orders),
            Route("/api/readings/send", self.send_reading, methods=["POST"]),
            Route("/api/calculations", self.calculations),
            Route("/api/commands", self.commands),
            Route("/api/commands/{command:uuid}/release", self.release, methods=["POST"]),
            Route("/api/quarantine", self.quarantine),
            Route("/api/quarantine/{digest}/replay", self.replay, methods=["POST"]),
            Route("/api/reconciliation", self.reconciliation),
        ]

    async def status(self, _request: Request) -> Response:
        """Counters."""
        async with self._middle.database.read() as tx:
            by_state = select(device_table.c.state, func.count()).group_by(device_table.c.state)
            devices = {row[0]: int(row[1]) for row in await tx.execute(by_state)}
            channels = await tx.scalar(select(func.count()).select_from(channel_table))
            kept = (await tx.execute(select(func.count(), func.sum(day_table.c.intervals)))).one()
            body = {
                "now": self._middle.clock.now(),
                "devices": devices,
                "channels": int(channels or 0),
                "channel_day_versions": int(kept[0]),
                "readings_kept": int(kept[1] or 0),
                "deliveries": self._middle.flow.deliveries,
                "readings_taken": self._middle.flow.readings,
                "events": await events.counts(tx),
                "orders": await order_store.counts(tx),
                "commands": await commands.counts(tx),
                "uploads": await upload.counts(tx),
                "files": await intake.counts(tx),
            }
        return as_response(body)

    async def devices(self, _request: Request) -> Response:
        """All devices, in short."""
        async with self._middle.database.read() as tx:
            found = await store.load_devices(tx, await store.device_keys(tx))
        return as_response({"devices": [_short(one) for one in found.values()]})

    async def device(self, request: Request) -> Response:
        """One device with everything that is known of it."""
        number = request.path_params["device"]
        async with self._middle.database.read() as tx:
            key = (await store.keys_by_name(tx, [number])).get(number, bare(number))
            found = (await store.load_devices(tx, [key])).get(key)
            if found is None:
                return not_found(UnknownDeviceError(f"Device {number} is not known.", hint="See /api/devices."))
            channels = await channels_of_devices(tx, [key])
            fed = await profiles.profiles_of(tx, found.tasks())
            body = _short(found) | {
                "master": asdict(found.master),
                "systems": [asdict(one) for one in found.systems],
                "registers": [asdict(one) for one in found.registers],
                "locations": [asdict(one) for one in found.locations],
                "logical_locations": [asdict(one) for one in found.logical_locations],
                "points": [_point(one) for one in found.points],
                "profiles": [asdict(one) for one in fed],
                "channels": [_channel(one) for one in channels],
                "provisioning": (await provisioning.states(tx, [key])).get(key),
                "texts": await upkeep_store.texts_of(tx, [key]),
                "transformers": await upkeep_store.transformers_of_tasks(tx, found.tasks()),
                "events": await events.recent(tx, devices=[key], limit=100),
                "uploads": await upload.of_profiles(tx, [one.id for one in fed], limit=50),
            }
        return as_response(body)

    async def channels(self, request: Request) -> Response:
        """All channels, or those of one device."""
        number = request.query_params.get("device")
        async with self._middle.database.read() as tx:
            found = await (channels_of_devices(tx, [number]) if number else all_channels(tx))
        return as_response({"channels": [_channel(one) for one in found]})

    async def series(self, request: Request) -> Response:
        """The intervals of a channel during a span, as they are or as they were known at an instant."""
        number = request.path_params["channel"]
        span = span_of(request.query_params, self._middle.clock.now())
        as_of = instant_in(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            channel = (await channels_by_id(tx, [number])).get(number)
            if channel is None or not channel.interval_s:
                return not_found(BadQueryError(f"There is no interval channel {number}.", hint="See /api/channels."))
            found = await self._middle.series.read(tx, number, span, as_of)
        labels = {int(one): label(int(one)) for one in np.unique(found.quality)}
        body = _channel(channel) | {
            "times": [instant_of(one) for one in found.start_s.tolist()],
            "values": found.values.tolist(),
            "qualities": [labels[one] for one in found.quality.tolist()],
            "flags": found.flags.tolist(),
        }
        return as_response(body)

    async def registers(self, request: Request) -> Response:
        """The readings of a register channel during a span."""
        number = request.path_params["channel"]
        span = span_of(request.query_params, self._middle.clock.now())
        as_of = instant_in(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            channel = (await channels_by_id(tx, [number])).get(number)
            if channel is None:
                return not_found(BadQueryError(f"There is no channel {number}.", hint="See /api/channels."))
            found = await self._middle.series.registers(tx, number, span, as_of)
        body = _channel(channel) | {
            "times": [instant_of(one) for one in found.at_s.tolist()],
            "values": found.value.tolist(),
            "qualities": [label(one) for one in found.quality.tolist()],
        }
        return as_response(body)

    async def events(self, request: Request) -> Response:
        """The newest events, of all devices or of one."""
        number = request.query_params.get("device")
        async with self._middle.database.read() as tx:
            found = await events.recent(tx, devices=[number] if number else None, limit=limit_of(request.query_params))
        return as_response({"events": found})

    async def orders(self, request: Request) -> Response:
        """The newest reading orders."""
        async with self._middle.database.read() as tx:
            found = await order_store.recent(tx, limit=limit_of(request.query_params))
        return as_response({"orders": [asdict(one) for one in found]})

    async def send_reading(self, request: Request) -> Response:
        """A person sends a stored reading that nobody has ordered: task, at (ISO 8601), reason."""
        body = await json_body(request)
        try:
            at = datetime.fromisoformat(str(body.get("at"))).astimezone(UTC)
        except ValueError as error:
            raise BadQueryError(f"at={body.get('at')!r} is no instant.", hint="Use 2026-03-01T23:00:00Z.") from error
        async with self._middle.database.begin() as tx:
            value = await self._middle.orders.send_unsolicited(
                tx, str(body.get("task", "")), at, str(body.get("reason", "10"))
            )
        return as_response({"task": body.get("task"), "at": at, "value": str(value)})

    async def calculations(self, _request: Request) -> Response:
        """Orders for billing quantities, newest first."""
        async with self._middle.database.read() as tx:
            rows = await calculation_store.recent(tx)
        wanted = ("number", "profile_key", "state", "start_at", "end_at", "received_at", "deadline", "confirmed_at")
        return as_response(
            {"calculations": [{key: row[key] for key in (*wanted, "order", "results", "reason")} for row in rows]}
        )

    async def commands(self, request: Request) -> Response:
        """The newest commands with every step they took."""
        async with self._middle.database.read() as tx:
            found = await commands.recent(tx, limit=limit_of(request.query_params))
            body = [asdict(one) | {"steps": await commands.steps_of(tx, one.id)} for one in found]
        return as_response({"commands": body})

    async def release(self, request: Request) -> Response:
        """A second person releases a held command: `{"person": "..."}`."""
        body = await json_body(request)
        command: UUID = request.path_params["command"]
        async with self._middle.database.begin() as tx:
            released = await self._middle.release(tx, command, str(body.get("person", "")))
        return as_response(asdict(released))

    async def quarantine(self, _request: Request) -> Response:
        """Refused parts of deliveries and files, and messages that could not be read at all."""
        entries = await asyncio.to_thread(lambda: list(self._middle.raw.quarantined()))
        async with self._middle.database.read() as tx:
            table = seam.quarantine
            query = select(table.c.sequence, table.c.seam, table.c.partner, table.c.reason, table.c.received_at)
            rows = (await tx.execute(query.order_by(table.c.sequence.desc()).limit(500))).mappings()
            unread = [dict(row) for row in rows]
            files = [
                asdict(one) | {"refusals": [asdict(each) for each in await intake.refusals_of(tx, one.id, limit=50)]}
                for one in await intake.recent(tx, refused=True)
            ]
        return as_response({"quarantine": [asdict(one) for one in entries], "files": files, "messages": unread})

    async def replay(self, request: Request) -> Response:
        """Take a delivery once more whose refused parts may be taken now."""
        async with self._middle.database.begin() as tx:
            left = await self._middle.replay(tx, request.path_params["digest"])
        return as_response({"refusals": [asdict(one) for one in left]})

    async def reconciliation(self, request: Request) -> Response:
        """What each point of delivery used during a span, measured and estimated apart."""
        span = span_of(request.query_params, self._middle.clock.now())
        as_of = instant_in(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            found = await reconcile(tx, self._middle.series, span, as_of)
        return as_response({"points": [one.as_json() for one in found]})


def _short(device: Device) -> dict[str, Any]:
    return {
        "device": device.id,
        "serial": device.master.serial_id,
        "material": device.master.material_id,
        "state": device.state.name.lower(),
        "system": device.systems[-1].system if device.systems else None,
        "points": sorted({one.point for one in device.points}),
        "confirmed_at": device.confirmed_at,
        "reported_at": device.reported_at,
        "registered_at": device.registered_at,
        "removed_at": device.removed_at(),
    }


def _channel(channel: Channel) -> dict[str, Any]:
    return {
        "channel": channel.id,
        "device": channel.device,
        "task": channel.task,
        "obis": channel.obis,
        "unit": channel.unit,
        "scale": channel.scale,
        "interval_s": channel.interval_s,
        "zone": channel.zone,
        "valid_from": channel.span.start,
        "valid_to": channel.span.end,
        "register": channel.register,
    }


def _point(one: Any) -> dict[str, Any]:  # noqa: ANN401 - a slice of the registry
    return {"task": one.task, "point": one.point, "from": one.span.start, "to": one.span.end}
