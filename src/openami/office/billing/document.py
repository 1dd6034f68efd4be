"""The bill as a document: plain JSON with number, dates and head, and its reversal by addition."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any, Final

from openami.office.billing.model import json_value

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import date

    from openami.office.billing.model import Bill

_MONEY: Final = ("net", "vat", "total")


@dataclass(frozen=True, slots=True)
class Utility:
    """The head of the bill: who sends it, and where to pay."""

    name: str = "Amstelland Energy (demonstration)"
    address: str = "Stadhouderskade 100, 1073 AX Amsterdam"
    contact: str = "help@amstelland.example · 020 555 01 00"
    registration: str = "Chamber of commerce 00000000 · VAT NL000000000B01"
    account: str = "NL00 DEMO 0000 0000 00"


def bill_document(bill: Bill, number: str, issued: date, due: date, utility: Utility) -> dict[str, Any]:
    """The document of a bill; it holds all that the page shows and all that a recomputation needs."""
    content: dict[str, Any] = json_value(bill)
    return content | {
        "number": number,
        "issued": issued.isoformat(),
        "due": due.isoformat(),
        "utility": asdict(utility),
        "reverses": None,
        "reason": "",
    }


def reversal_document(original: Mapping[str, Any], number: str, issued: date, reason: str) -> dict[str, Any]:
    """The document that takes a bill back: every amount with the other sign, the evidence unchanged."""
    lines = [line | {"amount": _negated(line["amount"])} for line in original["lines"]]
    taxes = [tax | {name: _negated(tax[name]) for name in ("net", "amount")} for tax in original["taxes"]]
    return (
        dict(original)
        | {name: _negated(original[name]) for name in _MONEY}
        | {
            "lines": lines,
            "taxes": taxes,
            "number": number,
            "issued": issued.isoformat(),
            "due": issued.isoformat(),
            "reverses": original["number"],
            "reason": reason,
        }
    )


def seal(document: Mapping[str, Any]) -> str:
    """SHA-256 of the canonical JSON: two documents are the same bill exactly when their seals are equal."""
    return hashlib.sha256(json.dumps(document, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _negated(amount: str) -> str:
    return format(-Decimal(amount), "f")
