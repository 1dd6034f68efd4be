"""Gas: from volume to energy, and the plausibility of readings, correctors and annual quantities (GA1 to GA11)."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal
from itertools import pairwise
from typing import TYPE_CHECKING, Final

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CUBIC_FEET_HUNDRED: Final = Decimal("2.83")
_GB_CORRECTION: Final = Decimal("1.02264")
_MJ_PER_KWH: Final = Decimal("3.6")
_WEIGHTS: Final = (Decimal(1), Decimal("0.5"), Decimal("0.25"), Decimal("0.125"))


class CalorificValueError(OpenAmiError):
    """A calorific value outside the range that pipeline gas has."""


def energy_gb_kwh(
    units: Decimal,
    calorific_value_mj_m3: Decimal,
    *,
    hundreds_of_cubic_feet: bool = False,
    correction: Decimal = _GB_CORRECTION,
) -> Decimal:
    """GA1: kWh = m3 x correction x CV / 3.6; imperial meters count hundreds of cubic feet.

    Raises:
        CalorificValueError: the calorific value is outside 37.5 to 43.0 MJ/m3.
    """
    if not Decimal("37.5") <= calorific_value_mj_m3 <= Decimal(43):
        raise CalorificValueError(
            f"A calorific value of {calorific_value_mj_m3} MJ/m3 is not that of pipeline gas.",
            hint="Check the unit: it must be MJ per cubic metre, normally 37.5 to 43.0.",
        )
    volume_m3 = units * (_CUBIC_FEET_HUNDRED if hundreds_of_cubic_feet else 1)
    return volume_m3 * correction * calorific_value_mj_m3 / _MJ_PER_KWH


def state_number(height_m: Decimal, pressure_mbar: Decimal, temperature_k: Decimal = Decimal("288.15")) -> Decimal:
    """GA2: z = T_n / T x (p_amb + p) / p_n to four decimals; p_amb = 1016 - 0.12 x height (DVGW G 685)."""
    ambient_mbar = 1016 - Decimal("0.12") * height_m
    exact = Decimal("273.15") / temperature_k * (ambient_mbar + pressure_mbar) / Decimal("1013.25")
    return exact.quantize(Decimal("0.0001"), ROUND_HALF_UP)


def energy_de_kwh(volume_m3: Decimal, heating_value: Decimal, z: Decimal, *, standard_volume: bool = False) -> Decimal:
    """GA2, GA3: kWh = V x z x Hs; a volume that is already in standard conditions is not converted again."""
    return volume_m3 * (1 if standard_volume else z) * heating_value


def fits_neighbours(
    readings: Sequence[Decimal], expected: Sequence[Decimal], share: Decimal, *, overridden: bool = False
) -> list[bool]:
    """GA4: whether the advances to and from an inserted reading are about what was expected; one override clears both.

    `readings` are the one before, the inserted one, and the one after.
    """
    advances = [after - before for before, after in pairwise(readings)]
    return [overridden or abs(one - own) <= share * own for one, own in zip(advances, expected, strict=True)]


def corrector_deviation(uncorrected: Decimal, corrected: Decimal, expected_z: Decimal) -> Decimal:
    """GA5: by which share the corrector's factor differs from the one expected."""
    return corrected / uncorrected / expected_z - 1


def degree_day_estimate_kwh(
    base_kwh_d: Decimal, kwh_per_degree_day: Decimal, days: int, degree_days: Decimal
) -> Decimal:
    """GA7: base load by days and heating by degree days."""
    return base_kwh_d * days + kwh_per_degree_day * degree_days


def profile_temperature(day_temperatures: Sequence[Decimal]) -> Decimal:
    """GA8: the temperature of a standard load profile: four days, the newest first, weighted 1, 1/2, 1/4, 1/8."""
    weighted = sum((weight * t for weight, t in zip(_WEIGHTS, day_temperatures, strict=True)), Decimal(0))
    return weighted / sum(_WEIGHTS)


@dataclass(frozen=True, slots=True)
class Period:
    """A consumption period in days since any day one, with what was used."""

    first_day: int
    past_last_day: int
    used_kwh: Decimal


def annual_quantity_kwh(periods: Sequence[Period]) -> Decimal | None:
    """GA10: the annual quantity by contiguous periods; None when they overlap, have gaps, are none, or sum below 0."""
    ordered = sorted(periods, key=lambda one: one.first_day)
    contiguous = all(a.past_last_day == b.first_day for a, b in pairwise(ordered))
    total = sum((one.used_kwh for one in ordered), Decimal(0))
    if not ordered or not contiguous or total < 0:
        return None
    return total * 365 / (ordered[-1].past_last_day - ordered[0].first_day)
