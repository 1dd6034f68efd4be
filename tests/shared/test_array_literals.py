from __future__ import annotations

import datetime as dt
import uuid
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import JSON, BigInteger, Boolean, Date, DateTime, Text, Uuid, bindparam, func, select

from openami.shared.array_literals import ArrayLiteral, array_literal

if TYPE_CHECKING:
    from openami.shared.database import Database

AT = dt.datetime(2026, 3, 29, 1, 30, 0, 250, dt.timezone(dt.timedelta(hours=2)))
AWKWARD = [
    "",
    "plain",
    "NULL",
    "null",
    'a "quote"',
    "back\\slash",
    "{curly}",
    "com,ma",
    " space ",
    "new\nline",
    "tab\t",
    "é✓",
]


@pytest.mark.parametrize(
    ("values", "literal"),
    [
        ([], "{}"),
        (["a", "b"], '{"a","b"}'),
        (["a", None], '{"a",NULL}'),
        (['"', "\\"], '{"\\"","\\\\"}'),
        ([1, None, -3], "{1,NULL,-3}"),
        (np.array([1, -3]), "{1,-3}"),
        ([True, False], "{True,False}"),
        (np.array(["2026-03-20T00:00:01"], "datetime64[us]"), '{"2026-03-20T00:00:01.000000Z"}'),
        ([dt.date(2026, 3, 20)], "{2026-03-20}"),
        ([None, None], "{NULL,NULL}"),
    ],
)
def test_literals(values: Any, literal: str) -> None:
    assert array_literal(values) == literal


@given(st.lists(st.none() | st.text()))
def test_texts_are_quoted_so_that_each_stays_one(values: list[str | None]) -> None:
    found: list[str | None] = []
    rest = array_literal(values)[1:-1]
    while rest:
        if rest.startswith("NULL"):
            found.append(None)
            rest = rest[5:]
            continue
        text, place = "", 1
        while rest[place] != '"':
            place += rest[place] == "\\"
            text += rest[place]
            place += 1
        found.append(text)
        rest = rest[place + 2 :]
    assert found == values


@pytest.mark.postgres
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        (Text(), [*AWKWARD, None]),
        (Text(), AWKWARD),
        (Text(), []),
        (BigInteger(), [2**63 - 1, -(2**63), None, 0]),
        (Boolean(), [True, None, False]),
        (DateTime(timezone=True), [AT, None, dt.datetime(9999, 12, 31, 23, 59, 59, 999999, dt.UTC)]),
        (Date(), [dt.date(1, 1, 1), dt.date(9999, 12, 31), None]),
        (Uuid(), [uuid.UUID(int=7), None]),
    ],
)
async def test_the_database_reads_what_was_meant(database: Database, kind: Any, values: list[Any]) -> None:
    literal = ArrayLiteral.of(kind)
    assert literal is not None
    given_ = (
        func.unnest(bindparam("given", type_=literal)).table_valued("value", with_ordinality="place").render_derived()
    )
    async with database.read() as connection:
        query = select(given_.c.value).order_by(given_.c.place)
        assert list(await connection.scalars(query, {"given": values})) == values


def test_other_kinds_are_left_to_the_driver() -> None:
    assert ArrayLiteral.of(JSON()) is None
