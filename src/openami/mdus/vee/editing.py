"""Editing: a person sets, accepts or substitutes values with a reason; preview, second person, undo; all audited.

An edited value carries the verdict MA: no delivery and no rule changes it, only a person does. Nothing is lost: an edit
is a version, and undoing it is another one.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy import select

from openami.mdus.series.calendar import seconds
from openami.mdus.series.model import ChannelDays, Provenance
from openami.mdus.tables import audit
from openami.mdus.vee import tables
from openami.shared.audit import AuditRecord, append
from openami.shared.errors import OpenAmiError
from openami.shared.quality import Origin, Verdict, has_value, label, origins, quality
from openami.shared.spans import Span

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray
    from sqlalchemy import RowMapping
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.series.store import Series
    from openami.mdus.vee.handlers import Vee


class EditRefusedError(OpenAmiError):
    """An edit that cannot be done as asked."""


class Action(StrEnum):
    """What a person does to values."""

    SET = "set"
    """Give values."""
    ACCEPT = "accept"
    """Take responsibility for the values as they are."""
    SUBSTITUTE = "substitute"
    """Take the values of the same span of another channel (a check meter)."""


class State(StrEnum):
    """How far an edit has come."""

    PROPOSED = "proposed"
    APPLIED = "applied"
    UNDONE = "undone"


@dataclass(frozen=True, slots=True)
class Edit:
    """What a person wants: on which intervals, what, and why."""

    channel: int
    span: Span
    action: Action
    reason: str
    values: tuple[int, ...] = ()
    source_channel: int | None = None


@dataclass(frozen=True, slots=True)
class Cell:
    """One interval before and after an edit."""

    day: date
    slot: int
    before: int
    before_quality: str
    after: int


class Editing:
    """Lets people edit; `second_person` says whether somebody else must approve."""

    def __init__(self, series: Series, vee: Vee, *, second_person: bool = False) -> None:
        """Take the series, the rules that judge what was edited, and the setting."""
        self._series = series
        self._vee = vee
        self._second_person = second_person

    async def preview(self, tx: AsyncConnection, edit: Edit) -> list[Cell]:
        """What would change; nothing is kept.

        Raises:
            EditRefusedError: the edit does not fit its intervals.
        """
        return [
            Cell(
                date.fromordinal(int(kept.day[0])),
                int(slot),
                int(kept.values[0, slot]),
                label(int(kept.quality[0, slot])),
                int(after.values[0, slot]),
            )
            for kept, after, chosen in await self._changes(tx, edit)
            for slot in np.flatnonzero(chosen)
        ]

    async def propose(self, tx: AsyncConnection, edit: Edit, person: str, at: datetime) -> uuid.UUID:
        """Keep an edit; without the second-person setting it is applied at once.

        Raises:
            EditRefusedError: it has no reason, or does not fit its intervals.
        """
        if not edit.reason.strip():
            raise EditRefusedError("An edit needs a reason.", hint="Say why: whoever audits this will ask.")
        await self._changes(tx, edit)  # refuse now, not when somebody approves
        number = uuid.uuid4()
        row = {
            "id": number, "channel": edit.channel, "start": edit.span.start, "end": edit.span.end,
            "action": edit.action.value, "reason": edit.reason, "values": list(edit.values),
            "source_channel": edit.source_channel, "author": person, "proposed_at": at, "state": State.PROPOSED.value,
        }  # fmt: skip
        await tx.execute(tables.edit.insert().values(row))
        await append(tx, audit, _record(at, person, "edit proposed", number, edit.reason))
        if not self._second_person:
            await self._apply(tx, number, edit, person, at)
        return number

    async def approve(self, tx: AsyncConnection, number: uuid.UUID, person: str, at: datetime) -> None:
        """Apply an edit that somebody else proposed.

        Raises:
            EditRefusedError: it is not waiting, or the same person proposed it.
        """
        row = await self._in_state(tx, number, State.PROPOSED)
        if row["author"] == person:
            raise EditRefusedError(f"{person} proposed edit {number}.", hint="Another person must approve it.")
        await self._apply(tx, number, _edit(row), person, at)

    async def undo(self, tx: AsyncConnection, number: uuid.UUID, person: str, reason: str, at: datetime) -> None:
        """Put back what was there before an edit, where nobody has edited since.

        Raises:
            EditRefusedError: the edit was not applied, or was undone before, or no reason is given.
        """
        if not reason.strip():
            raise EditRefusedError("Undoing an edit needs a reason.", hint="Say why: whoever audits this will ask.")
        row = await self._in_state(tx, number, State.APPLIED)
        keys = []
        for day_text, (version_before, version_after) in row["versions"].items():
            day = date.fromisoformat(day_text)
            by_number = {one.version: one for one in await self._series.versions(tx, row["channel"], day)}
            edited, kept = by_number[version_after], await self._one_day(tx, row["channel"], day.toordinal())
            old = by_number.get(version_before)
            own = (edited.quality & 7) == Verdict.MA
            untouched = own & (kept.values[0] == edited.values) & (kept.quality[0] == edited.quality)
            empty = ChannelDays.empty(kept.channel, kept.day, kept.count)
            values, bytes_ = (old.values, old.quality) if old else (empty.values[0], empty.quality[0])
            after = kept.with_results(
                np.where(untouched, values, kept.values), np.where(untouched, bytes_, kept.quality).astype(np.uint8)
            )
            await self._series.revise(tx, after, Provenance(at, person, f"edit {number} undone: {reason}"))
            keys.append((row["channel"], day))
        await self._vee.validate_days(tx, keys, at)
        await tx.execute(tables.edit.update().where(tables.edit.c.id == number).values(state=State.UNDONE.value))
        await append(tx, audit, _record(at, person, "edit undone", number, reason))

    async def _apply(self, tx: AsyncConnection, number: uuid.UUID, edit: Edit, person: str, at: datetime) -> None:
        versions: dict[str, list[int]] = {}
        before: dict[str, Any] = {}
        after: dict[str, Any] = {}
        for kept, changed, chosen in await self._changes(tx, edit):
            written = await self._series.revise(tx, changed, Provenance(at, person, f"edit {number}: {edit.reason}"))
            day = date.fromordinal(int(kept.day[0])).isoformat()
            versions[day] = [int(kept.version[0]), int(written.version[0])]
            slots = np.flatnonzero(chosen).tolist()
            before[day] = {slot: [int(kept.values[0, slot]), int(kept.quality[0, slot])] for slot in slots}
            after[day] = {slot: [int(changed.values[0, slot]), int(changed.quality[0, slot])] for slot in slots}
        await self._vee.validate_days(tx, [(edit.channel, date.fromisoformat(day)) for day in versions], at)
        done = {"state": State.APPLIED.value, "approved_by": person, "versions": versions}
        await tx.execute(tables.edit.update().where(tables.edit.c.id == number).values(done))
        await append(tx, audit, _record(at, person, "edit applied", number, edit.reason, before, after))

    async def _changes(
        self, tx: AsyncConnection, edit: Edit
    ) -> list[tuple[ChannelDays, ChannelDays, NDArray[np.bool_]]]:
        """Each day as it is, as it would be, and the slots that the edit is about."""
        channel = (await self._series.channels(tx, [edit.channel]))[0]
        given = await self._given(tx, edit)
        result, used = [], 0
        for day in channel.calendar.days_of(edit.span):
            kept = await self._one_day(tx, edit.channel, day)
            starts_s = channel.calendar.start_s(day) + np.arange(kept.count) * channel.interval_s
            chosen = (starts_s >= seconds(edit.span.start)) & (starts_s < seconds(edit.span.end))
            count = int(chosen.sum())
            after = _edited(
                kept, chosen, edit.action, given[used : used + count] if edit.action != Action.ACCEPT else None
            )
            used += count
            result.append((kept, after, chosen))
        if edit.action != Action.ACCEPT and used != len(given):
            raise EditRefusedError(
                f"The span has {used} intervals, {len(given)} values were given.", hint="Give one value an interval."
            )
        return result

    async def _given(self, tx: AsyncConnection, edit: Edit) -> NDArray[np.int64]:
        if edit.action == Action.SUBSTITUTE:
            if edit.source_channel is None:
                raise EditRefusedError("A substitution needs a source.", hint="Name the channel of the check meter.")
            source = await self._series.read(tx, edit.source_channel, edit.span)
            if not has_value(source.quality).all():
                raise EditRefusedError(
                    f"Channel {edit.source_channel} has gaps in the span itself.", hint="Choose another source or span."
                )
            return source.values
        return np.array(edit.values, np.int64)

    async def _one_day(self, tx: AsyncConnection, channel: int, day: int) -> ChannelDays:
        count = (await self._series.channels(tx, [channel]))[0].calendar.count(day)
        return await self._series.current_for(tx, ChannelDays.empty(np.array([channel]), np.array([day]), count))

    async def _in_state(self, tx: AsyncConnection, number: uuid.UUID, state: State) -> RowMapping:
        query = select(tables.edit).where(tables.edit.c.id == number).with_for_update()
        row = (await tx.execute(query)).mappings().one_or_none()
        if row is None or row["state"] != state:
            found = row["state"] if row else "not known"
            raise EditRefusedError(f"Edit {number} is {found}, not {state}.", hint="Look at the list of edits.")
        return row


def _edited(
    kept: ChannelDays, chosen: NDArray[np.bool_], action: Action, given: NDArray[np.int64] | None
) -> ChannelDays:
    values, bytes_ = kept.values.copy(), kept.quality.copy()
    if given is None:
        if not has_value(kept.quality[0, chosen]).all():
            raise EditRefusedError("There is nothing to accept where no value is.", hint="Set or substitute values.")
        bytes_[0, chosen] = (origins(kept.quality[0, chosen]) << 3) | np.uint8(Verdict.MA)
    elif len(given) == int(chosen.sum()):
        origin = Origin.EDITED if action == Action.SET else Origin.SUBSTITUTED
        values[0, chosen], bytes_[0, chosen] = given, quality(origin, Verdict.MA)
    return kept.with_results(values, bytes_)


def _edit(row: RowMapping) -> Edit:
    return Edit(
        row["channel"],
        Span(row["start"], row["end"]),
        Action(row["action"]),
        row["reason"],
        tuple(row["values"]),
        row["source_channel"],
    )


def _record(
    at: datetime,
    person: str,
    action: str,
    number: uuid.UUID,
    reason: str,
    before: object = None,
    after: object = None,
) -> AuditRecord:
    return AuditRecord(at, person, action, f"edit {number}", reason, before, after)
