"""How a meter is spoken to and where its objects are: its companion standard, as reading and commanding need it.

A meter of the profile `generic` is met as the association itself agrees. Any other says which companion standard it
keeps to, and the quirks of its maker come with it (`openami.ami.dlms.companions`, data files).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from openami.ami.dlms.companions import Manner, companion
from openami.ami.dlms.enums import Mechanism
from openami.ami.headend.model import Stream
from openami.shared.errors import OpenAmiError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from openami.ami.dlms.companions import Companion
    from openami.ami.headend.model import Meter

GENERIC: Final = "generic"
PROFILES: Final = {
    "dsmr2": "dsmr-2.2",
    "dsmr": "dsmr-4.2.2",
    "smr4": "smr-4.3",
    "esmr5": "smr-5.0",
    "idis": "idis-2",
}
"""What a meter's profile is called here, and the companion standard that it means."""
# Where a companion standard names an object, by the tag of its data file.
_TAGS: Final[Mapping[Stream, tuple[str, ...]]] = {
    Stream.LOAD_PROFILE: ("LOAD_PROFILE_1",),
    Stream.DAILY_PROFILE: ("DAILY_PROFILE", "DAILY_VALUES_COMBINED"),
    Stream.STANDARD_LOG: ("STANDARD_EVENT_LOG",),
    Stream.FRAUD_LOG: ("FRAUD_DETECTION_LOG", "FRAUD_DETECTION_EVENT_LOG"),
    Stream.SWITCH_LOG: ("DISCONNECTOR_CONTROL_LOG",),
    Stream.MBUS_LOG: ("MBUS_EVENT_LOG",),
    Stream.QUALITY_LOG: ("POWER_QUALITY_EVENT_LOG",),
    Stream.COMMUNICATION_LOG: ("COMMUNICATION_EVENT_LOG", "COMMUNICATION_SESSION_EVENT_LOG"),
}


class UnknownProfileError(OpenAmiError):
    """No companion profile has this name."""


@dataclass(frozen=True, slots=True)
class Standard:
    """What holds for one meter."""

    manner: Manner
    streams: Mapping[Stream, str]
    """The profile of each stream; one that is not there the standard does not have."""
    scales: Mapping[str, int] = field(default_factory=dict)
    """Powers of ten of registers whose maker does not tell the right one."""
    mechanism: Mechanism = Mechanism.HIGH_GMAC
    list_max: int | None = None


def known_profile(name: str) -> str:
    """The name, if there is such a profile.

    Raises:
        UnknownProfileError: there is none.
    """
    if name != GENERIC and name not in PROFILES:
        raise UnknownProfileError(
            f"There is no profile {name!r}.", hint=f"There are {', '.join((GENERIC, *PROFILES))}."
        )
    return name


def standard_of(meter: Meter) -> Standard:
    """The standard that a meter keeps to, with the quirks of its maker: the first letters of its system title."""
    return _standard(meter.profile, meter.system_title[:3].decode("ascii", "replace"))


@lru_cache(maxsize=256)
def _standard(profile: str, maker: str) -> Standard:
    if profile == GENERIC:
        return Standard(Manner(), {stream: stream.value for stream in Stream})
    known = companion(PROFILES[known_profile(profile)])
    kept = known.for_device(maker)
    scales = {
        str(each.name()): each.scale[0]
        for tag, each in kept.objects.items()
        if each.scale is not None and each.scale != known.objects[tag].scale and not each.by_channel
    }
    return Standard(kept.manner, _streams(kept), scales, Mechanism(kept.manner.mechanism), kept.manner.list_size)


def _streams(kept: Companion) -> dict[Stream, str]:
    """The profiles as the standard names them; what it does not name is where other meters have it, if that is free."""
    named = {stream: kept.objects[tag].obis for stream, tags in _TAGS.items() for tag in tags if tag in kept.objects}
    taken = set(named.values())
    return {
        stream: named.get(stream, stream.value) for stream in Stream if stream in named or stream.value not in taken
    }
