"""Where the registry is kept: one row a device, one row a slice, one row a channel, and a journal of every change."""

from __future__ import annotations

from dataclasses import asdict, fields, is_dataclass
from datetime import date, datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Boolean, delete, literal_column, select, text

from openami.mdus.registry.ids import DeviceId, PointId, SystemId, TaskId, bare, device_mrid
from openami.mdus.registry.model import (
    Address,
    Device,
    DeviceMaster,
    Location,
    LogicalLocation,
    Manufacturer,
    PointAssignment,
    Register,
    SystemSlice,
)
from openami.mdus.registry.slices import Period
from openami.mdus.registry.tables import (
    among,
    device_table,
    journal_table,
    location_table,
    logical_table,
    point_table,
    register_table,
    system_table,
)
from openami.shared.database import given, insert_rows, lists_of, upsert_rows
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from sqlalchemy import Row, Table
    from sqlalchemy.ext.asyncio import AsyncConnection


_SLICES: Final = (system_table, register_table, location_table, logical_table, point_table)
_OWN: Final = tuple(column.name for column in device_table.c if column is not device_table.c.transformer)
_SAVE: Final = upsert_rows(device_table, _OWN).returning(
    device_table.c.device_key,
    literal_column("device.xmax = 0", Boolean).label("is_new"),  # no older version of the row was locked
)
_ADD: Final = {
    table.name: insert_rows(table, [column.name for column in table.c if column.name != "sequence"])
    for table in _SLICES
}
_NOTE: Final = insert_rows(journal_table, ("object", "after"), for_all=("cause", "recorded_at"))


_WHOLE: Final = text(
    "SELECT d.*,"
    " (SELECT json_agg(s ORDER BY s.sequence) FROM device_system s WHERE s.device_key = d.device_key) AS systems,"
    " (SELECT json_agg(s ORDER BY s.sequence) FROM register s WHERE s.device_key = d.device_key) AS registers,"
    " (SELECT json_agg(s ORDER BY s.sequence) FROM location s WHERE s.device_key = d.device_key) AS locations,"
    " (SELECT json_agg(s ORDER BY s.sequence) FROM logical_location s WHERE s.device_key = d.device_key) AS logical,"
    " (SELECT json_agg(s ORDER BY s.sequence) FROM point_assignment s WHERE s.device_key = d.device_key) AS points"
    " FROM device d WHERE d.device_key = ANY(:keys) ORDER BY d.device_key"
)
"""A device with all its slices is one row: loading many is one round trip."""
_LOCK: Final = text("SELECT 1 FROM device WHERE device_key = ANY(:keys) ORDER BY device_key FOR UPDATE")
"""A statement of its own: only the next one sees the slices that the owner of the lock before us has written."""


async def load_devices(transaction: AsyncConnection, ids: Iterable[str], *, lock: bool = False) -> dict[str, Device]:
    """The devices of these ids in any spelling, by bare id; `lock` holds them until the transaction ends."""
    keys = sorted({bare(one) for one in ids})
    if not keys:
        return {}
    if lock:
        await transaction.execute(_LOCK, {"keys": keys})
    rows = (await transaction.execute(_WHOLE, {"keys": keys})).mappings()
    return {row["device_key"]: _device(dict(row)) for row in rows}


async def device_keys(transaction: AsyncConnection) -> list[str]:
    """The bare ids of all devices."""
    return list(await transaction.scalars(select(device_table.c.device_key).order_by(device_table.c.device_key)))


async def keys_by_name(transaction: AsyncConnection, names: Iterable[str]) -> dict[str, str]:
    """Bare device ids by what a device is called on the field seam: mRID, serial number, or id in any spelling.

    A name that fits several devices (a serial number of two makers) is left out: nothing is guessed.
    """
    wanted = sorted(set(names))
    if not wanted:
        return {}
    columns = (device_table.c.mrid, device_table.c.serial_id, device_table.c.device_key)
    found: dict[str, dict[str, str | None]] = {column.name: {} for column in columns}
    spellings = {bare(one): one for one in wanted}
    for column in columns:
        keys = sorted(spellings) if column is device_table.c.device_key else wanted
        query = select(column, device_table.c.device_key).where(among(column, keys))
        for name, key in await transaction.execute(query):
            spelled = spellings[name] if column is device_table.c.device_key else name
            found[column.name][spelled] = None if spelled in found[column.name] else key
    result: dict[str, str] = {}
    for column in reversed(columns):
        result |= {name: key for name, key in found[column.name].items() if key}
    return result


