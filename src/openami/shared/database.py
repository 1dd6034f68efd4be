"""One area's PostgreSQL database: an async engine, transactions, migrations, rows in bulk.

SQLAlchemy 2 Core is the one dialect; psycopg 3 does COPY. A transaction may carry wake-ups that fire only after its
commit, so that a loop never looks for a row before it is there.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager, suppress
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeVar, cast

import psycopg
from psycopg.types.array import ListBinaryDumper
from sqlalchemy import ARRAY, LargeBinary, Text, bindparam, func, select, text, type_coerce, update
from sqlalchemy import cast as cast_to
from sqlalchemy.dialects.postgresql import JSONB, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine
from sqlalchemy.types import TypeDecorator, UserDefinedType

from openami.shared.array_literals import ArrayLiteral, array_literal
from openami.shared.packing import PackedOctets, pack

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine, Iterable, Mapping, Sequence

    from psycopg import AsyncConnection as PsycopgConnection
    from sqlalchemy import ColumnElement, Connection, Dialect, Table, TableValuedAlias, Update
    from sqlalchemy.dialects.postgresql import Insert
    from sqlalchemy.types import TypeEngine

_T = TypeVar("_T")

_WAKE_UPS = "openami_wake_ups"
_PASSING = frozenset({"40001", "40P01", "55P03"})  # serialization failure, deadlock, lock not available
POOL_SIZE = 24  # four areas of these stay well below what the embedded server admits (200)


class Database:
    """The database of one area."""

    def __init__(self, url: str, *, pool_size: int = POOL_SIZE) -> None:
        """Take a `postgresql+psycopg://` URL; nothing is opened before first use.

        Connections are not tried out before each use: that is a round trip every time, and after a restart of the
        server the pool is renewed at the first error, which every loop and every sender of ours survives. The one
        that was used last is used next: it has the statements prepared and the server's caches filled.
        """
        self.url = url
        self.engine = create_async_engine(url, pool_size=pool_size, max_overflow=0, pool_use_lifo=True)
        self._reader = self.engine.execution_options(isolation_level="AUTOCOMMIT")

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncConnection]:
        """A transaction: committed at the end of the block, rolled back on an error, wake-ups fired after commit."""
        async with self.engine.begin() as transaction:
            wake_ups: list[asyncio.Event] = []
            transaction.info[_WAKE_UPS] = wake_ups
            yield transaction
        for event in wake_ups:
            event.set()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reading: each statement is its own, which spares the round trips of BEGIN and ROLLBACK."""
        async with self._reader.connect() as connection:
            yield connection

    async def answer(self) -> None:
        """Ask it something, for what comes of it alone: it answers, or the driver says why not."""
        async with self.read() as connection:
            await connection.execute(text("SELECT 1"))

    async def migrate(self, package: str) -> None:
        """Bring the database to the newest revision in the folder `migrations` of a package (`openami.office`)."""
        from alembic import command  # noqa: PLC0415 - a second of imports that only this needs
        from alembic.config import Config  # noqa: PLC0415

        def upgrade(connection: Connection) -> None:
            config = Config()
            config.set_main_option("script_location", f"{package}:migrations")
            config.attributes["connection"] = connection
            command.upgrade(config, "head")

        async with self.engine.begin() as transaction:
            await transaction.run_sync(upgrade)

    async def close(self) -> None:
        """Return all connections."""
        await self.engine.dispose()


def is_passing(error: BaseException) -> bool:
    """True for what the same work may not meet again: it gave way to another transaction, or a lock was held."""
    state = getattr(error.orig, "sqlstate", None) if isinstance(error, DBAPIError) else None
    return state in _PASSING


def is_lost(error: BaseException) -> bool:
    """True if the connection is gone, and its transaction with it."""
    return isinstance(error, DBAPIError) and error.connection_invalidated


def after_commit(transaction: AsyncConnection, event: asyncio.Event) -> None:
    """Set `event` once the surrounding `Database.begin()` has committed."""
    transaction.info[_WAKE_UPS].append(event)


async def uninterrupted(work: Coroutine[Any, Any, _T]) -> _T:
    """Do something to its end, even if the caller is cancelled meanwhile; the caller hears of that afterwards.

    Every COPY goes through here: one that is cut off takes the cancellation for its own end, so that it gets lost, and
    leaves a connection behind that nobody can use.
    """
    task = asyncio.ensure_future(work)
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        while not task.done():
            with suppress(asyncio.CancelledError):
                await asyncio.wait([task])
        if not task.cancelled():
            task.exception()  # nobody else will ask
        raise


