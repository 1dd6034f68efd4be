"""Sums that must agree: V16 registers, V24 registers running backwards, V31 check meters, V34 balance."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import beyond, failing, graded, known, untested
from openami.mdus.vee.model import Facts, Fired, Level, Parameters
from openami.mdus.vee.registers import Backwards, assess

if TYPE_CHECKING:
    from collections.abc import Mapping


@check(
    "V16",
    "The intervals of a day sum to what the register advanced, within its tolerance.",
    tolerance_steps=Decimal,
    tolerance_share=Decimal,
)
def sum_check(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """abs(advance - sum) > max(steps * step, share * advance) fires on the whole day; incomplete days do not test."""
    present = facts.present
    complete = (present | ~facts.active).all(axis=1)
    total = np.where(present, facts.days.values, 0).sum(axis=1)
    tested = complete & facts.advance_known
    difference = np.abs(facts.advance - total)
    wrong = beyond(difference, facts.step, p.ratio("tolerance_steps"))
    wrong &= beyond(difference, np.abs(facts.advance), p.ratio("tolerance_share"))
    level = np.where(tested & wrong, Level.FAIL, Level.NONE).astype(np.uint8)[:, None]
    return Fired(level, {"advance": facts.advance, "sum": total}, tested)


@check("V24", "A register that runs backwards has rolled over, or an earlier estimate was too high.")
def backwards(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Needs `register_before`, `register_after`, `modulus`, `most`, `before_estimated` and `last_actual`."""
    names = ("register_before", "register_after", "modulus", "most", "before_estimated", "last_actual")
    if (found := known(facts, *names)) is None:
        return untested(facts)
    state, advance = assess(*found)
    return graded(
        np.asarray(state == Backwards.ESTIMATE_TOO_HIGH, np.bool_),
        np.asarray(state == Backwards.IMPOSSIBLE, np.bool_),
        advance=advance,
    )


@check("V31", "Main and check meter agree over the day.", limit_share=Decimal, accuracy_class=Decimal)
def check_meter(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """abs(main - check) > factor * class % of main. Needs `check_total` (where `check_known`) and a complete day."""
    if (found := known(facts, "check_total")) is None:
        return untested(facts)
    main = np.where(facts.present, facts.days.values, 0).sum(axis=1)
    factor, below = (p["limit_share"] * p["accuracy_class"] / 100).as_integer_ratio()
    complete = np.asarray((facts.present | ~facts.active).all(axis=1), np.bool_)
    complete &= facts.more.get("check_known", np.True_)
    apart = beyond(np.abs(main - found[0]), np.abs(main), (factor, below))
    return failing(apart & complete, main=main, check=found[0])


@check("V34", "What goes in comes out, but for the losses.", low=Decimal, high=Decimal)
def balance(facts: Facts, p: Parameters, _: Mapping[str, Fired]) -> Fired:
    """Low <= (parent - children) / parent <= high. Needs `parent_total` and `children_total` (net of feed-in)."""
    if (found := known(facts, "parent_total", "children_total")) is None:
        return untested(facts)
    parent, children = found
    loss = parent - children
    low, low_below = p.ratio("low")
    wrong = beyond(loss, parent, p.ratio("high")) | (loss * low_below < parent * low)
    return failing(np.asarray(wrong & (parent > 0), np.bool_), parent=parent, loss=loss)
