"""Functions about prepaid accounts: tokens, money, price."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.dlms import data as d
from openami.ami.dlms import queries
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.headend.dialogues import given
from openami.ami.headend.functions.model import Function, Parameters, number, octets, plain

if TYPE_CHECKING:
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found


async def enter_token(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Give a prepayment token to the meter."""
    await dialogue.session.ask(queries.act("0-0:19.40.0", 115, 1, d.octet_string(octets(wanted, "token"))))
    return await credit(dialogue, {})


async def add_credit(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Add money (thousandths of the currency; negative takes away)."""
    amount = d.integer32(number(wanted, "amount", -(10**9), 10**9))
    await dialogue.session.ask(queries.act("0-0:19.10.0", 112, 1, amount))
    return await credit(dialogue, {})


async def set_payment_mode(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Prepaid or not, and the price of a kilowatt-hour (thousandths of the currency)."""
    if "price" in wanted:
        table = d.array([d.structure(d.octet_string(b""), d.integer16(number(wanted, "price", 0, 32767)))])
        await dialogue.session.ask(queries.act("0-0:19.20.0", 113, 1, table))
    mode = d.structure(d.enum(2 if wanted["prepaid"] else 1), d.enum(2))
    await dialogue.session.ask(queries.write("0-0:19.0.0", 111, 2, mode))
    return await credit(dialogue, {})


async def credit(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """What is left."""
    (left,) = await dialogue.session.ask_all([AttributeRef(111, Obis.of("0-0:19.0.0"), 5)])
    return {"credit": plain(given(left))}


_CHANGED: Final = "config.changed"
PAYMENT: Final = (
    Function(
        "enter_token", "Gives a prepayment token to the meter.", enter_token, (), ("token",), objects=("0-0:19.40.0",)
    ),
    Function("add_credit", "Adds money to a prepaid account.", add_credit, (), ("amount",), objects=("0-0:19.10.0",)),
    Function(
        "set_payment_mode",
        "Makes an account prepaid or not, and sets the price.",
        set_payment_mode,
        (),
        ("prepaid",),
        ("price",),
        _CHANGED,
        objects=("0-0:19.0.0", "0-0:19.20.0"),
    ),
)
"""The functions of this module."""
