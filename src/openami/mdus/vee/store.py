"""Findings and open days, written in the transaction that keeps the version they are about."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

import numpy as np
from psycopg.sql import SQL
from sqlalchemy import select, text
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.series.knowledge import Knowledge, knowledge_clause
from openami.mdus.series.packing import array_literal
from openami.mdus.vee import tables
from openami.mdus.vee.catalogue import checks
from openami.mdus.vee.model import Finding
from openami.mdus.vee.ruleset import as_json, from_content
from openami.shared.database import psycopg_connection
from openami.shared.quality import Verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from datetime import date, datetime

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.knowledge import AsOf
    from openami.mdus.series.model import ChannelDays
    from openami.mdus.vee.ruleset import RuleSet

_CLOSE: Final = text(
    "DELETE FROM vee_open_day o USING unnest(CAST(:channels AS bigint[]), CAST(:days AS int[])) AS k (channel, day)"
    " WHERE o.channel = k.channel AND o.day = DATE '0001-01-01' + (k.day - 1)"
)
_OPEN: Final = text(
    "INSERT INTO vee_open_day (channel, day, slots, tried)"
    " SELECT k.channel, DATE '0001-01-01' + (k.day - 1), k.slots, :tried"
    " FROM unnest(CAST(:channels AS bigint[]), CAST(:days AS int[]), CAST(:slots AS int[])) AS k (channel, day, slots)"
    " ON CONFLICT (day, channel) DO UPDATE SET slots = excluded.slots, tried = excluded.tried"
)
_FINDINGS: Final = text(
    "INSERT INTO vee_finding AS f (day, channel, version, rule, verdict, slots, inputs, rule_set, recorded_at)"
    " SELECT r.day, r.channel, r.version, r.rule, r.verdict, r.slots, r.inputs, :stamp, :at"
    " FROM jsonb_to_recordset(CAST(:rows AS jsonb)) AS r (day date, channel bigint, version int, rule text,"
    " verdict int, slots int[], inputs jsonb)"
    " ON CONFLICT (day, channel, version, rule) DO UPDATE SET verdict = excluded.verdict, slots = excluded.slots,"
    " inputs = excluded.inputs, rule_set = excluded.rule_set, recorded_at = excluded.recorded_at"
    " WHERE (f.verdict, f.slots, f.inputs, f.rule_set)"
    " IS DISTINCT FROM (excluded.verdict, excluded.slots, excluded.inputs, excluded.rule_set)"
)
_RETRACT: Final = text(
    "DELETE FROM vee_finding f"
    " USING unnest(CAST(:channels AS bigint[]), CAST(:days AS int[]), CAST(:versions AS int[])) AS k (channel, day, n)"
    " WHERE f.channel = k.channel AND f.day = DATE '0001-01-01' + (k.day - 1) AND f.version = k.n"
    " AND f.rule = ANY(CAST(:checks AS text[])) AND (f.channel, f.day, f.rule) NOT IN"
    " (SELECT r.channel, r.day, r.rule FROM jsonb_to_recordset(CAST(:rows AS jsonb))"
    " AS r (channel bigint, day date, rule text))"
)
_ESTIMATED: Final = SQL(
    "SELECT DISTINCT d.channel, d.day - DATE '0001-01-01' + 1 FROM vee_finding d"
    " WHERE d.channel = ANY(%(channels)s::bigint[]) AND d.rule LIKE 'E%%' {as_of}"
    " AND d.day BETWEEN DATE '0001-01-01' + (%(first)s - 1) AND DATE '0001-01-01' + (%(last)s - 1) ORDER BY 1, 2"
)
_REVIEW_LATER: Final = text(
    "INSERT INTO vee_review_due (channel, day)"
    " SELECT k.channel, DATE '0001-01-01' + (k.day - 1)"
    " FROM unnest(CAST(:channels AS bigint[]), CAST(:days AS int[])) AS k (channel, day) ON CONFLICT DO NOTHING"
)
_TO_REVIEW: Final = text(
    "DELETE FROM vee_review_due d USING"
    " (SELECT channel, day FROM vee_review_due ORDER BY channel, day LIMIT :limit FOR UPDATE) AS k"
    " WHERE d.channel = k.channel AND d.day = k.day RETURNING d.channel, d.day"
)
_SHARDS: Final = text(
    "SELECT min(channel), max(channel) FROM (SELECT channel, sum(count(*)) OVER (ORDER BY channel) / :rows AS shard"
    " FROM vee_open_day WHERE day <= :up_to AND NOT tried GROUP BY channel) AS s GROUP BY floor(shard) ORDER BY 1"
)
_NEVER_SEEN: Final = text(
    "SELECT c.id, g.day::date FROM series_channel c"
    " JOIN generate_series(CAST(:first AS date), CAST(:up_to AS date), interval '1 day') AS g (day)"
    " ON c.since < (g.day::timestamp + interval '1 day' + c.day_start_s * interval '1 second') AT TIME ZONE c.zone"
    " AND coalesce(c.until, 'infinity') > (g.day::timestamp + c.day_start_s * interval '1 second') AT TIME ZONE c.zone"
    " WHERE c.interval_s > 0"
    " AND NOT EXISTS (SELECT FROM series_day d WHERE d.channel = c.id AND d.day = g.day::date)"
    " AND NOT EXISTS (SELECT FROM vee_open_day o WHERE o.channel = c.id AND o.day = g.day::date)"
    " ORDER BY 2, 1 LIMIT :limit"
)
# the first day from a wanted one on is one look into the index; to ask whether the wanted one exists reads all that is
# kept where it does not, which is the usual answer
_BEGUN: Final = text(
    "SELECT k.day FROM unnest(CAST(:days AS int[])) AS k (day)"
    " WHERE k.day <= (SELECT max(before_day) - DATE '0001-01-01' FROM series_seal)"
    " OR (SELECT min(d.day) FROM series_day d WHERE d.day >= DATE '0001-01-01' + (k.day - 1))"
    "  = DATE '0001-01-01' + (k.day - 1)"
)


async def keep_findings(
    tx: AsyncConnection,
    findings: Iterable[Finding],
    versions: Mapping[tuple[int, date], int],
    stamp: str,
    recorded_at: datetime,
) -> None:
    """Keep the findings about versions; of what a rule said of one version its last word stands."""
    rows = [
        {
            "day": one.day.isoformat(),
            "channel": one.channel,
            "version": versions[one.channel, one.day],
            "rule": one.rule,
            "verdict": int(one.verdict),
            "slots": one.slots,
            "inputs": one.inputs,
        }
        for one in findings
        if (one.channel, one.day) in versions
    ]
    if rows:  # one statement, however many there are
        await tx.execute(_FINDINGS, {"rows": json.dumps(rows), "stamp": stamp, "at": recorded_at})


async def retract_findings(
    tx: AsyncConnection, findings: Iterable[Finding], versions: Mapping[tuple[int, date], int]
) -> None:
    """Forget what rules said of versions and, now that more is known of the days around, say no longer."""
    said = [{"channel": one.channel, "day": one.day.isoformat(), "rule": one.rule} for one in findings]
    keys = np.array([(channel, day.toordinal(), n) for (channel, day), n in versions.items()], np.int64).reshape(-1, 3)
    names = ("channels", "days", "versions")
    about = {name: array_literal(column) for name, column in zip(names, keys.T, strict=True)}
    await tx.execute(_RETRACT, about | {"checks": sorted(checks()), "rows": json.dumps(said)})


async def estimated_days(
    tx: AsyncConnection, channels: NDArray[np.int64], days: range, as_of: AsOf = None
) -> NDArray[np.int64]:
    """Channel and day (ordinal), ascending, of the days for which a method ever gave a value, as known now or then."""
    clause, parameters = knowledge_clause(as_of)
    parameters |= {"channels": array_literal(channels), "first": days.start, "last": days.stop - 1}
    connection = await psycopg_connection(tx)
    async with connection.cursor() as cursor:
        await cursor.execute(_ESTIMATED.format(as_of=clause), parameters)
        return np.array(await cursor.fetchall(), np.int64).reshape(-1, 2)


async def review_later(tx: AsyncConnection, keys: NDArray[np.int64]) -> None:
    """Remember channel-days that are to be reviewed once more; one that already waits waits once."""
    await tx.execute(_REVIEW_LATER, {"channels": array_literal(keys[:, 0]), "days": array_literal(keys[:, 1])})


async def take_to_review(tx: AsyncConnection, limit: int) -> list[tuple[int, date]]:
    """Some of the channel-days that wait for their review, those of one channel together; they wait no longer."""
    return [(row[0], row[1]) for row in await tx.execute(_TO_REVIEW, {"limit": limit})]


async def keep_run(tx: AsyncConnection, knowledge: Knowledge, rule_set: RuleSet) -> None:
    """Keep what this transaction could see, and the rule set it judged by, each once."""
    run = {"transaction": knowledge.own, "snapshot": knowledge.snapshot}
    await tx.execute(insert(tables.run).values(run).on_conflict_do_nothing())
    kept = {"stamp": rule_set.stamp, "content": as_json(rule_set.content)}
    await tx.execute(insert(tables.rule_set).values(kept).on_conflict_do_nothing())


async def knowledge_of(tx: AsyncConnection, transaction: int) -> Knowledge | None:
    """What a transaction that judged could see; None when it did not judge."""
    query = select(tables.run.c.snapshot).where(tables.run.c.transaction == transaction)
    snapshot = (await tx.execute(query)).scalar_one_or_none()
    return Knowledge(snapshot, transaction) if snapshot else None


async def rule_set_of(tx: AsyncConnection, stamp: str) -> RuleSet | None:
    """The rule set of a stamp, as it was when it judged."""
    query = select(tables.rule_set.c.content).where(tables.rule_set.c.stamp == stamp)
    content = (await tx.execute(query)).scalar_one_or_none()
    return from_content(content) if content else None


async def findings_of(
    tx: AsyncConnection, channel: int, first: date, past_last: date, version: int | None = None
) -> list[tuple[int, str, Finding]]:
    """Version, rule-set stamp and finding, in order of day, version and rule."""
    table = tables.finding
    query = select(table).where(table.c.channel == channel, table.c.day >= first, table.c.day < past_last)
    if version is not None:
        query = query.where(table.c.version == version)
    rows = await tx.execute(query.order_by(table.c.day, table.c.version, table.c.rule))
    return [
        (
            row.version,
            row.rule_set,
            Finding(row.rule, row.channel, row.day, Verdict(row.verdict), tuple(row.slots), row.inputs),
        )
        for row in rows
    ]


async def keep_open(tx: AsyncConnection, days: ChannelDays, open_slots: NDArray[np.bool_], *, tried: bool) -> None:
    """Remember which channel-days have open slots, forget those that have none any more."""
    count = open_slots.sum(axis=1)
    closed, still = days.rows(count == 0), days.rows(count > 0)
    if len(closed):
        await tx.execute(_CLOSE, {"channels": array_literal(closed.channel), "days": array_literal(closed.day)})
    if len(still):
        keys = {"channels": array_literal(still.channel), "days": array_literal(still.day)}
        await tx.execute(_OPEN, keys | {"slots": array_literal(count[count > 0]), "tried": tried})


async def open_days(
    tx: AsyncConnection, up_to: date, limit: int, *, channels: range | None = None
) -> list[tuple[int, date]]:
    """Channel-days up to and including a day that have open slots and no attempt to estimate them yet."""
    table = tables.open_day
    query = select(table.c.channel, table.c.day).where(table.c.day <= up_to, ~table.c.tried)
    if channels is not None:
        query = query.where(table.c.channel >= channels.start, table.c.channel < channels.stop)
    rows = await tx.execute(query.order_by(table.c.day, table.c.channel).limit(limit))
    return [(row.channel, row.day) for row in rows]


async def open_shards(tx: AsyncConnection, up_to: date, rows_a_shard: int) -> list[tuple[int, int]]:
    """Ranges of channels (first, last) that have about so many open days each."""
    rows = await tx.execute(_SHARDS, {"up_to": up_to, "rows": rows_a_shard})
    return [(row[0], row[1]) for row in rows]


async def days_never_seen(tx: AsyncConnection, first: date, up_to: date, limit: int) -> list[tuple[int, date]]:
    """Local days in the life of interval channels of which nothing has arrived at all."""
    rows = await tx.execute(_NEVER_SEEN, {"first": first, "up_to": up_to, "limit": limit})
    return [(row[0], row[1]) for row in rows]


async def days_with_values(tx: AsyncConnection, days: NDArray[np.int64]) -> NDArray[np.int64]:
    """Those of some days (ordinals) of which anything is kept at all."""
    rows = await tx.execute(_BEGUN, {"days": array_literal(days)})
    return np.array([row[0] for row in rows], np.int64)
