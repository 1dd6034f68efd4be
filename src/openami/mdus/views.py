"""What the middle shows as JSON: counters, devices, series, registers, events, orders, quarantine, reconciliation."""

from __future__ import annotations

import asyncio
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import UUID

import numpy as np
from sqlalchemy import func, select
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from openami.mdus import provisioning
from openami.mdus.commands import store as commands
from openami.mdus.events import store as events
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
from openami.shared.errors import OpenAmiError
from openami.shared.quality import label
from openami.shared.service import json_body
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.requests import Request

    from openami.mdus.middle import Middle
    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Device


class BadQueryError(OpenAmiError):
    """A parameter of a page cannot be read."""


class Views:
    """The pages of one middle."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def routes(self) -> list[Route]:
        """Every page, and what a person may order."""
        return [
            Route("/api/status", self.status),
            Route("/api/devices", self.devices),
            Route("/api/devices/{device}", self.device),
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
            }
        return _json(body)

    async def devices(self, _request: Request) -> Response:
        """All devices, in short."""
        async with self._middle.database.read() as tx:
            found = await store.load_devices(tx, await store.device_keys(tx))
        return _json({"devices": [_short(one) for one in found.values()]})

    async def device(self, request: Request) -> Response:
        """One device with everything that is known of it."""
        number = request.path_params["device"]
        async with self._middle.database.read() as tx:
            key = (await store.keys_by_name(tx, [number])).get(number, bare(number))
            found = (await store.load_devices(tx, [key])).get(key)
            if found is None:
                return _not_found(UnknownDeviceError(f"Device {number} is not known.", hint="See /api/devices."))
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
        return _json(body)

    async def channels(self, request: Request) -> Response:
        """All channels, or those of one device."""
        number = request.query_params.get("device")
        async with self._middle.database.read() as tx:
            found = await (channels_of_devices(tx, [number]) if number else all_channels(tx))
        return _json({"channels": [_channel(one) for one in found]})

    async def series(self, request: Request) -> Response:
        """The intervals of a channel during a span, as they are or as they were known at an instant."""
        number = request.path_params["channel"]
        span = _span(request.query_params, self._middle.clock.now())
        as_of = _instant(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            channel = (await channels_by_id(tx, [number])).get(number)
            if channel is None or not channel.interval_s:
                return _not_found(BadQueryError(f"There is no interval channel {number}.", hint="See /api/channels."))
            found = await self._middle.series.read(tx, number, span, as_of)
        labels = {int(one): label(int(one)) for one in np.unique(found.quality)}
        body = _channel(channel) | {
            "times": [instant_of(one) for one in found.start_s.tolist()],
            "values": found.values.tolist(),
            "qualities": [labels[one] for one in found.quality.tolist()],
            "flags": found.flags.tolist(),
        }
        return _json(body)

    async def registers(self, request: Request) -> Response:
        """The readings of a register channel during a span."""
        number = request.path_params["channel"]
        span = _span(request.query_params, self._middle.clock.now())
        as_of = _instant(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            channel = (await channels_by_id(tx, [number])).get(number)
            if channel is None:
                return _not_found(BadQueryError(f"There is no channel {number}.", hint="See /api/channels."))
            found = await self._middle.series.registers(tx, number, span, as_of)
        body = _channel(channel) | {
            "times": [instant_of(one) for one in found.at_s.tolist()],
            "values": found.value.tolist(),
            "qualities": [label(one) for one in found.quality.tolist()],
        }
        return _json(body)

    async def events(self, request: Request) -> Response:
        """The newest events, of all devices or of one."""
        number = request.query_params.get("device")
        async with self._middle.database.read() as tx:
            found = await events.recent(tx, devices=[number] if number else None, limit=_limit(request.query_params))
        return _json({"events": found})

    async def orders(self, request: Request) -> Response:
        """The newest reading orders."""
        async with self._middle.database.read() as tx:
            found = await order_store.recent(tx, limit=_limit(request.query_params))
        return _json({"orders": [asdict(one) for one in found]})

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
        return _json({"task": body.get("task"), "at": at, "value": str(value)})

    async def calculations(self, _request: Request) -> Response:
        """Orders for billing quantities, newest first."""
        async with self._middle.database.read() as tx:
            rows = await calculation_store.recent(tx)
        wanted = ("number", "profile_key", "state", "start_at", "end_at", "received_at", "deadline", "confirmed_at")
        return _json(
            {"calculations": [{key: row[key] for key in (*wanted, "order", "results", "reason")} for row in rows]}
        )

    async def commands(self, request: Request) -> Response:
        """The newest commands with every step they took."""
        async with self._middle.database.read() as tx:
            found = await commands.recent(tx, limit=_limit(request.query_params))
            body = [asdict(one) | {"steps": await commands.steps_of(tx, one.id)} for one in found]
        return _json({"commands": body})

    async def release(self, request: Request) -> Response:
        """A second person releases a held command: `{"person": "..."}`."""
        body = await json_body(request)
        command: UUID = request.path_params["command"]
        async with self._middle.database.begin() as tx:
            released = await self._middle.release(tx, command, str(body.get("person", "")))
        return _json(asdict(released))

    async def quarantine(self, _request: Request) -> Response:
        """Refused parts of deliveries, and messages that could not be read at all."""
        entries = await asyncio.to_thread(lambda: list(self._middle.raw.quarantined()))
        async with self._middle.database.read() as tx:
            table = seam.quarantine
            query = select(table.c.sequence, table.c.seam, table.c.partner, table.c.reason, table.c.received_at)
            rows = (await tx.execute(query.order_by(table.c.sequence.desc()).limit(500))).mappings()
            unread = [dict(row) for row in rows]
        return _json({"quarantine": [asdict(one) for one in entries], "messages": unread})

    async def replay(self, request: Request) -> Response:
        """Take a delivery once more whose refused parts may be taken now."""
        async with self._middle.database.begin() as tx:
            left = await self._middle.replay(tx, request.path_params["digest"])
        return _json({"refusals": [asdict(one) for one in left]})

    async def reconciliation(self, request: Request) -> Response:
        """What each point of delivery used during a span, measured and estimated apart."""
        span = _span(request.query_params, self._middle.clock.now())
        as_of = _instant(request.query_params, "as_of", None)
        async with self._middle.database.read() as tx:
            found = await reconcile(tx, self._middle.series, span, as_of)
        return _json({"points": [one.as_json() for one in found]})


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


def _span(query: Mapping[str, str], now: datetime) -> Span:
    end = _instant(query, "to", now)
    start = _instant(query, "from", end - timedelta(days=2) if end else None)
    assert start is not None
    assert end is not None
    if end < start:
        raise BadQueryError(f"The span ends {end} before it starts {start}.", hint="Give from before to.")
    return Span(start, end)


def _instant(query: Mapping[str, str], name: str, default: datetime | None) -> datetime | None:
    text = query.get(name)
    if not text:
        return default
    try:
        found = datetime.fromisoformat(text.replace(" ", "+"))
    except ValueError as error:
        raise BadQueryError(f"{name}={text!r} is not an instant.", hint="Use 2026-03-01T00:00:00Z.") from error
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)


def _limit(query: Mapping[str, str]) -> int:
    text = query.get("limit", "500")
    if not text.isdecimal():
        raise BadQueryError(f"limit={text!r} is not a number.", hint="Use a whole number.")
    return min(int(text), 5_000)


def _json(body: Any) -> Response:  # noqa: ANN401 - any JSON value
    return JSONResponse(_plain(body))


def _not_found(reason: OpenAmiError) -> Response:
    body = {"error": type(reason).__name__, "found": reason.found, "hint": reason.hint}
    return JSONResponse(body, status_code=404)


def _plain(value: Any) -> Any:  # noqa: ANN401 - any value
    if isinstance(value, dict):
        return {str(key): _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    if isinstance(value, date | UUID):
        return str(value)
    return value if isinstance(value, str | int | float | bool | None) else str(value)
