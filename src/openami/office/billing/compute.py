"""The bill as a function of its input: sums per bucket, priced lines, tax, and the evidence beside them."""

from __future__ import annotations

import hashlib
import json
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.office.billing.calendar import bucket_of
from openami.office.billing.charges import (
    Part,
    demand_lines,
    energy_lines,
    feed_in_lines,
    from_milli,
    standing_lines,
    to_energy,
)
from openami.office.billing.model import (
    Bill,
    BillInput,
    DayTotal,
    EstimatedStretch,
    MeterEvidence,
    MeterSlice,
    Tax,
    json_value,
)
from openami.office.billing.prices import stretches
from openami.office.billing.tariff import MEASURED_UNITS
from openami.office.devices.model import Direction
from openami.office.localtime import day_number, instant_of, local_dates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from openami.office.billing.charges import Quantity
    from openami.office.billing.model import BillLine
    from openami.office.billing.prices import Stretch
    from openami.office.billing.tariff import Bucket, Tariff


def calculate(source: BillInput) -> Bill:
    """The bill of one contract for one period.

    The input must have passed the gate (`rules.check`); nothing is looked up, so the same input gives the same bill.
    """
    tariff = source.tariff
    parts, notes = _parts(source)
    lines = (
        *energy_lines(parts),
        *demand_lines(parts, _highest_kw(source)),
        *standing_lines(parts),
        *feed_in_lines(parts),
    )
    net = sum((line.amount for line in lines), Decimal(0))
    taxes = tuple(_taxes(lines, tariff))
    vat = sum((tax.amount for tax in taxes), Decimal(0))
    meters = tuple(_evidence(piece) for piece in source.slices)
    drawn = [meter for meter in meters if meter.direction is Direction.DRAWN]
    return Bill(
        party=source.party,
        tariff_id=tariff.id,
        tariff_name=tariff.name,
        tariff_digest=tariff.digest,
        division=tariff.division.value,
        currency=tariff.currency,
        measured_unit=MEASURED_UNITS[tariff.division],
        billed_unit=tariff.unit,
        zone_name=source.zone_name,
        first_day=source.first_day,
        past_last_day=source.past_last_day,
        lines=lines,
        net=net,
        taxes=taxes,
        vat=vat,
        total=net + vat,
        rounding=f"each line and the tax: {tariff.rounding}",
        measured_milli=sum(meter.measured_milli for meter in drawn),
        estimated_milli=sum(meter.estimated_milli for meter in drawn),
        fed_in_milli=sum(meter.interval_sum_milli for meter in meters if meter.direction is Direction.FED_IN),
        meters=meters,
        estimates=tuple(stretch for piece in source.slices for stretch in estimated_stretches(piece)),
        days=tuple(_day_totals(source)),
        notes=tuple(notes),
        as_of=source.as_of,
        inputs_sha256=_fingerprint(source),
        versions=source.versions,
    )


def estimated_stretches(piece: MeterSlice) -> Iterator[EstimatedStretch]:
    """The runs of consecutive estimated intervals of one device."""
    flags = np.concatenate(([False], piece.estimated, [False])).astype(np.int8)
    edges = np.diff(flags)
    for first, past_last in zip(np.flatnonzero(edges == 1), np.flatnonzero(edges == -1), strict=True):
        yield EstimatedStretch(
            device_id=piece.device_id,
            direction=piece.direction,
            start=instant_of(int(piece.starts[first])),
            end=instant_of(int(piece.starts[past_last - 1]) + piece.interval_s),
            quantity_milli=int(piece.values_milli[first:past_last].sum()),
        )


def _taxes(lines: Sequence[BillLine], tariff: Tariff) -> Iterator[Tax]:
    for rate in dict.fromkeys(line.vat_rate for line in lines):
        net = sum((line.amount for line in lines if line.vat_rate == rate), Decimal(0))
        yield Tax(rate, net, tariff.rounding(net * rate))


def _parts(source: BillInput) -> tuple[list[Part], list[str]]:
    """The billed quantities of each run of days with one set of prices, and how gas was converted in it."""
    parts, notes = [], []
    for stretch in stretches(source.tariff, source.first_day, source.past_last_day):
        volumes = _bucket_sums(source, stretch, Direction.DRAWN, stretch.tariff.buckets)
        fed_in = _bucket_sums(source, stretch, Direction.FED_IN, stretch.tariff.feed_in)
        conversion = stretch.conversion
        converted = volumes if conversion is None else [to_energy(part, conversion) for part in volumes]
        parts.append(Part(stretch, tuple(converted), tuple(fed_in)))
        if conversion is not None:
            notes.append(
                f"{sum((part.total for part in volumes), Decimal(0)):f} m3 from {stretch.first_day} at volume factor "
                f"{conversion.volume_factor} and {conversion.calorific_kwh_per_m3} kWh/m3 are "
                f"{sum((part.total for part in converted), Decimal(0)):f} kWh (three decimals per rate, half up)."
            )
    return parts, notes


