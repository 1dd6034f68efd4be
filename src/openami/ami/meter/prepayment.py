"""Prepayment (classes 111 to 115): tokens bring money, energy takes it, and an empty purse opens the breaker.

A token is the meter's own: amount, number and an HMAC-SHA-256 tag under its authentication key, cut to eight octets.
It is taken once, and only if its number is above all before: neither a copy nor an old one buys anything.
"""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from openami.ami.dlms import data as d
from openami.ami.dlms.enums import ActionResult, DataAccessResult
from openami.ami.dlms.errors import AccessDeniedError, ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.meter.parts import Part

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from openami.ami.dlms.data import Data
    from openami.ami.meter.history import RegisterHistory
    from openami.ami.meter.model import Meter

ACCOUNT: Final = Obis.of("0-0:19.0.0")
CREDIT: Final = Obis.of("0-0:19.10.0")
CHARGE: Final = Obis.of("0-0:19.20.0")
GATEWAY: Final = Obis.of("0-0:19.40.0")
_ACCOUNT, _CREDIT, _CHARGE, _GATEWAY = 111, 112, 113, 115
CREDIT_MODE, PREPAYMENT_MODE = 1, 2
_ACTIVE: Final = 2
TOKEN_OCTETS: Final = 16
_TAG_OCTETS: Final = 8
TAKEN, REFUSED = 2, 4
AMOUNT_MAX: Final = 10**9


@dataclass(slots=True)
class Purse:
    """Money in thousandths of the currency, and the price of a kilowatt-hour in the same."""

    prepaid: bool = False
    amount: int = 0
    """What was there at `register_wh`."""
    price: int = 0
    register_wh: int = 0
    since_s: int = 0
    last_token: int = 0
    token_status: int = 0

    def at(self, register_wh: int) -> int:
        """What is left when the register shows this; a begun thousandth counts as used."""
        if not self.prepaid:
            return self.amount
        return self.amount - -(-(register_wh - self.register_wh) * self.price // 1000)

    def apply(self, at_s: int, register_wh: int, detail: Mapping[str, Any]) -> None:
        """One change, new or replayed."""
        self.amount = self.at(register_wh) + detail.get("amount", 0)
        self.register_wh, self.since_s = register_wh, at_s
        self.price = detail.get("price", self.price)
        self.prepaid = detail.get("prepaid", self.prepaid)
        self.last_token = detail.get("token", self.last_token)
        self.token_status = detail.get("status", self.token_status)


def token_of(authentication_key: bytes, serial: str, number: int, amount: int) -> bytes:
    """A token for one meter: amount (thousandths) and number in four octets each, then the tag."""
    head = amount.to_bytes(4, "big") + number.to_bytes(4, "big")
    return head + _tag(authentication_key, serial, head)


def empty_s(purse: Purse, history: RegisterHistory, after_s: int, to_s: int) -> int | None:
    """The first second in (after, to] at which nothing is left."""
    if not purse.prepaid or not purse.price or not history.live:
        return None
    begin_s = max(after_s, purse.since_s)
    if purse.at(history.at(to_s)) > 0 or begin_s >= to_s:
        return None
    low_s, high_s = begin_s, to_s  # what is left never grows by itself
    while high_s - low_s > 1:
        middle_s = (low_s + high_s) // 2
        if purse.at(history.at(middle_s)) > 0:
            low_s = middle_s
        else:
            high_s = middle_s
    return high_s


def prepayment_part(meter: Meter, authentication_key: bytes, now_s: Callable[[], int]) -> Part:
    """Account, credit, charge and the gateway that takes tokens."""
    purse = meter.purse

    def left() -> int:
        return int(np.clip(purse.at(meter.register_at(now_s())), -(2**31), 2**31 - 1))

    def enter(parameter: Data | None) -> Data:
        token = b"" if parameter is None else parameter.octets()
        head, tag = token[:-_TAG_OCTETS], token[-_TAG_OCTETS:]
        amount, number = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        genuine = len(token) == TOKEN_OCTETS and hmac.compare_digest(tag, _tag(authentication_key, meter.serial, head))
        if not genuine or number <= purse.last_token or amount > AMOUNT_MAX:
            meter.credit(now_s(), {"status": REFUSED})
            raise ActionRefusedError(ActionResult.OTHER_REASON)
        meter.credit(now_s(), {"amount": amount, "token": number, "status": TAKEN})
        meter.paid(now_s())
        return d.structure(d.enum(TAKEN), d.bit_string("00000000"))

    def mode(value: Data) -> None:
        wanted = value.fields(2)[0].integer()
        if wanted not in (CREDIT_MODE, PREPAYMENT_MODE):
            raise AccessDeniedError(DataAccessResult.OTHER_REASON)
        meter.credit(now_s(), {"prepaid": wanted == PREPAYMENT_MODE})

    def price(value: Data | None) -> None:
        meter.credit(now_s(), {"price": _price_of(value)})

    def add(value: Data | None) -> None:
        if value is None or abs(value.integer()) > AMOUNT_MAX:
            raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
        meter.credit(now_s(), {"amount": value.integer()})
        meter.paid(now_s())

    return Part(
        objects={
            ACCOUNT: (_ACCOUNT, {2: lambda: _mode(purse), 5: lambda: d.integer32(left()), **_account_rest()}),
            CREDIT: (_CREDIT, {2: lambda: d.integer32(left()), 3: lambda: d.enum(0), 5: lambda: d.integer32(0)}),
            CHARGE: (_CHARGE, {3: lambda: d.enum(0), 5: lambda: _unit_charge(purse)}),
            GATEWAY: (
                _GATEWAY,
                {
                    5: lambda: d.enum(0),
                    6: lambda: d.structure(d.enum(purse.token_status), d.bit_string("00000000")),
                },
            ),
        },
        writers={(ACCOUNT, 2): mode},
        methods={(GATEWAY, 1): enter, (CHARGE, 1): price, (CREDIT, 1): add},
    )


def _tag(key: bytes, serial: str, head: bytes) -> bytes:
    return hmac.new(key, b"token:" + serial.encode() + head, hashlib.sha256).digest()[:_TAG_OCTETS]


def _mode(purse: Purse) -> Data:
    return d.structure(d.enum(PREPAYMENT_MODE if purse.prepaid else CREDIT_MODE), d.enum(_ACTIVE))


def _account_rest() -> dict[int, Callable[[], Data]]:
    return {
        9: lambda: d.array([d.octet_string(CREDIT)]),
        10: lambda: d.array([d.octet_string(CHARGE)]),
        15: lambda: d.structure(d.utf8_string("EUR"), d.integer8(-3), d.enum(0)),
    }


def _unit_charge(purse: Purse) -> Data:
    commodity = d.structure(d.unsigned16(3), d.octet_string(Obis.of("1-0:1.8.0")), d.integer8(2))
    table = d.array([d.structure(d.octet_string(b""), d.integer16(purse.price))])
    return d.structure(d.structure(d.integer8(3), d.integer8(-3)), commodity, table)


def _price_of(table: Data | None) -> int:
    """The price of the first entry of a charge table."""
    if table is None or not table.elements():
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    _index, price = table.elements()[0].fields(2)
    if not 0 <= price.integer() < 2**15:
        raise ActionRefusedError(ActionResult.TYPE_UNMATCHED)
    return price.integer()