async def psycopg_connection(transaction: AsyncConnection) -> PsycopgConnection[Any]:
    """The psycopg connection below a SQLAlchemy one, for COPY and advisory locks; it stays in the transaction."""
    raw = await transaction.get_raw_connection()
    return cast("PsycopgConnection[Any]", raw.driver_connection)


def insert_rows(table: Table, columns: Sequence[str], *, for_all: Sequence[str] = ()) -> Insert:
    """An insert of any number of rows: a list a column, and one value for those that all rows share.

    One statement whatever the number, so it is prepared once; its order is the order of the lists.
    """
    rows = rows_given(table, columns)
    shared = [bindparam(f"given_{name}", type_=table.c[name].type).label(name) for name in for_all]
    query = select(*(rows.c[name] for name in columns), *shared).order_by(rows.c.place)
    return insert(table).from_select([*columns, *for_all], query)


def upsert_rows(table: Table, columns: Sequence[str]) -> Insert:
    """An insert of any number of rows, none of them twice; one whose primary key is known gets the other values."""
    statement = insert_rows(table, columns)
    keys = [column.name for column in table.primary_key]
    changed = {name: statement.excluded[name] for name in columns if name not in keys}
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


def update_rows(table: Table, columns: Sequence[str], *, key: str) -> Update:
    """An update of any number of rows, found by `key`: a list a column."""
    rows = rows_given(table, columns)
    return (
        update(table).where(table.c[key] == rows.c[key]).values({name: rows.c[name] for name in columns if name != key})
    )


def given(columns: Mapping[str, object]) -> dict[str, object]:
    """The parameters of `insert_rows` and `update_rows`: their names must not be those of the columns."""
    return {f"given_{name}": values for name, values in columns.items()}


def columns_of(values: Sequence[object], names: Sequence[str]) -> dict[str, object]:
    """Attributes of values, a list each: the columns of their rows."""
    return {name: [getattr(one, name) for one in values] for name in names}


def lists_of(rows: Sequence[Mapping[str, object]], names: Iterable[str]) -> dict[str, object]:
    """The same of rows that are there already."""
    return {name: [row[name] for row in rows] for name in names}


class _Octets(list[bytes | None]):
    """Values that go to the server as they are: as text each octet would be written, quoted and read in hexadecimal."""


psycopg.adapters.register_dumper(_Octets, ListBinaryDumper)


class _OctetsArray(UserDefinedType[list[bytes | None]]):
    """`bytea[]`, sent in binary form."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: object) -> str:
        return "BYTEA[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[list[bytes | None] | None], _Octets]:  # noqa: ARG002
        return lambda octets: _Octets(octets or ())


class _PackedArray(_OctetsArray):
    """The same for a column of `PackedOctets`."""

    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[list[bytes | None] | None], _Octets]:  # noqa: ARG002
        return lambda octets: _Octets([None if each is None else pack(each) for each in octets or ()])


class _JsonArray(UserDefinedType[list[object]]):
    """`jsonb[]`; None is no value, not the null of JSON."""

    cache_ok = True
    render_bind_cast = True

    def get_col_spec(self, **_: object) -> str:
        return "JSONB[]"

    def bind_processor(self, dialect: Dialect) -> Callable[[list[object] | None], str]:  # noqa: ARG002
        return lambda values: array_literal([None if value is None else json.dumps(value) for value in values or ()])


class SharedJson(TypeDecorator[Any]):
    """`jsonb` whose values many rows have in common: each is read once, and nobody may change what he gets."""

    impl = JSONB
    cache_ok = True

    def column_expression(self, column: ColumnElement[Any]) -> ColumnElement[Any]:
        """As a text, which the driver leaves alone."""
        return type_coerce(cast_to(column, Text), self)

    def process_result_value(self, value: Any | None, dialect: Dialect) -> Any:  # noqa: ANN401, ARG002
        """What that text says."""
        return None if value is None else _read_json(value)


@lru_cache(maxsize=1024)
def _read_json(value: str) -> Any:  # noqa: ANN401
    return json.loads(value)


def array_of(element: TypeEngine[Any]) -> TypeEngine[Any]:
    """The type of a parameter that holds many values of a column's type."""
    if isinstance(element, JSONB | SharedJson):
        return _JsonArray()
    if isinstance(element, PackedOctets):
        return _PackedArray()
    if isinstance(element, LargeBinary):
        return _OctetsArray()
    return ArrayLiteral.of(element) or ARRAY(element, dimensions=1)


def rows_given(table: Table, columns: Sequence[str]) -> TableValuedAlias:
    """The rows of a statement of one's own: its parameters are those of `given`."""
    arrays = [bindparam(f"given_{name}", type_=array_of(table.c[name].type)) for name in columns]
    return func.unnest(*arrays).table_valued(*columns, with_ordinality="place").render_derived("given")
