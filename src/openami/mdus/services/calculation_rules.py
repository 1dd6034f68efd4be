"""What is made of the intervals of a profile: a quantity for each bucket, from whole matrices."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.mdus.registry.errors import RegistryError
from openami.mdus.services.codes import ItemStatus, item_status
from openami.shared.quality import has_value
from openami.shared.spans import Span, zone

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from openami.mdus.services.remote import ProfileValues
    from openami.shared.contract.enterprise.codes import Code

SUM: Final = "sum"
MAXIMUM: Final = "maximum"
_WORST_FIRST: Final = (ItemStatus.MISSING, ItemStatus.IMPLAUSIBLE, ItemStatus.ESTIMATED, ItemStatus.VALID)


class UnitMismatchError(RegistryError):
    """A calculation in a unit that is not the profile's quantity."""

    number = "4001"
    category = "PRE.VAE"


class BucketsError(RegistryError):
    """Times of use that leave open what belongs to them."""

    number = "4002"
    category = "PRE.VAE"


@dataclass(frozen=True, slots=True)
class Total:
    """The quantity of one bucket, in the wanted unit, and the worst status of what went into it."""

    code: str
    quantity: Decimal
    status: ItemStatus


def missing_intervals(values: ProfileValues, span: Span) -> int:
    """How many intervals of a span have no usable value; all of them when nothing feeds the profile."""
    usable = has_value(values.quality) & ~np.isin(values.quality, _failed())
    have = np.unique(values.start_s[usable])
    lacking = np.unique(values.start_s[~usable])
    gaps = int((~np.isin(lacking, have)).sum())
    if not values.interval_s:
        return max(1, span.duration_s // 900)
    covered = np.unique(values.start_s)
    return gaps + max(0, -(-span.duration_s // values.interval_s) - len(covered))


def totals(values: ProfileValues, rule: str, masks: Mapping[str, NDArray[np.bool_]], shift: int) -> list[Total]:
    """The quantity of each bucket; `shift` is the power of ten from the profile's unit to the wanted one."""
    present = has_value(values.quality)
    found = []
    for code, mask in masks.items():
        chosen = mask & present
        picked = values.values[chosen]
        number = (int(picked.sum()) if rule == SUM else int(picked.max())) if picked.size else 0
        found.append(Total(code, Decimal(number).scaleb(values.exponent + shift), worst(values.quality[chosen])))
    return found


def worst(quality: NDArray[np.uint8]) -> ItemStatus:
    """The worst status of some values."""
    statuses = {item_status(packed) for packed in np.unique(quality).tolist()}
    return next((one for one in _WORST_FIRST if one in statuses), ItemStatus.VALID)


def masks_of_periods(values: ProfileValues, periods: Sequence[tuple[str, datetime, datetime]]) -> dict[str, Any]:
    """Which intervals belong to which time of use, by the periods that the request carries."""
    masks: dict[str, NDArray[np.bool_]] = {}
    for code, start, end in periods:
        inside = (values.start_s >= start.timestamp()) & (values.start_s < end.timestamp())
        masks[code] = masks.get(code, np.zeros(len(values), np.bool_)) | inside
    return masks


def masks_of_codes(values: ProfileValues, codes: Sequence[Code], zone_name: str) -> dict[str, NDArray[np.bool_]]:
    """Which intervals belong to which time of use, by the local hours of the table.

    Raises:
        BucketsError: two codes would take the rest.
    """
    weekday, second = _local(values.start_s, zone_name)
    masks: dict[str, NDArray[np.bool_]] = {}
    rest = [code for code in codes if not str(code.values.get("from", ""))]
    if len(rest) > 1:
        raise BucketsError(f"{rest[0].code} and {rest[1].code} both take what is left.", hint="Give one of them hours.")
    for code in codes:
        if code in rest:
            continue
        days = [int(day) for day in str(code.values["weekdays"])]
        first, last = _seconds(str(code.values["from"])), _seconds(str(code.values["to"])) or 86_400
        masks[code.code] = np.isin(weekday, days) & (second >= first) & (second < last)
    for code in rest:
        masks[code.code] = ~np.logical_or.reduce([np.zeros(len(values), np.bool_), *masks.values()])
    return masks


def _failed() -> list[int]:
    return [packed for packed in range(256) if packed & 7 == 3]


def _local(start_s: NDArray[np.int64], zone_name: str) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Weekday and second of the local day of many instants: the offset of the zone is looked up once an hour."""
    here = zone(zone_name)
    hours, inverse = np.unique(start_s // 3600, return_inverse=True)
    offsets = np.array(
        [
            int((datetime.fromtimestamp(int(hour) * 3600, here).utcoffset() or timedelta()).total_seconds())
            for hour in hours
        ],
        np.int64,
    )
    local = start_s + offsets[inverse] if len(hours) else start_s
    day = local // 86_400
    return (day + date(1970, 1, 1).weekday()) % 7, local % 86_400


def _seconds(text: str) -> int:
    at = time.fromisoformat(text)
    return at.hour * 3600 + at.minute * 60