async def keys_by_point(transaction: AsyncConnection, names: Iterable[str]) -> list[str]:
    """Bare ids of the devices that count, or counted once, for points of delivery of these names."""
    query = select(point_table.c.device_key).where(among(point_table.c.point, sorted(set(names)))).distinct()
    return list(await transaction.scalars(query))


async def owners_of(
    transaction: AsyncConnection, tasks: Iterable[str], *, lock: bool = False
) -> dict[str, list[Device]]:
    """The devices that have these measurement tasks, by bare task id."""
    keys = sorted({bare(one) for one in tasks})
    if not keys:
        return {}
    query = select(register_table.c.task_key, register_table.c.device_key).where(among(register_table.c.task_key, keys))
    pairs = {(row.task_key, row.device_key) for row in await transaction.execute(query.distinct())}
    devices = await load_devices(transaction, {device for _, device in pairs}, lock=lock)
    owners: dict[str, list[Device]] = {}
    for task, device in sorted(pairs):
        owners.setdefault(task, []).append(devices[device])
    return owners


async def save_devices(
    transaction: AsyncConnection,
    devices: Sequence[Device],
    *,
    cause: str,
    at: datetime,
    before: Mapping[str, Device] | None = None,
) -> None:
    """Write devices and one line of the journal each; with what was `before` (by bare id), only slices that differ."""
    if not devices:
        return
    saved = await transaction.execute(_SAVE, given(lists_of([_device_row(one) for one in devices], _OWN)))
    known = {row.device_key: None for row in saved if not row.is_new} | dict(before or {})
    for table in _SLICES:
        await _save_slices(transaction, table, devices, known)
    await write_journal(transaction, [(f"device {one.id}", one) for one in devices], cause, at)


async def _save_slices(
    transaction: AsyncConnection, table: Table, devices: Sequence[Device], before: Mapping[str, Device | None]
) -> None:
    """Write the slices that differ from those `before`: None if nobody has looked; who is not among them is new."""
    rows = {bare(one.id): _slice_rows(table, one) for one in devices}
    known = {key: _slice_rows(table, one) if one is not None else None for key, one in before.items()}
    known = {key: known.get(key, []) for key in rows}
    changed = [key for key, own in rows.items() if own != known[key]]
    written = [key for key in changed if known[key] != []]
    if written:
        await transaction.execute(delete(table).where(among(table.c.device_key, written)))
    if new := [row for key in changed for row in rows[key]]:
        await transaction.execute(_ADD[table.name], given(lists_of(new, new[0])))


async def forget_device(transaction: AsyncConnection, device: Device, *, at: datetime) -> None:
    """Take a device out of the registry; the journal keeps what it was."""
    key = bare(device.id)
    for table in (*_SLICES, device_table):
        await transaction.execute(delete(table).where(table.c.device_key == key))
    await write_journal(transaction, [(f"device {device.id}", device)], "withdrawn", at)


async def set_transformer(transaction: AsyncConnection, device: str, transformer: str) -> None:
    """Note the transformer (router of the AMS) that a device hangs behind."""
    table = device_table
    await transaction.execute(table.update().where(table.c.device_key == bare(device)).values(transformer=transformer))


async def slices_of(
    transaction: AsyncConnection, table: Table, keys: Sequence[str], *, owner: str = "device_key"
) -> dict[str, list[Row[Any]]]:
    """The rows of a slice table by their owner, in the order in which they were written."""
    query = select(table).where(among(table.c[owner], keys)).order_by(table.c.sequence)
    result: dict[str, list[Row[Any]]] = {}
    for row in await transaction.execute(query):
        result.setdefault(row._mapping[owner], []).append(row)  # noqa: SLF001 - the documented way to a column by name
    return result


