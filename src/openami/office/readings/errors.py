"""Why the office does not take a reading or an interval: one class per reason, with the number its log carries."""

from __future__ import annotations

from openami.shared.contract.enterprise.errors import Refusal


class UnknownDocument(Refusal):
    """A result names a reading order that was never made."""

    number = "OAMI101"
    category = "PRE.IDE"


class UnknownTask(Refusal):
    """A result names no measurement task that the office knows."""

    number = "OAMI102"
    category = "PRE.IDE"


class WrongTask(Refusal):
    """A result for an order names another measurement task than the order did."""

    number = "OAMI103"
    category = "PRE.CVE"


class TooFine(Refusal):
    """A value has more decimals than the books hold."""

    number = "OAMI104"
    category = "PRE.VAE"


class OrderClosed(Refusal):
    """A result comes for an order that was cancelled."""

    number = "OAMI105"
    category = "CON.POC"


class Implausible(Refusal):
    """A register reading fails a plausibility rule."""

    number = "OAMI106"
    category = "PRE.VAE"


class TooLarge(Refusal):
    """A value is larger than the books hold."""

    number = "OAMI107"
    category = "PRE.VAE"


class UnknownProfile(Refusal):
    """An upload names a profile that no interval channel has."""

    number = "OAMI111"
    category = "PRE.IDE"


class OffTheGrid(Refusal):
    """An item's times are not one interval of the profile's grid."""

    number = "OAMI112"
    category = "PRE.VAE"


class WrongUnit(Refusal):
    """An item has another quantity than its profile."""

    number = "OAMI113"
    category = "DCE.VME"


class WrongStatus(Refusal):
    """An item has no status, several, or one that the status table does not know."""

    number = "OAMI114"
    category = "DCE.VME"


class MissingValue(Refusal):
    """An item has no quantity, though its status says that there is a value."""

    number = "OAMI115"
    category = "PRE.VAE"


class UnknownEventDevice(Refusal):
    """An event names no device that the office knows."""

    number = "OAMI121"
    category = "PRE.IDE"
