"""Where profiles are kept: one row a profile, one row a role."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import delete, select
from sqlalchemy.dialects.postgresql import insert

from openami.mdus.registry.ids import ProfileId, TaskId, bare
from openami.mdus.registry.model import Profile, ProfileRole
from openami.mdus.registry.store import slices_of, write_journal
from openami.mdus.registry.tables import among, profile_table, role_table
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy.ext.asyncio import AsyncConnection


async def load_profiles(transaction: AsyncConnection, ids: Iterable[str], *, lock: bool = False) -> dict[str, Profile]:
    """The profiles of these numbers in any spelling, by bare number."""
    keys = sorted({bare(one) for one in ids})
    if not keys:
        return {}
    query = select(profile_table).where(among(profile_table.c.profile_key, keys))
    rows = list(await transaction.execute(query.with_for_update() if lock else query))
    roles = await slices_of(transaction, role_table, [row.profile_key for row in rows], owner="profile_key")
    return {
        row.profile_key: Profile(
            id=ProfileId(row.profile),
            unit_code=row.unit_code,
            recurrence=row.recurrence,
            total_digits=row.total_digits,
            fraction_digits=row.fraction_digits,
            remotely_stored=row.remotely_stored,
            roles=tuple(
                ProfileRole(TaskId(one.task), Span(one.start_at, one.end_at), one.role)
                for one in roles.get(row.profile_key, [])
            ),
        )
        for row in rows
    }


async def profiles_of(transaction: AsyncConnection, tasks: Iterable[str]) -> list[Profile]:
    """The profiles that one of these measurement tasks feeds or has fed."""
    keys = sorted({bare(one) for one in tasks})
    query = select(role_table.c.profile_key).where(among(role_table.c.task_key, keys)).distinct()
    return list((await load_profiles(transaction, await transaction.scalars(query))).values())


async def save_profile(transaction: AsyncConnection, profile: Profile, *, cause: str, at: datetime) -> None:
    """Write a profile with its roles, and one line of the journal."""
    key = bare(profile.id)
    row = {
        "profile": profile.id,
        "unit_code": profile.unit_code,
        "recurrence": profile.recurrence,
        "total_digits": profile.total_digits,
        "fraction_digits": profile.fraction_digits,
        "remotely_stored": profile.remotely_stored,
    }
    statement = insert(profile_table).values(profile_key=key, **row)
    await transaction.execute(statement.on_conflict_do_update(index_elements=["profile_key"], set_=row))
    await transaction.execute(delete(role_table).where(role_table.c.profile_key == key))
    rows = [
        {"profile_key": key, "task": one.task, "task_key": bare(one.task), "role": one.role}
        | {"start_at": one.span.start, "end_at": one.span.end}
        for one in profile.roles
    ]
    if rows:
        await transaction.execute(role_table.insert(), rows)
    await write_journal(transaction, [(f"profile {profile.id}", profile)], cause, at)
