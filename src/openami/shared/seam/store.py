"""The three tables that every area keeps for its seams."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    bindparam,
    func,
    literal_column,
    select,
)

from openami.shared.packing import PackedOctets, true_octets

if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from sqlalchemy import ColumnElement, Row
    from sqlalchemy.ext.asyncio import AsyncConnection

PENDING = "pending"
DELIVERED = "delivered"
DEAD = "dead"
RECEIVED = "received"
PARKED = "parked"
PROCESSED = "processed"
REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class SeamTables:
    """Outbox, inbox and quarantine of one area."""

    outbox: Table
    inbox: Table
    quarantine: Table


def _instant(name: str, *, nullable: bool = True) -> Column[object]:
    return Column(name, DateTime(timezone=True), nullable=nullable)


def seam_tables(metadata: MetaData) -> SeamTables:
    """Declare the tables on an area's metadata.

    `next_attempt_at` is wall time (transport); all other instants are business time. Outbox states: pending,
    delivered, dead. Inbox states: received, parked (predecessor missing, until `park_until`), processed, refused.
    """
    return SeamTables(outbox=_outbox(metadata), inbox=_inbox(metadata), quarantine=_quarantine(metadata))


def _outbox(metadata: MetaData) -> Table:
    table = Table(
        "outbox",
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("id", Uuid, nullable=False, unique=True),
        Column("seam", Text, nullable=False),
        Column("partner", Text, nullable=False),
        Column("operation", Text, nullable=False),
        Column("path", Text, nullable=False),
        Column("business_key", Text, nullable=False),
        Column("reference_id", Uuid),
        Column("body", PackedOctets, nullable=False),
        Column("state", Text, nullable=False, server_default=PENDING),
        Column("attempts", Integer, nullable=False, server_default="0"),
        _instant("next_attempt_at", nullable=False),
        _instant("created_at", nullable=False),
        _instant("delivered_at"),
        Column("answer", LargeBinary),
        Column("error", Text),
    )
    Index("outbox_pending", table.c.next_attempt_at, postgresql_where=table.c.state == PENDING)
    Index("outbox_reference", table.c.reference_id)
    return table


def _inbox(metadata: MetaData) -> Table:
    table = Table(
        "inbox",
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("id", Uuid, nullable=False),
        Column("seam", Text, nullable=False),
        Column("partner", Text, nullable=False),
        Column("digest", LargeBinary, nullable=False),
        Column("operation", Text, nullable=False),
        Column("business_key", Text, nullable=False),
        Column("reference_id", Uuid),
        Column("body", PackedOctets, nullable=False),
        Column("state", Text, nullable=False, server_default=RECEIVED),
        Column("attempts", Integer, nullable=False, server_default="0"),
        _instant("next_attempt_at", nullable=False),
        _instant("received_at", nullable=False),
        _instant("park_until"),
        _instant("processed_at"),
        Column("repeats", Integer, nullable=False, server_default="0"),
        Column("answer", LargeBinary),
        Column("error", Text),
        UniqueConstraint("seam", "partner", "id", "digest"),
    )
    Index("inbox_open", table.c.sequence, postgresql_where=table.c.state.in_([RECEIVED, PARKED]))
    return table


def _quarantine(metadata: MetaData) -> Table:
    return Table(
        "seam_quarantine",
        metadata,
        Column("sequence", BigInteger, Identity(always=True), primary_key=True),
        Column("seam", Text, nullable=False),
        Column("partner", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Column("reason", Text, nullable=False),
        _instant("received_at", nullable=False),
    )


class Claim:
    """Locks the first rows that nobody else works on, and reads as many as fit into memory together; always one."""

    def __init__(
        self,
        table: Table,
        columns: Sequence[str],
        *conditions: ColumnElement[bool],
        order_by: Sequence[Column[Any]],
        rows_max: int,
        bytes_max: int,
    ) -> None:
        """Take the columns to read; the conditions may have named parameters."""
        self._bytes_max = bytes_max
        sizes = select(table.c.sequence, true_octets(table.c.body))
        self._lock = sizes.where(*conditions).order_by(*order_by).limit(rows_max).with_for_update(skip_locked=True)
        wanted = bindparam("wanted", type_=ARRAY(BigInteger))
        read = select(*(table.c[name] for name in columns))
        self._read = read.where(table.c.sequence == func.any(wanted)).order_by(*order_by)

    async def __call__(self, transaction: AsyncConnection, **parameters: object) -> Sequence[Row[Any]]:
        """The rows, in order."""
        wanted: list[int] = []
        total_bytes = 0
        for sequence, size_bytes in await transaction.execute(self._lock, parameters):
            total_bytes += size_bytes
            if wanted and total_bytes > self._bytes_max:
                break
            wanted.append(sequence)
        return (await transaction.execute(self._read, {"wanted": wanted})).all() if wanted else ()


def in_state(table: Table, *states: str) -> ColumnElement[bool]:
    """Rows of these states, which the statement itself names: then the index of just those serves it, planned once."""
    return table.c.state.in_([literal_column(f"'{state}'") for state in states])


def of_seams(table: Table) -> ColumnElement[bool]:
    """Rows of the seams in the parameter `seams`."""
    return table.c.seam == func.any(bindparam("seams", type_=ARRAY(Text)))
