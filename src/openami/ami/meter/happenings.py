"""What happens in a street on somebody's order: faults, and a fitter who swaps a meter; each at its exact instant."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

from openami.ami.meter.history import ALL
from openami.ami.meter.street import Kind, Street
from openami.ami.meter.times import seconds_of
from openami.shared.errors import OpenAmiError
from openami.shared.spans import local_day

if TYPE_CHECKING:
    from collections.abc import Mapping

_COVER_OPEN_S: Final = 600
BYPASS: Final = 200
"""Current without voltage on L1: a bridge past the meter."""
REVERSED: Final = 91
BRIDGED_PERCENT: Final = 30
"""How much still goes through a meter past which a bridge was laid, unless the order says so."""


class BadHappeningError(OpenAmiError):
    """An order for the street cannot be understood."""


class TooLateError(OpenAmiError):
    """An order is for an instant that the street has already lived through."""


class HappeningKind(StrEnum):
    """What can be ordered."""

    LINK_DOWN = "link_down"
    TAMPER_COVER = "tamper_cover"
    TAMPER_TERMINAL = "tamper_terminal"
    TAMPER_MAGNET = "tamper_magnet"
    TAMPER_REVERSE = "tamper_reverse"
    TAMPER_BYPASS = "tamper_bypass"
    VOLTAGE_SAG = "voltage_sag"
    VOLTAGE_SWELL = "voltage_swell"
    CLOCK_DRIFT = "clock_drift"
    WAKE_UP = "wake_up"
    """An SMS reaches the meter's modem: the meter answers by its SMS push."""
    LOSE_PROFILE_DAY = "lose_profile_day"
    POWER_CUT = "power_cut"
    SWAP = "swap"


LOGGED: Final[dict[HappeningKind, tuple[int, int | None]]] = {
    HappeningKind.TAMPER_COVER: (44, 45),
    HappeningKind.TAMPER_TERMINAL: (40, 41),
    HappeningKind.TAMPER_MAGNET: (42, 43),
    HappeningKind.TAMPER_REVERSE: (REVERSED, None),
    HappeningKind.TAMPER_BYPASS: (BYPASS, None),
    HappeningKind.VOLTAGE_SAG: (76, 85),
    HappeningKind.VOLTAGE_SWELL: (79, 85),
}
"""What shows in a log: the codes of its beginning and its end (IDIS numbering)."""
COVERS: Final = (HappeningKind.TAMPER_COVER, HappeningKind.TAMPER_TERMINAL)


def tampering(happening: Happening, *, begins: bool) -> dict[str, Any]:
    """What an order changes about how its meter is connected while it lasts; nothing if it only shows in the log."""
    match happening.kind:
        case HappeningKind.TAMPER_REVERSE:
            return {"turned": begins}
        case HappeningKind.TAMPER_BYPASS:
            return {"through_permille": 10 * int(happening.detail["percent"]) if begins else ALL}
        case _:
            return {}


class Stage(StrEnum):
    """How far it is."""

    SCHEDULED = "scheduled"
    ACTIVE = "active"
    DONE = "done"


@dataclass(frozen=True, slots=True)
class Happening:
    """One order: begins at `starts_s`, and ends at `ends_s` if it lasts (seconds since 1970 UTC)."""

    id: str
    kind: HappeningKind
    detail: Mapping[str, str]
    starts_s: int
    ends_s: int | None
    stage: Stage = Stage.SCHEDULED

    @property
    def next_s(self) -> int | None:
        """When its next stage begins."""
        if self.stage is Stage.SCHEDULED:
            return self.starts_s
        return self.ends_s if self.stage is Stage.ACTIVE else None

    def staged(self, stage: Stage) -> Happening:
        """The same in another stage."""
        return Happening(self.id, self.kind, self.detail, self.starts_s, self.ends_s, stage)


def happening_of(body: Mapping[str, Any], street: Street, zone_name: str) -> Happening:
    """The order in a JSON object: `kind`, what it concerns, and when.

    Raises:
        BadHappeningError: something is missing or cannot be.
        UnknownMeterError, UnknownTransformerError: it concerns nothing in this street.
    """
    try:
        kind = HappeningKind(str(body.get("kind")))
    except ValueError as error:
        known = ", ".join(HappeningKind)
        raise BadHappeningError(f"There is no kind {body.get('kind')!r}.", hint=f"Use one of {known}.") from error
    starts_s, ends_s = _span(kind, body, zone_name)
    if ends_s is not None and ends_s <= starts_s:
        raise BadHappeningError("It ends before it begins.", hint="Give `to` after `from`.")
    detail = _detail(kind, body, street)
    concerned = "+".join(detail.values())
    identity = str(body.get("id") or f"{kind}:{concerned}:{starts_s}")
    return Happening(identity, kind, detail, starts_s, ends_s)


