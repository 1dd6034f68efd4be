"""Registers at instants at which nobody read them: from intervals (E14), readings around (E15), their past (E19)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import reading
from openami.mdus.vee.estimates.exact import rounded
from openami.mdus.vee.model import Filled

if TYPE_CHECKING:
    from openami.mdus.vee.model import Parameters, Reads

_DAY_S = 86_400


@reading("E14", "A register is the reading before and what the intervals since then say.", look_back_days=int)
def from_intervals(reads: Reads, p: Parameters) -> Filled:
    """Only forward, from an actual reading, with intervals that are all there and actual."""
    near = reads.at_s - reads.before_s <= p["look_back_days"] * _DAY_S
    return Filled(reads.before + reads.used, reads.used_known & near)


@reading("E15", "A register between two readings is on the line between them, in elapsed time.", look_ahead_days=int)
def prorated(reads: Reads, p: Parameters) -> Filled:
    """Rounded half up to whole units of the channel."""
    length_s = np.maximum(reads.after_s - reads.before_s, 1)
    quotient, rest = np.divmod(reads.after - reads.before, length_s)
    elapsed_s = reads.at_s - reads.before_s
    near = reads.after_s - reads.at_s <= p["look_ahead_days"] * _DAY_S
    return Filled(reads.before + quotient * elapsed_s + rounded(rest * elapsed_s, length_s), reads.after_known & near)


@reading(
    "E19",
    "A register goes on as it went: its daily use, rounded, times the days, cut to its last digit.",
    daily_digit=int,
    history_days=int,
)
def from_its_past(reads: Reads, p: Parameters) -> Filled:
    """California's monthly estimate (working group, 1998): daily use half up to `daily_digit`, times days, cut."""
    history_days = (reads.before_s - reads.oldest_s) // _DAY_S
    days = (reads.at_s - reads.before_s) // _DAY_S
    digit = p["daily_digit"]
    daily = rounded(reads.before - reads.oldest, np.maximum(history_days, 1) * digit) * digit
    return Filled(reads.before + daily * days // reads.step * reads.step, history_days >= 1)
