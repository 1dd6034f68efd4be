"""Tasks of the field crew: asked for once, assigned, done, asked for again by what happens later."""

from __future__ import annotations

import csv
import io
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import insert

from openami.mdus.registry.tables import channel_table
from openami.mdus.tables import audit
from openami.mdus.vee import inspections
from openami.mdus.vee.inspections import ASSIGNED, DONE, OPEN, InspectionError
from openami.mdus.vee.model import Finding
from openami.shared.audit import verify
from openami.shared.quality import Verdict
from openami.shared.spreadsheet import as_csv

if TYPE_CHECKING:
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

DAY = date(2026, 3, 4)
AT = datetime(2026, 3, 5, 5, tzinfo=UTC)


def finding(channel: int = 1, rule: str = "V03", day: date = DAY, **said: Any) -> Finding:
    return Finding(rule, channel, day, Verdict.WV, (0,), said)


async def asked(mdus: Database, *findings: Finding, at: datetime = AT) -> list[tuple[str, str, date, str]]:
    """What is to be done after some findings: device, rule, day, state."""
    async with mdus.begin() as tx:
        await inspections.ask(tx, findings, at)
    return await to_do(mdus)


async def to_do(mdus: Database, state: str = "") -> list[tuple[str, str, date, str]]:
    async with mdus.begin() as tx:
        return [(one["device"], one["rule"], one["day"], one["state"]) for one in await inspections.listed(tx, state)]


async def change(mdus: Database, number: int, state: str, words: str, person: str = "Ada", at: datetime = AT) -> None:
    async with mdus.begin() as tx:
        await inspections.change(tx, number, state, words, person, at)


async def test_only_findings_that_ask_for_it_are_tasks(mdus: Database) -> None:
    said_no = [finding(inspect=False), finding(drift_s=200), finding(rule="V15")]
    assert await asked(mdus, *said_no) == []
    tasks = [finding(inspect=True), finding(2, "V27", days_in_row=4), finding(3, "WA1", slots=96)]
    assert [(device, rule) for device, rule, _, _ in await asked(mdus, *tasks)] == [
        ("1", "V03"), ("2", "V27"), ("3", "WA1"),
    ]  # fmt: skip


async def test_of_a_device_and_a_rule_there_is_one_task_however_often_it_is_asked_for(mdus: Database) -> None:
    async with mdus.begin() as tx:
        for channel in (1, 2):
            column = {"unit": "Wh", "scale": 0, "interval_s": 1800, "zone": "UTC", "step": 1, "obis": "1-0:1.29.0"}
            names = {"device_key": "E1", "device": "E1", "task": f"t{channel}", "task_key": f"t{channel}"}
            span = {"start_at": AT - timedelta(days=9), "end_at": AT + timedelta(days=9)}
            await tx.execute(insert(channel_table).values(**required({**column, **names, **span})))
    later = finding(2, day=DAY + timedelta(days=1), inspect=True)
    both = [later, finding(1, inspect=True), finding(1, "V27")]
    expected = [("E1", "V03", DAY, OPEN), ("E1", "V27", DAY, OPEN)]
    assert sorted(await asked(mdus, *both)) == expected
    assert sorted(await asked(mdus, *both, later)) == expected, "a day is reviewed more than once"


def required(given: dict[str, Any]) -> dict[str, Any]:
    """Values for every column that must have one."""
    kinds: dict[type, Any] = {str: "", int: 0, bool: False}
    found = dict(given)
    for column in channel_table.columns:
        if not (column.nullable or column.server_default is not None or column.identity or column.name in found):
            found[column.name] = kinds.get(column.type.python_type, "")
    return found


