"""Unify: many sources, one reading. Keeps each delivery raw, gives it one identity, unit, time and quality.

In: deliveries of any head-end (field seam) or file (adapters), and the registry's channels as plain values. Out, to
`mdus/series` and `mdus/vee`: dense channel-days and register readings on the channel's own grid, scale and quality;
and every part that was refused, with its position and reason. Upstream: the field door, the drop folder, uploads.

    directory = unify.Directory(descriptions)          # from the registry, for unify.identities(message.payload)
    found = unify.unify(message.payload, directory, anchors=dials)
    for group in found.days: await series.merge(tx, group, provenance)
    await series.merge_registers(tx, found.registers, provenance)
    answer = field.errors_of((*message.refusals, *found.refusals))

Nothing is dropped silently: a reading is in the channel-days, in the register readings, or in a refusal.
"""

from openami.mdus.unify.delivery import Unified, dial_needs, identities, unify
from openami.mdus.unify.dials import Anchors
from openami.mdus.unify.matching import ChannelDescription, Directory, patterns_of
from openami.mdus.unify.raw import Kept, Quarantined, RawStore

__all__ = [
    "Anchors",
    "ChannelDescription",
    "Directory",
    "Kept",
    "Quarantined",
    "RawStore",
    "Unified",
    "dial_needs",
    "identities",
    "patterns_of",
    "unify",
]