def _device(row: Mapping[str, Any]) -> Device:
    return Device(
        id=DeviceId(row["device"]),
        master=DeviceMaster(
            serial_id=row["serial_id"],
            material_id=row["material_id"],
            period=Period(row["first"], row["past_last"]),
            unique_item_id=row["unique_item_id"],
            manufacturer=Manufacturer(row["party_id"], row["part_number"], row["maker_serial_id"]),
        ),
        systems=tuple(SystemSlice(_period_of(one), SystemId(one["system"])) for one in row["systems"] or ()),
        registers=tuple(_register(one) for one in row["registers"] or ()),
        locations=tuple(_location(one) for one in row["locations"] or ()),
        logical_locations=tuple(
            LogicalLocation(_period_of(one), one["installation_point"]) for one in row["logical"] or ()
        ),
        points=tuple(
            PointAssignment(TaskId(one["task"]), _span_of(one), PointId(one["point"])) for one in row["points"] or ()
        ),
        confirmed_at=row["confirmed_at"],
        reported_at=row["reported_at"],
        registered_at=row["registered_at"],
        capability_group=row["capability_group"],
        activation_group=row["activation_group"],
    )


_REGISTER_FIELDS: Final = tuple(one.name for one in fields(Register) if one.name not in {"task", "period"})


def _register(row: Mapping[str, Any]) -> Register:
    return Register(TaskId(row["task"]), _period_of(row), **{name: row[name] for name in _REGISTER_FIELDS})


def _location(row: Mapping[str, Any]) -> Location:
    return Location(
        period=_period_of(row),
        installation_point=row["installation_point"],
        connection_object=row["connection_object"],
        address=Address(**row["address"]),
        installed_at=_instant(row["installed_at"]),
        removed_at=_instant(row["removed_at"]),
    )


def _period_of(row: Mapping[str, Any]) -> Period:
    return Period(date.fromisoformat(row["first"]), date.fromisoformat(row["past_last"]))


def _span_of(row: Mapping[str, Any]) -> Span:
    return Span(datetime.fromisoformat(row["start_at"]), datetime.fromisoformat(row["end_at"]))


def _instant(text_: str | None) -> datetime | None:
    return datetime.fromisoformat(text_) if text_ else None


def _device_row(device: Device) -> dict[str, object]:
    master = device.master
    return {
        "device_key": bare(device.id),
        "device": device.id,
        "mrid": device_mrid(device.id),
        "serial_id": master.serial_id,
        "material_id": master.material_id,
        **_dates(master.period),
        "unique_item_id": master.unique_item_id,
        "party_id": master.manufacturer.party_id,
        "part_number": master.manufacturer.part_number,
        "maker_serial_id": master.manufacturer.serial_id,
        "state": device.state.name.lower(),
        "confirmed_at": device.confirmed_at,
        "reported_at": device.reported_at,
        "registered_at": device.registered_at,
        "capability_group": device.capability_group,
        "activation_group": device.activation_group,
    }


def _slice_rows(table: Table, device: Device) -> list[dict[str, object]]:
    owner: dict[str, object] = {"device_key": bare(device.id)}
    if table is system_table:
        return [owner | _dates(one.period) | {"system": one.system} for one in device.systems]
    if table is register_table:
        return [owner | _register_row(one) for one in device.registers]
    if table is location_table:
        return [owner | _location_row(one) for one in device.locations]
    if table is logical_table:
        return [
            owner | _dates(one.period) | {"installation_point": one.installation_point}
            for one in device.logical_locations
        ]
    return [
        owner | {"task": one.task, "point": one.point, "start_at": one.span.start, "end_at": one.span.end}
        for one in device.points
    ]


def _register_row(register: Register) -> dict[str, object]:
    row = asdict(register)
    del row["period"]
    return row | _dates(register.period) | {"task_key": bare(register.task)}


def _location_row(location: Location) -> dict[str, object]:
    row = asdict(location)
    del row["period"]
    return row | _dates(location.period)


def _dates(period: Period) -> dict[str, object]:
    return {"first": period.first, "past_last": period.past_last}


async def write_journal(
    transaction: AsyncConnection, changed: Sequence[tuple[str, object]], cause: str, at: datetime
) -> None:
    """Append what an object looks like after a change, and what caused it."""
    values = {"object": [name for name, _ in changed], "after": [_plain(after) for _, after in changed]}
    await transaction.execute(_NOTE, given(values | {"cause": cause, "recorded_at": at}))


def _plain(value: Any) -> object:  # noqa: ANN401 - any value
    """JSON of a value: its fields by name, dates as text."""
    if value is None or isinstance(value, str | int):
        return value
    names = _names(value.__class__)
    if names is not None:
        return {name: _plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(one) for one in value]
    return str(value)


@cache
def _names(kind: Any) -> tuple[str, ...] | None:  # noqa: ANN401 - any class
    return tuple(one.name for one in fields(kind)) if is_dataclass(kind) else None
