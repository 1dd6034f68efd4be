from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import ChannelDays, Provenance, Series
from openami.mdus.tables import audit
from openami.mdus.vee.editing import Action, Edit, Editing, EditRefusedError
from openami.shared.audit import verify
from openami.shared.quality import MEASURED, Origin, Verdict, origins, verdicts
from openami.shared.spans import Span

if TYPE_CHECKING:
    from openami.mdus.vee.handlers import Vee
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

AT = datetime(2026, 3, 20, tzinfo=UTC)
BY = Provenance(AT, "unify", "read", "d1")
HOUR = Span(datetime(2026, 3, 2, 8, tzinfo=UTC), datetime(2026, 3, 2, 9, tzinfo=UTC))  # slots 18 and 19
MIDNIGHT = Span(datetime(2026, 3, 2, 22, tzinfo=UTC), datetime(2026, 3, 3, 0, tzinfo=UTC))
MINE = Edit(1, HOUR, Action.SET, "read off the display", (70, 80))


@pytest.fixture
async def filled(mdus: Database, vee: Vee) -> Database:
    async with mdus.begin() as tx:
        for channel in (1, 2):
            for day in (2, 3):
                values = np.full((1, 48), 100 * channel + day)
                batch = ChannelDays.of(
                    np.array([channel]),
                    np.array([date(2026, 3, day).toordinal()]),
                    values,
                    np.full((1, 48), MEASURED, np.uint8),
                )
                await vee.accept(tx, batch, BY)
    return mdus


async def current(mdus: Database, series: Series, day: int = 2) -> ChannelDays:
    async with mdus.begin() as tx:
        number = date(2026, 3, day).toordinal()
        (found,) = await series.days(tx, [1], range(number, number + 1))
    return found


async def test_an_edit_is_previewed_applied_and_audited(filled: Database, series: Series, vee: Vee) -> None:
    editing = Editing(series, vee)
    async with filled.begin() as tx:
        cells = await editing.preview(tx, MINE)
        await editing.propose(tx, MINE, "anna", AT)
        (version,) = (await series.versions(tx, 1, date(2026, 3, 2)))[1:]
        entries = (await tx.execute(audit.select().order_by(audit.c.sequence))).all()
        assert await verify(tx, audit) == 2
    assert [(cell.slot, cell.before, cell.before_quality, cell.after) for cell in cells] == [
        (18, 102, "measured, passed", 70),
        (19, 102, "measured, passed", 80),
    ]
    found = await current(filled, series)
    assert found.values[0, 17:21].tolist() == [102, 70, 80, 102]
    assert origins(found.quality)[0, 17:21].tolist() == [Origin.MEASURED, Origin.EDITED, Origin.EDITED, Origin.MEASURED]
    assert (version.author, version.cause.endswith("read off the display")) == ("anna", True)
    assert [entry.action for entry in entries] == ["edit proposed", "edit applied"]
    assert entries[1].before["2026-03-02"]["18"][0] == 102
    assert entries[1].after["2026-03-02"]["18"][0] == 70


async def test_no_delivery_and_no_rule_changes_what_a_person_set(filled: Database, series: Series, vee: Vee) -> None:
    async with filled.begin() as tx:
        await Editing(series, vee).propose(tx, MINE, "anna", AT)
        again = ChannelDays.of(
            np.array([1]),
            np.array([date(2026, 3, 2).toordinal()]),
            np.full((1, 48), 55),
            np.full((1, 48), MEASURED, np.uint8),
        )
        await vee.accept(tx, again, BY)
    found = await current(filled, series)
    assert found.values[0, 17:21].tolist() == [55, 70, 80, 55]
    assert verdicts(found.quality)[0, 18:20].tolist() == [Verdict.MA] * 2


async def test_undoing_puts_back_what_was_there(filled: Database, series: Series, vee: Vee) -> None:
    editing = Editing(series, vee)
    before = await current(filled, series)
    async with filled.begin() as tx:
        number = await editing.propose(tx, MINE, "anna", AT)
        await editing.undo(tx, number, "ben", "wrong meter", AT)
        with pytest.raises(EditRefusedError, match="is undone, not applied"):
            await editing.undo(tx, number, "ben", "again", AT)
    after = await current(filled, series)
    np.testing.assert_array_equal(after.values, before.values)
    np.testing.assert_array_equal(after.quality, before.quality)
    assert after.version.tolist() == [3]


async def test_undoing_leaves_alone_what_was_edited_since(filled: Database, series: Series, vee: Vee) -> None:
    editing = Editing(series, vee)
    half_hour = Span(HOUR.start, datetime(2026, 3, 2, 8, 30, tzinfo=UTC))
    async with filled.begin() as tx:
        number = await editing.propose(tx, MINE, "anna", AT)
        await editing.propose(tx, Edit(1, half_hour, Action.SET, "read again", (71,)), "carl", AT)
        await editing.undo(tx, number, "ben", "wrong meter", AT)
    assert (await current(filled, series)).values[0, 18:20].tolist() == [71, 102]


async def test_where_the_setting_says_so_another_person_must_approve(
    filled: Database, series: Series, vee: Vee
) -> None:
    editing = Editing(series, vee, second_person=True)
    async with filled.begin() as tx:
        number = await editing.propose(tx, MINE, "anna", AT)
        with pytest.raises(EditRefusedError, match="Another person must approve"):
            await editing.approve(tx, number, "anna", AT)
    assert (await current(filled, series)).values[0, 18] == 102
    async with filled.begin() as tx:
        await editing.approve(tx, number, "ben", AT)
    assert (await current(filled, series)).values[0, 18] == 70


async def test_values_are_accepted_and_substituted_across_midnight(filled: Database, series: Series, vee: Vee) -> None:
    editing = Editing(series, vee)
    async with filled.begin() as tx:
        await editing.propose(tx, Edit(1, HOUR, Action.ACCEPT, "checked on site"), "anna", AT)
        await editing.propose(tx, Edit(1, MIDNIGHT, Action.SUBSTITUTE, "display broken", source_channel=2), "anna", AT)
    second, third = await current(filled, series, 2), await current(filled, series, 3)
    assert verdicts(second.quality)[0, 18:20].tolist() == [Verdict.MA] * 2
    assert second.values[0, 18:20].tolist() == [102, 102]
    assert second.values[0, 45:].tolist() == [102, 202, 202]
    assert third.values[0, :3].tolist() == [203, 203, 103]
    assert origins(third.quality)[0, :2].tolist() == [Origin.SUBSTITUTED] * 2


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (Edit(1, HOUR, Action.SET, " ", (1, 2)), "needs a reason"),
        (Edit(1, HOUR, Action.SET, "because", (1,)), "has 2 intervals, 1 values"),
        (Edit(1, HOUR, Action.SUBSTITUTE, "because"), "needs a source"),
        (Edit(1, HOUR, Action.SUBSTITUTE, "because", source_channel=3), "has gaps in the span itself"),
        (Edit(3, HOUR, Action.ACCEPT, "because"), "nothing to accept"),
    ],
)
async def test_an_edit_that_does_not_fit_is_refused(
    filled: Database, series: Series, vee: Vee, edit: Edit, message: str
) -> None:
    async with filled.begin() as tx:
        with pytest.raises(EditRefusedError, match=message):
            await Editing(series, vee).propose(tx, edit, "anna", AT)
