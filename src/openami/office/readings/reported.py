"""Results as they come in, one or many in a message, as columns: a field an array, a result a row."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from itertools import chain, groupby
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pyarrow as pa
import pyarrow.compute

from openami.office.readings.model import ReadingType
from openami.shared.contract.enterprise.item_columns import ItemColumns
from openami.shared.spans import zone

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from openami.shared.contract.enterprise.messages.reading_result import (
        MeterReadingDocumentERPResultCreateRequest as Result,
    )

compute: Any = pyarrow.compute
Array = Any

LAST_SECOND: Final = time(23, 59, 59)
DOCUMENT_ID_WIDTH: Final = 20
TASK_ID_WIDTH: Final = 18
_DIGITS: Final = 38  # what a decimal of 128 bits holds: a value has 25, 10 of them decimals
_DOCUMENT: Final = "MeterReadingDocument"
_PLACES: Final = (
    f"{_DOCUMENT}/ID",
    f"{_DOCUMENT}/UtiltiesMeasurementTask/UtilitiesMeasurementTaskID",
    f"{_DOCUMENT}/MeterReadingReasonCode",
    f"{_DOCUMENT}/Result/ActualMeterReadingDate",
    f"{_DOCUMENT}/Result/ActualMeterReadingTime",
    f"{_DOCUMENT}/Result/MeterReadingTypeCode",
    f"{_DOCUMENT}/Result/MeterReadingResultValue",
)


@dataclass(frozen=True, slots=True, eq=False)
class Results:
    """What results say. Texts are empty where nothing was sent; document and task are as they were sent.

    `exact` is false where a value has more decimals than thousandths, `fits` where it is beyond what the books hold.
    """

    document: Array
    task: Array
    document_key: Array
    """In full width, as in the books; null where there is none."""
    task_key: Array
    reason: Array
    value: Array
    at: NDArray[np.datetime64]
    value_milli: NDArray[np.int64]
    exact: NDArray[np.bool_]
    fits: NDArray[np.bool_]
    estimated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.at)

    @classmethod
    def of(cls, messages: Sequence[Sequence[Any]], zone_name: str) -> Results:
        """The results in the items of some messages, one after the other."""
        parts: list[list[Array]] = []
        for in_columns, some in groupby(messages, key=lambda items: isinstance(items, ItemColumns)):
            if in_columns:
                parts += map(_columns_of, some)
            else:
                parts.append(_texts(chain.from_iterable(some)))
        document, task, reason, day, moment, kind, value = (pa.concat_arrays(each) for each in zip(*parts, strict=True))
        milli, exact, fits = milli_of(value)
        return cls(
            document=document,
            task=task,
            document_key=_in_full_width(document, DOCUMENT_ID_WIDTH),
            task_key=_in_full_width(task, TASK_ID_WIDTH),
            reason=reason,
            value=value,
            at=_instants(day, moment, zone_name),
            value_milli=milli,
            exact=exact,
            fits=fits,
            estimated=_among(kind, {ReadingType.ESTIMATED, ReadingType.ESTIMATED.lstrip("0")}),
        )


def _columns_of(items: Sequence[Any]) -> list[Array]:
    """The columns of `_PLACES`, as they came."""
    assert isinstance(items, ItemColumns)
    return [items.column(place) for place in _PLACES]


def _texts(items: Iterable[Any]) -> list[Array]:
    """The columns of `_PLACES`, of objects."""
    return [pa.array(texts, pa.string()) for texts in zip(*map(_texts_of, items), strict=True)]


def _texts_of(message: Result) -> tuple[str, ...]:
    document = message.meter_reading_document
    task, result = document.utilties_measurement_task, document.result
    return (
        document.id or "",
        (task.utilities_measurement_task_id if task else None) or "",
        document.meter_reading_reason_code or "",
        result.actual_meter_reading_date.isoformat(),
        result.actual_meter_reading_time.isoformat(),
        result.meter_reading_type_code or "",
        format(result.meter_reading_result_value, "f"),
    )


def _in_full_width(texts: Array, width: int) -> Array:
    return compute.if_else(compute.equal(texts, ""), None, compute.utf8_lpad(texts, width, "0"))


def _among(texts: Array, wanted: set[str]) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = compute.is_in(texts, pa.array(sorted(wanted))).to_numpy(zero_copy_only=False)
    return found


def _instants(day: Array, moment: Array, zone_name: str) -> NDArray[np.datetime64]:
    """The instants for which local dates and times stand: there are few different ones in a bulk."""
    encoded = compute.binary_join_element_wise(day, moment, "T").dictionary_encode()
    instants = [
        instant_of_reading(zone_name, date.fromisoformat(text[:10]), time.fromisoformat(text[11:])).replace(tzinfo=None)
        for text in encoded.dictionary.to_pylist()
    ]
    found: NDArray[np.datetime64] = np.array(instants, "datetime64[us]")[encoded.indices.to_numpy()]
    return found


def instant_of_reading(zone_name: str, day: date, moment: time) -> datetime:
    """The instant for which a local date and time stand; the last second of a day is that day's end."""
    local = datetime.combine(day, moment.replace(microsecond=0), tzinfo=zone(zone_name))
    at = local.astimezone(UTC)
    return at + timedelta(seconds=1) if moment.replace(microsecond=0) == LAST_SECOND else at


def milli_of(values: Array) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.bool_]]:
    """Decimal texts in thousandths of their unit, whether that is exact, and whether it fits into the books."""
    short = compute.if_else(compute.match_substring(values, "."), compute.utf8_rtrim(values, "0"), values)
    whole = short.cast(pa.decimal128(_DIGITS, 10))
    cut = whole.cast(pa.decimal128(_DIGITS, 3), safe=False)
    exact = compute.equal(cut.cast(pa.decimal128(_DIGITS, 10)), whole).to_numpy(zero_copy_only=False)
    # a decimal is an integer of 128 bits, its low half first: it fits if the high half says no more than its sign
    halves = np.frombuffer(cut.buffers()[1], "<i8").reshape(-1, 2)[cut.offset : cut.offset + len(cut)]
    low, high = halves[:, 0], halves[:, 1]
    return low.copy(), exact, high == low >> 63
