"""Where devices, their measurement tasks, points of delivery and installations are kept."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    BigInteger,
    Column,
    ForeignKey,
    Identity,
    Index,
    Integer,
    Table,
    Text,
    or_,
    select,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB, insert

from openami.office.devices.model import (
    Address,
    Category,
    Device,
    Installation,
    Kind,
    Point,
    Register,
    UnknownDeviceError,
)
from openami.office.tables import instant, metadata, text
from openami.shared.contract.enterprise.headers import id_key

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.shared.spans import Span

devices = Table(
    "devices",
    metadata,
    text("id", primary_key=True),
    text("serial", unique=True),
    text("material"),
    text("kind"),
    text("ams_id"),
    Column("interval_s", Integer, nullable=False),
    instant("received_at", nullable=False),
    instant("confirmed_at"),
    text("refusal", server_default=""),
    instant("registered_at"),
    instant("installed_at"),
    instant("removed_at"),
    text("activation_group", server_default=""),
)
registers = Table(
    "registers",
    metadata,
    text("id", primary_key=True),
    Column("device_id", Text, ForeignKey("devices.id"), nullable=False, index=True),
    text("category"),
    text("obis"),
    text("unit"),
    Column("total_digits", Integer, nullable=False),
    Column("fraction_digits", Integer, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("profile_id", Text, unique=True),
)
points = Table(
    "points",
    metadata,
    text("id", primary_key=True),
    text("kind"),
    text("connection_object"),
    text("feeder"),
    Column("address", JSONB, nullable=False),
)
installations = Table(
    "installations",
    metadata,
    Column("id", BigInteger, Identity(always=True), primary_key=True),
    Column("device_id", Text, ForeignKey("devices.id"), nullable=False, index=True),
    Column("point_id", Text, ForeignKey("points.id"), nullable=False, index=True),
    text("location_id"),
    instant("start", nullable=False),
    instant("end"),
)
Index(
    "installations_device_open", installations.c.device_id, unique=True, postgresql_where=installations.c.end.is_(None)
)
Index("installations_point_open", installations.c.point_id, unique=True, postgresql_where=installations.c.end.is_(None))


async def add_devices(transaction: AsyncConnection, new: Sequence[Device], tasks: Sequence[Register]) -> None:
    """Keep new devices with their measurement tasks."""
    await transaction.execute(insert(devices), [asdict(device) for device in new])
    await transaction.execute(insert(registers), [asdict(task) for task in tasks])


async def change_device(transaction: AsyncConnection, device_id: str, **values: object) -> None:
    """Set fields of a device."""
    await transaction.execute(update(devices).where(devices.c.id == device_id).values(**values))


async def device_by_id(transaction: AsyncConnection, device_id: str, *, lock: bool = False) -> Device:
    """A device by its id, padded or not.

    Raises:
        UnknownDeviceError: there is none.
    """
    found = await _devices(transaction, devices.c.id == device_id.rjust(18, "0"), lock=lock)
    if not found:
        raise UnknownDeviceError(f"There is no device {device_id!r}.", hint="See GET /api/devices.")
    return found[0]


async def devices_by_serial(transaction: AsyncConnection, serials: Iterable[str]) -> dict[str, Device]:
    """The devices with these serial numbers."""
    return {device.serial: device for device in await _devices(transaction, devices.c.serial.in_(list(serials)))}


async def devices_by_id(transaction: AsyncConnection, device_ids: Iterable[str]) -> dict[str, Device]:
    """Devices by id."""
    return {device.id: device for device in await _devices(transaction, devices.c.id.in_(list(device_ids)))}


async def find_device(transaction: AsyncConnection, name: str, *, lock: bool = False) -> Device:
    """A device by its id, its serial number, or the point of delivery where it is installed now.

    Raises:
        UnknownDeviceError: nothing is known by this name.
    """
    at_point = select(installations.c.device_id).where(installations.c.point_id == name, installations.c.end.is_(None))
    condition = or_(devices.c.id == name.rjust(18, "0"), devices.c.serial == name, devices.c.id.in_(at_point))
    found = await _devices(transaction, condition, lock=lock)
    if not found:
        raise UnknownDeviceError(
            f"No device, serial number or metered point of delivery is called {name!r}.", hint="See GET /api/devices."
        )
    return found[0]


async def all_devices(transaction: AsyncConnection) -> list[Device]:
    """Every device, by id."""
    return await _devices(transaction, devices.c.id.is_not(None))


async def registers_of(transaction: AsyncConnection, device_ids: Iterable[str]) -> list[Register]:
    """The measurement tasks of some devices, by id."""
    query = select(registers).where(registers.c.device_id.in_(list(device_ids))).order_by(registers.c.id)
    return [_register(row) for row in await transaction.execute(query)]


async def register_by_id(transaction: AsyncConnection, register_id: str) -> Register | None:
    """A measurement task by its id, padded or not."""
    query = select(registers).where(registers.c.id == id_key(register_id).rjust(18, "0"))
    row = (await transaction.execute(query)).one_or_none()
    return None if row is None else _register(row)


async def registers_by_profile(transaction: AsyncConnection, profile_ids: Iterable[str]) -> dict[str, Register]:
    """The interval channels of some profiles, by profile number."""
    keys = [id_key(profile).rjust(18, "0") for profile in profile_ids]
    rows = await transaction.execute(select(registers).where(registers.c.profile_id.in_(keys)))
    return {row.profile_id: _register(row) for row in rows}


async def put_point(transaction: AsyncConnection, point: Point) -> None:
    """Keep a point of delivery; a known one is brought up to date."""
    values = asdict(point)
    statement = insert(points).values(**values)
    await transaction.execute(statement.on_conflict_do_update(index_elements=["id"], set_=values))


async def points_by_id(
    transaction: AsyncConnection, point_ids: Iterable[str], *, lock: bool = False
) -> dict[str, Point]:
    """Points of delivery by id; locked against a second customer at the same moment if asked for."""
    query = select(points).where(points.c.id.in_(list(point_ids)))
    rows = await transaction.execute(query.with_for_update() if lock else query)
    return {
        row.id: Point(row.id, Kind(row.kind), row.connection_object, row.feeder, Address(**row.address)) for row in rows
    }


async def add_installation(transaction: AsyncConnection, installation: Installation) -> None:
    """Keep a new installation; its id is given by the database."""
    values = asdict(installation)
    del values["id"]
    await transaction.execute(insert(installations).values(**values))


async def end_installation(transaction: AsyncConnection, installation: Installation) -> None:
    """Set the end of an installation."""
    statement = update(installations).where(installations.c.id == installation.id).values(end=installation.end)
    await transaction.execute(statement)


async def open_installation(transaction: AsyncConnection, device_id: str) -> Installation | None:
    """Where a device is installed now."""
    found = await _installations(transaction, installations.c.device_id == device_id, installations.c.end.is_(None))
    return found[0] if found else None


async def occupant(transaction: AsyncConnection, point_id: str) -> Installation | None:
    """What is installed at a point of delivery now."""
    found = await _installations(transaction, installations.c.point_id == point_id, installations.c.end.is_(None))
    return found[0] if found else None


async def installations_during(
    transaction: AsyncConnection, span: Span, *, point_ids: Sequence[str] | None = None
) -> list[Installation]:
    """The installations that overlap a span, by start; of some points, or of all."""
    conditions: list[ColumnElement[bool]] = [
        installations.c.start < span.end,
        or_(installations.c.end.is_(None), installations.c.end > span.start),
    ]
    if point_ids is not None:
        conditions.append(installations.c.point_id.in_(point_ids))
    return await _installations(transaction, *conditions)


async def installations_of_device(transaction: AsyncConnection, device_id: str) -> list[Installation]:
    """All installations of a device, by start."""
    return await _installations(transaction, installations.c.device_id == device_id)


async def _devices(transaction: AsyncConnection, condition: ColumnElement[bool], *, lock: bool = False) -> list[Device]:
    query = select(devices).where(condition).order_by(devices.c.id)
    rows = await transaction.execute(query.with_for_update() if lock else query)
    return [Device(**{**row._mapping, "kind": Kind(row.kind)}) for row in rows]  # noqa: SLF001 - a public name


async def _installations(transaction: AsyncConnection, *conditions: ColumnElement[bool]) -> list[Installation]:
    real = or_(installations.c.end.is_(None), installations.c.end > installations.c.start)  # a reversed one is not
    query = select(installations).where(real, *conditions).order_by(installations.c.start, installations.c.id)
    return [Installation(**row._mapping) for row in await transaction.execute(query)]  # noqa: SLF001 - a public name


def _register(row: Row[Any]) -> Register:
    return Register(**{**row._mapping, "category": Category(row.category)})  # noqa: SLF001 - a public name
