"""The tables of the registry: one row a device, a slice, a profile, a channel; and a journal of every change."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import BigInteger, Boolean, Column, Date, DateTime, Identity, Integer, Table, Text, any_, cast, literal
from sqlalchemy.dialects.postgresql import ARRAY, JSONB

from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement


def among(column: Column[Any], keys: Sequence[str] | Sequence[int]) -> ColumnElement[bool]:
    """A condition that takes any number of keys as one parameter; of numbers one text, which is far cheaper."""
    if keys and isinstance(keys[0], int):
        return column == any_(cast(literal("{" + ",".join(map(str, keys)) + "}", Text), ARRAY(BigInteger)))
    return column == any_(literal(list(keys), ARRAY(Text)))


def _text(name: str) -> Column[str]:
    return Column(name, Text, nullable=False, server_default="")


def _instant(name: str, *, nullable: bool = True) -> Column[datetime]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _slice_table(name: str, *columns: Column[Any], owner: str = "device_key") -> Table:
    return Table(
        name,
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column(owner, Text, nullable=False, index=True),
        *columns,
    )


def _period() -> tuple[Column[Any], Column[Any]]:
    return Column("first", Date, nullable=False), Column("past_last", Date, nullable=False)


def _span() -> tuple[Column[datetime], Column[datetime]]:
    return _instant("start_at", nullable=False), _instant("end_at", nullable=False)


device_table: Final = Table(
    "device",
    metadata,
    Column("device_key", Text, primary_key=True),
    Column("device", Text, nullable=False),
    Column("mrid", Text, nullable=False, unique=True),
    Column("serial_id", Text, nullable=False, index=True),
    Column("material_id", Text, nullable=False),
    *_period(),
    _text("unique_item_id"),
    _text("party_id"),
    _text("part_number"),
    _text("maker_serial_id"),
    _text("capability_group"),
    _text("activation_group"),
    _text("transformer"),
    Column("state", Text, nullable=False),
    _instant("confirmed_at"),
    _instant("reported_at"),
    _instant("registered_at"),
)
system_table: Final = _slice_table("device_system", *_period(), Column("system", Text, nullable=False))
register_table: Final = _slice_table(
    "register",
    Column("task", Text, nullable=False),
    Column("task_key", Text, nullable=False, index=True),
    *_period(),
    _text("obis"),
    _text("unit_code"),
    Column("total_digits", Integer, nullable=False),
    Column("fraction_digits", Integer, nullable=False),
    _text("category"),
    _text("division"),
    _text("recurrence"),
    _text("time_zone"),
    _text("time_of_use"),
    _text("factor"),
    _text("validation_profile"),
)
location_table: Final = _slice_table(
    "location",
    *_period(),
    _text("installation_point"),
    _text("connection_object"),
    Column("address", JSONB, nullable=False),
    _instant("installed_at"),
    _instant("removed_at"),
)
logical_table: Final = _slice_table("logical_location", *_period(), _text("installation_point"))
point_table: Final = _slice_table(
    "point_assignment",
    Column("task", Text, nullable=False),
    Column("point", Text, nullable=False, index=True),
    *_span(),
)
profile_table: Final = Table(
    "profile",
    metadata,
    Column("profile_key", Text, primary_key=True),
    Column("profile", Text, nullable=False),
    _text("unit_code"),
    _text("recurrence"),
    Column("total_digits", Integer),
    Column("fraction_digits", Integer),
    Column("remotely_stored", Boolean, nullable=False),
)
role_table: Final = _slice_table(
    "profile_role",
    Column("task", Text, nullable=False),
    Column("task_key", Text, nullable=False, index=True),
    *_span(),
    _text("role"),
    owner="profile_key",
)
journal_table: Final = Table(
    "registry_journal",
    metadata,
    Column("sequence", BigInteger, Identity(always=True), primary_key=True),
    Column("object", Text, nullable=False, index=True),
    Column("cause", Text, nullable=False),
    _instant("recorded_at", nullable=False),
    Column("after", JSONB, nullable=False),
)

channel_table: Final = Table(
    "channel",
    metadata,
    Column("channel", BigInteger, Identity(always=True), primary_key=True),
    Column("device_key", Text, nullable=False, index=True),
    Column("device", Text, nullable=False),
    Column("task", Text, nullable=False),
    Column("task_key", Text, nullable=False, index=True),
    _text("obis"),
    Column("unit", Text, nullable=False),
    Column("scale", Integer, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("zone", Text, nullable=False),
    *_span(),
    Column("rollover", BigInteger),
    Column("step", BigInteger, nullable=False),
    Column("register_channel", BigInteger),
    Column("day_start_s", Integer, nullable=False, server_default="0"),
)
