"""Why the registry refuses: one class a reason, each with the number and category that a confirmation carries."""

from __future__ import annotations

from openami.shared.errors import OpenAmiError


class RegistryError(OpenAmiError):
    """A change of master data that the registry does not take."""

    number = "1000"


class UnknownDeviceError(RegistryError):
    """A device that was never announced."""

    number = "1001"
    category = "PRE.IDE"


class UnknownTaskError(RegistryError):
    """A measurement task that no register of any device has."""

    number = "1002"
    category = "PRE.IDE"


class DeviceExistsError(RegistryError):
    """A device that is already known with other data."""

    number = "1003"
    category = "CON.POC"


class SerialTakenError(RegistryError):
    """Two devices of one material with one serial number."""

    number = "1004"
    category = "PRE.CVE"


class TaskTakenError(RegistryError):
    """A measurement task that belongs to another device in the same period."""

    number = "1005"
    category = "PRE.CVE"


class PeriodError(RegistryError):
    """A period that ends before it starts, or two that overlap."""

    number = "1006"
    category = "PRE.VAE"


class UnknownCodeError(RegistryError):
    """A code (unit, recurrence, zone) that the tables do not know."""

    number = "1007"
    category = "DCE.VME"


class ProfileTakenError(RegistryError):
    """A measurement task that already feeds another profile in the same period."""

    number = "1008"
    category = "PRE.CVE"


class SystemMismatchError(RegistryError):
    """A message that names another AMS than the one the device belongs to."""

    number = "1009"
    category = "PRE.CVE"


class InUseError(RegistryError):
    """A device that was installed cannot be forgotten."""

    number = "1011"
    category = "PRE.CVE"


class WrongOwnerError(RegistryError):
    """A measurement task that belongs to another device than the message names."""

    number = "1012"
    category = "PRE.CVE"
