"""The one metadata of the office database, its number ranges, and the columns that all its tables share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from sqlalchemy import Column, DateTime, MetaData, Sequence, Text, func, select

from openami.shared.audit import audit_table
from openami.shared.seam import SeamTables, seam_tables

if TYPE_CHECKING:
    from sqlalchemy.ext.asyncio import AsyncConnection

metadata: Final = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)
seam: Final[SeamTables] = seam_tables(metadata)
audit: Final = audit_table(metadata)

device_numbers: Final = Sequence("device_numbers", start=100_000_001, metadata=metadata)
register_numbers: Final = Sequence("register_numbers", start=200_000_001, metadata=metadata)
profile_numbers: Final = Sequence("profile_numbers", start=300_000_001, metadata=metadata)
document_numbers: Final = Sequence("document_numbers", start=400_000_001, metadata=metadata)
order_numbers: Final = Sequence("order_numbers", start=500_000_001, metadata=metadata)
contract_numbers: Final = Sequence("contract_numbers", start=600_000_001, metadata=metadata)
bill_numbers: Final = Sequence("bill_numbers", start=700_000_001, metadata=metadata)


async def draw(transaction: AsyncConnection, numbers: Sequence, width: int) -> str:
    """The next number of a range, padded with zeros to the width that the contract gives the field."""
    return (await draw_many(transaction, numbers, width, 1))[0]


async def draw_many(transaction: AsyncConnection, numbers: Sequence, width: int, count: int) -> list[str]:
    """The next numbers of a range, in one round trip."""
    query = select(numbers.next_value()).select_from(func.generate_series(1, count))
    return [str(number).rjust(width, "0") for number in await transaction.scalars(query)]


def text(name: str, **options: Any) -> Column[Any]:  # noqa: ANN401 - options of a column
    """A mandatory text column."""
    return Column(name, Text, nullable=False, **options)


def instant(name: str, *, nullable: bool = True) -> Column[Any]:
    """An instant (business time, UTC)."""
    return Column(name, DateTime(timezone=True), nullable=nullable)
