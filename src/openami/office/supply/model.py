"""Values of supply: customers and contracts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from datetime import date


class UnknownContractError(OpenAmiError):
    """No contract is known by this id, or none runs at this point of delivery."""

    number = "OAMI136"
    category = "PRE.IDE"


class ContractConflictError(OpenAmiError):
    """Two contracts would supply one point of delivery on one day."""


@dataclass(frozen=True, slots=True)
class Customer:
    """Who pays. `protection` says why the customer must not be disconnected (medical need, say); empty if not."""

    id: str
    name: str
    address: str
    protection: str = ""


@dataclass(frozen=True, slots=True)
class Contract:
    """Supply of one point of delivery from a day on, up to (not including) another if it was ended."""

    id: str
    customer_id: str
    point_id: str
    division: str
    tariff_id: str
    first_day: date
    past_last_day: date | None = None

    def days_in(self, first: date, past_last: date) -> tuple[date, date] | None:
        """The part of a period that the contract covers, or None."""
        start = max(first, self.first_day)
        end = past_last if self.past_last_day is None else min(past_last, self.past_last_day)
        return (start, end) if start < end else None

    def runs(self, day: date) -> bool:
        """Whether it supplies on a day."""
        return self.first_day <= day and (self.past_last_day is None or day < self.past_last_day)
