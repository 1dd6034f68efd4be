from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from openami.office.commands import BadFieldError, Command
from openami.office.tables import audit
from openami.shared.audit import verify

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.office.conftest import Desk, Middle

    from openami.shared.database import Database

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)


def _command(**body: Any) -> Command:
    return Command("test", body)


def test_fields_are_read_as_what_they_are() -> None:
    command = _command(name=" Ann ", number=7, day="2026-03-01", at="2026-03-01T13:00:00+01:00", amount="1.50")
    assert command.text("name") == "Ann"
    assert command.text("number") == "7"
    assert command.text("other", "default") == "default"
    assert command.date("day", None) == date(2026, 3, 1)
    assert command.instant("at", NOON) == NOON
    assert command.instant("missing", NOON) == NOON
    assert command.amount("amount") == Decimal("1.50")
    assert command.amount("missing") is None
    assert _command(amount=3).amount("amount") == 3


@pytest.mark.parametrize(
    "read",
    [
        lambda command: command.text("missing"),
        lambda command: command.text("empty"),
        lambda command: command.text("list"),
        lambda command: command.text("yes"),
        lambda command: command.date("missing", None),
        lambda command: command.date("word", None),
        lambda command: command.instant("word", NOON),
        lambda command: command.instant("naive", NOON),
        lambda command: command.amount("float"),
        lambda command: command.amount("word"),
        lambda command: command.amount("nan"),
        lambda command: command.amount("yes"),
        lambda command: command.amount("huge"),
        lambda command: command.money("missing"),
        lambda command: command.money("fine"),
        lambda command: command.date("first_day", None),
        lambda command: command.instant("last_instant", NOON),
        lambda command: command.parts("empty_list"),
        lambda command: command.parts("words"),
    ],
)
def test_what_cannot_be_read_says_what_was_found_and_what_to_do(read: Callable[[Command], object]) -> None:
    command = _command(
        empty=" ", list=[1], yes=True, word="soon", naive="2026-03-01T12:00:00", float=1.5, nan="NaN",
        empty_list=[], words=["a"], huge="1e999999999", fine="1.005", first_day="0001-01-01",
        last_instant="9999-12-31T23:59:59-12:00",
    )  # fmt: skip
    with pytest.raises(BadFieldError) as caught:
        read(command)
    assert caught.value.found
    assert caught.value.hint


def test_a_body_without_the_list_is_its_only_element() -> None:
    command = _command(serial="A")
    assert command.parts("devices") == [command]
    assert [part.text("serial") for part in _command(devices=[{"serial": "A"}, {"serial": "B"}]).parts("devices")] == [
        "A",
        "B",
    ]


@pytest.mark.postgres
async def test_every_command_leaves_a_sealed_audit_record(desk: Desk, middle: Middle, database: Database) -> None:
    home = await desk.home()
    await desk.post("/api/disconnections", device="E0001", amount_due="50", why="third reminder", who="ann")
    await desk.post("/api/disconnections", expect=422, device="E0001")
    async with database.begin() as transaction:
        assert await verify(transaction, audit) == 3
        rows = (await transaction.execute(audit.select().order_by(audit.c.sequence))).all()
    assert [row.action for row in rows] == ["devices/receive", "installations", "disconnections"]
    assert (rows[-1].actor, rows[-1].reason, rows[-1].subject) == ("ann", "third reminder", home["contract"])


@pytest.mark.postgres
async def test_a_body_that_is_no_object_is_refused(desk: Desk, middle: Middle) -> None:
    for body in (b"[]", b"nonsense", b'{"device": "a\\u0000b"}', b'{"device": "\\ud800"}', b"[" * 100_000, b"\xff"):
        response = await middle.client.post("/api/payments", content=body, headers={"authorization": "Bearer token"})
        assert response.status_code == 422
        assert response.json()["found"]
    stranger = await middle.client.post("/api/payments", json={})
    assert stranger.status_code == 401


@pytest.mark.postgres
async def test_what_is_not_there_is_said_clearly(desk: Desk) -> None:
    for path in ("/api/devices/nobody", "/api/bills/77", "/api/bills/77.html", "/api/bills/77/recompute"):
        answer = await desk.get(path, expect=422)
        assert answer["found"]
        assert answer["hint"]
    bad = await desk.get("/api/devices/nobody/series?first=soon", expect=422)
    assert bad["error"] == "BadFieldError"
