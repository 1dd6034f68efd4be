"""Series: every version of every channel, packed by local day.

In: matrices of channel-days from `unify` (measured) and from `vee` (judged, estimated, edited); register readings.
Out: current values and what was known at any past instant, to `vee`, `services`, views; a feed of what changed.
Nothing is overwritten: a change is a new version with its author and cause.
"""

from openami.mdus.series.calendar import Calendar
from openami.mdus.series.knowledge import Knowledge
from openami.mdus.series.model import (
    Channel,
    ChannelDays,
    ChannelSpan,
    Flag,
    Provenance,
    RegisterReadings,
    Version,
    place,
)
from openami.mdus.series.store import MergeReport, Series

__all__ = [
    "Calendar",
    "Channel",
    "ChannelDays",
    "ChannelSpan",
    "Flag",
    "Knowledge",
    "MergeReport",
    "Provenance",
    "RegisterReadings",
    "Series",
    "Version",
    "place",
]
