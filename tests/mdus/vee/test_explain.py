from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING

import numpy as np
import pytest

from openami.mdus.series import Calendar, ChannelDays, Provenance, RegisterReadings, Series
from openami.mdus.vee.explain import explain, recompute
from openami.shared.quality import EMPTY, MEASURED
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from openami.mdus.vee.handlers import Vee
    from openami.shared.database import Database

pytestmark = [pytest.mark.postgres, pytest.mark.enable_socket]

CALENDAR = Calendar("Europe/Amsterdam", 1800)
AT = datetime(2026, 3, 20, tzinfo=UTC)
DAY = date(2026, 3, 9)


def delivery(day: date, values: list[int | None]) -> ChannelDays:
    packed = np.array([[EMPTY if value is None else MEASURED for value in values]], np.uint8)
    cells = np.array([[value or 0 for value in values]], np.int64)
    return ChannelDays.of(np.array([1]), np.array([day.toordinal()]), cells, packed)


async def story(mdus: Database, series: Series, vee: Vee) -> None:
    """A like day, then a day that comes in two parts and loses an afternoon, with its registers between the parts."""
    morning: list[int | None] = [*range(100, 124), *[None] * 24]
    evening: list[int | None] = [*[None] * 40, *range(140, 148)]
    async with mdus.begin() as tx:
        await vee.accept(
            tx, delivery(date(2026, 3, 2), list(range(100, 148))), Provenance(AT, "unify", "read", "week-1")
        )
        await vee.accept(tx, delivery(DAY, morning), Provenance(AT, "unify", "read", "morning"))
    async with mdus.begin() as tx:
        begin, end = CALENDAR.start_s(DAY.toordinal()), CALENDAR.start_s(DAY.toordinal() + 1)
        readings = RegisterReadings.of([(101, begin, 0, MEASURED), (101, end, 6000, MEASURED)])
        await series.merge_registers(tx, readings, Provenance(AT, "unify", "read", "registers"))
        await vee.accept(tx, delivery(DAY, evening), Provenance(AT, "unify", "read", "evening"))
        await vee.estimate_due(tx, DAY, AT)


async def test_each_value_knows_its_delivery_its_rules_and_its_method(mdus: Database, series: Series, vee: Vee) -> None:
    await story(mdus, series, vee)
    async with mdus.begin() as tx:
        found = await explain(series, tx, 1, local_day("Europe/Amsterdam", DAY))
    assert [one.delivery for one in (found[0], found[23], found[24], found[40])] == [
        "morning",
        "morning",
        "",
        "evening",
    ]
    first, guessed = found[0], found[30]
    assert (first.value, first.quality, first.version, first.author) == (100, "measured, passed", 1, "unify")
    assert first.start == datetime(2026, 3, 8, 23, tzinfo=UTC)
    assert guessed.author == "vee"
    assert guessed.cause.startswith("estimated by default 2026.2 ")
    by_rule = {one.rule: one for one in guessed.fired}
    assert by_rule["E03"].inputs["days"] == [-7]
    assert by_rule["E11"].inputs["advance"] == 6000
    assert by_rule["V05"].sentence == "Every interval in which the channel lives has a value."
    assert sum(one.value for one in found) == 6000


async def test_every_version_comes_out_again_bit_for_bit(mdus: Database, series: Series, vee: Vee) -> None:
    await story(mdus, series, vee)
    async with mdus.begin() as tx:  # what is learned later does not change what was right then
        late = RegisterReadings.of([(101, CALENDAR.start_s(DAY.toordinal() + 1), 6100, MEASURED)])
        await series.merge_registers(tx, late, Provenance(AT, "unify", "correction", "registers-2"))
        await vee.validate_days(tx, [(1, DAY)], AT)
    async with mdus.begin() as tx:
        proofs = await recompute(series, tx, 1, DAY)
        versions = await series.versions(tx, 1, DAY)
    assert [(one.version, one.equal) for one in proofs] == [(1, True), (2, True), (3, True), (4, True)]
    assert [int(one.values.sum()) for one in versions[2:]] == [6000, 6100]


async def forget(mdus: Database, content: str) -> None:
    """Make the kept rule sets such as an earlier version of us would have kept."""
    async with mdus.begin() as tx:
        await tx.exec_driver_sql(f"UPDATE vee_rule_set SET content = {content}")


async def test_what_rules_of_an_earlier_version_judged_comes_out_again(
    mdus: Database, series: Series, vee: Vee
) -> None:
    await story(mdus, series, vee)
    await forget(mdus, "content #- '{V32,nominal_v}' #- '{V32,nominal_a}'")
    async with mdus.begin() as tx:
        assert [one.equal for one in await recompute(series, tx, 1, DAY)] == [True, True, True]


async def test_rules_that_are_not_installed_any_more_prove_nothing_and_say_so(
    mdus: Database, series: Series, vee: Vee
) -> None:
    await story(mdus, series, vee)
    await forget(mdus, """jsonb_set(content, '{checks}', '["V05", "X99"]')""")
    async with mdus.begin() as tx:
        proofs = await recompute(series, tx, 1, DAY)
    assert {(one.equal, one.differing_slots) for one in proofs} == {(False, ())}
    assert all("the rules are not those of then" in one.reason and "X99" in one.reason for one in proofs)


async def test_what_a_rule_found_that_is_not_installed_any_more_is_still_told(
    mdus: Database, series: Series, vee: Vee
) -> None:
    await story(mdus, series, vee)
    async with mdus.begin() as tx:
        await tx.exec_driver_sql("UPDATE vee_finding SET rule = 'X99' WHERE rule = 'V05'")
    async with mdus.begin() as tx:
        found = await explain(series, tx, 1, local_day("Europe/Amsterdam", DAY))
    told = {one.rule: one.sentence for one in found[30].fired}
    assert told["X99"] == "This rule is not installed any more."
    assert told["E03"] != told["X99"]


async def test_a_value_that_was_tampered_with_does_not_come_out_again(mdus: Database, series: Series, vee: Vee) -> None:
    await story(mdus, series, vee)
    async with mdus.begin() as tx:
        version = (await series.versions(tx, 1, DAY))[-1]
        forged = version.values.copy()
        forged[30] += 1
        packed = forged.astype("<i2").tobytes()
        await tx.exec_driver_sql(
            'UPDATE series_day SET "values" = %(v)s WHERE channel = 1 AND day = %(d)s AND version = %(n)s',
            {"v": packed, "d": DAY, "n": version.version},
        )
        proofs = await recompute(series, tx, 1, DAY)
    assert [one.equal for one in proofs] == [True, True, False]
    assert proofs[-1].differing_slots == (30,)
