"""What is done inside a transaction survives that the task is cancelled: the work ends, the connection stays usable."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, Text, select, text
from sqlalchemy.dialects.postgresql import JSONB

from openami.shared.database import (
    Database,
    SharedJson,
    given,
    insert_rows,
    lists_of,
    psycopg_connection,
    uninterrupted,
    upsert_rows,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

ROWS = 2000
TURNS = (*range(12), 16, 24, 40, 80, 160)
"""After how many turns of the event loop the writer is cancelled: before, within and after its COPY."""


async def turns(number: int) -> None:
    for _ in range(number):
        await asyncio.sleep(0)


async def cancelled_after(number: int, task: asyncio.Task[None]) -> bool:
    """Cancel a task after so many turns; whether it was still at work."""
    await turns(number)
    at_work = task.cancel()
    await asyncio.wait([task], timeout=10)
    assert task.done(), "a cancellation got lost"
    assert task.cancelled() is at_work
    return at_work


@pytest.fixture
async def narrow(database: Database) -> AsyncIterator[Database]:
    """A pool of one connection: whoever spoils it spoils it for all."""
    made = Database(database.url, pool_size=1)
    async with made.begin() as transaction:
        await transaction.execute(text("CREATE TABLE heap (number integer)"))
    yield made
    await made.close()


@pytest.mark.postgres
async def test_a_cancelled_copy_gives_its_connection_back_and_does_not_swallow_the_cancellation(
    narrow: Database,
) -> None:
    async def write() -> None:
        async with narrow.begin() as transaction:
            connection = await psycopg_connection(transaction)

            async def copy_in() -> None:
                async with connection.cursor() as cursor, cursor.copy("COPY heap (number) FROM STDIN") as copy:
                    for number in range(ROWS):
                        await copy.write_row((number,))

            await uninterrupted(copy_in())

    stopped = [await cancelled_after(number, asyncio.create_task(write())) for number in TURNS]
    async with asyncio.timeout(10), narrow.begin() as transaction:
        count = (await transaction.execute(text("SELECT count(*) FROM heap"))).scalar_one()
    assert stopped[0]
    assert count % ROWS == 0, "all of a transaction or nothing"
    assert count // ROWS <= len(TURNS) - 1
    await write()
    async with narrow.read() as connection:
        after = (await connection.execute(text("SELECT count(*) FROM heap"))).scalar_one()
    assert after == count + ROWS


async def test_uninterrupted_work_ends_before_the_caller_is_cancelled() -> None:
    steps: list[str] = []
    begun, go_on = asyncio.Event(), asyncio.Event()

    async def work() -> str:
        steps.append("begun")
        begun.set()
        await go_on.wait()
        steps.append("ended")
        return "done"

    task = asyncio.create_task(uninterrupted(work()))
    await begun.wait()
    for _ in range(3):  # whoever is impatient cancels again
        task.cancel()
        await turns(2)
    assert steps == ["begun"]
    go_on.set()
    await asyncio.wait([task])
    assert task.cancelled()
    assert steps == ["begun", "ended"]
    assert await uninterrupted(work()) == "done"


async def test_the_error_of_uninterrupted_work_is_the_callers() -> None:
    async def fail() -> None:
        await asyncio.sleep(0)
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await uninterrupted(fail())
    task = asyncio.create_task(uninterrupted(fail()))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled(), "who was cancelled is not told of errors as well"


async def test_work_that_is_cancelled_itself_cancels_its_caller() -> None:
    async def give_up() -> None:
        raise asyncio.CancelledError

    task = asyncio.create_task(uninterrupted(give_up()))
    await asyncio.wait([task])
    assert task.cancelled()


@pytest.mark.postgres
async def test_rows_in_lists_are_inserted_in_their_order(database: Database) -> None:
    things = Table(
        "thing",
        MetaData(),
        Column("id", Integer, primary_key=True),
        Column("name", Text),
        Column("octets", LargeBinary),
    )
    statement = insert_rows(things, ("name", "octets"))
    async with database.begin() as transaction:
        await transaction.run_sync(things.metadata.create_all)
        for names in (["b", "a"], [], ["c", None]):
            octets = [None if name is None else name.encode() for name in names]
            await transaction.execute(statement, given({"name": names, "octets": octets}))
    async with database.read() as connection:
        rows = (await connection.execute(select(things).order_by(things.c.id))).all()
    assert [tuple(row) for row in rows] == [(1, "b", b"b"), (2, "a", b"a"), (3, "c", b"c"), (4, None, None)]


@pytest.mark.postgres
async def test_known_rows_get_their_other_values_anew(database: Database) -> None:
    things = Table(
        "thing",
        MetaData(),
        Column("bulk", Text, primary_key=True),
        Column("position", Integer, primary_key=True),
        Column("name", Text),
        Column("facts", JSONB),
    )
    statement = upsert_rows(things, ("bulk", "position", "name", "facts"))
    async with database.begin() as transaction:
        await transaction.run_sync(things.metadata.create_all)
        for positions, names in (([1, 2], ["a", "b"]), ([2, 3], ["other", None]), ([], [])):
            columns = {"bulk": ["x"] * len(positions), "position": positions, "name": names}
            await transaction.execute(statement, given(columns | {"facts": [{"name": one} for one in names]}))
    async with database.read() as connection:
        rows = (await connection.execute(select(things).order_by(things.c.position))).all()
    assert [tuple(row) for row in rows] == [
        ("x", 1, "a", {"name": "a"}),
        ("x", 2, "other", {"name": "other"}),
        ("x", 3, None, {"name": None}),
    ]


@pytest.mark.postgres
async def test_json_of_many_rows_comes_back_as_it_was_given(database: Database) -> None:
    things = Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("facts", JSONB))
    statement = insert_rows(things, ("facts",))
    facts: list[object] = [
        {"a": [1, None, True, {"b": {}}]},
        None,
        'say "no"',
        "back\\slash",
        "NULL",
        "",
        [],
        {"{": "},\n\u00e9"},
        10**30,
    ]
    async with database.begin() as transaction:
        await transaction.run_sync(things.metadata.create_all)
        for some in (facts, [], [None]):
            await transaction.execute(statement, given({"facts": some}))
    async with database.read() as connection:
        query = select(things.c.facts, things.c.facts.is_(None)).order_by(things.c.id)
        rows = (await connection.execute(query)).all()
    assert [row[0] for row in rows] == [*facts, None]
    assert [row[1] for row in rows] == [one is None for one in [*facts, None]], "None is no value, not the null of JSON"


def test_rows_become_a_list_a_column() -> None:
    rows: list[dict[str, object]] = [{"b": 1, "a": "x", "left": "out"}, {"a": None, "b": 2, "left": "out"}]
    assert lists_of(rows, ("a", "b")) == {"a": ["x", None], "b": [1, 2]}
    assert lists_of([], ("a",)) == {"a": []}


@pytest.mark.postgres
async def test_octets_go_to_the_server_as_they_are(database: Database) -> None:
    things = Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("octets", LargeBinary))
    statement = insert_rows(things, ("octets",))
    every = bytes(range(256))
    given_ = [every, b"", None, b"\\x00", b"{}", b'"', every * 300, bytes(3)]
    async with database.begin() as transaction:
        await transaction.run_sync(things.metadata.create_all)
        for some in (given_, [None], [None, None], [b""]):
            await transaction.execute(statement, given({"octets": some}))
    async with database.read() as connection:
        found = (await connection.execute(select(things.c.octets).order_by(things.c.id))).scalars().all()
    assert found == [*given_, None, None, None, b""]


@pytest.mark.postgres
async def test_json_that_many_rows_share_is_read_once(database: Database) -> None:
    things = Table("thing", MetaData(), Column("id", Integer, primary_key=True), Column("facts", SharedJson))
    facts: list[Any] = [
        {"b": [1, None, 'ä"{'], "a": {"x": 1.5}},
        [],
        {"a": {"x": 1.5}, "b": [1, None, 'ä"{']},
        None,
        {},
    ]
    async with database.begin() as transaction:
        await transaction.run_sync(things.metadata.create_all)
        await transaction.execute(insert_rows(things, ("facts",)), given({"facts": facts}))
        await transaction.execute(things.insert().values(facts={"alone": True}))
        joined = things.c.facts.concat({"z": 0})
        await transaction.execute(things.update().where(things.c.id == 5).values(facts=joined))
    async with database.read() as connection:
        query = select(things.c.facts).order_by(things.c.id)
        found, again = [(await connection.execute(query)).scalars().all() for _ in range(2)]
        rows = (await connection.execute(select(things).where(things.c.id == 1))).all()
    assert found == [*facts[:4], {"z": 0}, {"alone": True}]
    assert found[0] is found[2], "PostgreSQL writes equal values alike"
    assert found[0] is again[0] is rows[0].facts
