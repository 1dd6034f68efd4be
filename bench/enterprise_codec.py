"""How fast enterprise messages are read and written, beside what lxml needs for the same bytes.

Prints one JSON row a figure: rates per second of one core's time; QUICK=1 takes a twentieth of the work. The baseline
is lxml parsing the body and validating it against the same schema, without safety checks, values or anything else of
ours; the ratio is ours to theirs (1 is as fast, 0.5 half as fast).
"""

from __future__ import annotations

import dataclasses
import os
import time
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
from lxml import etree

from bench._rows import print_rows, rate_beside, row
from openami.shared.contract.enterprise.codec import codec, decode, encode
from openami.shared.contract.enterprise.examples import example
from openami.shared.contract.enterprise.interval_columns import IntervalColumns
from openami.shared.contract.enterprise.intervals import decode_intervals, encode_intervals
from openami.shared.contract.enterprise.parse import message_element

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from openami.shared.contract.enterprise.model import Message

RESULTS = "MeterReadingDocumentERPResultBulkCreateRequest"
UPLOAD = "UtilitiesTimeSeriesERPItemBulkCreateRequest"
SINGLES = (
    "UtilitiesDeviceERPSmartMeterCreateRequest",
    "SmartMeterMeterReadingDocumentERPCreateRequest",
    "MeterReadingDocumentERPResultCreateRequest",
)
LXML_SHARE = 0.5
ROUNDS = 5

# what is measured, by name: the work and its goal (of the ratio, or a rate); the first is the baseline
Works: TypeAlias = "dict[str, tuple[Callable[[], object], float]]"


def seconds(*works: Callable[[], object], times: int = 1) -> list[float]:
    """The best of a few rounds for each, in turns so that a busy machine slows all alike."""
    best = [float("inf")] * len(works)
    for _ in range(ROUNDS):
        for index, work in enumerate(works):
            start = time.process_time()
            for _ in range(times):
                work()
            best[index] = min(best[index], time.process_time() - start)
    return best


def plain(body: bytes, root: str) -> Callable[[], object]:
    """What lxml alone does for the same bytes: parse and validate."""
    validator = codec().files.validator(codec().shapes.root_files[root])
    return lambda: validator.validate(etree.fromstring(body)[1][0])


def checked(body: bytes) -> Callable[[], object]:
    """Our way from bytes to a validated message element: everything but its values."""

    def work() -> object:
        element = message_element(body)
        return codec().validate(element, codec().shape_of(element)[0], len(body))

    return work


def measured(name: str, unit: str, count: int, works: Works, *, times: int = 1) -> Iterator[dict[str, Any]]:
    """Measure the baseline, which is the first, and the others beside it."""
    rates = [count * times / each for each in seconds(*(work for work, _ in works.values()), times=times)]
    base, *ours = zip(works, rates, strict=True)
    for step, rate in ours:
        goal = works[step][1]
        if goal == LXML_SHARE:
            yield rate_beside(f"{name}: {step}", rate, unit, beside=base, goal=goal)
        else:
            yield row(f"{name}: {step}", rate, unit, goal=goal, beside=base)


def reading(body: bytes, root: str, message: Message, *, goal: float) -> Works:
    return {
        "lxml parse + validate": (plain(body, root), 0),
        "parse and validate": (checked(body), LXML_SHARE),
        "to values": (lambda: decode(body), goal),
        "from values": (lambda: encode(message), goal),
    }


def singles(count: int) -> Iterator[dict[str, Any]]:
    for root in SINGLES:
        message: Any = example(root)
        head = dataclasses.replace(message.message_header, sender_party=None, recipient_party=())
        message = dataclasses.replace(message, message_header=head)
        works = reading(encode(message), root, message, goal=1_000)
        yield from measured(root, "messages/s", 1, works, times=count)


def results(count: int) -> Iterator[dict[str, Any]]:
    message: Any = example(RESULTS)
    one = message.items[0]
    head = dataclasses.replace(one.message_header, sender_party=None, recipient_party=())
    message = dataclasses.replace(message, items=(dataclasses.replace(one, message_header=head),) * count)
    works = reading(encode(message), RESULTS, message, goal=100_000 / 20)
    yield from measured(f"bulk of {count} reading results", "results/s", count, works)


def intervals(series: int, items: int) -> Iterator[dict[str, Any]]:
    message: Any = example(UPLOAD)
    one = message.items[0]
    bare = dataclasses.replace(one, utilities_time_series=dataclasses.replace(one.utilities_time_series, item=()))
    message = dataclasses.replace(message, items=(bare,) * series)
    start = np.datetime64("2026-03-01", "us") + np.arange(items) * np.timedelta64(900, "s")
    columns = [IntervalColumns.regular(start, 900, np.arange(items), 3, status="01")] * series
    body, goal = encode_intervals(message, columns), 1_000_000 / 20
    works: Works = {
        "lxml parse + validate": (plain(body, UPLOAD), 0),
        "to columns": (lambda: decode_intervals(body), goal),
        "from columns": (lambda: encode_intervals(message, columns), goal),
    }
    yield from measured(f"upload of {series} x {items} intervals", "intervals/s", series * items, works)


def main() -> None:
    share = 20 if os.environ.get("QUICK") == "1" else 1
    print_rows(singles(2_000 // share))
    print_rows(results(20_000 // share))
    print_rows(intervals(100 // share, 2_880))


if __name__ == "__main__":
    main()
