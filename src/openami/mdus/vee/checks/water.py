"""Water that runs when nobody uses it: WA1, WA2. Bursts are V18 against the overload flow (WA6)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from openami.mdus.vee.catalogue import check
from openami.mdus.vee.checks.levels import failing
from openami.mdus.vee.water import Flow, flow_of_day

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from openami.mdus.vee.model import Facts, Fired, Parameters


@check("WA1", "Water does not run without a pause for a whole day: a leak does.")
def continuous_flow(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Flow in every interval of a complete day (96 of 96 quarter-hours)."""
    return failing(_of_complete_days(facts, Flow.CONTINUOUS), flowing=_flowing(facts))


@check("WA2", "Water does not run for more than half of a day: a dripping tap does.")
def intermittent_flow(facts: Facts, _: Parameters, __: Mapping[str, Fired]) -> Fired:
    """Flow in 50 to 95 of 96 quarter-hours of a complete day, and alike for other lengths."""
    return failing(_of_complete_days(facts, Flow.INTERMITTENT), flowing=_flowing(facts))


def _of_complete_days(facts: Facts, flow: Flow) -> NDArray[np.bool_]:
    return np.asarray((flow_of_day(facts.days.values) == flow) & facts.present.all(axis=1), np.bool_)


def _flowing(facts: Facts) -> NDArray[np.int64]:
    return np.asarray((facts.days.values > 0).sum(axis=1), np.int64)
