"""Builders of billing inputs: a meter's part of a period, and a whole input around it."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from openami.office.billing.model import BillInput, MeterSlice, Party
from openami.office.billing.tariff import Tariff, shipped_tariffs
from openami.office.localtime import interval_starts
from openami.office.readings.model import ItemStatus, RegisterReading
from openami.shared.spans import Span, local_midnight

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

ZONE = "Europe/Amsterdam"


def build_slice(
    span: Span,
    values: Sequence[int] | int = 100,
    *,
    interval_s: int = 1800,
    opening_milli: int = 1_000_000,
    serial: str = "E1",
) -> MeterSlice:
    starts = interval_starts(span, interval_s)
    energy = np.full(starts.shape, values, dtype=np.int64) if isinstance(values, int) else np.array(values, np.int64)
    return MeterSlice(
        device_id=serial.rjust(18, "0"),
        serial=serial,
        register_id="1",
        profile_id="2",
        interval_s=interval_s,
        span=span,
        starts=starts,
        values_milli=energy,
        status=np.full(starts.shape, ItemStatus.VALID, dtype=np.uint8),
        opening=RegisterReading(span.start, opening_milli),
        closing=RegisterReading(span.end, opening_milli + int(energy.sum())),
    )


@pytest.fixture
def make_slice() -> Callable[..., MeterSlice]:
    return build_slice


@pytest.fixture
def make_input() -> Callable[..., BillInput]:
    """A billing input for local days [first, past_last) with the given slices, or one full slice."""

    def make(
        tariff: Tariff | None = None,
        slices: Sequence[MeterSlice] | None = None,
        *,
        first: date = date(2026, 3, 1),
        past_last: date = date(2026, 4, 1),
        zone_name: str = ZONE,
        **slice_options: Any,
    ) -> BillInput:
        period = Span(local_midnight(zone_name, first), local_midnight(zone_name, past_last))
        return BillInput(
            party=Party("C1", "K1", "A. Jansen", "Kade 1, 1011 AB Amsterdam", "871685900000000001"),
            tariff=tariff or shipped_tariffs()["home-electricity"],
            zone_name=zone_name,
            first_day=first,
            past_last_day=past_last,
            slices=tuple(slices) if slices is not None else (build_slice(period, **slice_options),),
            as_of=datetime(2026, 4, 1, 9, tzinfo=UTC),
        )

    return make
