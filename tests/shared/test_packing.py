"""Long octets in a column: what is read is what was written, whatever it was, and its length is known unread."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from sqlalchemy import Column, Integer, LargeBinary, MetaData, Table, insert, select, type_coerce

from openami.shared import database as db
from openami.shared.packing import LONG_OCTETS, PackedOctets, pack, true_octets, unpack

if TYPE_CHECKING:
    from openami.shared.database import Database

LINE = b"<IntervalReadings><value>100</value></IntervalReadings>"
THINGS = Table(
    "packed_thing", MetaData(), Column("id", Integer, primary_key=True), Column("octets", PackedOctets, nullable=True)
)


@given(octets=st.binary(max_size=64) | st.binary(min_size=1, max_size=8).map(lambda octets: octets * 2000))
@example(octets=b"")
@example(octets=b"\xb5")
@example(octets=pack(LINE * 100))
def test_what_is_unpacked_is_what_was_packed(octets: bytes) -> None:
    assert unpack(pack(octets)) == octets


def test_few_octets_are_kept_as_they_are_and_many_alike_in_a_fiftieth() -> None:
    assert pack(LINE) == LINE
    assert pack(b"x" * (LONG_OCTETS - 1)) == b"x" * (LONG_OCTETS - 1)
    assert len(pack(LINE * 1000)) * 50 < len(LINE) * 1000


def test_noise_grows_by_little() -> None:
    noise = os.urandom(10_000)
    assert len(pack(noise)) < len(noise) + 32


def test_what_a_stranger_sends_is_never_taken_for_packed() -> None:
    forged = b"\xb5" + (10**9).to_bytes(4, "big") + b"no frame at all"
    assert pack(forged) != forged
    assert unpack(pack(forged)) == forged


@pytest.mark.postgres
async def test_a_column_reads_what_was_written_one_by_one_and_in_lists(database: Database) -> None:
    written = [LINE * 1000, b"", LINE, None, b"\xb5" + LINE, os.urandom(LONG_OCTETS)]
    async with database.begin() as transaction:
        await transaction.run_sync(THINGS.metadata.create_all)
        for octets in written:
            await transaction.execute(insert(THINGS).values(octets=octets))
        await transaction.execute(db.insert_rows(THINGS, ("octets",)), db.given({"octets": written}))
        found = (await transaction.execute(select(THINGS.c.octets).order_by(THINGS.c.id))).scalars().all()
        assert found == written + written
        stored = select(type_coerce(THINGS.c.octets, LargeBinary)).order_by(THINGS.c.id)
        kept = (await transaction.execute(stored)).scalars().all()
        assert kept == [None if octets is None else pack(octets) for octets in written * 2]


@pytest.mark.postgres
async def test_the_server_tells_the_true_length_of_what_is_packed_and_of_what_is_not(database: Database) -> None:
    written = [LINE * 1000, LINE, b"", b"\xb5" + LINE]
    async with database.begin() as transaction:
        await transaction.run_sync(THINGS.metadata.create_all)
        await transaction.execute(db.insert_rows(THINGS, ("octets",)), db.given({"octets": written}))
        query = select(true_octets(THINGS.c.octets)).order_by(THINGS.c.id)
        assert (await transaction.execute(query)).scalars().all() == list(map(len, written))


@pytest.mark.postgres
async def test_long_rows_that_were_kept_before_there_was_packing_are_read_as_they_are(database: Database) -> None:
    plain = Table("packed_thing", MetaData(), Column("id", Integer, primary_key=True), Column("octets", LargeBinary))
    async with database.begin() as transaction:
        await transaction.run_sync(THINGS.metadata.create_all)
        await transaction.execute(insert(plain).values(octets=LINE * 1000))
        row = (await transaction.execute(select(THINGS.c.octets, true_octets(THINGS.c.octets)))).one()
    assert tuple(row) == (LINE * 1000, len(LINE) * 1000)
