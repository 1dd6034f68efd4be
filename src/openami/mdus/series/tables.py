"""What is kept of the series in PostgreSQL: channels, packed days, register readings, cursors of the change feed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    Column,
    Date,
    DateTime,
    Index,
    Integer,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    any_,
    cast,
    literal,
    text,
)

from openami.mdus.tables import metadata

if TYPE_CHECKING:
    from collections.abc import Iterable

    from sqlalchemy import CollectionAggregate

_MOMENT: Final = text("(extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
TRANSACTION: Final = text("(pg_current_xact_id()::text)::bigint")

channel: Final = Table(
    "series_channel",
    metadata,
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("zone", Text, nullable=False),
    Column("interval_s", Integer, nullable=False),
    Column("day_start_s", Integer, nullable=False),
    Column("unit", Text, nullable=False),
    Column("scale", SmallInteger, nullable=False),
    Column("register", BigInteger),
    Column("register_step", BigInteger, nullable=False),
    Column("modulus", BigInteger),
    Column("rating_w", BigInteger),
    Column("rule_set", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("net", Boolean, nullable=False),
    Column("since", DateTime(timezone=True)),
    Column("until", DateTime(timezone=True)),
    Column("revision", BigInteger, nullable=False, server_default=_MOMENT),
)

# (day, channel) and not (channel, day): all channels of one day arrive together and lie together
day: Final = Table(
    "series_day",
    metadata,
    Column("day", Date, primary_key=True),
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("intervals", SmallInteger, nullable=False),
    Column("values", LargeBinary, nullable=False),
    Column("quality", LargeBinary, nullable=False),
    Column("flags", LargeBinary, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("author", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
Index("ix_series_channel_register", channel.c.register)
Index("ix_series_day_transaction", day.c.transaction)

register: Final = Table(
    "series_register",
    metadata,
    Column("channel", BigInteger, primary_key=True, autoincrement=False),
    Column("at", DateTime(timezone=True), primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False),
    Column("quality", SmallInteger, nullable=False),
    Column("delivery", Text, nullable=False),
    Column("recorded_at", DateTime(timezone=True), nullable=False),
    Column("author", Text, nullable=False),
    Column("cause", Text, nullable=False),
    Column("transaction", BigInteger, nullable=False, server_default=TRANSACTION),
)
Index("ix_series_register_transaction", register.c.transaction)

cursor: Final = Table(
    "series_cursor",
    metadata,
    Column("consumer", Text, primary_key=True),
    Column("snapshot", Text, nullable=False),
)

seal: Final = Table(
    "series_seal",
    metadata,
    Column("id", BigInteger, primary_key=True),
    Column("before_day", Date, nullable=False),
    Column("state", Text, nullable=False),
    Column("rows", BigInteger, nullable=False),
    Column("started_at", DateTime(timezone=True), nullable=False),
)
Index("ix_series_seal_before", seal.c.before_day)


def any_of(ids: Iterable[int]) -> CollectionAggregate[bool]:
    """The right side of an equals sign: one text with all ids, far cheaper than an array parameter of many."""
    return any_(cast(literal("{" + ",".join(map(str, ids)) + "}", Text), ARRAY(BigInteger)))
