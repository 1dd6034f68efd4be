"""Why an order to switch is refused, one class a reason, with the number and category of its confirmation."""

from __future__ import annotations

from openami.mdus.registry.errors import RegistryError


class CommandError(RegistryError):
    """An order that cannot be taken, or a step that its state forbids."""

    number = "2000"


class UnknownCategoryError(CommandError):
    """A connection category that is neither disconnect nor reconnect."""

    number = "2001"
    category = "DCE.VME"


class DuplicateRequestError(CommandError):
    """A request number that is in work or done."""

    number = "2002"
    category = "CON.POC"


class NotOperationalError(CommandError):
    """A device that cannot be switched: not installed, removed, or without an AMS."""

    number = "2003"
    category = "PRE.CVE"


class UnknownRequestError(CommandError):
    """A cancellation of a request that is not known."""

    number = "2004"
    category = "PRE.IDE"


class AlreadyProcessedError(CommandError):
    """A cancellation that comes too late."""

    number = "2005"
    category = "PRE.CVE"


class NotExecutedError(CommandError):
    """The AMS or the device could not do what was ordered."""

    number = "2008"


class NoProofError(CommandError):
    """Nothing proved until the deadline that the device has switched."""

    number = "2009"


class WithdrawnError(CommandError):
    """The order was withdrawn before anything was done."""

    number = "2010"


class NotHeldError(CommandError):
    """A release of a command that nobody holds."""

    number = "2006"


class SamePersonError(CommandError):
    """A release by the person who gave the order."""

    number = "2007"
    category = "PRE.AUE"
