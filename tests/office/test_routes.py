"""A walk over all routes of the office: without a token or a password only its health and its contract are told."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest
from sqlalchemy import func, select
from starlette.routing import Route

from openami.office.commands import commands
from openami.office.tables import audit
from openami.shared.service import create_app

if TYPE_CHECKING:
    from tests.office.conftest import Desk, Middle

    from openami.shared.database import Database

pytestmark = pytest.mark.postgres
OPEN = {"/healthz", "/readyz", "/metrics"}
"""Beside the descriptions of the services, which are no secret: partners read them before they have a password."""


async def test_strangers_are_told_nothing_and_change_nothing(middle: Middle, database: Database) -> None:
    walked = 0
    for route in create_app(middle.area, token="token").routes:
        assert isinstance(route, Route), "mounted routes would have to be walked, too"
        if route.path in OPEN:
            continue
        path = re.sub(r"{[a-z]+(:[a-z]+)?}", "7", route.path)
        for method in (route.methods or set()) - ({"GET", "HEAD"} if path.startswith("/services") else set()):
            for headers in ({}, {"authorization": "Bearer guess"}, {"authorization": "Basic TURVUzpndWVzcw=="}):
                answer = await middle.client.request(method, path, headers=headers)
                assert answer.status_code == 401, (method, path)
            walked += 1
    assert walked > 50
    async with database.begin() as transaction:
        for table in (commands, audit):
            assert (await transaction.execute(select(func.count()).select_from(table))).scalar_one() == 0


async def test_what_people_do_at_the_console_is_in_the_audit(desk: Desk, database: Database) -> None:
    await desk.post("/api/audit", what="login", who="anna", source="10.0.0.1")
    await desk.post("/api/audit", expect=422, who="anna")
    async with database.begin() as transaction:
        (row,) = (await transaction.execute(select(audit))).all()
    assert (row.actor, row.action, row.subject, row.after) == ("anna", "login", "console", "10.0.0.1")
