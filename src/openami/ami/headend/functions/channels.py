"""Functions about the meters on the M-Bus channels of an electricity meter: couple, decouple, keys, alarms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from openami.ami.dlms import data as d
from openami.ami.dlms import queries
from openami.ami.dlms.errors import ActionRefusedError
from openami.ami.dlms.obis import Obis
from openami.ami.dlms.references import AttributeRef
from openami.ami.headend.dialogues import given
from openami.ami.headend.functions.model import BadParametersError, Function, Parameters, number, octets, plain
from openami.ami.headend.functions.reading import CHANNELS, scan_channels

if TYPE_CHECKING:
    from openami.ami.dlms.data import Data
    from openami.ami.headend.dialogues import Dialogue
    from openami.ami.headend.functions.model import Found, Run

MBUS_CLASS: Final = 72


def channel_act(method: int, parameter: Data | None = None) -> Run:
    """A method of the M-Bus client of a channel."""

    async def run(dialogue: Dialogue, wanted: Parameters) -> Found:
        channel = number(wanted, "channel", 1, len(CHANNELS))
        await dialogue.session.ask(queries.act(f"0-{channel}:24.1.0", MBUS_CLASS, method, parameter))
        return {"channel": channel}

    return run


async def couple(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Couple a meter on the first channel that finds it, by its M-Bus identification."""
    wanted_id = str(wanted["identification"]).upper()
    for channel in CHANNELS:
        try:
            await dialogue.session.ask(queries.act(f"0-{channel}:24.1.0", MBUS_CLASS, 1, d.unsigned8(channel)))
        except ActionRefusedError:
            continue
        found = (await scan_channels(dialogue, {}))["channels"].get(str(channel), {})
        if found.get("identification") == wanted_id:
            return {"channel": channel}
    raise BadParametersError(f"No channel finds {wanted_id}.", hint="Is it installed, and of this home?")


async def decouple(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Take a meter off its channel, by its M-Bus identification."""
    wanted_id = str(wanted["identification"]).upper()
    channels = (await scan_channels(dialogue, {}))["channels"]
    for channel, found in channels.items():
        if found["identification"] == wanted_id:
            await dialogue.session.ask(queries.act(f"0-{channel}:24.1.0", MBUS_CLASS, 2))
            return {"channel": int(channel)}
    raise BadParametersError(f"{wanted_id} is on no channel.", hint="See scan_mbus_channels.")


async def set_channel_key(dialogue: Dialogue, wanted: Parameters) -> Found:
    """Give the meter of a channel its user key, wrapped by its own default key."""
    channel = number(wanted, "channel", 1, len(CHANNELS))
    wrapped = d.octet_string(octets(wanted, "wrapped_key"))
    for method in (8, 7):  # to the slave, then to the client that deciphers its telegrams
        await dialogue.session.ask(queries.act(f"0-{channel}:24.1.0", MBUS_CLASS, method, wrapped))
    (status,) = await dialogue.session.ask_all([AttributeRef(MBUS_CLASS, Obis.of(f"0-{channel}:24.1.0"), 14)])
    return {"channel": channel, "key_status": plain(given(status))}


async def clear_channels(dialogue: Dialogue, _wanted: Parameters) -> Found:
    """Clear the alarms of all channels."""
    for channel in CHANNELS:
        await dialogue.session.ask(queries.act(f"0-{channel}:24.1.0", MBUS_CLASS, 4))
    return {"channels": len(CHANNELS)}


_CHANGED: Final = "config.changed"
CHANNEL_FUNCTIONS: Final = (
    Function(
        "couple_mbus",
        "Couples a meter by its M-Bus identification.",
        couple,
        ("CoupleMbusDevice",),
        ("identification",),
        (),
        _CHANGED,
        objects=("0-1:24.1.0",),
    ),
    Function(
        "couple_mbus_channel",
        "Couples whatever answers on a channel.",
        channel_act(1, d.unsigned8(0)),
        ("CoupleMbusDeviceByChannel",),
        ("channel",),
        (),
        _CHANGED,
        objects=("0-1:24.1.0",),
    ),
    Function(
        "decouple_mbus",
        "Takes a meter off its channel by its identification.",
        decouple,
        ("DecoupleMbusDevice",),
        ("identification",),
        (),
        _CHANGED,
        objects=("0-1:24.1.0",),
    ),
    Function(
        "decouple_mbus_channel",
        "Takes whatever is on a channel off it.",
        channel_act(2),
        ("DecoupleMbusDeviceByChannel",),
        ("channel",),
        (),
        _CHANGED,
        objects=("0-1:24.1.0",),
    ),
    Function(
        "set_mbus_key",
        "Gives the meter of a channel its user key.",
        set_channel_key,
        ("SetMbusUserKeyByChannel", "SetKeyOnGMeter"),
        ("channel", "wrapped_key"),
        (),
        _CHANGED,
        objects=("0-1:24.1.0",),
    ),
    Function(
        "clear_mbus_alarms",
        "Clears the alarms of all channels.",
        clear_channels,
        ("ClearMBusStatusOnAllChannels",),
        objects=("0-1:24.1.0",),
    ),
)
"""The functions of this module."""
