"""When a campaign stops by itself: too large a share of its meters has failed, and the rest is spared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.headend.command_store import CANCELLED, DONE, FAILED
from openami.ami.headend.functions.keys import KEY_FUNCTIONS

if TYPE_CHECKING:
    from collections.abc import Mapping

JUDGED_FROM: Final = 5
"""So many meters must have ended before a share says anything; a pilot of that size may fail as a whole."""
FIRMWARE: Final = {"update_firmware", "activate_firmware"}


def default_limit(function: str) -> int:
    """The share of failures in percent that stops a campaign of a function: what may break meters stops early."""
    return 10 if function in KEY_FUNCTIONS or function in FIRMWARE else 100


def must_stop(progress: Mapping[str, int], failures_percent_max: int) -> bool:
    """Whether a campaign with so many items in each state must stop."""
    failed = progress.get(FAILED, 0)
    ended = failed + progress.get(DONE, 0)
    return CANCELLED not in progress and ended >= JUDGED_FROM and 100 * failed > failures_percent_max * ended