def _span(kind: HappeningKind, body: Mapping[str, Any], zone_name: str) -> tuple[int, int | None]:
    match kind:
        case HappeningKind.LINK_DOWN | HappeningKind.POWER_CUT:
            return _instant(body, "from"), _instant(body, "to")
        case kind if kind in LOGGED:
            starts_s = _instant(body, "at")
            return starts_s, _instant(body, "to") if body.get("to") else starts_s + _COVER_OPEN_S
        case HappeningKind.LOSE_PROFILE_DAY:
            # the memory forgets a day when it is full of it: at its end
            return seconds_of(local_day(zone_name, _day(body)).end), None
        case _:
            return _instant(body, "at"), None


def _detail(kind: HappeningKind, body: Mapping[str, Any], street: Street) -> dict[str, str]:
    match kind:
        case HappeningKind.LINK_DOWN:
            return {"transformer": street.transformer(_text(body, "transformer")).name}
        case HappeningKind.SWAP:
            return _swap_detail(body, street)
        case HappeningKind.LOSE_PROFILE_DAY:
            return {"serial": _electricity(body, "serial", street), "day": _day(body).isoformat()}
        case HappeningKind.CLOCK_DRIFT:
            return {"serial": _electricity(body, "serial", street), "seconds": str(_whole(body, "seconds"))}
        case HappeningKind.TAMPER_BYPASS:
            percent = _whole(body, "percent") if "percent" in body else BRIDGED_PERCENT
            if not 0 <= percent < 100:
                raise BadHappeningError(f"`percent` is {percent}.", hint="Send what still goes through: 0 to 99.")
            return {"serial": _electricity(body, "serial", street), "percent": str(percent)}
        case _:
            return {"serial": _electricity(body, "serial", street)}


def _whole(body: Mapping[str, Any], name: str) -> int:
    try:
        return int(str(body.get(name)))
    except ValueError as error:
        raise BadHappeningError(f"`{name}` is {body.get(name)!r}.", hint="Send a whole number.") from error


def _swap_detail(body: Mapping[str, Any], street: Street) -> dict[str, str]:
    old, new = (street.device(_text(body, name)) for name in ("old_serial", "new_serial"))
    if old.serial == new.serial or old.kind is not new.kind or old.transformer != new.transformer:
        raise BadHappeningError(
            f"{new.serial} cannot take the place of {old.serial}.",
            hint="Take a spare of the same kind behind the same transformer.",
        )
    return {"old_serial": old.serial, "new_serial": new.serial}


def _electricity(body: Mapping[str, Any], name: str, street: Street) -> str:
    device = street.device(_text(body, name))
    if device.kind is not Kind.ELECTRICITY:
        raise BadHappeningError(f"{device.serial} is a {device.kind} meter.", hint="Choose an electricity meter.")
    return device.serial


def _text(body: Mapping[str, Any], name: str) -> str:
    if not body.get(name):
        raise BadHappeningError(f"`{name}` is missing.", hint="Send it in the JSON object.")
    return str(body[name])


def _instant(body: Mapping[str, Any], name: str) -> int:
    return seconds_of(instant_in(_text(body, name), name))


def instant_in(text: str, name: str) -> datetime:
    """An aware instant from ISO 8601 text.

    Raises:
        BadHappeningError: it is none, or has no zone.
    """
    try:
        instant = datetime.fromisoformat(text)
    except ValueError as error:
        raise BadHappeningError(f"`{name}` is {text!r}: {error}.", hint="Send 2026-03-09T14:00:00+01:00.") from error
    if instant.tzinfo is None:
        raise BadHappeningError(f"`{name}` is {text}, without a zone.", hint="Send 2026-03-09T14:00:00+01:00.")
    return instant


def _day(body: Mapping[str, Any]) -> date:
    text = _text(body, "day")
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise BadHappeningError(f"`day` is {text!r}: {error}.", hint="Send 2026-03-14.") from error