async def test_it_is_assigned_then_done_and_asked_for_again_only_by_a_later_day(mdus: Database) -> None:
    await asked(mdus, finding(inspect=True))
    await change(mdus, 1, ASSIGNED, "Jansen")
    await change(mdus, 1, ASSIGNED, "de Vries")
    async with mdus.begin() as tx:
        (task,) = await inspections.listed(tx, ASSIGNED)
    assert (task["assigned_to"], task["note"], task["raised_at"]) == ("de Vries", "", AT)
    assert task["sentence"] == "The meter's clock agrees with the reader's."
    await change(mdus, 1, DONE, " Battery replaced ", at=AT + timedelta(days=2))
    assert await to_do(mdus) == []
    assert await to_do(mdus, DONE) == [("1", "V03", DAY, DONE)]
    assert await asked(mdus, finding(inspect=True), finding(day=DAY + timedelta(days=3), inspect=True)) == []
    again = DAY + timedelta(days=4)
    assert await asked(mdus, finding(day=again, inspect=True)) == [("1", "V03", again, OPEN)]
    async with mdus.begin() as tx:
        assert await verify(tx, audit) == 3, "each change is kept with who made it"


@pytest.mark.parametrize(
    ("number", "words", "person"), [(2, "x", "Ada"), (1, " ", "Ada"), (1, "x", ""), (1, "x" * 501, "Ada")]
)
async def test_a_change_names_somebody_says_something_and_finds_its_task(
    mdus: Database, number: int, words: str, person: str
) -> None:
    await asked(mdus, finding(inspect=True))
    for state in (ASSIGNED, DONE):
        with pytest.raises(InspectionError):
            await change(mdus, number, state, words, person)
    assert await to_do(mdus) == [("1", "V03", DAY, OPEN)]


async def test_what_is_done_stays_done(mdus: Database) -> None:
    await asked(mdus, finding(inspect=True))
    await change(mdus, 1, DONE, "Nothing found")
    for state in (ASSIGNED, DONE):
        with pytest.raises(InspectionError, match="No inspection 1 is to be done"):
            await change(mdus, 1, state, "again")


async def test_an_unknown_state_is_told(mdus: Database) -> None:
    with pytest.raises(InspectionError, match="'lost' is no state"):
        await to_do(mdus, "lost")


async def test_the_table_is_csv_in_which_no_text_is_a_formula(mdus: Database) -> None:
    await asked(mdus, finding(drift_s=-300, inspect=True))
    await change(mdus, 1, DONE, '=cmd|"x", then\nmore')
    async with mdus.begin() as tx:
        text = as_csv(await inspections.listed(tx, DONE))
    header, row = csv.reader(io.StringIO(text))
    found = dict(zip(header, row, strict=True))
    assert (found["said.drift_s"], found["said.inspect"], found["note"]) == ("-300", "True", '\'=cmd|"x", then\nmore')
    assert (found["device"], found["day"], found["state"]) == ("1", "2026-03-04", DONE)


async def test_the_list_is_served_and_changed_over_http(world: Any) -> None:
    headers = {"authorization": "Bearer token"}
    async with world.middle.database.begin() as tx:
        await inspections.ask(tx, [finding(inspect=True)], AT)
    (task,) = (await world.api("/api/inspections"))["inspections"]
    assert (task["state"], task["day"]) == (OPEN, "2026-03-04")
    path = f"/api/inspections/{task['number']}"
    said = {"person": "Ada", "to": "Jansen"}
    assert (await world.client.post(f"{path}/assign", json=said, headers=headers)).status_code == 200
    assert (await world.client.post(f"{path}/done", json={"person": "Ada"}, headers=headers)).status_code == 422
    table = await world.client.get("/api/inspections.csv", headers=headers)
    assert (table.headers["content-type"].split(";")[0], "Jansen" in table.text) == ("text/csv", True)
    note = {"person": "Ada", "note": "Clock set"}
    assert (await world.client.post(f"{path}/done", json=note, headers=headers)).json()["state"] == DONE
    assert (await world.api("/api/inspections"))["inspections"] == []
    assert (await world.client.get("/api/inspections?state=x", headers=headers)).status_code == 422
