"""Why a value is what it is: its delivery, the rules that fired, the method and its inputs, the rule set; and proof.

`recompute` evaluates what is actual in a kept version again, by the rule set of its stamp and with exactly what its
transaction could see, and compares every value and quality.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import TYPE_CHECKING, Final

import numpy as np

from openami.mdus.series.calendar import instant_of
from openami.mdus.series.model import ChannelDays
from openami.mdus.vee import store
from openami.mdus.vee.catalogue import sentence_of
from openami.mdus.vee.context import facts_of, with_history
from openami.mdus.vee.engine import evaluate
from openami.mdus.vee.errors import RuleSetError
from openami.mdus.vee.handlers import BY_ESTIMATE, BY_REVIEW, BY_VALIDATION
from openami.shared.quality import is_estimated, label, origins

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.model import Channel, Version
    from openami.mdus.series.store import Series
    from openami.mdus.vee.model import Finding
    from openami.shared.spans import Span


_STAMP: Final = re.compile(rf"(?:{BY_VALIDATION}|{BY_ESTIMATE}|{BY_REVIEW}) (\S.* [0-9a-f]{{8}})$")


@dataclass(frozen=True, slots=True)
class Fired:
    """A rule that fired on an interval, or the method that filled it."""

    rule: str
    sentence: str
    verdict: str
    inputs: Mapping[str, Any]
    rule_set: str
    version: int


@dataclass(frozen=True, slots=True)
class Explanation:
    """One interval: what it is, where it came from, and what was said about it."""

    start: datetime
    value: int
    quality: str
    version: int
    delivery: str
    recorded_at: datetime
    author: str
    cause: str
    fired: tuple[Fired, ...]


@dataclass(frozen=True, slots=True)
class Proof:
    """Whether one kept version came out again."""

    channel: int
    day: date
    version: int
    rule_set: str
    equal: bool
    differing_slots: tuple[int, ...]
    reason: str = ""


async def explain(series: Series, tx: AsyncConnection, channel: int, span: Span) -> list[Explanation]:
    """Every kept interval of a channel that starts in a span, explained."""
    known = (await series.channels(tx, [channel]))[0]
    result: list[Explanation] = []
    for day in known.calendar.days_of(span):
        versions = await series.versions(tx, channel, date.fromordinal(day))
        if versions:
            findings = await store.findings_of(tx, channel, date.fromordinal(day), date.fromordinal(day + 1))
            result += _explained(known, day, versions, findings)
    return [one for one in result if one.start in span]


def _explained(
    channel: Channel, day: int, versions: Sequence[Version], findings: Sequence[tuple[int, str, Finding]]
) -> list[Explanation]:
    begin_s = channel.calendar.start_s(day)
    came = _came_with(versions)
    result = []
    for slot, place in enumerate(came.tolist()):
        current, source = versions[-1], versions[place]
        fired = tuple(
            Fired(one.rule, sentence_of(one.rule), one.verdict.name, one.inputs, stamp, version)
            for version, stamp, one in findings
            if version >= source.version and (not one.slots or slot in one.slots)
        )
        result.append(
            Explanation(
                start=instant_of(begin_s + slot * channel.interval_s),
                value=int(current.values[slot]),
                quality=label(int(current.quality[slot])),
                version=source.version,
                delivery=source.delivery,
                recorded_at=source.recorded_at,
                author=source.author,
                cause=source.cause,
                fired=fired,
            )
        )
    return result


def _came_with(versions: Sequence[Version]) -> NDArray[np.int64]:
    """For each slot the version with which its present value and origin came."""
    came = np.zeros(len(versions[0].values), np.int64)
    for place, (before, after) in enumerate(pairwise(versions), start=1):
        changed = (before.values != after.values) | (origins(before.quality) != origins(after.quality))
        came[changed] = place
    return came


async def recompute(series: Series, tx: AsyncConnection, channel: int, day: date) -> list[Proof]:
    """Evaluate each judged version of a channel-day again with what was known then; one proof each."""
    stamps = {version: stamp for version, stamp, _ in await store.findings_of(tx, channel, day, _next(day))}
    proofs = []
    for version in await series.versions(tx, channel, day):
        stamp = _stamp_in(version.cause) or stamps.get(version.version)
        if stamp:
            proofs.append(await _proof(series, tx, channel, day, version, stamp))
    return proofs


async def _proof(series: Series, tx: AsyncConnection, channel: int, day: date, version: Version, stamp: str) -> Proof:
    knowledge = await store.knowledge_of(tx, version.transaction)
    rule_set = await store.rule_set_of(tx, stamp)
    channels = await series.channels(tx, [channel])
    try:
        rules = rule_set.for_class(channels[0].kind) if knowledge and rule_set else None
        reason = "no record of the run"
    except RuleSetError as error:  # a rule of users' own that is not installed any more, or takes no such parameter
        rules, reason = None, f"the rules are not those of then: {error.found}"
    if knowledge is None or rules is None:
        return Proof(channel, day, version.version, stamp, equal=False, differing_slots=(), reason=reason)
    days = ChannelDays.of(
        np.array([channel]),
        np.array([day.toordinal()]),
        version.values[None],
        version.quality[None],
        version.flags[None],
    )
    facts = await facts_of(series, tx, days, channels, knowledge)
    estimate = bool(is_estimated(version.quality).any()) or BY_ESTIMATE in version.cause
    if estimate or BY_REVIEW in version.cause:
        facts = await with_history(series, tx, facts, channels, knowledge)
    again = evaluate(facts, rules, estimate=estimate).days
    differs = (again.values != days.values) | (again.quality != days.quality)
    slots = tuple(np.flatnonzero(differs[0]).tolist())
    return Proof(channel, day, version.version, stamp, equal=not slots, differing_slots=slots)


def _stamp_in(cause: str) -> str:
    """The stamp in a cause such as `delivery; validated by default 2026.1 0a1b2c3d`."""
    found = _STAMP.search(cause)
    return found[1] if found else ""


def _next(day: date) -> date:
    return date.fromordinal(day.toordinal() + 1)
