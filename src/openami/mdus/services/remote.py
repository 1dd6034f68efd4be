"""Series whose values stay in the middle: read by profile number, whichever meters fed it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, timedelta
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.registry import profiles
from openami.mdus.registry.channel_store import channels_of_tasks
from openami.mdus.registry.errors import RegistryError
from openami.mdus.registry.ids import bare
from openami.shared.spans import Span

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray
    from sqlalchemy.ext.asyncio import AsyncConnection

    from openami.mdus.registry.channels import Channel
    from openami.mdus.registry.model import Profile, ProfileRole
    from openami.mdus.series import Series
    from openami.mdus.services.codes import EnterpriseCodes


class UnknownProfileError(RegistryError):
    """A profile number that no assignment has named."""

    number = "1010"
    category = "PRE.IDE"


@dataclass(frozen=True, slots=True, eq=False)
class ProfileValues:
    """Intervals of one profile in order of time; a value is `values * 10**exponent` of `unit_code`.

    At a meter swap both meters have a part of the interval: it is there twice, as it is uploaded.
    """

    unit_code: str
    interval_s: int
    exponent: int
    start_s: NDArray[np.int64]
    values: NDArray[np.int64]
    quality: NDArray[np.uint8]

    def __len__(self) -> int:
        return len(self.start_s)


@dataclass(frozen=True, slots=True)
class RemoteSeries:
    """Reads profiles from the series of the middle."""

    series: Series
    codes: EnterpriseCodes

    async def profile(self, tx: AsyncConnection, number: str) -> Profile:
        """The profile of a number in any spelling.

        Raises:
            UnknownProfileError: no assignment has named it.
        """
        return profile_among(await profiles.load_profiles(tx, [number]), number)

    async def read(self, tx: AsyncConnection, profile: Profile, span: Span) -> ProfileValues:
        """What is kept of a profile in a span; intervals of which nothing arrived are EMPTY, not absent."""
        channels: dict[str, list[Channel]] = {}
        for channel in await channels_of_tasks(tx, [role.task for role in profile.roles]):
            if channel.interval_s:
                channels.setdefault(bare(channel.task), []).append(channel)
        feeds = [
            (channel, part)
            for role in profile.roles
            if (wanted := role.span.overlap(span)) is not None
            for channel in channels.get(bare(role.task), [])
            if (part := channel.span.overlap(wanted)) is not None
        ]
        unit_code = profile.unit_code or (feeds[0][0].unit.upper() if feeds else "")
        power = self.codes.registry.unit(unit_code).power if unit_code else 0
        exponent = min((channel.scale - power for channel, _ in feeds), default=0)
        starts, values, qualities = [], [], []
        for channel, part in feeds:
            found = await self.series.read(tx, channel.id, _with_first_part(part, channel.interval_s))
            starts.append(found.start_s)
            values.append(found.values * 10 ** (channel.scale - power - exponent))
            qualities.append(found.quality)
        return _ordered(
            unit_code, max((one.interval_s for one, _ in feeds), default=0), exponent, starts, values, qualities
        )


def profile_among(known: Mapping[str, Profile], number: str) -> Profile:
    """The profile of a number in any spelling, among those by their bare numbers; raises UnknownProfileError."""
    found = known.get(bare(number))
    if found is None:
        raise UnknownProfileError(f"Profile {number} is not known.", hint="Assign a measurement task to it first.")
    return found


def whole_span(profile: Profile) -> Span | None:
    """From the first assignment of a profile to its last."""
    roles: tuple[ProfileRole, ...] = profile.roles
    if not roles:
        return None
    return Span(min(one.span.start for one in roles), max(one.span.end for one in roles))


def _with_first_part(part: Span, interval_s: int) -> Span:
    """The span, begun at the interval of which it holds a part."""
    start_s = int(part.start.timestamp())
    return Span((part.start - timedelta(seconds=start_s % interval_s)).astimezone(UTC), part.end)


def _ordered(
    unit_code: str,
    interval_s: int,
    exponent: int,
    starts: list[NDArray[np.int64]],
    values: list[NDArray[np.int64]],
    qualities: list[NDArray[np.uint8]],
) -> ProfileValues:
    nothing = np.zeros(0, np.int64)
    start_s = np.concatenate([nothing, *starts])
    order = np.argsort(start_s, kind="stable")
    return ProfileValues(
        unit_code=unit_code,
        interval_s=interval_s,
        exponent=exponent,
        start_s=start_s[order],
        values=np.concatenate([nothing, *values])[order],
        quality=np.concatenate([np.zeros(0, np.uint8), *qualities])[order],
    )