def _bucket_sums(
    source: BillInput, stretch: Stretch, direction: Direction, buckets: Sequence[Bucket]
) -> list[Quantity]:
    sums: list[tuple[int, int]] = [(0, 0) for _ in buckets]
    for piece in source.going(direction):
        bucket = bucket_of(piece.starts, buckets, source.tariff.holidays, source.zone_name)
        day = local_dates(piece.starts, source.zone_name)
        inside = (day >= day_number(stretch.first_day)) & (day < day_number(stretch.past_last_day))
        for index, (total, estimated) in enumerate(sums):
            mine = inside & (bucket == index)
            sums[index] = (
                total + int(piece.values_milli[mine].sum()),
                estimated + int(piece.values_milli[mine & piece.estimated].sum()),
            )
    return [from_milli(total, estimated) for total, estimated in sums]


def _highest_kw(source: BillInput) -> dict[str | None, Decimal]:
    """The highest mean power of one interval, per bucket id and over all (None).

    An interval in which a meter was replaced is one interval: both meters' energy was drawn in it.
    """
    highest: dict[str | None, Decimal] = {}
    if not source.tariff.demand:
        return highest
    drawn = source.going(Direction.DRAWN)
    for interval_s in {piece.interval_s for piece in drawn}:
        pieces = [piece for piece in drawn if piece.interval_s == interval_s]
        starts, place = np.unique(np.concatenate([piece.starts for piece in pieces]), return_inverse=True)
        energy = np.zeros(starts.size, dtype=np.int64)
        np.add.at(energy, place, np.concatenate([piece.values_milli for piece in pieces]))
        bucket = bucket_of(starts, source.tariff.buckets, source.tariff.holidays, source.zone_name)
        for index in np.unique(bucket):
            peak_kw = Decimal(int(energy[bucket == index].max())) * 3600 / (1000 * interval_s)
            for name in (source.tariff.buckets[index].id, None):
                highest[name] = max(highest.get(name, peak_kw), peak_kw)
    return highest


def _evidence(piece: MeterSlice) -> MeterEvidence:
    estimated_milli = int(piece.values_milli[piece.estimated].sum())
    total_milli = int(piece.values_milli.sum())
    return MeterEvidence(
        device_id=piece.device_id,
        serial=piece.serial,
        direction=piece.direction,
        start=piece.span.start,
        end=piece.span.end,
        opening=piece.opening,
        closing=piece.closing,
        register_difference_milli=piece.register_difference_milli,
        interval_sum_milli=total_milli,
        measured_milli=total_milli - estimated_milli,
        estimated_milli=estimated_milli,
    )


def _day_totals(source: BillInput) -> Iterator[DayTotal]:
    first, past_last = day_number(source.first_day), day_number(source.past_last_day)
    measured = np.zeros(past_last - first, dtype=np.int64)
    estimated = np.zeros_like(measured)
    for piece in source.going(Direction.DRAWN):
        index = np.clip(local_dates(piece.starts, source.zone_name) - first, 0, past_last - first - 1)
        np.add.at(measured, index[~piece.estimated], piece.values_milli[~piece.estimated])
        np.add.at(estimated, index[piece.estimated], piece.values_milli[piece.estimated])
    for offset in range(past_last - first):
        yield DayTotal(source.first_day + timedelta(days=offset), int(measured[offset]), int(estimated[offset]))


def _fingerprint(source: BillInput) -> str:
    """A hash of all that was read, to prove that a recomputation saw the same."""
    digest = hashlib.sha256(source.tariff.digest.encode())
    for piece in source.slices:
        head = [piece.device_id, piece.profile_id, piece.interval_s, piece.span, piece.opening, piece.closing]
        digest.update(json.dumps(json_value(head)).encode())
        for column in (piece.starts, piece.values_milli, piece.status):
            digest.update(_little_endian(column))
    return digest.hexdigest()


def _little_endian(column: NDArray[np.int64] | NDArray[np.uint8]) -> bytes:
    return column.astype(column.dtype.newbyteorder("<")).tobytes()
